import type { Engine, InstantResult } from "../../model/query.ts";
import { isShadow, type RuleSpec } from "./rule-spec.ts";
import { alertSeriesNames } from "./shadow.ts";

/**
 * The queries of a group's rules, asked before it is their turn: the shards answer many at once, instead of being woken for
 * each. Rules are evaluated in order all the same.
 *
 * Invariant: a rule is not asked before what it may read of the rules before it has been written.
 */
export interface Ahead {
  /** The engine for the rule's evaluation: what was asked ahead is not asked again. */
  engineFor(rule: number): Pick<Engine, "instant" | "range">;
  /** Whether it may read what a rule before it has just written. */
  readsWritten(rule: number): boolean;
  /** Calls off what nobody has taken. */
  close(): void;
}

/** So many of a group are under way at once. */
const WINDOW = 16;

/**
 * For each rule where the run of rules ends that it is in: those of a run do not read what others of it write. A rule of which
 * nobody knows what it reads begins a run, unless none before it has written.
 */
export function runsOf(rules: readonly RuleSpec[]): readonly number[] {
  const ends: number[] = [];
  let written = new Set<string>();
  let begin = 0;
  const end = (at: number): void => {
    for (let i = begin; i < at; i++) ends.push(at);
    begin = at;
  };
  for (const [i, rule] of rules.entries()) {
    if (rule.reads === undefined ? written.size > 0 : rule.reads.some((name) => written.has(name))) {
      end(i);
      written = new Set();
    }
    if (rule.type === "recording") written.add(rule.name);
    else for (const name of Object.values(alertSeriesNames(isShadow(rule)))) written.add(name);
  }
  end(rules.length);
  return ends;
}

/** For one evaluation of the group at `time`. */
export function askAhead(
  engine: Engine,
  tenant: string,
  rules: readonly RuleSpec[],
  runs: readonly number[],
  time: number,
): Ahead {
  const stop = new AbortController();
  const asked = new Map<number, Promise<InstantResult>>();
  let next = 0;
  return {
    engineFor: (rule) => {
      const end = Math.min(runs[rule] as number, rule + WINDOW);
      for (next = Math.max(next, rule); next < end; next++) {
        const { query } = rules[next] as RuleSpec;
        const answer = engine.instant({ tenant, query, time, signal: stop.signal });
        // Who takes it hears of a failure.
        answer.catch(() => undefined);
        asked.set(next, answer);
      }
      const { query } = rules[rule] as RuleSpec;
      return {
        range: (request) => engine.range(request),
        instant: (request) => {
          const answer = asked.get(rule);
          // Templates and the search for missing data ask other things, and whoever asks for a lookback gets his own.
          const same = request.query === query && request.time === time && request.lookbackMs === undefined;
          if (answer === undefined || !same) return engine.instant(request);
          asked.delete(rule);
          return answer;
        },
      };
    },
    readsWritten: (rule) => rule > 0 && runs[rule] !== runs[rule - 1],
    close: () => stop.abort(),
  };
}
