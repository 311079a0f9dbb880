import { createServer } from "node:http";
import { afterAll, describe, expect, it } from "vitest";
import { freePort, killLeftOvers, push, query, startTocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

interface Webhook {
  readonly groupLabels: Record<string, string>;
  readonly alerts: readonly { readonly status: string; readonly labels: Record<string, string> }[];
}

const RULES = `groups:
- name: service
  interval: 1s
  rules:
  - alert: InstanceDown
    expr: probe_success == 0
    labels: { severity: page }
  - record: evaluated
    expr: vector(1)
`;

const alertmanager = (port: number) => `route:
  receiver: hook
  group_by: [alertname, service]
  group_wait: 4s
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: hook
  webhook_configs:
  - url: http://127.0.0.1:${port}/
`;

describe("fifty instances of one failing service", () => {
  it("are one notification with fifty alerts, also when their samples come one after another", async () => {
    const received: Webhook[] = [];
    const port = await freePort();
    const hook = createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => {
        received.push(JSON.parse(body));
        response.end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
    try {
      const tocsin = await startTocsin({
        config: "agent: { enabled: false }\nrule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n",
        files: { "rules.yml": RULES, "alertmanager.yml": alertmanager(port) },
      });
      const instances = Array.from({ length: 50 }, (_, i) => `host-${i}:9100`);
      const say = (which: readonly string[], value: number) =>
        push(
          tocsin.url,
          which.map((instance) => ({
            labels: { __name__: "probe_success", service: "shop", instance },
            samples: [[Date.now(), value]],
          })),
        );
      await say(instances, 1);
      for (let i = 0; i < 50; i += 10) await say(instances.slice(i, i + 10), 0);
      await until(() => received.length > 0, "the webhook is called");
      // Two more evaluations, and a second group interval, in which a second one would come.
      const evaluated = async () =>
        Number((await query(tocsin.url, "count_over_time(evaluated[5m])"))[0]?.value[1] ?? 0);
      const before = await evaluated();
      await until(async () => (await evaluated()) >= before + 3, "more evaluations");
      expect(received).toHaveLength(1);
      expect(received[0]?.groupLabels).toEqual({ alertname: "InstanceDown", service: "shop" });
      expect(received[0]?.alerts.map((a) => a.labels.instance).sort()).toEqual(instances.sort());
      expect(new Set(received[0]?.alerts.map((a) => a.status))).toEqual(new Set(["firing"]));
      await tocsin.stop();
    } finally {
      hook.close();
    }
  });
});
