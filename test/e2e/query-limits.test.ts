import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { killLeftOvers, startTocsin, type Tocsin } from "./tocsin.ts";

let tocsin: Tocsin;
beforeAll(async () => {
  tocsin = await startTocsin({
    config: `agent: { enabled: false }
storage: { partitions: 2 }
limits: { max_query_points: 5000000, query_shard_timeout: 500ms }
overrides:
  small: { max_query_series: 5, max_label_value_length: 10 }
  patient: { query_shard_timeout: 2m }
`,
  });
}, 60_000);
afterAll(killLeftOvers);

const now = Date.now();

async function write(tenant: string, name: string, series: number, samples = 1) {
  const body = {
    series: Array.from({ length: series }, (_, s) => ({
      labels: { __name__: name, s: String(s) },
      samples: Array.from({ length: samples }, (_, i) => [now - 1000 * (samples - 1 - i), (i * 31) % 97]),
    })),
  };
  const headers = { "content-type": "application/json", "x-scope-orgid": tenant };
  const response = await fetch(`${tocsin.url}/api/v1/ingest`, { method: "POST", headers, body: JSON.stringify(body) });
  return {
    status: response.status,
    text: await response.text(),
    token: response.headers.get("x-tocsin-position") ?? "",
  };
}

interface ApiAnswer {
  readonly error: string;
  readonly warnings?: readonly string[];
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

async function ask(tenant: string, query: string, token = "") {
  const url = `${tocsin.url}/api/v1/query?${new URLSearchParams({ query, time: String(now / 1000) })}`;
  const headers = { "x-scope-orgid": tenant, ...(token === "" ? {} : { "x-tocsin-read-after": token }) };
  const response = await fetch(url, { headers });
  return {
    status: response.status,
    partial: response.headers.get("x-tocsin-partial"),
    body: (await response.json()) as ApiAnswer,
  };
}

it("a tenant has limits of its own, and a reload changes them", async () => {
  const { token } = await write("small", "some", 8);
  const refused = await ask("small", "count(some)", token);
  expect(refused).toMatchObject({ status: 422, body: { errorType: "execution" } });
  expect(refused.body.error).toContain("series, over the limit of 5 (limits.max_query_series)");
  const { token: other } = await write("large", "some", 8);
  expect((await ask("large", "count(some)", other)).body.data.result[0]?.value[1]).toBe("8");
  expect((await write("small", "a_very_long_name", 1)).text).toContain("limits.max_label_value_length");

  const file = join(tocsin.dir, "tocsin.yml");
  writeFileSync(file, readFileSync(file, "utf8").replace("max_query_series: 5", "max_query_series: 8"));
  expect((await fetch(`${tocsin.url}/-/reload`, { method: "POST" })).status).toBe(200);
  expect((await ask("small", "count(some)")).body.data.result[0]?.value[1]).toBe("8");
});

it("a partition that is busy is left out in time, and the answer says so", async () => {
  const { token } = await write("default", "many", 50);
  const whole = await ask("default", "count(many)", token);
  expect(whole).toMatchObject({ status: 200, partial: null });
  expect(whole.body.data.result[0]?.value[1]).toBe("50");
  // One series, so that one partition alone has minutes of work.
  const { token: slow } = await write("patient", "slow", 1, 2000);
  await ask("patient", "slow", slow);
  const heavy = new AbortController();
  const range = new URLSearchParams({
    query: "sum(quantile_over_time(0.9, slow[30m]))",
    start: String(now / 1000 - 2000),
    end: String(now / 1000),
    step: "0.001",
  });
  const busy = fetch(`${tocsin.url}/api/v1/query_range?${range}`, {
    headers: { "x-scope-orgid": "patient" },
    signal: heavy.signal,
  });
  busy.catch(() => undefined);
  let answer = await ask("default", "count(many)");
  while (answer.partial === null) answer = await ask("default", "count(many)");
  expect(answer).toMatchObject({ status: 200, partial: "true" });
  expect(answer.body.warnings).toEqual([
    expect.stringMatching(
      /^shard [01] did not answer, the result is partial: shard [01] is late: no answer after 500 ms$/,
    ),
  ]);
  expect(Number(answer.body.data.result[0]?.value[1])).toBeLessThan(50);
  const names = await fetch(`${tocsin.url}/api/v1/label/s/values`);
  expect(names.headers.get("x-tocsin-partial")).toBe("true");
  const metrics = await (await fetch(`${tocsin.url}/metrics`)).text();
  expect(metrics).toMatch(/tocsin_query_shard_missed_total\{partition="[01]"\} [1-9]/);
  expect(tocsin.output()).toMatch(/an answer to a query is partial: shard [01] is late/);
  heavy.abort();
  const after = await ask("default", "count(many)", token);
  expect(after).toMatchObject({ status: 200, partial: null });
});
