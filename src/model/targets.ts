/**
 * Scrape targets as the API shows them: the JSON objects of Prometheus's /api/v1/targets.
 */
export interface TargetStatus {
  /** Labels before relabeling, `__address__` and the like included. */
  readonly discoveredLabels: Readonly<Record<string, string>>;
  /** Labels that every sample of the target gets. */
  readonly labels: Readonly<Record<string, string>>;
  /** The job's name in the configuration. */
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  /** Why the last scrape failed; "" when it did not. */
  readonly lastError: string;
  /** RFC 3339; 0001-01-01T00:00:00Z before the first scrape. */
  readonly lastScrape: string;
  /** Seconds. */
  readonly lastScrapeDuration: number;
  /** `unknown` until the first scrape. */
  readonly health: "unknown" | "up" | "down";
  /** Prometheus durations, "15s". */
  readonly scrapeInterval: string;
  readonly scrapeTimeout: string;
}

/** A target that relabeling took out. */
export interface DroppedTarget {
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly scrapePool: string;
}
