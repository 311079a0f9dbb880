import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killPrograms, type Program, startPrometheus } from "./program.ts";
import { CASES, type Case } from "./prometheus-cases.ts";
import { datasetBody, END, KEEP_ALL, WRITE_HEADERS } from "./prometheus-data.ts";
import { findProgram, freePort, killLeftOvers, query, startTocsin, type Tocsin, tempDir, until } from "./tocsin.ts";

// The HTTP API beside that of a real Prometheus on the same data: status, type and body of every answer.

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

const program = findProgram("prometheus");
const why = program === undefined ? " (passed over: there is no prometheus on PATH or in PEERS_BIN)" : "";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

async function ask(url: string, c: Case): Promise<Answer> {
  const search = new URLSearchParams([...(c.params ?? [])]);
  const form = c.form === undefined ? undefined : new URLSearchParams([...c.form]);
  const response = await fetch(`${url}${c.path}${search.size === 0 ? "" : `?${search}`}`, {
    method: form === undefined ? (c.method ?? "GET") : "POST",
    redirect: "manual",
    ...(form === undefined
      ? {}
      : { body: form.toString(), headers: { "content-type": "application/x-www-form-urlencoded" } }),
  });
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const json = type.startsWith("application/json");
  return {
    status: response.status,
    type: json ? type : (type.split(";")[0] as string),
    body: json ? comparable(JSON.parse(text)) : text.trim(),
  };
}

/** Floats to 13 digits: rates and sums may differ in the last. Vectors by label: their order is not promised. */
function comparable(body: unknown): unknown {
  const { data } = body as { data?: { resultType?: string; result: { metric: unknown }[] } };
  if (data?.resultType === "vector") {
    const key = (r: { metric: unknown }) => JSON.stringify(r.metric);
    data.result = data.result.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  }
  return JSON.parse(
    JSON.stringify(body, (_key, v: unknown) =>
      typeof v === "string" && /^-?\d+\.\d{9,}$/.test(v) ? String(Number(Number(v).toPrecision(13))) : v,
    ),
  );
}

const nameOf = (c: Case) =>
  `${c.form === undefined ? (c.method ?? "GET") : "FORM"} ${c.path} ${new URLSearchParams([...(c.params ?? []), ...(c.form ?? [])])}`;

describe.skipIf(program === undefined)(`the HTTP API beside a Prometheus${why}`, () => {
  let prometheus: Program;
  let tocsin: Tocsin;
  beforeAll(async () => {
    [prometheus, tocsin] = await Promise.all([
      startPrometheus(program as string, "global: {}\n"),
      startTocsin({ config: KEEP_ALL }),
    ]);
    for (const { url } of [prometheus, tocsin]) {
      const written = await fetch(`${url}/api/v1/write`, {
        method: "POST",
        body: datasetBody(),
        headers: WRITE_HEADERS,
      });
      expect(written.status).toBe(204);
    }
    const count = 'count({__name__=~".+"})';
    const [want] = await query(prometheus.url, count, END);
    await until(async () => (await query(tocsin.url, count, END))[0]?.value[1] === want?.value[1], "all is stored");
  });
  afterAll(() => Promise.all([prometheus?.stop(), tocsin?.stop()]));

  it.each(CASES.filter((c) => c.differs === undefined).map((c) => [nameOf(c), c] as const))("%s", async (_name, c) => {
    const [want, got] = await Promise.all([ask(prometheus.url, c), ask(tocsin.url, c)]);
    expect(got).toEqual(want);
  });

  const known = CASES.filter((c) => c.differs !== undefined);
  it.each(known.map((c) => [nameOf(c), c.differs?.reason ?? "", c] as const))("%s differs: %s", async (_n, _r, c) => {
    const [want, got] = await Promise.all([ask(prometheus.url, c), ask(tocsin.url, c)]);
    expect(got.status).toBe(c.differs?.status);
    expect(got, "no longer differs: take it off the list").not.toEqual(want);
  });

  it("orders the series of a sorted vector and of a range alike", async () => {
    for (const [path, expr] of [
      ["query", "sort(temperature_celsius)"],
      ["query", "sort_desc(special > 0)"],
      ["query", "topk(3, temperature_celsius)"],
      ["query", "bottomk(3, temperature_celsius)"],
      ["query_range", "temperature_celsius"],
      ["query_range", "special"],
    ] as const) {
      const params = { query: expr, time: String(END), start: String(END), end: String(END), step: "1" };
      const [want, got] = await Promise.all(
        [prometheus, tocsin].map(async ({ url }) => {
          const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(params)}`);
          return ((await answer.json()) as { data: { result: { metric: unknown }[] } }).data.result.map(
            (r) => r.metric,
          );
        }),
      );
      expect(got, expr).toEqual(want);
    }
  });
});

const RULES = `groups:
- name: one
  interval: 1s
  labels: { team: x }
  rules:
  - { record: "rec:one", expr: vector(1), labels: { a: b } }
  - { record: "rec:two", expr: vector(2) }
  - { alert: Always, expr: vector(1) > 0, labels: { severity: page }, annotations: { summary: "v {{ $value }}" } }
  - { alert: Waits, expr: vector(1), for: 1h, keep_firing_for: 5m }
- name: two
  interval: 1s
  limit: 10
  rules:
  - { alert: Never, expr: vector(0) > 1 }
  - { record: broken, expr: 'vector(1) + on (x) (vector(1) or label_replace(vector(2), "z", "1", "", ""))' }
`;

const RULE_PATHS = [
  "rules",
  "rules?type=alert",
  "rules?type=record",
  "rules?type=ALERT&exclude_alerts=T",
  "rules?rule_name[]=Waits&rule_name[]=Never",
  "rules?rule_name[]=Waits&type=record",
  "rules?rule_group[]=two",
  "rules?rule_group[]=none",
  "rules?file[]=nowhere",
  "rules?group_limit=1",
  "rules?group_limit=5",
  "rules?group_limit=1&group_next_token=zz",
  "rules?match[]={severity=%22page%22}",
  "rules?match[]={severity=%22page%22}&match[]={a=%22b%22}",
  "alerts",
  "targets",
  "targets?state=active",
  "targets?state=dropped",
  "targets?state=DROPPED",
  "targets?state=other",
  "targets?scrapePool=gone",
  "scrape_pools",
];

describe.skipIf(program === undefined)(`rules, alerts and targets beside a Prometheus${why}`, () => {
  let prometheus: Program;
  let tocsin: Tocsin;
  beforeAll(async () => {
    const rules = join(tempDir(), "rules.yml");
    writeFileSync(rules, RULES);
    const dead = await freePort();
    const config = `rule_files: ["${rules}"]
scrape_configs:
- { job_name: self, scrape_interval: 1s, static_configs: [{ targets: ["127.0.0.1:${dead}"], labels: { a: b } }] }
- job_name: gone
  scrape_interval: 1s
  static_configs: [{ targets: ["127.0.0.1:1"] }]
  relabel_configs: [{ action: drop, source_labels: [__address__], regex: ".*" }]
`;
    [prometheus, tocsin] = await Promise.all([
      startPrometheus(program as string, config),
      startTocsin({ config: `agent: { enabled: false }\n${config}` }),
    ]);
    for (const { url } of [prometheus, tocsin]) {
      await until(async () => {
        const [shown, scraped] = await Promise.all(
          ["rules", "targets"].map(async (p) => (await fetch(`${url}/api/v1/${p}`)).text()),
        );
        return !`${shown}${scraped}`.includes('"unknown"') && `${shown}${scraped}`.includes("127.0.0.1:1");
      }, "everything was evaluated and scraped once");
    }
  });
  afterAll(() => Promise.all([prometheus?.stop(), tocsin?.stop()]));

  it.each(RULE_PATHS)("%s", async (path) => {
    const [want, got] = await Promise.all(
      [prometheus, tocsin].map(async ({ url }) => {
        const answer = await fetch(`${url}/api/v1/${path}`);
        return { status: answer.status, body: masked(await answer.json()) };
      }),
    );
    expect(got).toEqual(want);
  });

  it("leads from page to page of groups", async () => {
    const names: string[] = [];
    let next = "";
    do {
      const token = next === "" ? "" : `&group_next_token=${next}`;
      const answer = await fetch(`${tocsin.url}/api/v1/rules?group_limit=1${token}`);
      const { data } = (await answer.json()) as { data: { groups: { name: string }[]; groupNextToken?: string } };
      names.push(...data.groups.map((g) => g.name));
      next = data.groupNextToken ?? "";
    } while (next !== "");
    expect(names).toEqual(["one", "two"]);
  });
});

/** Times, measured durations and the words of the system's own errors are left to the type and to being there. */
const MASKED = ["lastEvaluation", "evaluationTime", "activeAt", "lastScrape", "lastScrapeDuration", "globalUrl"];

function masked(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (key, v: unknown) => {
      if (MASKED.includes(key)) return typeof v;
      if (key === "lastError" && String(v).includes("refused")) return "connection refused";
      return key === "lastError" && String(v).includes("ECONNREFUSED") ? "connection refused" : v;
    }),
  );
}
