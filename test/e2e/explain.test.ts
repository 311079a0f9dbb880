import { createServer, type Server } from "node:http";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { ExplainAnswer } from "../../src/model/explain.ts";
import { type Ran, runCli } from "./cli.ts";
import { freePort, killLeftOvers, startTocsin, type Tocsin, until } from "./tocsin.ts";

const hooks: Server[] = [];
afterEach(() => {
  for (const hook of hooks.splice(0)) hook.close();
});
afterAll(killLeftOvers);

/** `/broken` refuses everything for good, everything else is taken. */
async function startHook(): Promise<number> {
  const port = await freePort();
  const hook = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(request.url === "/broken" ? 400 : 200).end("no"));
  });
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  hooks.push(hook);
  return port;
}

const alertmanager = (port: number) => `route:
  receiver: pager
  group_by: [alertname, instance]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 4h
  routes:
  - { matchers: [alertname="Waits"], group_wait: 1h, receiver: pager }
  - { matchers: [alertname="Nobody"], receiver: nobody }
  - { matchers: [alertname="Broken"], receiver: broken }
  - { matchers: [alertname="Fallen"], receiver: fallen, group_interval: 1h }
  - { matchers: [alertname="Muted"], receiver: pager, mute_time_intervals: [always] }
  - { matchers: [alertname="Escalated"], escalation: ops, receiver: pager }
inhibit_rules:
- { source_matchers: [alertname="Big"], target_matchers: [alertname="Small"] }
time_intervals:
- { name: always, time_intervals: [{ times: [{ start_time: "00:00", end_time: "24:00" }] }] }
receivers:
- { name: pager, webhook_configs: [{ url: "http://127.0.0.1:${port}/pager" }] }
- { name: broken, webhook_configs: [{ url: "http://127.0.0.1:${port}/broken" }] }
- { name: fallen, fallback_receiver: pager, webhook_configs: [{ url: "http://127.0.0.1:${port}/broken" }] }
- { name: nobody }
escalations:
- { name: ops, steps: [{ notify: [pager] }], repeat_after: 1h, ack_timeout: 1h }
`;
const RULES = `groups:
- name: g
  interval: 1s
  rules:
  - { alert: High, expr: load > 5 }
  - { alert: Held, expr: load > 5, for: 1h }
  - { alert: Low, expr: load < 1 }
  - { alert: Gone, expr: nothing_such > 1 }
  - { alert: Ill, expr: 'label_replace(load, "instance", "same", "", "") > 0' }
  - { alert: Quiet, expr: load > 5, shadow: true }
- name: candidates
  interval: 1s
  shadow: true
  rules:
  - { alert: Tried, expr: load > 5 }
`;
const CONFIG = `agent: { enabled: false }
alertmanager_config_file: alertmanager.yml
rule_files: [rules.yml]
`;

async function post(tocsin: Tocsin, path: string, body: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(tocsin.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  expect(response.ok).toBe(true);
  return path.startsWith("/api/v2/silences") ? response.json() : undefined;
}

async function why(tocsin: Tocsin, params: Record<string, string>): Promise<ExplainAnswer> {
  const response = await fetch(`${tocsin.url}/api/v1/alerts/explain?${new URLSearchParams(params)}`);
  const { data, error } = (await response.json()) as { data?: ExplainAnswer; error?: string };
  if (data === undefined) throw new Error(error);
  return data;
}

const cli = (args: readonly string[]): Promise<Ran> => runCli(args, { NO_COLOR: "1" });

/** What is no alert, no time and no receiver gets 400 with the reason. */
async function checkRefusals(tocsin: Tocsin): Promise<void> {
  const status = async (query: string) => {
    const response = await fetch(`${tocsin.url}/api/v1/alerts/explain?${query}`);
    return [response.status, ((await response.json()) as { error?: string }).error ?? ""] as const;
  };
  const labels = `labels=${encodeURIComponent('alertname="A"')}`;
  for (const [query, error] of [
    ["", "which alert?"],
    [`labels=${encodeURIComponent('alertname=~"("')}`, "labels"],
    [`labels=${encodeURIComponent('alertname="A')}`, "1:11: parse error"],
    [`match[]=${encodeURIComponent('{alertname="A"')}`, "match[]"],
    [`labels=${encodeURIComponent('alertname=""')}`, "which alert?"],
    [`${labels}&time=yesterday`, "time"],
    [`${labels}&time=99999999999`, "future"],
    [`${labels}&window=-1h`, "window"],
    [`${labels}&window=soon`, "window"],
    [`${labels}&receiver=none`, "receiver"],
    [`${labels}&limit=x`, "limit"],
  ] as const) {
    const [code, said] = await status(query);
    expect([query, code, said]).toEqual([query, 400, expect.stringContaining(error)]);
  }
  expect((await status(labels))[0]).toBe(200);
}

describe("why somebody was paged, or nobody", () => {
  it("is told for each reason, from records of the real program, over a restart and in its command; a wrong question is refused", async () => {
    const port = await startHook();
    const files = { "alertmanager.yml": alertmanager(port), "rules.yml": RULES };
    let tocsin = await startTocsin({ config: CONFIG, files });
    const silence = (await post(tocsin, "/api/v2/silences", {
      matchers: [{ name: "alertname", value: "Hushed", isRegex: false, isEqual: true }],
      startsAt: new Date(Date.now() - 1000).toISOString(),
      endsAt: new Date(Date.now() + 3_600_000).toISOString(),
      createdBy: "ann",
      comment: "moving house",
    })) as { silenceID: string };
    const posted = ["Hushed", "Waits", "Nobody", "Broken", "Fallen", "Muted", "Big", "Escalated"];
    await post(
      tocsin,
      "/api/v2/alerts",
      posted.map((alertname) => ({ labels: { alertname, instance: "a" } })),
    );
    await post(tocsin, "/api/v2/alerts", [{ labels: { alertname: "Small", instance: "a" } }]);
    const sample = () =>
      post(tocsin, "/api/v1/ingest", {
        series: ["a", "b"].map((instance) => ({
          labels: { __name__: "load", instance },
          samples: [instance === "a" ? 9 : 3],
        })),
      });
    await sample();

    const expected: Record<string, readonly [string, string]> = {
      Hushed: ["not_paged", "silenced"],
      Waits: ["not_paged", "group_wait"],
      Nobody: ["not_paged", "no_integrations"],
      Broken: ["not_paged", "delivery_failed"],
      Fallen: ["paged", "fallback_told"],
      Muted: ["not_paged", "muted_time_interval"],
      Big: ["paged", "repeat_interval"],
      Small: ["not_paged", "inhibited"],
      Escalated: ["paged", "escalation_step"],
      High: ["paged", "repeat_interval"],
      Held: ["pending", "for"],
      Low: ["inactive", "condition_false"],
      Gone: ["inactive", "no_data"],
      Ill: ["inactive", "rule_unhealthy"],
      Quiet: ["not_paged", "shadow"],
      Tried: ["not_paged", "shadow"],
      NoSuch: ["unknown_alert", "no_rule"],
    };
    const verdictOf = async (alertname: string) => {
      const of = posted.includes(alertname) || alertname === "Small" ? `,instance="a"` : "";
      const { instances } = await why(tocsin, { labels: `alertname="${alertname}"${of}` });
      const first = instances[0]!;
      return [first.verdict, first.reason, first.sentence] as const;
    };
    const seen: Record<string, unknown> = {};
    for (const [name, wanted] of Object.entries(expected)) {
      await until(
        async () => {
          const [verdict, reason, sentence] = await verdictOf(name);
          seen[name] = `${verdict} ${reason}: ${sentence}`;
          return verdict === wanted[0] && reason === wanted[1];
        },
        name,
        30_000,
      ).catch(() => {});
    }
    for (const [name, [verdict, reason]] of Object.entries(expected))
      expect(seen[name], name).toContain(`${verdict} ${reason}: `);
    expect(seen.Hushed).toContain(`silence ${silence.silenceID} by ann`);
    expect(seen.Hushed).toContain("moving house");
    expect(seen.Small).toContain(`inhibited by {alertname="Big", instance="a"}`);
    expect(seen.Low).toContain("load was 9 for");
    expect(seen.Fallen).toMatch(
      /: Paged: pager was told at \S+; it stands in as the fallback: fallen\/webhook\[0\] could not be told and was given up at \S+: .*400.*; fallen is tried again when the group is looked at next, at /,
    );
    expect(seen.Escalated).toMatch(
      /step 1 of escalation ops, which begins anew, pages pager and comes at \S+ unless somebody acknowledges before/,
    );
    expect(seen.Held).toContain("it fires when it has held for 1h, at ");
    expect(seen.Waits).toContain("the group_wait of 1h is not over");
    expect(seen.Muted).toContain("time interval always");
    expect(seen.Gone).toContain("there was no data");
    const advice = async (alertname: string) =>
      (await why(tocsin, { labels: `alertname="${alertname}"` })).instances[0]!.advice.join();
    expect(await advice("Quiet")).toContain("take `shadow` out of the rule Quiet in group g of ");
    expect(await advice("Tried")).toContain("the key `shadow` stands on group candidates of ");
    // Nobody has such an instance.
    const other = await why(tocsin, { labels: `alertname="High",instance="nowhere"` });
    expect(other).toMatchObject({ verdict: "inactive", instances: [{ fingerprint: null, reason: "no_data" }] });
    expect(other.sentence).toContain(`No alert with alertname="High", instance="nowhere": Not paged because `);

    // From the stream alone, whose records are those of the process before.
    const before = Date.now();
    await tocsin.stop();
    tocsin = await startTocsin({ dir: tocsin.dir, config: CONFIG });
    const past = await why(tocsin, { labels: `alertname="Hushed"`, time: String(before / 1000) });
    expect(past.instances[0]).toMatchObject({ verdict: "not_paged", reason: "silenced" });
    expect(past.instances[0]!.chain.some((s) => s.stage === "silence" && s.from === "stream")).toBe(true);
    expect(past.records.alertsBegin).not.toBeNull();
    expect(past.records.problems).toEqual([]);
    const paged = await why(tocsin, { labels: `alertname="High"`, time: String(before / 1000) });
    expect(paged.verdict).toBe("paged");
    expect(paged.instances[0]!.chain.map((s) => s.stage)).toEqual(
      expect.arrayContaining(["evaluation", "alert", "route", "group", "delivery"]),
    );

    // An acknowledgement holds further pages back.
    const listed = (await (await fetch(`${tocsin.url}/api/v1/escalations`)).json()) as {
      data: { escalations: { id: string }[] };
    };
    await post(tocsin, `/api/v1/escalations/${listed.data.escalations[0]!.id}/ack`, { by: "bob" });
    const acked = await why(tocsin, { labels: `alertname="Escalated"` });
    expect(acked.instances[0]).toMatchObject({ verdict: "paged", reason: "acknowledged" });
    expect(acked.sentence).toContain("acknowledged by bob");

    const told = await cli(["why", 'alertname="Hushed"', "--url", tocsin.url]);
    expect(told.code).toBe(0);
    expect(told.out).toMatch(/^Not paged because silenced by silence /);
    expect(told.out).toContain(`what to do: end the silence with: amtool silence expire ${silence.silenceID}`);
    const wrong = await cli(["why", 'alertname="Hushed', "--url", tocsin.url]);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain("parse error");
    const json = await cli(["why", 'alertname="Hushed"', "--url", tocsin.url, "--json"]);
    expect((JSON.parse(json.out) as ExplainAnswer).verdict).toBe("not_paged");
    await checkRefusals(tocsin);
    await tocsin.stop();
  });
});
