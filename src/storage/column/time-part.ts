import { type DirectoryReader, type DirectoryWriter, putNumber, takeNumber } from "./directory.ts";
import { PageError } from "./page-error.ts";

/**
 * Times that are some of an earlier column's, in order: a series that began later than its neighbours, ended earlier or missed a few
 * scrapes. Runs of rows taken and of rows left out take turns, beginning with rows left out.
 */
export interface TimePart {
  /** The column of which it is a part. */
  readonly column: number;
  /** Left out, taken, left out, taken, ... */
  readonly runs: Uint32Array;
}

const MAX_RUNS = 256;
const runs = new Uint32Array(MAX_RUNS);

/** The runs by which ts[from, to) is a part of all[0, n), in a scratch array; undefined when it is none or takes too many runs. */
export function findPart(
  ts: Float64Array,
  from: number,
  to: number,
  all: Float64Array,
  n: number,
): Uint32Array | undefined {
  let at = 0;
  let count = 0;
  let i = from;
  while (i < to) {
    if (count + 2 > MAX_RUNS) return undefined;
    const start = at;
    const wanted = ts[i] as number;
    while (at < n && (all[at] as number) < wanted) at++;
    if (at === n || all[at] !== wanted) return undefined;
    runs[count++] = at - start;
    const first = i;
    while (i < to && at < n && all[at] === ts[i]) {
      i++;
      at++;
    }
    runs[count++] = i - first;
  }
  return runs.subarray(0, count);
}

/** Writes the runs; the last is what the column's rows leave. */
export function putRuns(d: DirectoryWriter, found: Uint32Array): void {
  const count = found.length;
  putNumber(d, count / 2);
  for (let k = 0; k < count - 1; k++) putNumber(d, found[k] as number);
}

/** Reads runs that take `rows` rows out of `all`. */
export function takeTimePart(d: DirectoryReader, column: number, rows: number, all: number): TimePart {
  const count = 2 * takeNumber(d);
  if (count === 0 || count > MAX_RUNS) throw new PageError("a part of a column has too many runs or none");
  const list = new Uint32Array(count);
  let at = 0;
  let taken = 0;
  for (let k = 0; k < count; k++) {
    const run = k === count - 1 ? rows - taken : takeNumber(d);
    if (run < 0 || run > all - at) throw new PageError("a part of a column goes beyond it");
    list[k] = run;
    at += run;
    if (k & 1) taken += run;
    if (taken > rows) throw new PageError("a part of a column has too many rows");
  }
  return { column, runs: list };
}

/** Copies the rows out of all the times. */
export function readTimePart(part: TimePart, all: Float64Array, out: Float64Array, at: number): void {
  let from = 0;
  let to = at;
  for (let k = 0; k < part.runs.length; k += 2) {
    from += part.runs[k] as number;
    const taken = part.runs[k + 1] as number;
    out.set(all.subarray(from, from + taken), to);
    from += taken;
    to += taken;
  }
}
