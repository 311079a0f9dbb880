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

export interface RetentionRules {
  /** Oldest time (Unix ms) that is kept of a series; -Infinity keeps all. */
  keepFrom(tenant: string, labels: Labels, now: number): number;
  /** The newest time before which samples of any series are dropped; -Infinity: none are. */
  newestKept(now: number): number;
  /** The longest age that any rule gives (0: for ever); undefined when no rule speaks of this tier. */
  readonly longest: number | undefined;
  /** Names the rules: blocks written under the same key need no second look. */
  readonly key: string;
}

export function retentionRules(rules: readonly SeriesRetention[], tier: Tier, age: number): RetentionRules {
  const compiled = rules.map((rule) => ({
    tenant: rule.tenant,
    age: rule.ages[tier] ?? age,
    tests: rule.matchers.map((m) => ({ name: m.name, matches: compileMatcher(m) })),
  }));
  const spoken = rules.flatMap((rule) => rule.ages[tier] ?? []);
  const from = (now: number, ms: number): number => (ms === 0 ? Number.NEGATIVE_INFINITY : now - ms);
  return {
    keepFrom: (tenant, labels, now) => {
      const rule = compiled.find(
        (r) =>
          (r.tenant === undefined || r.tenant === tenant) &&
          r.tests.every((t) => t.matches(labelValue(labels, t.name))),
      );
      return from(now, rule?.age ?? age);
    },
    newestKept: (now) => Math.max(from(now, age), ...spoken.map((ms) => from(now, ms))),
    longest: spoken.length === 0 ? undefined : spoken.includes(0) ? 0 : Math.max(...spoken),
    key: spoken.length === 0 ? "" : JSON.stringify([rules, tier, age]),
  };
}
