/**
 * Start timestamps: a series whose samples say since when they count has a companion, a series of the head whose value at the time
 * of each such sample is that start (Unix ms). So start times are stored, sealed, merged and read by the same code as samples.
 *
 * A companion has a row like any series, but no postings and no place in the hash table; its SHAPE is COMPANION and its VALUES the
 * id of the series that it belongs to. Whoever renumbers series renumbers both: `companions` and VALUES.
 */
import { reserveSamples, type SampleBuffer } from "../../model/sample.ts";
import { addSeries, ROW_SHIFT, type SeriesTable, SHAPE, VALUES } from "./series-table.ts";

export const COMPANION = -1;

export interface StartTimes {
  /** Companion of each series + 1, 0: none. As long as it has to be: later series have none. */
  companions: Int32Array;
  /** How many companions there are. */
  count: number;
}

export function makeStartTimes(): StartTimes {
  return { companions: new Int32Array(0), count: 0 };
}

/** The companion of a series, -1 when it has none. */
export function companionOf(starts: StartTimes, id: number): number {
  return id < starts.companions.length ? (starts.companions[id] as number) - 1 : -1;
}

/** The companion of a series, a new one when it has none. */
export function obtainCompanion(starts: StartTimes, series: SeriesTable, id: number): number {
  const known = companionOf(starts, id);
  if (known >= 0) return known;
  // No hash: nothing is ever looked up under it.
  const companion = addSeries(series, 0, 0, 0, false);
  series.rows[(companion << ROW_SHIFT) + SHAPE] = COMPANION;
  series.rows[(companion << ROW_SHIFT) + VALUES] = id;
  if (id >= starts.companions.length) {
    const companions = new Int32Array(Math.max(series.count, 2 * starts.companions.length));
    companions.set(starts.companions);
    starts.companions = companions;
  }
  starts.companions[id] = companion + 1;
  starts.count++;
  return companion;
}

/** Fills `out.startTs` from the companion's samples in the same range of time; 0 where none is known. */
export function fillStartTimes(out: SampleBuffer, starts: SampleBuffer | undefined): void {
  if (starts === undefined || starts.length === 0) {
    out.startTs?.fill(0, 0, out.length);
    return;
  }
  if (out.startTs === undefined || out.startTs.length < out.ts.length) out.startTs = new Float64Array(out.ts.length);
  const { ts, startTs } = out;
  const { ts: times, values } = starts;
  let k = 0;
  for (let i = 0; i < out.length; i++) {
    while (k < starts.length && (times[k] as number) < (ts[i] as number)) k++;
    startTs[i] = k < starts.length && times[k] === ts[i] ? (values[k] as number) : 0;
  }
}

/** Columns of samples of companions, to be appended after the samples that they go with. */
export interface StartColumns {
  length: number;
  ids: Int32Array;
  readonly samples: SampleBuffer;
}

export function pushStart(columns: StartColumns, id: number, t: number, start: number): void {
  const n = columns.length;
  if (n === columns.ids.length) {
    const ids = new Int32Array(Math.max(64, 2 * n));
    ids.set(columns.ids);
    columns.ids = ids;
  }
  columns.samples.length = n;
  reserveSamples(columns.samples, n + 1);
  columns.ids[n] = id;
  columns.samples.ts[n] = t;
  columns.samples.values[n] = start;
  columns.length = n + 1;
}
