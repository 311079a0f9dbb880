import { basename } from "node:path";
import type { TimedGroup } from "../../actors/backtest/rules-replay.ts";
import { groupKey, type RuleGroupSpec } from "../../actors/rule/rule-spec.ts";

/**
 * Groups with the identity that decides when they are evaluated: a candidate takes the place of the configured group of its
 * name (in a file of the same name, or the only one), so that the same rules are evaluated at the same times.
 */
export function timedGroups(groups: readonly RuleGroupSpec[], configured: readonly RuleGroupSpec[]): TimedGroup[] {
  const taken = new Set<RuleGroupSpec>();
  return groups.map((spec) => {
    const named = configured.filter((g) => g.name === spec.name && !taken.has(g));
    const found =
      named.find((g) => basename(g.file) === basename(spec.file)) ?? (named.length === 1 ? named[0] : undefined);
    if (found !== undefined) taken.add(found);
    return { spec, key: groupKey(found ?? spec) };
  });
}
