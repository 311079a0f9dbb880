import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killPrograms, type Program, startProgram, startPrometheus } from "./program.ts";
import { datasetBody, END, KEEP_ALL, START, WRITE_HEADERS } from "./prometheus-data.ts";
import { findProgram, freePort, killLeftOvers, query, startTocsin, type Tocsin, tempDir, until } from "./tocsin.ts";

// Programs that people point at Tocsin, as they are: Prometheus, promtool, node_exporter, Grafana's calls.

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

const prometheusPath = findProgram("prometheus");
const promtoolPath = findProgram("promtool");
const exporterPath = findProgram("prometheus-node-exporter") ?? findProgram("node_exporter");
const unless = (path: string | undefined, name: string) =>
  path === undefined ? ` (passed over: there is no ${name} on PATH or in PEERS_BIN)` : "";

async function loaded(): Promise<Tocsin> {
  const tocsin = await startTocsin({ config: KEEP_ALL });
  const written = await fetch(`${tocsin.url}/api/v1/write`, {
    method: "POST",
    body: datasetBody(),
    headers: WRITE_HEADERS,
  });
  expect(written.status).toBe(204);
  await until(async () => (await query(tocsin.url, "count(special)", END)).length === 1, "the samples are stored");
  return tocsin;
}

describe.skipIf(prometheusPath === undefined)(
  `a Prometheus that writes to Tocsin${unless(prometheusPath, "prometheus")}`,
  () => {
    let target: Server;
    let page = "";
    let tocsin: Tocsin;
    let prometheus: Program;
    beforeAll(async () => {
      target = createServer((_request, response) => {
        response.setHeader("content-type", "text/plain; version=0.0.4").end(page);
      });
      const port = await freePort();
      await new Promise<void>((resolve) => target.listen(port, "127.0.0.1", resolve));
      tocsin = await startTocsin();
      prometheus = await startPrometheus(
        prometheusPath as string,
        `global: { scrape_interval: 250ms, scrape_timeout: 250ms }
scrape_configs: [{ job_name: demo, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
remote_write:
- url: ${tocsin.url}/api/v1/write
  headers: { X-Scope-OrgID: fleet }
  queue_config: { batch_send_deadline: 100ms }
  metadata_config: { send_interval: 250ms }
`,
      );
    });
    afterAll(async () => {
      // In this order: a Prometheus that cannot send what it holds tries for a minute before it ends.
      await prometheus?.stop();
      await tocsin?.stop();
      target.close();
    });

    const ours = (expr: string, time = Date.now() / 1000) =>
      query(tocsin.url, expr, time, { "x-scope-orgid": "fleet" });
    const samples = async (url: string, expr: string, time: number, headers: Record<string, string> = {}) =>
      (await query(url, expr, time, headers)).map((r) => [r.metric, (r as unknown as { values: unknown }).values]);

    it("hands over every sample bit by bit, in the tenant of its header", async () => {
      const text = (n: number) =>
        `# HELP demo_total A counter.\n# TYPE demo_total counter\ndemo_total{path="/ü\\"x"} ${n}\ndemo_total{path="b"} 0.1\nfleeting 1\nodd NaN\nendless +Inf\n`;
      page = text(1);
      await until(async () => (await query(prometheus.url, "demo_total", Date.now() / 1000)).length === 2, "scraped");
      page = text(2);
      await until(
        async () => (await query(prometheus.url, "demo_total == 2", Date.now() / 1000)).length === 1,
        "again",
      );
      const at = Date.now() / 1000;
      const expr = '{job="demo"}[5m]';
      const want = await samples(prometheus.url, expr, at);
      expect(want.length).toBeGreaterThan(8);
      const sorted = (list: unknown[]) => list.map((x) => JSON.stringify(x)).sort();
      let got: unknown[] = [];
      await until(async () => {
        got = await samples(tocsin.url, expr, at, { "x-scope-orgid": "fleet" });
        return JSON.stringify(sorted(got)) === JSON.stringify(sorted(want));
      }, "Tocsin has the same").catch(() => expect(sorted(got)).toEqual(sorted(want)));
      expect(await query(tocsin.url, "demo_total", at)).toEqual([]);
    });

    it("hands over staleness: a series that is no longer exposed, a target that is gone", async () => {
      expect(await ours("fleeting")).toHaveLength(1);
      page = page.replace("fleeting 1\n", "");
      await until(async () => (await ours("fleeting")).length === 0, "fleeting is gone");
      expect(await ours("demo_total")).toHaveLength(2);
      await new Promise((resolve) => target.close(resolve).closeAllConnections());
      await until(async () => (await ours("demo_total")).length === 0, "so is the target's");
      expect((await ours("up"))[0]?.value[1]).toBe("0");
    });

    it("had nothing refused, metadata included", async () => {
      const metrics = await (await fetch(`${prometheus.url}/metrics`)).text();
      const sum = (name: string) =>
        [...metrics.matchAll(new RegExp(`^${name}\\{.*\\} (.*)$`, "gm"))].reduce((n, m) => n + Number(m[1]), 0);
      expect(sum("prometheus_remote_storage_samples_total")).toBeGreaterThan(20);
      expect(sum("prometheus_remote_storage_metadata_total")).toBeGreaterThan(0);
      for (const kind of ["samples", "metadata"]) {
        expect(sum(`prometheus_remote_storage_${kind}_failed_total`)).toBe(0);
        expect(sum(`prometheus_remote_storage_${kind}_retried_total`)).toBe(0);
      }
    });
  },
);

describe.skipIf(promtoolPath === undefined)(`promtool query${unless(promtoolPath, "promtool")}`, () => {
  let tocsin: Tocsin;
  beforeAll(async () => {
    tocsin = await loaded();
  });
  afterAll(() => tocsin?.stop());

  const promtool = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(promtoolPath as string, ["query", ...args]);
    return stdout.trim().split("\n");
  };

  it("instant", async () => {
    expect(await promtool("instant", `--time=${END}`, tocsin.url, 'up{job="db"}')).toEqual([
      'up{instance="c:5432", job="db"} => 0 @[1700003600]',
    ]);
    expect(await promtool("instant", `--time=${END}`, "-o", "json", tocsin.url, "vector(1)")).toEqual([
      '[{"metric":{},"value":[1700003600,"1"]}]',
    ]);
  });
  it("range", async () => {
    const range = [`--start=${END - 120}`, `--end=${END}`, "--step=60s"];
    expect(await promtool("range", ...range, tocsin.url, 'sum(rate(http_requests_total{code="404"}[5m]))')).toEqual([
      "{} =>",
      "2.466666666666667 @[1700003480]",
      "2.466666666666667 @[1700003540]",
      "2.466666666666667 @[1700003600]",
    ]);
  });
  it("series", async () => {
    const window = [`--start=${START}`, `--end=${END}`];
    expect(await promtool("series", "--match=up", ...window, tocsin.url)).toEqual([
      '{__name__="up", instance="a:80", job="api"}',
      '{__name__="up", instance="b:80", job="api"}',
      '{__name__="up", instance="c:5432", job="db"}',
    ]);
  });
  it("labels", async () => {
    expect(await promtool("labels", `--start=${START}`, `--end=${END}`, tocsin.url, "job")).toEqual([
      "api",
      "db",
      "old",
    ]);
  });
  it("shows an error of the query", async () => {
    await expect(promtool("instant", tocsin.url, "up{")).rejects.toThrow(
      'invalid parameter "query": 1:4: parse error: unexpected end of input inside braces',
    );
  });
  it.each(["healthy", "ready"])("check %s", async (what) => {
    const check = promisify(execFile)(promtoolPath as string, ["check", what, `--url=${tocsin.url}`]);
    await expect(check).resolves.toBeDefined();
  });
  it("check metrics finds nothing to say of Tocsin's own", async () => {
    const own = await (await fetch(`${tocsin.url}/metrics`)).text();
    const lint = promisify(execFile)(promtoolPath as string, ["check", "metrics"]);
    lint.child.stdin?.end(own);
    const { stdout, stderr } = await lint.catch((e: { stdout: string; stderr: string }) => e);
    expect(`${stdout}${stderr}`.split("\n").filter((line) => line.includes("tocsin_"))).toEqual([]);
  });
});

describe.skipIf(exporterPath === undefined)(
  `a node_exporter that Tocsin scrapes${unless(exporterPath, "prometheus-node-exporter")}`,
  () => {
    let exporter: Program;
    let tocsin: Tocsin;
    beforeAll(async () => {
      const port = await freePort();
      exporter = await startProgram(exporterPath as string, [`--web.listen-address=127.0.0.1:${port}`], {
        port,
        dir: tempDir(),
        readyPath: "/metrics",
      });
      tocsin = await startTocsin({
        config: `agent: { enabled: false }
scrape_configs: [{ job_name: node, scrape_interval: 1s, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
`,
      });
    });
    afterAll(() => Promise.all([exporter?.stop(), tocsin?.stop()]));

    it("has every metric that the exporter shows", async () => {
      await until(async () => (await query(tocsin.url, "up == 1")).length === 1, "it was scraped");
      const text = await (await fetch(`${exporter.url}/metrics`)).text();
      const names = new Set(text.split("\n").flatMap((line) => /^([a-zA-Z_:][\w:]*)[ {]/.exec(line)?.[1] ?? []));
      const answer = await fetch(`${tocsin.url}/api/v1/label/__name__/values`);
      const stored = new Set(((await answer.json()) as { data: string[] }).data);
      expect(names.size).toBeGreaterThan(100);
      expect([...names].filter((name) => !stored.has(name))).toEqual([]);
      const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
      const [scraped] = await query(tocsin.url, "scrape_samples_scraped");
      expect(Math.abs(Number(scraped?.value[1]) - lines)).toBeLessThanOrEqual(lines * 0.05);
      const [cpus] = await query(tocsin.url, 'count(node_cpu_seconds_total{mode="idle"})');
      expect(cpus?.value[1]).toBe(String(text.match(/^node_cpu_seconds_total\{.*mode="idle"\}/gm)?.length));
    });
  },
);

describe("Grafana's Prometheus data source", () => {
  let tocsin: Tocsin;
  beforeAll(async () => {
    tocsin = await loaded();
  });
  afterAll(() => tocsin?.stop());

  const HEADERS = {
    "user-agent": "Grafana/12.1.0",
    "accept-encoding": "gzip",
    "x-grafana-org-id": "1",
    "x-datasource-uid": "tocsin",
    "x-dashboard-uid": "adhoc",
    "x-panel-id": "2",
    "x-query-group-id": "c7d8",
  };
  const post = async (path: string, params: Record<string, string> | [string, string][]) => {
    const response = await fetch(`${tocsin.url}/api/v1/${path}`, {
      method: "POST",
      headers: { ...HEADERS, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(params).toString(),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    return (await response.json()) as { status: string; data: never };
  };
  const get = async (path: string) => {
    const response = await fetch(`${tocsin.url}/api/v1/${path}`, { headers: HEADERS });
    expect(response.status).toBe(200);
    return (await response.json()) as { status: string; data: never };
  };

  it("tests the connection", async () => {
    const { data } = await post("query", { query: "1+1", time: "4" });
    expect(data).toEqual({ resultType: "scalar", result: [4, "2"] });
    expect((await get("status/buildinfo")).data).toMatchObject({ version: "3.5.0" });
  });

  it("draws a panel", async () => {
    const { data } = await post("query_range", {
      query: 'sum by(code) (rate(http_requests_total{job="api"}[1m0s]))',
      start: String(START + 600),
      end: `${END}.000`,
      step: "15",
    });
    const { resultType, result } = data as { resultType: string; result: { metric: unknown; values: unknown[] }[] };
    expect(resultType).toBe("matrix");
    expect(result.map((r) => r.metric)).toEqual([{ code: "200" }, { code: "404" }, { code: "500" }]);
    expect(result.map((r) => r.values.length)).toEqual([201, 201, 201]);
  });

  it("gets long answers compressed", async () => {
    const params = new URLSearchParams({ query: "http_requests_total", start: `${START}`, end: `${END}`, step: "15" });
    const plain = await fetch(`${tocsin.url}/api/v1/query_range?${params}`, { headers: { "accept-encoding": "" } });
    expect(plain.headers.get("content-encoding")).toBeNull();
    const raw = await rawGet(`${tocsin.url}/api/v1/query_range?${params}`, { "accept-encoding": "gzip" });
    expect(raw.encoding).toBe("gzip");
    const text = await plain.text();
    expect(raw.body.length).toBeLessThan(text.length / 4);
    expect(gunzipSync(raw.body).toString()).toBe(text);
  });

  it("fills the query builder and variables", async () => {
    const window = { start: `${START}`, end: `${END}` };
    const labels = await post("labels", { ...window, "match[]": '{__name__="up"}', limit: "40000" });
    expect(labels.data).toEqual(["__name__", "instance", "job"]);
    const values = new URLSearchParams({ ...window, "match[]": 'up{job="api"}', limit: "40000" });
    expect((await get(`label/instance/values?${values}`)).data).toEqual(["a:80", "b:80"]);
    expect((await get(`label/__name__/values?${new URLSearchParams(window)}`)).data).toContain("http.requests");
    const series = await post("series", [...Object.entries(window), ["match[]", "up"], ["match[]", "odd"]]);
    expect(series.data).toHaveLength(4);
    expect((await get("metadata?limit=40000")).data).toEqual({});
    expect((await post("query_exemplars", { ...window, query: "up" })).data).toEqual([]);
    expect((await get("rules")).data).toEqual({ groups: [] });
    expect((await post("parse_query", { query: "up" })).data).toMatchObject({ type: "vectorSelector" });
  });
});

async function rawGet(url: string, headers: Record<string, string>): Promise<{ encoding?: string; body: Buffer }> {
  const { get } = await import("node:http");
  return new Promise((resolve, reject) => {
    get(url, { headers }, async (response) => {
      const body = Buffer.concat(await response.toArray());
      const encoding = response.headers["content-encoding"];
      resolve(encoding === undefined ? { body } : { encoding, body });
    }).once("error", reject);
  });
}
