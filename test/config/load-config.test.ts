import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig, parseConfig } from "../../src/config/load-config.ts";
import { type Config, ConfigError, formatProblem, type ScrapeConfig } from "../../src/model/config.ts";

function load(text: string, env: NodeJS.ProcessEnv = {}): Config {
  return parseConfig(text, "/etc/tocsin/t.yml", env).config;
}

function job(text: string): ScrapeConfig {
  return load(`scrape_configs:\n  - job_name: a\n${text.replace(/^/gm, "    ")}`).scrapeConfigs[0] as ScrapeConfig;
}

/** The problems of a text, as they are printed. */
function problems(text: string): string[] {
  try {
    parseConfig(text, "t.yml", {});
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(formatProblem);
  }
  return [];
}

function warnings(text: string, env: NodeJS.ProcessEnv = {}): string[] {
  return parseConfig(text, "t.yml", env).warnings.map(formatProblem);
}

describe("the default configuration", () => {
  it("is valid and warns of nothing", () => {
    const { config, warnings } = loadConfig("config/tocsin.yml");
    expect(warnings).toEqual([]);
    expect(config.agent.enabled).toBe(true);
    expect(config.scrapeConfigs.map((c) => c.jobName)).toEqual(["tocsin", "node-exporter"]);
    expect(config.ruleFiles).toEqual([join(process.cwd(), "config/rules/*.yml")]);
    expect(config.alertmanagerConfigFile).toBe(join(process.cwd(), "config/alertmanager.yml"));
  });
});

describe("defaults", () => {
  it.each(["", "{}", "# nothing\n", "global:\nscrape_configs:\nagent:\n"])("fill in for %j", (text) => {
    const config = load(text);
    expect(config.global).toEqual({
      scrapeIntervalMs: 60_000,
      scrapeTimeoutMs: 10_000,
      evaluationIntervalMs: 60_000,
      externalLabels: {},
    });
    expect(config.agent).toEqual({ enabled: true, intervalMs: 5000, labels: {} });
    expect(config.storage.outOfOrderWindowMs).toBe(3_600_000);
    expect(config.storage.retention.rawMs).toBe(15 * 86_400_000);
    expect(config.storage.partitions).toBeGreaterThanOrEqual(2);
    expect(config.streams.listen).toBe("127.0.0.1:4222");
    expect(config.streams.url).toBeUndefined();
    expect(config.alertmanagerConfigFile).toBeUndefined();
    expect(config.limits.maxQueryPoints).toBe(11_000);
  });

  it("of a job come from global, and a timeout is never longer than its interval", () => {
    const text = (own: string) => `
global: { scrape_interval: 5s, sample_limit: 7, body_size_limit: 1MB }
scrape_configs:
  - job_name: a
${own}`;
    expect(load(text("")).scrapeConfigs[0]).toMatchObject({
      scrapeIntervalMs: 5000,
      scrapeTimeoutMs: 5000,
      sampleLimit: 7,
      bodySizeLimit: 1_048_576,
      metricsPath: "/metrics",
      scheme: "http",
      honorTimestamps: true,
    });
    expect(load(text("    scrape_interval: 2s\n    sample_limit: 0")).scrapeConfigs[0]).toMatchObject({
      scrapeIntervalMs: 2000,
      scrapeTimeoutMs: 2000,
      sampleLimit: 0,
    });
  });
});

describe("values", () => {
  it("takes scalars as the key wants them, not as YAML guesses", () => {
    const config = load(`
global:
  external_labels: { replica: 1, on: yes, version: 1.10, empty: "" }
scrape_configs:
  - job_name: 0x10
    honor_labels: yes
    honor_timestamps: "false"
    params: { 'match[]': [up, 1e3] }
`);
    expect(config.global.externalLabels).toEqual({ replica: "1", on: "yes", version: "1.10", empty: "" });
    expect(config.scrapeConfigs[0]).toMatchObject({ jobName: "0x10", honorLabels: true, honorTimestamps: false });
    expect(config.scrapeConfigs[0]?.params).toEqual({ "match[]": ["up", "1e3"] });
  });

  it("follows anchors and merge keys, the map's own keys first", () => {
    const config = load(`
scrape_configs:
  - &base
    job_name: a
    scrape_interval: 7s
    scheme: https
  - <<: *base
    job_name: b
    scheme: http
`);
    expect(config.scrapeConfigs[1]).toMatchObject({ jobName: "b", scrapeIntervalMs: 7000, scheme: "http" });
  });

  it("reads the environment into external labels", () => {
    const text = "global: { external_labels: { a: '${HOST}-x', b: $HOST, c: $$HOST, d: '<${NONE}>' } }";
    expect(load(text, { HOST: "h1" }).global.externalLabels).toEqual({ a: "h1-x", b: "h1", c: "$HOST", d: "<>" });
    expect(warnings(text, { HOST: "h1" })).toEqual(["t.yml:1:9: external label d: the environment has no NONE"]);
  });

  it("makes paths absolute against the file's folder", () => {
    const config = load("rule_files: [rules/*.yml, /abs/x.yml]\nalertmanager_config_file: ../am.yml\n");
    expect(config.ruleFiles).toEqual(["/etc/tocsin/rules/*.yml", "/abs/x.yml"]);
    expect(config.alertmanagerConfigFile).toBe("/etc/am.yml");
    const sd = job("file_sd_configs: [{ files: [t/*.json], refresh_interval: 1m }]").fileSdConfigs;
    expect(sd).toEqual([{ files: ["/etc/tocsin/t/*.json"], refreshIntervalMs: 60_000 }]);
  });

  it("reads sizes as powers of 1024", () => {
    const limit = (text: string) => job(`body_size_limit: ${text}`).bodySizeLimit;
    expect(limit("10")).toBe(10);
    expect(limit("1KB")).toBe(1024);
    expect(limit("1KiB")).toBe(1024);
    expect(limit("1.5MB")).toBe(1_572_864);
    expect(limit("2g")).toBe(2 ** 31);
    expect(limit("0")).toBe(0);
    expect(problems("global: { body_size_limit: 5XB }")[0]).toContain("is no size");
  });

  it("reads relabel rules with their defaults", () => {
    expect(job("relabel_configs: [{ source_labels: [a, b], target_label: c }]").relabelConfigs).toEqual([
      {
        sourceLabels: ["a", "b"],
        separator: ";",
        targetLabel: "c",
        regex: "(.*)",
        modulus: 0,
        replacement: "$1",
        action: "replace",
      },
    ]);
    expect(job('relabel_configs: [{ target_label: c, replacement: "" }]').relabelConfigs[0]?.replacement).toBe("");
  });

  it("takes only NATS URLs that the bus can use", () => {
    expect(load('streams: { url: "tls://bus:4222" }').streams.url).toBe("tls://bus:4222");
    expect(problems('streams: { url: "ws://bus:80" }')).toEqual([expect.stringContaining("is no NATS URL")]);
  });

  it("takes Tocsin's own keys", () => {
    const config = load(`
agent: { enabled: false, interval: 10s, instance: web-1, labels: { dc: eu } }
storage:
  partitions: 7
  out_of_order_window: 30m
  max_block_range: 4d
  upkeep_interval: 200ms
  cache_size: 1GB
  retention: { raw: 30d, 1m: 1y, 1h: 0 }
  retention_size: { raw: 10GB }
  retention_rules: [{ match: '{job="debug"}', tenant: dev, raw: 1d }]
  exemplars: { max_exemplars: 5 }
streams: { url: "nats://bus:4222", max_age: 1d, max_size: 1GB }
limits: { query_timeout: 30s, max_label_value_length: 100 }
`);
    expect(config.agent).toEqual({ enabled: false, intervalMs: 10_000, instance: "web-1", labels: { dc: "eu" } });
    expect(config.storage).toEqual({
      partitions: 7,
      outOfOrderWindowMs: 1_800_000,
      retention: { rawMs: 30 * 86_400_000, m1Ms: 365 * 86_400_000, h1Ms: 0 },
      maxBlockRangeMs: 4 * 86_400_000,
      upkeepMs: 200,
      cacheBytes: 2 ** 30,
      retentionBytes: { raw: 10 * 2 ** 30, m1: 0, h1: 0 },
      retentionRules: [
        {
          match: '{job="debug"}',
          tenant: "dev",
          keep: { rawMs: 86_400_000 },
          at: expect.objectContaining({ line: 11 }),
        },
      ],
      maxExemplars: 5,
    });
    expect(config.streams).toMatchObject({ url: "nats://bus:4222", maxAgeMs: 86_400_000, maxBytes: 2 ** 30 });
    expect(config.limits).toMatchObject({ queryTimeoutMs: 30_000, maxLabelValueBytes: 100 });
  });
});

describe("problems", () => {
  it("are all reported at once, in order, each with its place", () => {
    const text = `global:
  scrape_intervall: 5s
  evaluation_interval: 5x
scrape_configs:
  - job_name: a
    metrics_pth: /m
    static_configs:
      - targets: ["http://host/"]
    relabel_configs:
      - action: hashmod
        target_label: t
        source_labels: [x]
      - regex: "("
        target_label: t
limits:
  max_query_points: many
`;
    expect(problems(text)).toEqual([
      't.yml:2:3: unknown key "scrape_intervall" in global section, did you mean "scrape_interval"?',
      't.yml:3:24: "5x" is no duration, write it like 15s, 1m30s or 5d',
      't.yml:6:5: unknown key "metrics_pth" in scrape config, did you mean "metrics_path"?',
      't.yml:8:19: "http://host/" is no address, write host:port (the scheme has its own key: scheme)',
      "t.yml:10:9: hashmod needs a modulus above 0",
      't.yml:13:16: "(" is no RE2 regular expression: error parsing regexp: missing closing ): `(`',
      't.yml:16:21: expected a whole number, found "many"',
    ]);
  });

  it.each([
    ["scrape_config: []", 't.yml:1:1: unknown key "scrape_config" in configuration, did you mean "scrape_configs"?'],
    ["Global: {}", 't.yml:1:1: unknown key "Global" in configuration, did you mean "global"?'],
    ["scrape_interval: 1s", 't.yml:1:1: unknown key "scrape_interval" in configuration, it belongs under "global"'],
    ["xyzzy: 1", 't.yml:1:1: unknown key "xyzzy" in configuration'],
    ["global: 7", "t.yml:1:9: expected a global section"],
    ["rule_files: a.yml", "t.yml:1:13: expected a list of path"],
    ["- a", "t.yml:1:1: expected top-level keys"],
    ["hello", "t.yml:1:1: expected top-level keys"],
    ["scrape_configs: [{}]", "t.yml:1:18: job_name is missing"],
    ["scrape_configs: [{job_name: ''}]", "t.yml:1:29: must not be empty"],
    ["scrape_configs: [{job_name: a},\n  {job_name: a}]", 't.yml:2:3: job_name "a" is taken'],
    [
      "global: {scrape_interval: 5s, scrape_timeout: 6s}",
      "t.yml:1:9: global: scrape_timeout 6s is longer than scrape_interval 5s",
    ],
    [
      "scrape_configs: [{job_name: a, scrape_interval: 5s, scrape_timeout: 6s}]",
      "scrape_timeout 6s is longer than scrape_interval 5s",
    ],
    [
      "scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: node}]}]",
      "t.yml:1:32: not supported: kubernetes_sd_configs:",
    ],
    ["scrape_configs: [{job_name: a, proxy_url: 'http://p'}]", "t.yml:1:32: not supported: proxy_url:"],
    [
      "scrape_configs: [{job_name: a, basic_auth: {password: a, password_file: b}}]",
      "give password or password_file, not both",
    ],
    [
      "scrape_configs: [{job_name: a, basic_auth: {}, bearer_token: x}]",
      "give one of basic_auth, authorization, bearer_token",
    ],
    [
      "scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, regex: a, target_label: b}]}]",
      "labeldrop takes no target_label",
    ],
    ["scrape_configs: [{job_name: a, relabel_configs: [{action: dropp}]}]", 'found "dropp"'],
    ["scrape_configs: [{job_name: a, http_headers: {Host: {values: [x]}}}]", "Host is set by Tocsin"],
    ["scrape_configs: [{job_name: a, file_sd_configs: [{files: [a.txt]}]}]", "must end in .json, .yml or .yaml"],
    ["scrape_configs: [{job_name: a, tls_config: {cert: x}}]", "needs both cert and key"],
    ["streams: {listen: nohost}", "is no address"],
    ["streams: {listen: 'a:99999'}", "port 99999 does not exist"],
    ["storage: {partitions: 0}", "0 is too small, the least is 1"],
    ["agent: {interval: 10ms}", "10ms is too short, the least is 1s"],
    ["a: [", "t.yml:1:"],
    ["global: {}\nglobal: {}", "t.yml:2:1: Map keys must be unique"],
    ["global: *nothing", "t.yml:1:"],
  ])("of %j", (text, message) => {
    expect(problems(text)).toEqual([expect.stringContaining(message)]);
  });

  it("of Prometheus's keys that change nothing here are warnings", () => {
    const text = "remote_write: [{ url: x }]\nglobal:\n  query_log_file: q.log\nalerting: { alertmanagers: [] }\n";
    expect(problems(text)).toEqual([]);
    expect(warnings(text)).toEqual([
      "t.yml:1:1: ignored: remote_write: samples are not forwarded",
      "t.yml:3:3: ignored: query_log_file: there is no query log file",
      "t.yml:4:1: ignored: alerting: the alert manager is built in, see alertmanager_config_file",
    ]);
  });
});

describe("files", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "tocsin-config-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const write = (name: string, text: string | Buffer): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  it("reads secrets at load", () => {
    write("pw", "s3cret\n");
    write("token", "t0ken");
    const file = write(
      "t.yml",
      `scrape_configs:
  - job_name: a
    basic_auth: { username: u, password_file: pw }
  - job_name: b
    authorization: { credentials_file: token }
  - job_name: c
    bearer_token_file: token
  - job_name: d
    http_headers: { X-Key: { values: [v], files: [token] } }
`,
    );
    const [a, b, c, d] = loadConfig(file).config.scrapeConfigs;
    expect(a?.basicAuth).toEqual({ username: "u", password: "s3cret" });
    expect(b?.authorization).toEqual({ type: "Bearer", credentials: "t0ken" });
    expect(c?.authorization).toEqual({ type: "Bearer", credentials: "t0ken" });
    expect(d?.httpHeaders).toEqual({ "X-Key": "v, t0ken" });
  });

  it("says which secret cannot be read", () => {
    const file = write("t.yml", "scrape_configs:\n  - job_name: a\n    basic_auth: { password_file: none }\n");
    expect(() => loadConfig(file)).toThrow(`${file}:3:17: none cannot be read: no such file`);
  });

  it("reads scrape_config_files, and finds a job that is defined twice", () => {
    write("more-1.yml", "scrape_configs: [{ job_name: b }]\n");
    write("more-2.yml", "scrape_configs: [{ job_name: c }]\n");
    const text =
      "global: { scrape_interval: 3s }\nscrape_config_files: [more-*.yml]\nscrape_configs: [{ job_name: a }]\n";
    const file = write("t.yml", text);
    const { scrapeConfigs } = loadConfig(file).config;
    expect(scrapeConfigs.map((c) => [c.jobName, c.scrapeIntervalMs])).toEqual([
      ["a", 3000],
      ["b", 3000],
      ["c", 3000],
    ]);
    write("more-3.yml", "scrape_configs:\n  - job_name: a\n  - job_nam: x\n");
    expect(() => loadConfig(file)).toThrow(join(dir, "more-3.yml:3:5: unknown key"));
    write("more-3.yml", "scrape_configs: [{ job_name: b }]\n");
    expect(() => loadConfig(file)).toThrow(`job_name "b" is taken (it is in ${join(dir, "more-1.yml")})`);
  });

  it("that cannot be read are one clear line", () => {
    expect(() => loadConfig(join(dir, "none.yml"))).toThrow(`${join(dir, "none.yml")}: cannot be read: no such file`);
    expect(() => loadConfig(dir)).toThrow("it is a folder");
    expect(() => loadConfig(write("bin.yml", Buffer.from([0x61, 0xff])))).toThrow("is not UTF-8 text");
  });
});
