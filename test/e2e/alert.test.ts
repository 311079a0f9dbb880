import { createServer, type Server } from "node:http";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { freePort, killLeftOvers, push, query, startTocsin, until } from "./tocsin.ts";

interface Webhook {
  readonly status: string;
  readonly version: string;
  readonly receiver: string;
  readonly groupLabels: Record<string, string>;
  readonly alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
}

const hooks: Server[] = [];
afterEach(() => {
  for (const hook of hooks.splice(0)) hook.close();
});
afterAll(killLeftOvers);

async function startHook(): Promise<{ port: number; received: Webhook[] }> {
  const port = await freePort();
  const received: Webhook[] = [];
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
  hooks.push(hook);
  return { port, received };
}

const RULES = `groups:
- name: levels
  interval: 1s
  rules:
  - record: level:max
    expr: max(level)
  - alert: LevelHigh
    expr: level > 10
    labels: { severity: page }
    annotations:
      summary: "{{ $labels.tank }} is at {{ $value }}"
`;

const alertmanager = (port: number) => `route:
  receiver: hook
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: hook
  webhook_configs:
  - url: http://127.0.0.1:${port}/
`;

describe("from a sample to a page", () => {
  it("fires, groups, resolves, records, and neither repeats nor forgets over a restart", async () => {
    const { port, received } = await startHook();
    const files = { "rules.yml": RULES, "alertmanager.yml": alertmanager(port) };
    const config = "agent: { enabled: false }\nrule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n";
    let tocsin = await startTocsin({ config, files });
    const level = (tank: string, value: number) =>
      push(tocsin.url, [{ labels: { __name__: "level", tank }, samples: [[Date.now(), value]] }]);

    await level("a", 42);
    await until(() => received.length > 0, "the webhook is called");
    const first = received[0]!;
    expect(first).toMatchObject({
      status: "firing",
      version: "4",
      receiver: "hook",
      groupLabels: { alertname: "LevelHigh" },
    });
    expect(first.alerts[0]).toMatchObject({
      status: "firing",
      labels: { alertname: "LevelHigh", severity: "page", tank: "a" },
      annotations: { summary: "a is at 42" },
    });
    await until(
      async () => (await query(tocsin.url, "level:max"))[0]?.value[1] === "42",
      "the recording rule's series",
    );
    await until(
      async () => (await query(tocsin.url, 'ALERTS{alertstate="firing"}')).length === 1,
      "ALERTS shows the firing alert",
    );

    const told = received.length;
    expect(await tocsin.stop()).toBe(0);
    tocsin = await startTocsin({ dir: tocsin.dir, config });
    await level("a", 42);
    const active = async () => {
      const response = await fetch(`${tocsin.url}/api/v1/alerts`);
      return ((await response.json()) as { data: { alerts: { state: string }[] } }).data.alerts;
    };
    await until(async () => (await active())[0]?.state === "firing", "it still fires after the restart");
    // Two more evaluations with nothing new: a repeated page would come with the first of them.
    const evaluated = async () => Number((await query(tocsin.url, "count_over_time(level:max[5m])"))[0]?.value[1] ?? 0);
    const before = await evaluated();
    await until(async () => (await evaluated()) >= before + 2, "two more evaluations");
    expect(received.length).toBe(told);

    await level("a", 1);
    await until(() => received.at(-1)?.status === "resolved", "the webhook is told that it is over");
    expect(received.length).toBe(told + 1);
    await tocsin.stop();
  });
});
