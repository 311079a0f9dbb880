/**
 * The running configuration, as src/config loads it from the one YAML file: defaults filled in, durations in
 * milliseconds, sizes in bytes, relative paths made absolute against the file's folder. Secrets are read from their files
 * at load. Keys keep Prometheus's and Alertmanager's meaning; see docs/configuration.md for every key.
 */
export interface Config {
  readonly global: GlobalConfig;
  readonly scrapeConfigs: readonly ScrapeConfig[];
  /** Globs, absolute. */
  readonly ruleFiles: readonly string[];
  /** Absolute; undefined when alerts go nowhere but the UI and API. */
  readonly alertmanagerConfigFile?: string;
  /** Where the server is reached from outside, without a slash at the end; undefined: the address that it listens on. */
  readonly externalUrl?: string;
  readonly agent: {
    readonly enabled: boolean;
    readonly intervalMs: number;
    /** Value of the `instance` label; undefined: host name and the port of the server. */
    readonly instance?: string;
    /** Labels added to every series of the host collector. */
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly storage: {
    /** Number of partitions of a new data dir; an existing one keeps its own. */
    readonly partitions: number;
    readonly outOfOrderWindowMs: number;
    /** 0 keeps for ever. */
    readonly retention: TierDurations;
    /** Longest range of a block of samples, 0: chosen by the retention. */
    readonly maxBlockRangeMs: number;
    /** How often a shard looks whether there is something to cut, roll up, merge or remove. */
    readonly upkeepMs: number;
    /** Memory for what queries have read, all partitions together. */
    readonly cacheBytes: number;
    /** Bytes of blocks in all partitions together, 0: no bound. */
    readonly retentionBytes: { readonly raw: number; readonly m1: number; readonly h1: number };
    /** The first rule that matches a series decides; what it leaves open is as `retention` says. */
    readonly retentionRules: readonly RetentionRule[];
    /** In all partitions together. */
    readonly maxExemplars: number;
  };
  readonly streams: {
    /** URL of an existing NATS server; undefined starts the embedded one. */
    readonly url?: string;
    /** URL of a NATS server where notifications are claimed; undefined: nobody else sends them. */
    readonly claimsUrl?: string;
    /** Whoever has claimed one and is not heard of for so long is taken for dead. */
    readonly claimsLeaseMs: number;
    /** Address of the embedded server, for agents. */
    readonly listen: string;
    readonly maxAgeMs: number;
    readonly maxBytes: number;
  };
  readonly limits: LimitsConfig;
  /** What is different for single tenants. */
  readonly overrides: Readonly<Record<string, Partial<TenantLimits>>>;
}

/** How long each tier is kept; 0 keeps for ever. */
export interface TierDurations {
  readonly rawMs: number;
  readonly m1Ms: number;
  readonly h1Ms: number;
}

export interface RetentionRule {
  /** A series selector in PromQL. */
  readonly match: string;
  /** Undefined: of every tenant. */
  readonly tenant?: string;
  readonly keep: Partial<TierDurations>;
  /** Where it stands, for messages. */
  readonly at: { readonly file: string; readonly line: number; readonly column: number };
}

export interface GlobalConfig {
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
  readonly evaluationIntervalMs: number;
  readonly externalLabels: Readonly<Record<string, string>>;
}

/** Limits that a tenant may have of its own. */
export interface TenantLimits {
  readonly maxLabelNamesPerSeries: number;
  readonly maxLabelNameBytes: number;
  readonly maxLabelValueBytes: number;
  readonly maxQueryPoints: number;
  readonly maxQuerySamples: number;
  readonly maxQuerySeries: number;
  readonly maxQueryMemoryBytes: number;
  readonly maxQueryBytes: number;
  readonly maxQueryDepth: number;
  /** 0: no limit; so are the other zeros here. */
  readonly maxTotalQueryMs: number;
  readonly maxLookbackDeltaMs: number;
  readonly maxRegexCost: number;
  readonly maxTenantQueries: number;
  readonly queryTimeoutMs: number;
  /** 0: a share of the query's own time. */
  readonly queryShardTimeoutMs: number;
  readonly queryLookbackMs: number;
  /** Over the ruler's API. */
  readonly maxRulesPerRuleGroup: number;
  readonly maxRuleGroups: number;
}

export interface LimitsConfig extends TenantLimits {
  /** Request bodies, compressed as sent and after decompression. */
  readonly maxBodyBytes: number;
  readonly maxDecodedBytes: number;
  readonly maxConcurrentQueries: number;
  readonly maxQueuedQueries: number;
  /** Memory for results of range queries; 0: none are kept. */
  readonly queryCacheBytes: number;
}

/** The limits that hold for a tenant. */
export function limitsOf({ limits, overrides }: Pick<Config, "limits" | "overrides">, tenant: string): LimitsConfig {
  const own = Object.hasOwn(overrides, tenant) ? overrides[tenant] : undefined;
  return own === undefined ? limits : { ...limits, ...own };
}

export interface ScrapeConfig {
  readonly jobName: string;
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
  readonly metricsPath: string;
  readonly scheme: "http" | "https";
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  /** 0: no limit. */
  readonly sampleLimit: number;
  readonly bodySizeLimit: number;
  readonly targetLimit: number;
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
  readonly followRedirects: boolean;
  readonly enableCompression: boolean;
  readonly trackTimestampsStaleness: boolean;
  /** Report scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes too. */
  readonly extraScrapeMetrics: boolean;
  /** Read a response without a usable Content-Type as text exposition. */
  readonly fallbackToText: boolean;
  /** Request headers added to every scrape. */
  readonly httpHeaders: Readonly<Record<string, string>>;
  readonly tls: TlsConfig;
  readonly basicAuth?: { readonly username: string; readonly password: string };
  /** Scheme and credentials of the Authorization header. */
  readonly authorization?: { readonly type: string; readonly credentials: string };
  readonly staticConfigs: readonly StaticConfig[];
  readonly fileSdConfigs: readonly { readonly files: readonly string[]; readonly refreshIntervalMs: number }[];
  readonly relabelConfigs: readonly RelabelConfig[];
  readonly metricRelabelConfigs: readonly RelabelConfig[];
}

/** How a scrape checks and presents certificates; all PEM text, read at load. */
export interface TlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly insecureSkipVerify: boolean;
  readonly minVersion?: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
}

export interface StaticConfig {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export type RelabelAction =
  | "replace"
  | "keep"
  | "drop"
  | "keepequal"
  | "dropequal"
  | "hashmod"
  | "labelmap"
  | "labeldrop"
  | "labelkeep"
  | "lowercase"
  | "uppercase";

export interface RelabelConfig {
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly targetLabel: string;
  /** RE2, fully anchored. */
  readonly regex: string;
  readonly modulus: number;
  readonly replacement: string;
  readonly action: RelabelAction;
}

/** A config, rule or SD file that cannot be used: every problem with its place. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export interface ConfigProblem {
  readonly file: string;
  /** 1-based; 0 when the file as a whole is meant. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export function formatProblem(p: ConfigProblem): string {
  return p.line > 0 ? `${p.file}:${p.line}:${p.column}: ${p.message}` : `${p.file}: ${p.message}`;
}
