import { limitsSchema, overridesSchema } from "./limit-keys.ts";
import { baseUrl, duration, labelNameProblem, path, size, string } from "./schema/scalars.ts";
import { defaulted, ignored, list, map, object, optional, refused } from "./schema/schema.ts";
import { inheritedScrapeKeys, scrapeConfigSchema } from "./scrape-keys.ts";
import { agentSchema, storageSchema, streamsSchema } from "./server-keys.ts";

export const globalSchema = object("global section", {
  ...inheritedScrapeKeys,
  body_size_limit: optional(
    size(),
    "Largest body after decompression; 0: no limit. A larger one fails the scrape.",
    "256MB",
  ),
  scrape_interval: defaulted(duration(100), 60_000, "Time between two scrapes of a target.", "1m"),
  scrape_timeout: optional(
    duration(10),
    "Longest time that a scrape may take; not longer than the interval.",
    "10s, or the interval when that is shorter",
  ),
  evaluation_interval: defaulted(duration(100), 60_000, "Time between two evaluations of a rule group.", "1m"),
  external_labels: defaulted(
    map(string, labelNameProblem),
    {},
    "Labels that alerts get when they leave this server. `$NAME` and `${NAME}` stand for environment variables.",
  ),
  rule_query_offset: refused("write query_offset in the rule groups that need it"),
  query_log_file: ignored("there is no query log file"),
  scrape_failure_log_file: ignored("failed scrapes are shown with their target and counted"),
});

export const rootSchema = object("configuration", {
  global: optional(globalSchema, "Settings that hold unless a job or group has its own."),
  scrape_configs: defaulted(list(scrapeConfigSchema), [], "Jobs: what to scrape, and how."),
  scrape_config_files: defaulted(list(path), [], "Files (`*` allowed) with more `scrape_configs`."),
  rule_files: defaulted(list(path), [], "Files (`*` allowed) with recording and alerting rules."),
  alertmanager_config_file: optional(
    path,
    "Routes and receivers of notifications, in Alertmanager's schema.",
    "alerts are shown, nobody is notified",
  ),
  external_url: optional(
    baseUrl,
    "Where this server is reached from outside, a path included: what links in notifications begin with. Taken at the start.",
    "the address that it listens on",
  ),
  agent: optional(agentSchema, "The built-in host collector."),
  storage: optional(storageSchema, "Storage."),
  streams: optional(streamsSchema, "The event bus."),
  limits: optional(limitsSchema, "Limits of requests and queries."),
  overrides: defaulted(overridesSchema, {}, "Limits of single tenants, by tenant, in place of those in `limits`."),
  alerting: ignored("the alert manager is built in, see alertmanager_config_file"),
  remote_write: ignored("samples are not forwarded"),
  remote_read: ignored("other servers are not queried"),
  tracing: ignored("there are no traces"),
  otlp: ignored("OTLP has no settings"),
  runtime: ignored("these are settings of another runtime"),
});

/** A file of `scrape_config_files`. */
export const scrapeConfigFileSchema = object("scrape config file", {
  scrape_configs: defaulted(list(scrapeConfigSchema), [], "Jobs."),
});
