import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startLoaded } from "./grafana-data.ts";
import { type Decoded, decodeAnswer } from "./grafana-decoder.ts";
import { END, START } from "./prometheus-data.ts";
import { killLeftOvers, type Tocsin, until } from "./tocsin.ts";

/**
 * The calls of Grafana's Prometheus data source, one by one. Behind each: where its source (github.com/grafana/grafana) makes it.
 * "js" stands for packages/grafana-prometheus/src, "go" for pkg/promlib.
 */

let tocsin: Tocsin;
beforeAll(async () => {
  tocsin = await startLoaded();
});
afterAll(killLeftOvers);

/** What the plugin's HTTP client and its middlewares put on a request (go/client/client.go, go/client/transport.go). */
const HEADERS = {
  "user-agent": "Grafana/12.3.0",
  "accept-encoding": "gzip",
  "x-grafana-org-id": "1",
  "x-grafana-user": "admin",
  "x-datasource-uid": "tocsin",
  "x-dashboard-uid": "adhoc",
  "x-panel-id": "2",
  "x-query-group-id": "c7d8",
  "x-grafana-cache": "private, max-age=60",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};

type Params = Readonly<Record<string, string>> | readonly (readonly [string, string])[];
const formOf = (params: Params) => new URLSearchParams(params as Record<string, string>).toString();

interface Call {
  readonly status: number;
  readonly text: string;
}

async function call(method: "GET" | "POST", path: string, params: Params = {}, inUrl: Params = {}): Promise<Call> {
  const isPost = method === "POST";
  const search = [isPost ? "" : formOf(params), formOf(inUrl)].filter((s) => s !== "").join("&");
  const response = await fetch(`${tocsin.url}/api/v1/${path}${search === "" ? "" : `?${search}`}`, {
    method,
    headers: { ...HEADERS, ...(isPost ? { "content-type": "application/x-www-form-urlencoded" } : {}) },
    ...(isPost ? { body: formOf(params) } : {}),
  });
  if (response.status !== 405) expect(response.headers.get("content-type")).toBe("application/json");
  return { status: response.status, text: await response.text() };
}

/** Both methods that a data source can be set to; the answers must be the same. `inUrl`: its custom query parameters. */
async function queried(path: string, params: Params, inUrl: Params = {}): Promise<Decoded> {
  const [posted, got] = await Promise.all([call("POST", path, params, inUrl), call("GET", path, params, inUrl)]);
  expect(got).toEqual(posted);
  return decodeAnswer(posted.text);
}

/** A call for resources (go/client/client.go, QueryResource): POST, and GET where the answer to that is 405 or 400. */
async function resource(path: string, params: Params): Promise<unknown> {
  let answer = await call("POST", path, params);
  if (answer.status === 405 || answer.status === 400) answer = await call("GET", path, params);
  expect(answer.status).toBe(200);
  const { status, data } = JSON.parse(answer.text) as { status: string; data: unknown };
  expect(status).toBe("success");
  return data;
}

const WINDOW = { start: String(START), end: String(END) };

describe("Grafana: save and test", () => {
  it("asks 1+1 at second 4, then for the build info, which must not look like Mimir's", async () => {
    // go/healthcheck.go: healthcheck; go/heuristics.go: getBuildInfo, getHeuristics.
    const { resultType, frames } = await queried("query", { query: "1+1", time: "4" });
    expect([resultType, frames]).toEqual(["scalar", [{ labels: {}, times: [4], values: [2] }]]);
    const { status, text } = await call("GET", "status/buildinfo");
    expect(status).toBe(200);
    const { data } = JSON.parse(text) as { data: Record<string, unknown> };
    for (const key of ["version", "revision", "branch", "buildUser", "buildDate", "goVersion"]) {
      expect(typeof data[key], key).toBe("string");
    }
    expect(data.features).toBeUndefined();
    // js/configuration/PromSettings.tsx takes the version by semver.
    expect(data.version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("finds out at its start that there are exemplars, with times in milliseconds, and which rules record what", async () => {
    // js/datasource.ts: areExemplarsAvailable (start and end are milliseconds in the place of seconds), loadRules.
    const now = 1_763_800_000_000;
    const params = { query: "test", start: String(now - 1_800_000), end: String(now) };
    expect((await queried("query_exemplars", params)).frames).toEqual([]);
    const { groups } = (await resource("rules", {})) as {
      groups: { rules: { type: string; name: string; query: string }[] }[];
    };
    const recorded = groups.flatMap((g) => g.rules.filter((r) => r.type === "recording").map((r) => [r.name, r.query]));
    expect(recorded).toEqual([["job:up:sum", "sum by (job) (up)"]]);
  });
});

describe("Grafana: panels", () => {
  it("draws time series", async () => {
    // go/client/client.go: QueryRange; the step as strconv.FormatFloat prints seconds.
    const { resultType, frames, notices } = await queried("query_range", {
      query: 'sum by(code) (rate(http_requests_total{job="api"}[1m0s]))',
      start: String(START + 600),
      end: String(END),
      step: "15",
      timeout: "60s",
    });
    expect(resultType).toBe("matrix");
    expect(frames.map((f) => f.labels)).toEqual([{ code: "200" }, { code: "404" }, { code: "500" }]);
    expect(frames.map((f) => f.times.length)).toEqual([201, 201, 201]);
    expect(notices).toEqual([]);
  });

  it("takes times and steps with fractions", async () => {
    // go/client/client.go: formatTime; go/models/query.go: steps of less than a second.
    const { frames } = await queried("query_range", {
      query: "up",
      start: `${START}.25`,
      end: `${START + 2}.75`,
      step: "0.5",
    });
    expect(frames[0]?.times).toEqual([0.25, 0.75, 1.25, 1.75, 2.25, 2.75].map((t) => START + t));
  });

  it("draws a heatmap of native histograms", async () => {
    // go/converter/prom.go: readHistogram.
    const range = { start: String(START), end: String(START + 30), step: "15" };
    for (const [name, cells] of [
      ["latency_seconds", 3 * 5],
      ["sizes", 3 * 3],
    ] as const) {
      const { frames } = await queried("query_range", { query: name, ...range });
      expect(frames).toHaveLength(1);
      expect(frames[0]?.cells).toHaveLength(cells);
      const instant = await queried("query", { query: name, time: String(START) });
      expect(instant.frames[0]?.cells).toEqual(frames[0]?.cells?.slice(0, cells / 3));
    }
    const { frames } = await queried("query", { query: "latency_seconds", time: String(START) });
    const cells = frames[0]?.cells ?? [];
    expect(cells.map(([, , , n]) => n)).toEqual([4, 2, 3, 4, 1]);
    expect(cells.map(([layout]) => layout)).toEqual([1, 3, 0, 0, 0]);
    expect(cells.map(([, min]) => min)).toEqual(cells.map(([, min]) => min).toSorted((a, b) => a - b));
  });

  it("shows values that are no numbers", async () => {
    const { frames } = await queried("query", { query: "special", time: String(END) });
    const shown = Object.fromEntries(frames.map((f) => [f.labels.kind, f.values[0]]));
    expect(shown).toMatchObject({ nan: Number.NaN, inf: Number.POSITIVE_INFINITY, ninf: Number.NEGATIVE_INFINITY });
  });

  it("decodes strings, scalars and ranges of samples", async () => {
    // go/converter/prom.go: readString, readScalar, readMatrixOrVectorMulti.
    const at = { time: String(END) };
    expect((await queried("query", { query: '"text"', ...at })).frames[0]?.values).toEqual(["text"]);
    expect((await queried("query", { query: "time()", ...at })).frames[0]?.values).toEqual([END]);
    const { resultType, frames } = await queried("query", { query: 'up{job="api"}[1m]', ...at });
    expect([resultType, frames.length, frames[0]?.times.length]).toEqual(["matrix", 2, 4]);
  });

  it("shows notices of severity warning and info", async () => {
    // go/converter/prom.go: readWarnings, readInfos; an answer without frames gets one for them.
    const at = { time: String(END) };
    const info = await queried("query", { query: "rate(up[5m])", ...at });
    expect(info.notices.join()).toContain("metric might not be a counter");
    const warning = await queried("query", { query: "quantile(2, up)", ...at });
    expect(warning.notices.join()).toContain("quantile value should be between 0 and 1");
    const empty = await queried("query_range", {
      query: "quantile(2, none) or rate(up[5m]) < 0",
      ...WINDOW,
      step: "60",
    });
    expect(empty.frames).toEqual([]);
    expect(empty.notices.length).toBeGreaterThan(0);
  });

  it("shows errors with their type", async () => {
    // go/querydata/response.go: parseResponse decodes answers of every status that says JSON.
    for (const [path, params, status, text] of [
      ["query", { query: "up{", time: "4" }, 400, /^bad_data: .*1:4: parse error/],
      ["query_range", { query: "up", ...WINDOW, step: "0" }, 400, /^bad_data: .*zero or negative/],
      ["query_range", { query: "up", ...WINDOW, step: "0.1" }, 400, /^bad_data: exceeded maximum resolution/],
      ["query", { query: "up + on (job) up", time: String(END) }, 422, /^execution: /],
    ] as const) {
      const answer = await call("POST", path, params);
      expect(answer.status).toBe(status);
      expect(() => decodeAnswer(answer.text)).toThrow(text);
      expect(await call("GET", path, params)).toEqual(answer);
    }
  });

  it("may have custom query parameters, which come in the URL also of a POST", async () => {
    // go/middleware/custom_query_params.go, with what people set for other servers.
    const custom = {
      max_source_resolution: "5m",
      dedup: "true",
      partial_response: "true",
      nocache: "1",
      timeout: "30s",
    };
    const range = { query: "up", ...WINDOW, step: "60" };
    expect(await queried("query_range", range, custom)).toEqual(await queried("query_range", range));
    expect(await queried("query", { query: "up", time: String(END) }, custom)).toEqual(
      await queried("query", { query: "up", time: String(END) }),
    );
  });

  it("shows exemplars", async () => {
    // go/client/client.go: QueryExemplars; go/converter/prom.go: readLabelsOrExemplars.
    const { frames } = await queried("query_exemplars", {
      query: "histogram_quantile(0.95, sum(rate(traced_seconds_bucket[1m])) by (le))",
      start: String(START - 60),
      end: String(START + 60),
    });
    expect(frames).toEqual([
      {
        labels: { __name__: "traced_seconds_bucket", le: "1" },
        times: [START, START + 0.5],
        values: [0.25, 0.75],
      },
    ]);
  });
});

describe("Grafana: query builder, code completion, variables", () => {
  it("lists metrics, labels and values", async () => {
    // js/resource_clients.ts: LabelsApiClient.
    const metrics = (await resource("label/__name__/values", { limit: "40000", ...WINDOW })) as string[];
    expect(metrics).toEqual(metrics.toSorted());
    expect(metrics).toContain("http.requests");
    const keys = (await resource("labels", { limit: "40000", ...WINDOW, "match[]": '{__name__="up"}' })) as string[];
    expect(keys).toEqual(["__name__", "instance", "job"]);
    const values = { limit: "2", ...WINDOW, "match[]": '{job="api",__name__="up"}' };
    expect(await resource("label/instance/values", values)).toEqual(["a:80", "b:80"]);
    expect(await resource("label/instance/values", { ...values, limit: "1" })).toEqual(["a:80"]);
    expect(await resource("labels", { limit: "40000", start: "1", end: "2" })).toEqual([]);
  });

  it("lists values of names that are not legacy, escaped as it does it", async () => {
    // js/utf8_support.ts: escapeForUtf8Support.
    expect(await resource("label/U__service_2e_name/values", WINDOW)).toEqual(["Überträger"]);
    expect(await resource("label/U___1f525_/values", WINDOW)).toEqual(['b\\c"d\ne\tf<>&\u2028']);
    const braces = { ...WINDOW, "match[]": '{"http.requests","service.name"=~".+"}' };
    expect(await resource("labels", braces)).toEqual(["__name__", "service.name", "🔥"]);
  });

  it("tries POST for the values of a label and goes on by GET", async () => {
    // go/client/client.go: endpointsSupportOnlyGet lacks the path with a slash in front, as go/resource/resource.go has it.
    expect((await call("POST", "label/job/values", WINDOW)).status).toBe(405);
    expect((await call("GET", "label/job/values", WINDOW)).status).toBe(200);
  });

  it("lists series", async () => {
    // js/resource_clients.ts: BaseResourceClient.querySeries; MATCH_ALL_LABELS of js/constants.ts.
    const all = (await resource("series", { ...WINDOW, "match[]": '{__name__!=""}', limit: "40000" })) as object[];
    expect(all.length).toBeGreaterThan(40);
    for (const s of all) for (const value of Object.values(s)) expect(typeof value).toBe("string");
    const limited = await call("POST", "series", { ...WINDOW, "match[]": '{__name__!=""}', limit: "3" });
    const { data, warnings } = JSON.parse(limited.text) as { data: unknown[]; warnings: string[] };
    expect([data.length, warnings]).toEqual([3, ["results truncated due to limit"]]);
    const two = [...Object.entries(WINDOW), ["match[]", "up"], ["match[]", "odd"]] as [string, string][];
    expect(await resource("series", two)).toHaveLength(4);
  });

  it("suggests by the metrics of queries, scopes and filters", async () => {
    // go/resource/resource.go: GetSuggestions: all in the URL, POST without a body.
    const suggest = async (path: string, params: Params) => {
      const posted = await call("POST", path, {}, params);
      return posted.status === 405 ? (JSON.parse((await call("GET", path, params)).text) as unknown) : posted;
    };
    const match = [
      ["match[]", 'http_requests_total{code=~"2.*"}'],
      ["match[]", 'up{code=~"2.*"}'],
      ["limit", "10000"],
      ...Object.entries(WINDOW),
    ] as [string, string][];
    const labels = (await suggest("labels", match)) as Call;
    expect(JSON.parse(labels.text)).toEqual({
      status: "success",
      data: ["__name__", "code", "instance", "job", "method"],
    });
    expect(await suggest("label/code/values", match)).toEqual({ status: "success", data: ["200"] });
  });

  it("knows types, help and units", async () => {
    // js/language_utils.ts: fixSummariesMetadata takes the first entry of each; js/language_provider.ts: type.toUpperCase().
    for (const limit of [{}, { limit: "40000" }]) {
      const metadata = (await resource("metadata", limit)) as Record<string, Record<string, string>[]>;
      for (const [metric, [first]] of Object.entries(metadata)) {
        expect([typeof first?.type, typeof first?.help, typeof first?.unit], metric).toEqual(
          Array.from({ length: 3 }, () => "string"),
        );
      }
      expect(metadata.http_request_duration_seconds?.[0]).toEqual({
        type: "histogram",
        help: 'Durations, "all".',
        unit: "seconds",
      });
      expect(metadata.rpc_seconds?.[0]?.type).toBe("summary");
    }
    expect(await resource("metadata", { metric: "http_requests_total" })).toEqual({
      http_requests_total: [{ type: "counter", help: "Requests.", unit: "" }],
    });
  });

  it("fills variables", async () => {
    // js/metric_find_query.ts: label_values(up, job), label_values(job), metrics(http.*), query_result(...), a bare selector.
    expect(await resource("label/job/values", { "match[]": "up", ...WINDOW })).toEqual(["api", "db"]);
    expect(await resource("label/job/values", WINDOW)).toEqual(["api", "db", "old"]);
    const names = (await resource("label/__name__/values", WINDOW)) as string[];
    expect(names.filter((n) => /^http_.*/.test(n))).toEqual([
      "http_request_duration_seconds_bucket",
      "http_requests_total",
    ]);
    const result = await queried("query", { query: "topk(1, temperature_celsius)", time: String(END) });
    expect(result.frames.map((f) => f.labels.__name__)).toEqual(["temperature_celsius"]);
    expect(await resource("series", { "match[]": "up", ...WINDOW })).toHaveLength(3);
    // js/metric_find_query.ts: label_names(http), through js/language_provider.ts: getSeriesLabels.
    expect(await resource("labels", { ...WINDOW, "match[]": '{__name__=~".*http_.*"}' })).toContain("le");
  });
});

describe("Grafana: alerting", () => {
  interface Rule {
    readonly name: string;
    readonly type: string;
    readonly state?: string;
    readonly alerts?: readonly Record<string, unknown>[];
  }
  interface Groups {
    readonly groups: readonly { name: string; file: string; interval: number; rules: readonly Rule[] }[];
    readonly groupNextToken?: string;
  }

  it("lists the data source's rules", async () => {
    await until(async () => {
      const { groups } = (await resource("rules", {})) as Groups;
      return groups[0]?.rules[1]?.state === "firing";
    }, "the rules are evaluated");
    // public/app/features/alerting/unified/api/prometheusApi.ts: getGroups; pkg/services/ngalert/api/lotex_prom.go.
    const first = (await resource("rules", { exclude_alerts: "true", group_limit: "1" })) as Groups;
    expect(first.groups.map((g) => g.name)).toEqual(["levels"]);
    expect(first.groups[0]?.rules[1]?.alerts ?? []).toEqual([]);
    const token = String(first.groupNextToken);
    const second = (await resource("rules", { group_limit: "1", group_next_token: token })) as Groups;
    expect(second.groups.map((g) => g.name)).toEqual(["other"]);
    const file = first.groups[0]?.file ?? "";
    const one = { file, "file[]": file, rule_group: "levels", "rule_group[]": "levels", "rule_name[]": "Always" };
    const [group] = ((await resource("rules", one)) as Groups).groups;
    expect(group?.rules).toMatchObject([
      { name: "Always", type: "alerting", health: "ok", state: "firing", query: "vector(1)", duration: 0 },
    ]);
    expect(group?.rules[0]?.alerts).toMatchObject([
      { labels: { alertname: "Always", severity: "page" }, annotations: { summary: "v 1" }, state: "firing" },
    ]);
  });

  it("lists alerts", async () => {
    // pkg/services/ngalert/api/lotex_prom.go: RouteGetAlertStatuses.
    const { alerts } = (await resource("alerts", {})) as { alerts: Record<string, unknown>[] };
    expect(alerts).toMatchObject([{ labels: { alertname: "Always" }, state: "firing", value: "1e+00" }]);
    expect(Number.isNaN(Date.parse(String(alerts[0]?.activeAt)))).toBe(false);
  });
});
