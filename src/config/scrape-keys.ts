import { httpClientKeys } from "./http-client-keys.ts";
import { relabelSchema } from "./relabel-keys.ts";
import {
  boolean,
  duration,
  integer,
  labelNameProblem,
  nonEmpty,
  oneOf,
  scalar,
  size,
  string,
} from "./schema/scalars.ts";
import {
  defaulted,
  type ForeignKey,
  ignored,
  list,
  map,
  object,
  optional,
  refused,
  required,
} from "./schema/schema.ts";

/** Scrape settings that `global` sets for all jobs and a job may set for itself. */
export const inheritedScrapeKeys = {
  scrape_interval: optional(duration(100), "Time between two scrapes of a target."),
  scrape_timeout: optional(duration(10), "Longest time that a scrape may take; not longer than the interval."),
  body_size_limit: optional(size(), "Largest body after decompression; 0: no limit. A larger one fails the scrape."),
  sample_limit: optional(integer(), "Samples a scrape may have after relabeling; 0: no limit. More fail the scrape."),
  label_limit: optional(integer(), "Labels a sample may have; 0: no limit. More fail the scrape."),
  label_name_length_limit: optional(
    integer(),
    "Longest label name in bytes; 0: no limit. A longer one fails the scrape.",
  ),
  label_value_length_limit: optional(
    integer(),
    "Longest label value in bytes; 0: no limit. A longer one fails the scrape.",
  ),
  target_limit: optional(
    integer(),
    "Targets a job may have after relabeling; 0: no limit. With more, all of them fail.",
  ),
  extra_scrape_metrics: optional(
    boolean,
    "Report scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes too.",
  ),
  keep_dropped_targets: ignored("dropped targets are not listed"),
  scrape_protocols: ignored("targets are asked for the text format 0.0.4"),
  scrape_native_histograms: ignored("native histograms are not scraped"),
  always_scrape_classic_histograms: ignored("classic histograms are always scraped"),
  convert_classic_histograms_to_nhcb: refused("classic histograms stay as they are"),
  metric_name_validation_scheme: ignored("every UTF-8 name is accepted"),
  metric_name_escaping_scheme: ignored("names are taken as they come"),
};

/** host, host:port or [v6]:port, without a scheme or path: what __address__ may be. */
const address = scalar("host:port", (text) => {
  if (text === "") throw new Error("must not be empty");
  if (/^[a-z]+:\/\//i.test(text)) {
    throw new Error(`${JSON.stringify(text)} is no address, write host:port (the scheme has its own key: scheme)`);
  }
  if (text.includes("/")) {
    throw new Error(`${JSON.stringify(text)} is no address, write host:port (the path has its own key: metrics_path)`);
  }
  return text;
});

export const staticConfigSchema = object("target group", {
  targets: defaulted(list(address), [], "Addresses, host:port; `self` is the address that this server listens on."),
  labels: defaulted(map(string, labelNameProblem), {}, "Labels added to these targets."),
});

const sdPath = scalar("path", (text) => {
  if (!/^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$/.test(text)) {
    throw new Error(`${JSON.stringify(text)} must end in .json, .yml or .yaml, and may have * in its last part only`);
  }
  return text;
});

const fileSdSchema = object("file_sd_configs entry", {
  files: required(
    list(sdPath),
    "Files of target groups, YAML or JSON; the last part of a path may hold `*`. A change is seen at once.",
  ),
  refresh_interval: defaulted(
    duration(1000),
    300_000,
    "The files are read again after this time even without a change seen.",
    "5m",
  ),
});

const OTHER_DISCOVERIES = [
  "aws",
  "azure",
  "consul",
  "digitalocean",
  "dns",
  "docker",
  "dockerswarm",
  "ec2",
  "eureka",
  "gce",
  "hetzner",
  "http",
  "ionos",
  "kubernetes",
  "kuma",
  "lightsail",
  "linode",
  "marathon",
  "nerve",
  "nomad",
  "openstack",
  "ovhcloud",
  "puppetdb",
  "scaleway",
  "serverset",
  "stackit",
  "triton",
  "uyuni",
  "vultr",
] as const;

const otherDiscoveryKeys: Record<string, ForeignKey> = {};
for (const name of OTHER_DISCOVERIES) {
  otherDiscoveryKeys[`${name}_sd_configs`] = refused("write the targets to a file that file_sd_configs names");
}

const asGlobal = "as in `global`";
/** The same keys for a job. */
const ownScrapeKeys = {
  ...inheritedScrapeKeys,
  scrape_interval: { ...inheritedScrapeKeys.scrape_interval, fallbackText: asGlobal },
  scrape_timeout: { ...inheritedScrapeKeys.scrape_timeout, fallbackText: asGlobal },
  body_size_limit: { ...inheritedScrapeKeys.body_size_limit, fallbackText: asGlobal },
  sample_limit: { ...inheritedScrapeKeys.sample_limit, fallbackText: asGlobal },
  label_limit: { ...inheritedScrapeKeys.label_limit, fallbackText: asGlobal },
  label_name_length_limit: { ...inheritedScrapeKeys.label_name_length_limit, fallbackText: asGlobal },
  label_value_length_limit: { ...inheritedScrapeKeys.label_value_length_limit, fallbackText: asGlobal },
  target_limit: { ...inheritedScrapeKeys.target_limit, fallbackText: asGlobal },
  extra_scrape_metrics: { ...inheritedScrapeKeys.extra_scrape_metrics, fallbackText: asGlobal },
};

export const scrapeConfigSchema = object("scrape config", {
  job_name: required(nonEmpty, "Name of the job, the value of the `job` label; unique."),
  ...ownScrapeKeys,
  metrics_path: defaulted(string, "/metrics", "Path of the metrics."),
  scheme: defaulted(oneOf("http", "https"), "http", "Protocol."),
  params: defaulted(map(list(string)), {}, "Parameters of the URL."),
  honor_labels: defaulted(
    boolean,
    false,
    "Where a scraped label and one of the target have the same name: true keeps the scraped one, false keeps the target's and renames the scraped one to `exported_<name>`.",
  ),
  honor_timestamps: defaulted(boolean, true, "Use the timestamps of the scraped samples, where they have one."),
  track_timestamps_staleness: defaulted(
    boolean,
    false,
    "Also mark series as stale whose samples had timestamps of their own.",
  ),
  enable_compression: defaulted(boolean, true, "Ask for a gzip response."),
  fallback_scrape_protocol: optional(
    oneOf(
      "PrometheusText0.0.4",
      "PrometheusText1.0.0",
      "OpenMetricsText0.0.1",
      "OpenMetricsText1.0.0",
      "PrometheusProto",
    ),
    "With `PrometheusText0.0.4`, a response without a usable Content-Type is read as text; without it such a scrape fails.",
  ),
  ...httpClientKeys,
  static_configs: defaulted(list(staticConfigSchema), [], "Targets named here."),
  file_sd_configs: defaulted(list(fileSdSchema), [], "Targets named in files that may change while Tocsin runs."),
  relabel_configs: defaulted(list(relabelSchema), [], "Rewrites or drops targets before they are scraped."),
  metric_relabel_configs: defaulted(list(relabelSchema), [], "Rewrites or drops scraped samples."),
  ...otherDiscoveryKeys,
});
