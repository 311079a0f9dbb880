/**
 * What a shard ought to hold, worked out from what was applied, in order. A sample may have several right outcomes: where a
 * deletion failed half-way nobody was promised anything.
 */
import type { Contents } from "./lab.ts";
import { HOUR } from "./lab.ts";

export interface Sample {
  readonly key: string;
  readonly t: number;
  readonly v: number;
}

export type Entry =
  | { readonly kind: "frame" | "backlog"; readonly seq: number; readonly samples: readonly Sample[] }
  | {
      readonly kind: "delete";
      readonly keys: ReadonlySet<string>;
      readonly minT: number;
      readonly maxT: number;
      acknowledged: boolean;
    };

/** undefined stands for no sample. */
export type Outcomes = ReadonlySet<number | undefined>;

export type Model = Map<string, Map<number, Outcomes>>;

const GONE: Outcomes = new Set([undefined]);

/** `ghosts` may have been applied or not. */
export function modelOf(log: readonly Entry[], ghosts: readonly Entry[] = []): Model {
  const model: Model = new Map();
  const seriesOf = (key: string): Map<number, Outcomes> => {
    const found = model.get(key) ?? new Map<number, Outcomes>();
    model.set(key, found);
    return found;
  };
  for (const entry of log) {
    if (entry.kind === "delete") {
      for (const key of entry.keys) {
        const series = model.get(key);
        if (series === undefined) continue;
        for (const [t, outcomes] of series) {
          if (t < entry.minT || t > entry.maxT) continue;
          series.set(t, entry.acknowledged ? GONE : new Set([...outcomes, undefined]));
        }
      }
      continue;
    }
    for (const { key, t, v } of entry.samples) {
      const series = seriesOf(key);
      const before = series.get(t) ?? GONE;
      if (entry.kind === "frame") series.set(t, new Set([v]));
      else if (before.size === 1 && before.has(undefined)) series.set(t, new Set([v]));
      // What lies in a block the head does not know: a sample of the backlog may then stand over it.
      else series.set(t, new Set([...before, v].filter((x) => x !== undefined)));
    }
  }
  for (const ghost of ghosts) {
    if (ghost.kind === "delete") continue;
    for (const { key, t, v } of ghost.samples) {
      const series = seriesOf(key);
      series.set(t, new Set([...(series.get(t) ?? GONE), v]));
    }
  }
  return model;
}

/**
 * Throws for the first sample that is not one of the right outcomes.
 * @param excused whether a sample at this time may be missing: what is beyond its retention goes block by block, and where the block
 * of a later value goes first, an earlier one may be there (queries look at neither)
 */
export function compare(contents: Contents, model: Model, excused: (t: number, key: string) => boolean): void {
  const wrong: string[] = [];
  for (const [key, series] of model) {
    for (const [t, outcomes] of series) {
      const is = contents.get(key)?.get(t);
      if (outcomes.has(is) || excused(t, key)) continue;
      wrong.push(`${key} at ${t}: ${is ?? "nothing"} instead of ${[...outcomes].join(" or ")}`);
    }
  }
  for (const [key, series] of contents) {
    for (const [t, v] of series) if (!model.get(key)?.has(t)) wrong.push(`${key} at ${t}: ${v} instead of nothing`);
  }
  if (wrong.length > 0) throw new Error(`${wrong.length} samples are wrong: ${wrong.slice(0, 5).join("; ")}`);
}

export const FUNCTIONS = ["count", "sum", "min", "max", "first", "last"] as const;

/** What f_over_time of the window (end - 1 h, end] is, undefined for nothing; "open" where it is not certain. */
export function windowValue(
  f: (typeof FUNCTIONS)[number],
  series: ReadonlyMap<number, Outcomes> | undefined,
  end: number,
): number | undefined | "open" {
  const inside: [number, number][] = [];
  for (const [t, outcomes] of series ?? []) {
    if (t <= end - HOUR || t > end) continue;
    if (outcomes.size > 1) return "open";
    const [v] = outcomes;
    if (v !== undefined) inside.push([t, v]);
  }
  if (inside.length === 0) return undefined;
  inside.sort(([a], [b]) => a - b);
  const values = inside.map(([, v]) => v);
  switch (f) {
    case "count":
      return values.length;
    case "sum":
      return values.reduce((a, b) => a + b, 0);
    case "min":
      return Math.min(...values);
    case "max":
      return Math.max(...values);
    case "first":
      return values[0];
    case "last":
      return values.at(-1);
  }
}
