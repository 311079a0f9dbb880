import type { Labels } from "./labels.ts";
import type { Matcher } from "./matcher.ts";
import type { RollupBuffer, RollupTier } from "./rollup.ts";
import type { SampleBuffer, SampleView } from "./sample.ts";

/**
 * What a shard's storage offers to the part of a query that runs inside the shard. Implemented by src/storage (the head,
 * later head and blocks together), used by src/query/execute. All times are Unix milliseconds and inclusive on both ends.
 *
 * Series and symbols are small integers that are valid until the call returns to the event loop.
 */
export interface SeriesSource {
  /**
   * Ids of the tenant's series that satisfy every matcher and may have samples in [minT, maxT]; in no promised order, no id twice.
   * An empty matcher list selects all series of the tenant.
   */
  select(tenant: string, matchers: readonly Matcher[], minT: number, maxT: number): Uint32Array;

  /** The label set of a series (without the tenant). Strings are shared between series. */
  labels(id: number): Labels;

  /** Symbol number of a string, -1 when no series uses it. */
  symbol(text: string): number;
  text(symbol: number): string;
  /** Symbol of the value that the series has for the label name given as a symbol; -1 when it has no such label. */
  valueSymbol(id: number, nameSymbol: number): number;

  /**
   * Replaces the content of `out` by the samples of one series in [minT, maxT], ascending in time, no time twice, staleness
   * markers included bit-exact. Grows `out` where needed.
   */
  read(id: number, minT: number, maxT: number, out: SampleBuffer): void;

  /**
   * Instead of `read` where the samples lie in memory decoded already: false, or `out` becomes a view of them. What it gives is
   * read-only and good until the call returns to the event loop: floats and staleness markers alone. Series with samples
   * at the same times are given the same object as `ts`.
   */
  view?(id: number, minT: number, maxT: number, out: SampleView): boolean;

  /** Names and values over the series selected as by `select`; sorted, no duplicates. */
  labelNames(tenant: string, matchers: readonly Matcher[], minT: number, maxT: number): string[];
  labelValues(tenant: string, name: string, matchers: readonly Matcher[], minT: number, maxT: number): string[];

  /**
   * In words: what could not be read since the request began, and data of these times that is lost or not read yet. For the
   * answer's warnings.
   */
  problems?(minT: number, maxT: number): readonly string[];

  /** What has been read since the source was made, of all requests. */
  readCounts?(): ReadCounts;

  /**
   * What `read` of all these series would go through: told from what is known of chunks without reading any. `spent` hears of the
   * work now and then, and may throw.
   */
  estimate?(ids: Uint32Array, minT: number, maxT: number, spent: (work: number) => void): Touched;

  /** Rolled-up series beside the raw samples; absent: raw samples are all there is. */
  readonly rollups?: RollupSource;
}

export interface Touched {
  /**
   * Samples or buckets: those of chunks that lie within the times, and of others the share that they would have were they evenly
   * spaced. A sample that is stored twice counts twice.
   */
  rows: number;
  /** Of the chunks and pages that have them, as they are stored; of the shared pages of a block each counts once. */
  bytes: number;
}

/** Counts of a source's reads, none of them ever less than before. */
export interface ReadCounts {
  /** Bytes from the disk (or the system's cache of it). */
  readonly bytesRead: number;
  /** Parts of blocks that were in memory already, and those that were not. */
  readonly cacheHits: number;
  readonly cacheMisses: number;
  /** Series that were in memory with all their samples. */
  readonly decodedSeries?: number;
}

/**
 * The rollup tiers of a source. `select` finds series by their rollups too, and ids are the same for raw samples and every tier.
 */
export interface RollupSource {
  /** What can be read; the same until the call returns to the event loop. */
  coverage(): Coverage;

  /**
   * Series that are kept for another time than most have a coverage of their own. All of them, that of `coverage` first; absent: it
   * is that of every series.
   */
  coverages?(): readonly Coverage[];
  /** Which of `coverages` is that of a selected series. */
  coverageOf?(id: number): number;

  /**
   * Appends to `out` the rows of a series' buckets in (after, until], both multiples of the tier's width, ascending. Only the
   * columns of `need` (bits of `columnMask`) must hold their values, the others may hold anything. Where `need` has the bit
   * HISTOGRAM_ROLLUPS and one of the rows has native histograms, `out.histograms` is there afterwards and right for the rows that
   * were appended. Inside `complete` the rows
   * are of every sample that was stored; elsewhere of what was there when they were made.
   */
  read(id: number, tier: RollupTier, after: number, until: number, need: number, out: RollupBuffer): void;

  /** As the source's `estimate`: what reading these series' buckets in (after, until] would go through. */
  estimate?(ids: Uint32Array, tier: RollupTier, after: number, until: number, spent: (work: number) => void): Touched;
}

export interface Coverage {
  /** Raw samples at times > rawAfter are kept, older ones dropped (or about to be); -Infinity: all are kept. */
  readonly rawAfter: number;
  /** Of times after `rawAfter`: whole hours in which raw samples were lost, ascending and disjoint. Rows made before may be whole. */
  readonly rawGaps?: readonly Stretch[];
  /** The tiers that have anything, in any order. */
  readonly tiers: readonly TierCoverage[];
}

export interface TierCoverage {
  readonly tier: RollupTier;
  /**
   * Stretches (after, until] of whole buckets in which the rows are made of every sample, ascending and disjoint. `after` may
   * be -Infinity: there is nothing older. What is left out: buckets that are not rolled up yet, or not since late samples came.
   */
  readonly complete: readonly Stretch[];
  /** Spans shorter than this are read sooner from raw samples, where there are any; 0 by default. */
  readonly worthFromMs?: number;
}

/** The times t with after < t <= until, Unix ms. */
export interface Stretch {
  readonly after: number;
  readonly until: number;
}
