import type { Labels } from "../../model/labels.ts";

/** Where a backtest asks for stored data; of one tenant. Rejects with an Error that a person can read. */
export interface DataSource {
  /** Every series that has a point in the range, points in the order of time. */
  range(request: { query: string; start: number; end: number; step: number }): Promise<readonly PointSeries[]>;
}

/** Points of one series: times (Unix ms) and values, as long as each other; a native histogram's value is 0. */
export interface PointSeries {
  readonly labels: Labels;
  readonly ts: Float64Array;
  readonly values: Float64Array;
}

/** The times at which a rule is evaluated: `start + k * step`, k < count. Unix ms. */
export interface Ticks {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** What an expression answered at each tick. */
export interface Answers {
  readonly series: readonly TickSeries[];
  /** 1 where the query failed; undefined: nowhere. */
  readonly failed: Uint8Array | undefined;
  /** Why it did, the first time; "". */
  readonly error: string;
}

export interface TickSeries {
  readonly labels: Labels;
  /** Numbers of ticks, ascending. */
  readonly ticks: Int32Array;
  readonly values: Float64Array;
}

/** Stretches of ticks, ends exclusive: [from, to, from, to, ...], ascending. */
export type Runs = readonly number[];

export function runsOf(ticks: Int32Array): Runs {
  const out: number[] = [];
  for (let i = 0; i < ticks.length; i++) {
    const tick = ticks[i] as number;
    if (i > 0 && ticks[i - 1] === tick - 1) out[out.length - 1] = tick + 1;
    else out.push(tick, tick + 1);
  }
  return out;
}

export function runsOfFlags(flags: Uint8Array | undefined): Runs {
  const out: number[] = [];
  if (flags === undefined) return out;
  for (let i = flags.indexOf(1); i >= 0; i = flags.indexOf(1, i)) {
    let end = i;
    while (flags[end] === 1) end++;
    out.push(i, end);
    i = end;
  }
  return out;
}

/** Asks as runs go by: whether tick `k` is in one; ticks must be asked for in ascending order. */
export function walkRuns(runs: Runs): (k: number) => boolean {
  let i = 0;
  return (k) => {
    while (i < runs.length && (runs[i + 1] as number) <= k) i += 2;
    return i < runs.length && (runs[i] as number) <= k;
  };
}
