/**
 * What a cut (cut.ts) keeps aside: the samples older than its cutoff that were stored after it began, so that they are neither
 * lost with what is dropped at its end nor missing from the blocks. Bounded: beyond MAX_ASIDE samples the series of the
 * others are listed instead, and the cut leaves all of their samples in the head.
 */
export interface CutLog {
  readonly cutoff: number;
  /** Samples that are kept aside at most. */
  readonly most: number;
  /** The histograms' slab that was being filled at the beginning (its number). */
  readonly histogramSlab: number;
  /** Series below this one have had their old samples dropped: what arrives for them now stays. */
  done: number;
  count: number;
  ids: Int32Array;
  ts: Float64Array;
  /** Value words: low, high. */
  words: Int32Array;
  /** The sample of the same series before each + 1, 0: none; and each series' last one. */
  before: Int32Array;
  readonly last: Map<number, number>;
  readonly kept: Set<number>;
}

export const MAX_ASIDE = 4_000_000;

export function makeCutLog(cutoff: number, histogramSlab: number, most = MAX_ASIDE): CutLog {
  return { cutoff, most, histogramSlab, done: 0, count: 0, ...makeArrays(1024), last: new Map(), kept: new Set() };
}

function makeArrays(capacity: number): Pick<CutLog, "ids" | "ts" | "words" | "before"> {
  return {
    ids: new Int32Array(capacity),
    ts: new Float64Array(capacity),
    words: new Int32Array(2 * capacity),
    before: new Int32Array(capacity),
  };
}

/** To be called for every sample older than the cutoff that is stored: new, or over another value. */
export function keepAside(log: CutLog, id: number, t: number, lo: number, hi: number): void {
  if (id < log.done || log.kept.has(id)) return;
  const n = log.count;
  if (n === log.most) {
    log.kept.add(id);
    return;
  }
  if (n === log.ids.length) {
    const next = makeArrays(2 * n);
    next.ids.set(log.ids);
    next.ts.set(log.ts);
    next.words.set(log.words);
    next.before.set(log.before);
    Object.assign(log, next);
  }
  log.ids[n] = id;
  log.ts[n] = t;
  log.words[2 * n] = lo;
  log.words[2 * n + 1] = hi;
  log.before[n] = (log.last.get(id) ?? -1) + 1;
  log.last.set(id, n);
  log.count = n + 1;
}

/** The series' samples, oldest arrival first, as indices into the log; they leave it. */
export function takeAside(log: CutLog, id: number): number[] {
  const out: number[] = [];
  for (let next = (log.last.get(id) ?? -1) + 1; next !== 0; next = log.before[next - 1] as number) out.push(next - 1);
  log.last.delete(id);
  return out.reverse();
}

/** Samples of a series in the range were deleted: they are not to come back. */
export function leaveOut(log: CutLog, id: number, minT: number, maxT: number): void {
  const stay = takeAside(log, id).filter((i) => (log.ts[i] as number) < minT || (log.ts[i] as number) > maxT);
  for (const i of stay) {
    log.before[i] = (log.last.get(id) ?? -1) + 1;
    log.last.set(id, i);
  }
}
