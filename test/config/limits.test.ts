import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config/load-config.ts";
import { ConfigError, limitsOf } from "../../src/model/config.ts";

const read = (text: string) => parseConfig(text, "/etc/tocsin.yml", {}).config;

function problems(text: string): string[] {
  try {
    read(text);
  } catch (e) {
    if (e instanceof ConfigError) return e.message.split("\n");
    throw e;
  }
  return [];
}

describe("limits of tenants", () => {
  test("what a tenant has of its own takes the place of what all have", () => {
    const config = read(`
limits: { max_query_series: 500, query_timeout: 30s }
overrides:
  acme: { max_query_series: 20000, max_query_memory: 64MB, max_total_query_length: 7d }
  __proto__: {}
  other:
    query_timeout: 5s
`);
    const { limits } = config;
    expect(limitsOf(config, "nobody")).toBe(limits);
    expect(limitsOf(config, "constructor")).toBe(limits);
    expect(limitsOf(config, "acme")).toEqual({
      ...limits,
      maxQuerySeries: 20_000,
      maxQueryMemoryBytes: 64 * 2 ** 20,
      maxTotalQueryMs: 7 * 86_400_000,
    });
    expect(limitsOf(config, "other")).toEqual({ ...limits, queryTimeoutMs: 5000 });
    expect(limits).toMatchObject({ maxQuerySeries: 500, queryTimeoutMs: 30_000, maxQueryMemoryBytes: 2 ** 30 });
  });

  test("without any there are the defaults", () => {
    const { limits, overrides } = read("");
    expect(overrides).toEqual({});
    expect(limits).toMatchObject({
      maxQueryPoints: 11_000,
      maxQuerySamples: 50_000_000,
      maxQueryDepth: 1000,
      maxRegexCost: 10_000,
      maxTotalQueryMs: 0,
      queryShardTimeoutMs: 0,
    });
  });

  test("every mistake is told with its place", () => {
    const text = `overrides:
  acme:
    max_query_serie: 5
    max_query_samples: 0
  "two words": {}
  beta:
    max_body_size: 1MB
    query_timeout: soon
  gamma: 7
`;
    expect(problems(text)).toEqual([
      '/etc/tocsin.yml:3:5: unknown key "max_query_serie" in tenant limits section, did you mean "max_query_series"?',
      "/etc/tocsin.yml:4:24: 0 is too small, the least is 1",
      expect.stringMatching(/^\/etc\/tocsin\.yml:5:3: "two words" is no tenant: 1 to 64 letters/),
      '/etc/tocsin.yml:7:5: unknown key "max_body_size" in tenant limits section',
      expect.stringMatching(/^\/etc\/tocsin\.yml:8:20: "soon" is no duration/),
      expect.stringMatching(/^\/etc\/tocsin\.yml:9:10: expected a tenant limits section/),
    ]);
  });
});
