/** How long each series is kept: by tier, and by rules that name series by their labels. */
import { type Labels, labelValue } from "../../model/labels.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import type { Tier } from "../../model/rollup.ts";

/** Ages in ms, 0 keeps for ever. */
export type TierAges = Readonly<Record<Tier, number>>;

/** Plain data: it goes to other threads. */
export interface SeriesRetention {
  /** Undefined: of every tenant. */
  readonly tenant?: string;
  readonly matchers: readonly Matcher[];
  readonly ages: Partial<TierAges>;
}

/** The number of the first rule that speaks of a series, counted from 1; 0: none does. `labelOf` gives a label's value, "" without it. */
export type RuleOf = (tenant: string, labelOf: (name: string) => string) => number;

export function ruleFinder(rules: readonly SeriesRetention[]): RuleOf {
  const compiled = rules.map((rule) => ({
    tenant: rule.tenant,
    tests: rule.matchers.map((m) => ({ name: m.name, matches: compileMatcher(m) })),
  }));
  return (tenant, labelOf) =>
    1 +
    compiled.findIndex(
      (r) => (r.tenant === undefined || r.tenant === tenant) && r.tests.every((t) => t.matches(labelOf(t.name))),
    );
}

export interface RetentionRules {
  /** Oldest time (Unix ms) that is kept of a series; -Infinity keeps all. */
  keepFrom(tenant: string, labels: Labels, now: number): number;
  /** The oldest time that is kept of a series without a rule. */
  usuallyFrom(now: number): number;
  /**
   * How many of the ages, the shortest first, all samples up to `maxT` are beyond. A block that was written when it was beyond as
   * many needs no second look.
   */
  passed(maxT: number, now: number): number;
  /** Rules whose series may be too old at `passed` after they were not at `before`; "all": any series may. */
  tooOld(before: number, passed: number): readonly SeriesRetention[] | "all";
  /** The longest age that any rule gives (0: for ever); undefined when no rule speaks of this tier. */
  readonly longest: number | undefined;
  /** Names the rules; "" without any. */
  readonly key: string;
}

const HOUR = 3600_000;

export function retentionRules(rules: readonly SeriesRetention[], tier: Tier, age: number): RetentionRules {
  const ruleOf = ruleFinder(rules);
  const ageOf = (rule: SeriesRetention): number => rule.ages[tier] ?? age;
  const spoken = rules.flatMap((rule) => rule.ages[tier] ?? []);
  // Whole buckets go: half of one, rolled up again, would take the place of the whole one's row.
  const from = (now: number, ms: number): number =>
    ms === 0 ? Number.NEGATIVE_INFINITY : Math.floor((now - ms) / HOUR) * HOUR + (tier === "raw" ? 1 : 0);
  const stages = [...new Set([age, ...spoken])].filter((ms) => ms > 0).sort((a, b) => a - b);
  return {
    keepFrom: (tenant, labels, now) => {
      const rule = rules[ruleOf(tenant, (name) => labelValue(labels, name)) - 1];
      return from(now, rule === undefined ? age : ageOf(rule));
    },
    usuallyFrom: (now) => from(now, age),
    passed: (maxT, now) => stages.filter((ms) => maxT < from(now, ms)).length,
    tooOld: (before, passed) => {
      const ages = stages.slice(before, passed);
      return ages.includes(age) ? "all" : rules.filter((rule) => ages.includes(ageOf(rule)));
    },
    longest: spoken.length === 0 ? undefined : spoken.includes(0) ? 0 : Math.max(...spoken),
    key: spoken.length === 0 ? "" : JSON.stringify([rules, tier, age]),
  };
}
