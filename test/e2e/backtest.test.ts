import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ran, runCli } from "./cli.ts";
import { freePort, killLeftOvers, push, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

const END = Math.floor(Date.now() / 60_000) * 60 - 600;
const HOURS = 3;
const START = END - HOURS * 3600;
let tocsin: Tocsin;

/** The real program, its output no terminal. */
const run = (args: readonly string[], url = tocsin.url): Promise<Ran> =>
  runCli(["backtest", ...args], { TOCSIN_URL: url, NO_COLOR: "1", COLUMNS: "110", TZ: "UTC" });

const rules = (level: number) => `
groups:
- name: hosts
  interval: 1m
  rules:
  - { record: "zone:load:avg", expr: avg by (zone) (load) }
  - alert: HostBusy
    expr: load > ${level}
    for: 5m
    labels: { severity: page }
    annotations: { summary: "{{ $labels.host }} is at {{ $value }}" }
  - { alert: ZoneBusy, expr: "zone:load:avg > 5", labels: { severity: ticket } }
`;
const ROUTING = `
route:
  receiver: team
  group_by: [alertname]
  group_wait: 30s
  routes: [{ matchers: ['severity="page"'], escalation: on-call }]
receivers:
- { name: team, slack_configs: [{ api_url: "http://127.0.0.1:1/secret", channel: "#ops", send_resolved: true }] }
- { name: ann, webhook_configs: [{ url: "http://127.0.0.1:1/ann" }] }
schedules:
- { name: primary, time_zone: UTC, rotations: [{ receivers: [ann], start: "2020-01-01T00:00:00", shift: 1w }] }
escalations:
- { name: on-call, steps: [{ notify: ["schedule:primary"] }], repeat: 0 }
`;

beforeAll(async () => {
  tocsin = await startTocsin({
    config: "agent: { enabled: false }\nrule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n",
    files: { "rules.yml": rules(8), "alertmanager.yml": ROUTING },
  });
  // Host a is at 9 for ten minutes in each hour, host b at 7.
  const samples = (peak: number) =>
    Array.from({ length: HOURS * 60 + 1 }, (_, i) => [START + i * 60, i % 60 >= 20 && i % 60 < 30 ? peak : 1] as const);
  const series = [
    { labels: { __name__: "load", host: "a", zone: "z" }, samples: samples(9) },
    { labels: { __name__: "load", host: "b", zone: "z" }, samples: samples(7) },
  ];
  expect((await push(tocsin.url, series, { "x-tocsin-backfill": "1" })).status).toBe(204);
  await until(async () => (await query(tocsin.url, "load", END)).length === 2, "the samples are there");
  writeFileSync(join(tocsin.dir, "candidate.yml"), rules(6));
});
afterAll(async () => {
  await tocsin?.stop();
  killLeftOvers();
});

const RANGE = ["--from", String(START), "--to", String(END)];

describe("tocsin backtest", () => {
  it("tells the pages of candidate rules, by receiver and person, and the difference", async () => {
    const told = await run(["--rules", join(tocsin.dir, "candidate.yml"), ...RANGE, "--json"]);
    expect(told.code, told.err).toBe(0);
    const report = JSON.parse(told.out);
    const firing = (pages: { status: string; receiver: string; alerts: { labels: { alertname: string } }[] }[]) =>
      pages
        .filter((p) => p.status === "firing")
        .map((p) => `${p.receiver} ${p.alerts.map((a) => a.labels.alertname).join(" ")}`);
    // Once an hour: now host a alone, then both in one page; the zone's alert reads what a rule records.
    const hourly = (busy: string) => [1, 2, 3].flatMap(() => [`ann ${busy}`, "team ZoneBusy"]).sort();
    expect(firing(report.current.pages).sort()).toEqual(hourly("HostBusy"));
    expect(firing(report.candidate.pages).sort()).toEqual(hourly("HostBusy HostBusy"));
    expect(report.candidate.byPerson).toMatchObject([{ name: "ann", pages: 3 }]);
    expect(report.difference).toMatchObject({ added: [], removed: [], moved: [] });
    expect(report.candidate.problems).toEqual([]);
  });

  it("shows tables", async () => {
    writeFileSync(join(tocsin.dir, "low.yml"), rules(9.5));
    const { code, out, err } = await run(["--rules", join(tocsin.dir, "low.yml"), ...RANGE]);
    expect(code, err).toBe(0);
    if (process.env.VERBOSE) console.log(out, err);
    expect(out).toContain("Difference to what is configured now: 0 added, 6 removed, 0 moved");
    expect(out).toMatch(/HostBusy +ann +3 +0 +0 +3 +0/);
    expect(out).toMatch(/- {2}\d{4}-.* ann +firing step 1 +1 HostBusy/);
  });

  it("says which rule fails, and goes on with the others", async () => {
    const broken = `${rules(6)}  - { alert: Broken, expr: 'load + on (zone) load > 0' }\n`;
    writeFileSync(join(tocsin.dir, "broken.yml"), broken);
    const { code, out, err } = await run(["--rules", join(tocsin.dir, "broken.yml"), ...RANGE]);
    expect(code).toBe(0);
    expect(err).toMatch(/warning: rule Broken of group hosts: \d+ of \d+ evaluations fail: .*many/);
    expect(out).toContain("HostBusy");
  });

  it("begins where the data does, and asks for no time to come", async () => {
    const far = ["--from", String(START - 40 * 86_400), "--to", "4000000000", "--json"];
    const { code, out, err } = await run(["--rules", join(tocsin.dir, "candidate.yml"), ...far]);
    expect(code, err).toBe(0);
    const { from, to } = JSON.parse(out);
    expect(Math.abs(Date.parse(from) / 1000 - START)).toBeLessThan(3 * 3600);
    expect(Date.parse(to)).toBeLessThanOrEqual(Date.now());
    expect(err).toContain("note: nothing is stored before about");
  });

  it("refuses what is wrong, and says what to do", async () => {
    const candidate = ["--rules", join(tocsin.dir, "candidate.yml")];
    writeFileSync(join(tocsin.dir, "bad.yml"), "groups:\n- name: g\n  rules:\n  - { alert: A, expr: 'sum(' }\n");
    const bad = await run(["--rules", join(tocsin.dir, "bad.yml"), ...RANGE]);
    expect(bad).toMatchObject({ code: 1, out: "" });
    expect(bad.err).toMatch(/bad\.yml:4:\d+: /);
    expect(await run(["--rules", "/nowhere.yml", ...RANGE])).toMatchObject({
      code: 2,
      err: "error: --rules: no file matches /nowhere.yml\n",
    });
    expect(await run([...candidate, "--from", "soon"])).toMatchObject({ code: 2 });
    expect((await run([...candidate, "--from", "now", "--to", "-1h"])).err).toBe(
      "error: --from: must be before --to\n",
    );
    expect((await run([...candidate, "--from", "4000000000", "--to", "4000000001"])).err).toBe(
      "error: --from: must be before now\n",
    );
    expect((await run(RANGE)).err).toContain("Give --rules, --alertmanager or both");
    const early = await run([...candidate, "--from", "2020-01-01", "--to", "2020-01-02"]);
    expect(early).toMatchObject({ code: 2, out: "" });
    // Wrapped at the width of the screen.
    expect(early.err.replace(/\s+/g, " ")).toContain("the server has data from about");
    const down = await run([...candidate, ...RANGE], `http://127.0.0.1:${await freePort()}`);
    expect(down).toMatchObject({ code: 1, out: "" });
    expect(down.err).toContain("nothing listens at");
  });
});
