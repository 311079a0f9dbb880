import { availableParallelism, totalmem } from "node:os";
import {
  boolean,
  duration,
  hostPort,
  integer,
  labelNameProblem,
  nonEmpty,
  scalar,
  size,
  string,
} from "./schema/scalars.ts";
import { defaulted, ignored, list, map, object, optional, required } from "./schema/schema.ts";

const DAY = 86_400_000;

/** Tocsin's own keys: what Prometheus's schema has no place for. */
export const agentSchema = object("agent section", {
  enabled: defaulted(
    boolean,
    true,
    "Collect this host's CPU, memory, disk, network and file system metrics, under node_exporter's names.",
  ),
  interval: defaulted(duration(1000, 3_600_000), 5000, "Time between two collections.", "5s"),
  instance: optional(nonEmpty, "Value of the `instance` label.", "host name and port of this server"),
  labels: defaulted(map(string, labelNameProblem), {}, "Labels added to every series of the host collector."),
});

export const retentionSchema = object("retention section", {
  raw: defaulted(duration(), 15 * DAY, "How long samples are kept as they came; 0 keeps for ever.", "15d"),
  "1m": defaulted(duration(), 395 * DAY, "How long the 1-minute tier is kept; 0 keeps for ever.", "395d"),
  "1h": defaulted(duration(), 5 * 365 * DAY, "How long the 1-hour tier is kept; 0 keeps for ever.", "5y"),
});

const bound = "Size of the tier's blocks on disk, beyond which the oldest go; 0: no bound.";

export const retentionSizeSchema = object("retention_size section", {
  raw: defaulted(size(), 0, bound),
  "1m": defaulted(size(), 0, bound),
  "1h": defaulted(size(), 0, bound),
});

export const retentionRuleSchema = object("retention rule", {
  match: required(nonEmpty, 'A series selector, like `{job="debug"}`.'),
  tenant: optional(nonEmpty, "The tenant whose series are meant.", "all tenants"),
  raw: optional(duration(), "How long their samples are kept; 0 keeps for ever.", "as `retention` says"),
  "1m": optional(duration(), "How long their 1-minute tier is kept.", "as `retention` says"),
  "1h": optional(duration(), "How long their 1-hour tier is kept.", "as `retention` says"),
});

export const exemplarsSchema = object("exemplars section", {
  max_exemplars: defaulted(
    integer(0, 100_000_000),
    100_000,
    "Exemplars that are kept in memory, in all partitions together; the oldest go first. 0 keeps none.",
  ),
});

/** Partitions of a new data dir: one a core, 2 at least (so that a merge is always exercised), 16 at most. */
export function defaultPartitions(): number {
  return Math.min(16, Math.max(2, availableParallelism()));
}

/** Of the memory that the process may use, which a container may bound. */
export function usualCacheBytes(): number {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.min(4 * 2 ** 30, Math.max(256 * 2 ** 20, Math.floor(memory / 16)));
}

export const storageSchema = object("storage section", {
  partitions: defaulted(
    integer(1, 1024),
    defaultPartitions(),
    "Number of partitions (and shards) of a new data directory; an existing one keeps its own.",
    "number of cores, 2 to 16",
  ),
  out_of_order_window: defaulted(
    duration(),
    3_600_000,
    "How far a sample may lie behind the newest one of its series; older ones are refused.",
    "1h",
  ),
  max_block_range: optional(
    duration(2 * 3_600_000),
    "Longest range of time that blocks of samples are merged to.",
    "a tenth of the retention, 1d to 16d",
  ),
  upkeep_interval: defaulted(
    duration(100),
    5_000,
    "How often each shard looks whether there is something to move to blocks, to roll up, to merge or to remove.",
    "5s",
  ),
  retention: optional(retentionSchema, "How long data is kept, by tier."),
  retention_size: optional(retentionSizeSchema, "How much disk the tiers may take."),
  retention_rules: defaulted(
    list(retentionRuleSchema),
    [],
    "Series that are kept for a shorter or longer time; the first rule that matches counts.",
  ),
  cache_size: optional(
    size(0),
    "Memory for what queries have read: series decoded, and parts of blocks. All partitions together.",
    "a sixteenth of the memory, 256MB to 4GB",
  ),
  exemplars: optional(exemplarsSchema, "Exemplars."),
  tsdb: ignored("use storage.out_of_order_window and storage.retention"),
});

const natsUrl = scalar("URL", (text) => {
  if (!/^(nats|tls):\/\/[^\s/]+/.test(text)) {
    throw new Error(`${JSON.stringify(text)} is no NATS URL, write it like nats://host:4222`);
  }
  return text;
});

export const streamsSchema = object("streams section", {
  url: optional(natsUrl, "An existing NATS server with JetStream.", "a nats-server is started and supervised"),
  claims_url: optional(
    natsUrl,
    "A NATS server with JetStream that several Tocsins with the same rules share: each notification is claimed there, so that only one of them sends it.",
    "this Tocsin is the only one",
  ),
  claims_lease: defaulted(
    duration(2000, 600_000),
    10_000,
    "One that has claimed a notification and is not heard of for so long is taken for dead, and another one sends it; the same in all that share the server.",
    "10s",
  ),
  listen: defaulted(hostPort, "127.0.0.1:4222", "Address of the started nats-server, for agents that publish to it."),
  max_age: defaulted(duration(), 7 * DAY, "Oldest message that a partition's stream keeps; 0: any age.", "7d"),
  max_size: defaulted(
    size(64 * 2 ** 20),
    8 * 2 ** 30,
    "Size of all partitions' streams together. When one is full, senders are told to try again.",
    "8GB",
  ),
});
