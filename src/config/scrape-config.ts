import { readFileSync } from "node:fs";
import { formatDuration } from "../lib/duration.ts";
import type { ScrapeConfig } from "../model/config.ts";
import { toRelabelConfig } from "./relabel-keys.ts";
import type { globalSchema } from "./root-keys.ts";
import type { ReadKeys } from "./schema/schema.ts";
import { problem, reasonOf, type Source } from "./schema/source.ts";
import type { scrapeConfigSchema } from "./scrape-keys.ts";
import { pathFrom, toAuthorization, toBasicAuth, toBearer, toTls } from "./secrets.ts";

type ReadScrape = ReadKeys<(typeof scrapeConfigSchema)["keys"]>;
export type ReadGlobal = ReadKeys<(typeof globalSchema)["keys"]>;

const DEFAULT_SCRAPE_TIMEOUT_MS = 10_000;
/** Bounds what a target can make the server hold in memory; a job that needs more says so. */
export const DEFAULT_BODY_SIZE_LIMIT = 256 * 2 ** 20;

export function globalScrapeTimeout(global: ReadGlobal): number {
  return global.scrape_timeout ?? Math.min(DEFAULT_SCRAPE_TIMEOUT_MS, global.scrape_interval);
}

/** Fills in what `global` says, reads secrets and makes paths absolute; reports what does not fit together. */
export function toScrapeConfig(source: Source, read: ReadScrape, global: ReadGlobal): ScrapeConfig {
  const node = source.nodes.get(read);
  const interval = read.scrape_interval ?? global.scrape_interval;
  const timeout = read.scrape_timeout ?? Math.min(globalScrapeTimeout(global), interval);
  if (timeout > interval) {
    const message = `scrape_timeout ${formatDuration(timeout)} is longer than scrape_interval ${formatDuration(interval)}`;
    problem(source, node, `job ${read.job_name}: ${message}`);
  }
  const bearer = toBearer(source, read, read.bearer_token, read.bearer_token_file);
  const authorization = read.authorization ? toAuthorization(source, read.authorization) : bearer;
  const ways = [read.basic_auth, read.authorization, bearer].filter((way) => way !== undefined);
  if (ways.length > 1)
    problem(source, node, `job ${read.job_name}: give one of basic_auth, authorization, bearer_token`);
  return {
    jobName: read.job_name,
    scrapeIntervalMs: interval,
    scrapeTimeoutMs: timeout,
    metricsPath: read.metrics_path.startsWith("/") ? read.metrics_path : `/${read.metrics_path}`,
    scheme: read.scheme,
    params: read.params,
    honorLabels: read.honor_labels,
    honorTimestamps: read.honor_timestamps,
    trackTimestampsStaleness: read.track_timestamps_staleness,
    extraScrapeMetrics: read.extra_scrape_metrics ?? global.extra_scrape_metrics ?? false,
    sampleLimit: read.sample_limit ?? global.sample_limit ?? 0,
    bodySizeLimit: read.body_size_limit ?? global.body_size_limit ?? DEFAULT_BODY_SIZE_LIMIT,
    targetLimit: read.target_limit ?? global.target_limit ?? 0,
    labelLimit: read.label_limit ?? global.label_limit ?? 0,
    labelNameLengthLimit: read.label_name_length_limit ?? global.label_name_length_limit ?? 0,
    labelValueLengthLimit: read.label_value_length_limit ?? global.label_value_length_limit ?? 0,
    followRedirects: read.follow_redirects,
    enableCompression: read.enable_compression,
    fallbackToText: (read.fallback_scrape_protocol ?? "").startsWith("PrometheusText"),
    httpHeaders: toHeaders(source, read.http_headers),
    tls: toTls(source, read.tls_config),
    ...(read.basic_auth ? { basicAuth: toBasicAuth(source, read.basic_auth) } : {}),
    ...(authorization ? { authorization } : {}),
    staticConfigs: read.static_configs,
    fileSdConfigs: read.file_sd_configs.map((sd) => ({
      files: sd.files.map((file) => pathFrom(source, file)),
      refreshIntervalMs: sd.refresh_interval,
    })),
    relabelConfigs: read.relabel_configs.map(toRelabelConfig),
    metricRelabelConfigs: read.metric_relabel_configs.map(toRelabelConfig),
  };
}

function toHeaders(source: Source, headers: ReadScrape["http_headers"]): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, header] of Object.entries(headers)) {
    const values = [...header.values, ...header.secrets];
    for (const file of header.files) {
      try {
        values.push(readFileSync(pathFrom(source, file), "utf8").trim());
      } catch (error) {
        problem(source, source.nodes.get(header), `${file} cannot be read: ${reasonOf(error)}`);
      }
    }
    if (values.some((value) => /[\r\n\0]/.test(value))) {
      problem(source, source.nodes.get(header), `header ${name}: a value must be one line`);
    }
    out[name] = values.join(", ");
  }
  return out;
}
