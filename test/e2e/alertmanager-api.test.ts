import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killPrograms, startPrometheus } from "./program.ts";
import { findProgram, freePort, killLeftOvers, startTocsin, type Tocsin, tempDir, until } from "./tocsin.ts";

// Tocsin in the place of an Alertmanager, for the programs that speak to one: amtool and Prometheus.

const run = promisify(execFile);
const amtoolPath = findProgram("amtool");
const prometheusPath = findProgram("prometheus");
const unless = (path: string | undefined, name: string) =>
  path === undefined ? ` (passed over: there is no ${name} on PATH or in PEERS_BIN)` : "";

let hook: Server;
let tocsin: Tocsin;
const told: string[] = [];

beforeAll(async () => {
  const port = await freePort();
  hook = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      const { status, alerts } = JSON.parse(body) as { status: string; alerts: { labels: Record<string, string> }[] };
      for (const { labels } of alerts) told.push(`${status} ${labels.alertname}`);
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  tocsin = await startTocsin({
    config: "agent: { enabled: false }\nalertmanager_config_file: am.yml\n",
    files: {
      "am.yml": `route:
  receiver: hook
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
  routes:
  - matchers: [team="x"]
    receiver: nobody
receivers:
- name: hook
  webhook_configs: [{ url: "http://127.0.0.1:${port}/" }]
- name: nobody
`,
    },
  });
});
afterAll(async () => {
  await tocsin?.stop();
  hook?.close();
  killLeftOvers();
  killPrograms();
});

describe.skipIf(amtoolPath === undefined)(`amtool${unless(amtoolPath, "amtool")}`, () => {
  const amtool = async (...args: readonly string[]) => {
    const { stdout } = await run(amtoolPath as string, [...args, `--alertmanager.url=${tocsin.url}`], {
      env: { ...process.env, HOME: tocsin.dir },
    });
    return stdout.trim();
  };
  const json = async (...args: readonly string[]) => JSON.parse(await amtool(...args, "-o", "json")) as unknown;

  it("adds and queries alerts", async () => {
    await amtool("alert", "add", "alertname=Tool", "host=a", "--annotation=summary=it burns");
    await amtool("alert", "add", "alertname=Tool", "host=b", "team=x");
    expect(await json("alert", "query", "host=a")).toMatchObject([
      { labels: { alertname: "Tool", host: "a" }, annotations: { summary: "it burns" }, status: { state: "active" } },
    ]);
    expect(await json("alert", "query", "alertname=~T.*", "--receiver=nobody")).toMatchObject([
      { labels: { host: "b" } },
    ]);
    expect(await amtool("alert", "query")).toMatch(/^Alertname .*\nTool .*active/s);
    expect(await amtool("alert", "query", "-o", "extended")).toContain('alertname="Tool"');
  });

  it("makes, shows, changes, exports, imports and ends silences", async () => {
    const id = await amtool("silence", "add", "host=~a|c", "-a", "me", "-c", "why", "-d", "1h");
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await json("silence", "query", "host=~a|c")).toMatchObject([{ id, comment: "why", createdBy: "me" }]);
    expect(await json("alert", "query", "host=a")).toEqual([]);
    expect(await json("alert", "query", "--silenced")).toMatchObject([{ status: { silencedBy: [id] } }]);
    expect(await json("silence", "update", "-d", "3h", "-c", "still", id)).toMatchObject([{ id, comment: "still" }]);
    expect(await json("silence", "query", "--id", id)).toMatchObject([{ comment: "still" }]);
    const file = join(tempDir(), "silences.json");
    writeFileSync(file, await amtool("silence", "query", "-o", "json"));
    expect(await amtool("silence", "expire", id)).toBe("");
    expect(await json("silence", "query")).toEqual([]);
    expect(await json("silence", "query", "--expired")).toMatchObject([{ id, status: { state: "expired" } }]);
    await amtool("silence", "import", "--force", file);
    const imported = (await json("silence", "query")) as { id: string; comment: string }[];
    expect(imported).toMatchObject([{ comment: "still" }]);
    await amtool("silence", "expire", imported[0]?.id as string);
    await expect(amtool("silence", "expire", "11111111-1111-4111-8111-111111111111")).rejects.toThrow();
    // It matches everything; the reason is the server's.
    const all = amtool("silence", "add", "host=~.*", "-a", "me", "-c", "why");
    await expect(all).rejects.toThrow("at least one matcher must not match the empty string");
    expect(await json("alert", "query", "host=a")).toHaveLength(1);
  });

  it("leaves alone the fields of a silence that it does not know", async () => {
    const made = await fetch(`${tocsin.url}/api/v2/silences`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        matchers: [{ name: "host", value: "z", isRegex: false }],
        startsAt: new Date().toISOString(),
        createdBy: "me",
        comment: "",
        untilResolved: true,
        noticeBefore: "30m",
        recurrence: { times: [{ start_time: "00:00", end_time: "24:00" }], location: "Europe/Berlin" },
      }),
    });
    const { silenceID } = (await made.json()) as { silenceID: string };
    expect(await json("silence", "update", "-d", "48h", silenceID)).toMatchObject([{ id: silenceID }]);
    const shown = await (await fetch(`${tocsin.url}/api/v2/silence/${silenceID}`)).json();
    expect(shown).toMatchObject({ status: { state: "active" }, untilResolved: true, noticeBefore: "30m" });
    expect(shown).toMatchObject({ recurrence: [{ location: "Europe/Berlin" }] });
    await amtool("silence", "expire", silenceID);
  });

  it("shows and tests the configuration, and the cluster", async () => {
    const shown = await amtool("config", "show");
    expect(shown).toContain("receiver: hook");
    expect(shown).toContain("<secret>");
    expect(await amtool("config", "routes")).toContain('{team="x"}  receiver: nobody');
    expect(await amtool("config", "routes", "test", "team=x")).toBe("nobody");
    expect(await amtool("config", "routes", "test", "team=y")).toBe("hook");
    expect(await amtool("cluster", "show")).toContain("disabled");
    const { stdout } = await run(amtoolPath as string, ["check-config", join(tocsin.dir, "am.yml")]);
    expect(stdout).toContain("SUCCESS");
  });
});

describe.skipIf(amtoolPath === undefined)(`more of amtool${unless(amtoolPath, "amtool")}`, () => {
  const amtool = async (...args: readonly string[]) => {
    const { stdout } = await run(amtoolPath as string, [...args, `--alertmanager.url=${tocsin.url}`], {
      env: { ...process.env, HOME: tocsin.dir },
    });
    return stdout.trim();
  };
  const json = async (...args: readonly string[]) => JSON.parse(await amtool(...args, "-o", "json")) as unknown;

  it("takes times, sources and annotations, and tells of its mistakes", async () => {
    const [start, end] = [-60_000, 3_600_000].map((ms) => new Date(Date.now() + ms).toISOString());
    const times = [`--start=${start}`, `--end=${end}`, "--generator-url=http://source.example/x"];
    await amtool("alert", "add", "Timed", "host=t", ...times, "--annotation=a=1", "--annotation=b=2");
    expect(await json("alert", "query", "alertname=Timed")).toMatchObject([
      { startsAt: start, endsAt: end, generatorURL: "http://source.example/x", annotations: { a: "1", b: "2" } },
    ]);
    expect(await json("alert", "query", "Timed", "--receiver=nob.*")).toEqual([]);
    expect(await json("alert", "query", "Timed", "--inhibited", "--unprocessed")).toEqual([]);
    expect(await amtool("alert", "query", "Timed", "-o", "simple")).toContain("Timed");
    await expect(amtool("alert", "add", "Timed", `--start=${end}`, `--end=${start}`)).rejects.toThrow(
      "start time must be before end time",
    );
  });

  it("finds silences by their maker, end and id, and ends many", async () => {
    const end = new Date(Date.now() + 7_200_000).toISOString();
    const add = ["silence", "add", "-a", "ann", "-c", "c", "--annotation=ticket=7"];
    const ids = [await amtool(...add, "host=s1", "-d", "30m"), await amtool(...add, "host=s2", `--end=${end}`)];
    const found = async (...args: string[]) => (await amtool("silence", "query", "-q", ...args)).split("\n").sort();
    expect(await found("--created-by=ann")).toEqual([...ids].sort());
    expect(await found("--within=1h")).toEqual([ids[0]]);
    expect(await json("silence", "query", `--id=${ids[1]}`)).toMatchObject([
      { endsAt: end, annotations: { ticket: "7" } },
    ]);
    expect(await amtool("silence", "query", "host=s1", "-o", "extended")).toContain("ann");
    await amtool("silence", "update", "-q", "-d", "2h", ids[0] as string);
    expect(await found("--within=1h")).toEqual([""]);
    await amtool("silence", "expire", ...ids);
    expect(await json("silence", "query")).toEqual([]);
    await expect(amtool("silence", "update", "-d", "1h", "11111111-1111-4111-8111-111111111111")).rejects.toThrow();
  });

  it("prints the running configuration in every form, routes as a tree, and fills in templates", async () => {
    expect(await amtool("config", "show", "-o", "extended")).toContain("uptime");
    expect(await json("config", "show")).toMatchObject({ config: { original: expect.stringContaining("hook") } });
    expect(await amtool("config", "routes", "show")).toContain('{team="x"}  receiver: nobody');
    expect(await amtool("config", "routes", "test", "--verify.receivers=nobody", "--tree", "team=x")).toContain(
      "nobody",
    );
    await expect(amtool("config", "routes", "test", "--verify.receivers=hook", "team=x")).rejects.toThrow();
    const template = ["--template.text={{ .Status }}", `--template.glob=${join(tocsin.dir, "am.yml")}`];
    expect(await amtool("template", "render", ...template)).toBe("alertstatus");
  });
});

describe.skipIf(prometheusPath === undefined)(
  `a Prometheus whose Alertmanager is Tocsin${unless(prometheusPath, "prometheus")}`,
  () => {
    it("has its alerts told, and silenced; a silence lasts over kill -9", { timeout: 300_000 }, async () => {
      const dir = tempDir();
      const rules = (threshold: number) => `groups:
- name: g
  interval: 1s
  rules:
  - alert: FromPrometheus
    expr: vector(1) > ${threshold}
    labels: { severity: page }
    annotations: { summary: "is {{ $value }}" }
`;
      writeFileSync(join(dir, "rules.yml"), rules(0));
      const prometheus = await startPrometheus(
        prometheusPath as string,
        `global: { evaluation_interval: 1s, external_labels: { cluster: eu } }
rule_files: ["${join(dir, "rules.yml")}"]
alerting: { alertmanagers: [{ api_version: v2, static_configs: [{ targets: ["${new URL(tocsin.url).host}"] }] }] }
`,
        ["--rules.alert.resend-delay=1s"],
      );
      try {
        await until(() => told.includes("firing FromPrometheus"), "the alert is told");
        const alerts = await (await fetch(`${tocsin.url}/api/v2/alerts?filter=severity=page`)).json();
        expect(alerts).toMatchObject([
          {
            labels: { alertname: "FromPrometheus", severity: "page", cluster: "eu" },
            annotations: { summary: "is 1" },
            receivers: [{ name: "hook" }],
            generatorURL: expect.stringContaining("/graph?g0.expr="),
          },
        ]);
        const found = await (await fetch(`${prometheus.url}/api/v1/alertmanagers`)).json();
        expect(found).toMatchObject({ data: { activeAlertmanagers: [{ url: `${tocsin.url}/api/v2/alerts` }] } });

        const made = await fetch(`${tocsin.url}/api/v2/silences`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            matchers: [{ name: "severity", value: "page", isRegex: false }],
            startsAt: new Date().toISOString(),
            endsAt: new Date(Date.now() + 3_600_000).toISOString(),
            createdBy: "me",
            comment: "",
          }),
        });
        const { silenceID } = (await made.json()) as { silenceID: string };
        await tocsin.killGroup();
        const port = Number(new URL(tocsin.url).port);
        tocsin = await startTocsin({
          dir: tocsin.dir,
          port,
          config: "agent: { enabled: false }\nalertmanager_config_file: am.yml\n",
        });
        await until(async () => {
          const shown = await (await fetch(`${tocsin.url}/api/v2/alerts?filter=severity=page`)).json();
          return (shown as { status: { silencedBy: string[] } }[])[0]?.status.silencedBy[0] === silenceID;
        }, "the silence is there after the kill");
        const metrics = await (await fetch(`${tocsin.url}/metrics`)).text();
        expect(metrics).toContain('alertmanager_silences{state="active"} 1');
        expect(metrics).toMatch(/alertmanager_alerts_received_total\{status="firing",version="v2"\} \d/);
      } finally {
        await prometheus.stop();
      }
    });
  },
);
