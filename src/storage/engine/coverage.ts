/** What is served of each series: its samples and rows up to its age, whether or not the disk still has older ones. */
import { type RollupTier, TIER_MS } from "../../model/rollup.ts";
import type { Coverage } from "../../model/series-source.ts";
import type { RuleOf, SeriesRetention, TierAges } from "./retention-rules.ts";
import { allRolledUpTo, completeStretches, type RollupProgress } from "./rollup-progress.ts";

/** The few samples of a minute are read sooner than its row of many columns: minutes are for times whose samples are gone. */
const WORTH_FROM_MS: Readonly<Record<RollupTier, number>> = { "1m": Number.POSITIVE_INFINITY, "1h": 0 };

/** What is served of the series of one rule. */
export interface RuleCoverage {
  readonly coverage: Coverage;
  /** Rows of buckets that begin before are not served, Unix ms. */
  readonly rowsFrom: Readonly<Record<RollupTier, number>>;
}

export interface SeriesCoverage {
  /** By the rule's number, as `ruleOf` says it; the first: of series without a rule. */
  readonly byRule: readonly [RuleCoverage, ...RuleCoverage[]];
  readonly ruleOf: RuleOf;
}

export interface Stored {
  readonly progress: RollupProgress;
  /** Unix ms: what ages are counted from. */
  readonly now: number;
  readonly oldestInHead: number;
  /** Oldest raw sample in head and blocks; Infinity: none. */
  readonly oldestRaw: number;
  /** Tiers that have blocks. */
  readonly tiers: readonly RollupTier[];
}

/** What is served of the series that have these ages; `usual` are those of series without a rule. */
export function coverageOf(ages: TierAges, usual: TierAges, stored: Stored): RuleCoverage {
  const { progress, now, tiers } = stored;
  const dropped = progress.rawGoneUpTo ?? Number.NEGATIVE_INFINITY;
  const isLonger = usual.raw !== 0 && (ages.raw === 0 || ages.raw > usual.raw);
  // Up to `dropped` blocks are gone, or have only the series that are kept for longer.
  const gone = isLonger ? Math.min(dropped, stored.oldestRaw - 1) : dropped;
  // What is not rolled up is kept beyond its age; what is gone stays gone when the clock is set back.
  const rawAfter = ages.raw === 0 ? gone : Math.max(Math.min(now - ages.raw, allRolledUpTo(progress)), gone);
  const from = (tier: RollupTier): number =>
    ages[tier] === 0 ? Number.NEGATIVE_INFINITY : Math.ceil((now - ages[tier]) / TIER_MS[tier]) * TIER_MS[tier];
  const rowsFrom = { "1m": from("1m"), "1h": from("1h") };
  const complete = completeStretches(progress, stored.oldestInHead, rawAfter);
  const kept = (tier: RollupTier) =>
    complete
      .filter((s) => s.until > rowsFrom[tier])
      .map((s) => ({ after: Math.max(s.after, rowsFrom[tier]), until: s.until }));
  return {
    coverage: {
      rawAfter,
      tiers: tiers.map((tier) => ({ tier, complete: kept(tier), worthFromMs: WORTH_FROM_MS[tier] })),
    },
    rowsFrom,
  };
}

/** What is served of series without a rule, and of those of each rule. */
export function seriesCoverage(
  rules: readonly SeriesRetention[],
  ruleOf: RuleOf,
  ages: TierAges,
  stored: Stored,
): SeriesCoverage {
  const byRule = rules.map((rule) => coverageOf({ ...ages, ...rule.ages }, ages, stored));
  return { byRule: [coverageOf(ages, ages, stored), ...byRule], ruleOf };
}
