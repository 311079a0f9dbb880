import { grownBytes } from "../../lib/grow.ts";
import { MalformedBody } from "../../model/ingest.ts";

/**
 * What a request has besides samples: exemplars, metadata of metric families, and the native histograms that cannot be taken.
 * There are few of them, so plain arrays do; they are reused from request to request.
 */
export interface BatchExtras {
  /** Texts of exemplars and metadata; spans below are (start, end) in it. */
  text: Uint8Array;
  textLength: number;
  readonly exemplars: BatchExemplars;
  readonly metadata: BatchMetadata;
  /** Of samples that were left out while the request was read: a few with their places, and the number of all. */
  readonly refused: RefusedSample[];
}

/** Exemplar i belongs to series `series[i]` of the batch; its labels are spans `[spanEnd[i - 1], spanEnd[i])`, four a label. */
export interface BatchExemplars {
  readonly series: number[];
  readonly ts: number[];
  /** Two words a value, low first. */
  readonly words: number[];
  readonly spanEnd: number[];
  readonly spans: number[];
}

/** Entry i: `types[i]`, and six numbers of `spans`: family, help and unit. */
export interface BatchMetadata {
  readonly types: number[];
  readonly spans: number[];
}

export interface RefusedSample {
  readonly reason: "invalid_histogram";
  /** Number in the request of the series that had the first. */
  readonly number: number;
  readonly message: string;
  count: number;
}

export function makeExtras(): BatchExtras {
  return {
    text: new Uint8Array(0),
    textLength: 0,
    exemplars: { series: [], ts: [], words: [], spanEnd: [], spans: [] },
    metadata: { types: [], spans: [] },
    refused: [],
  };
}

const KEEP_TEXT = 1 << 20;
/** Of one request; senders send some thousand. Each is several objects' worth of memory, and may be two bytes of the body. */
const MAX_EXTRAS = 1 << 17;
/** Texts may be references to one long text. */
const MAX_TEXT = 64 << 20;

/** A request that would take far more memory than it has bytes. */
export function tooMuch(what: string): MalformedBody {
  return new MalformedBody("too_much_in_request", `more than ${what} in a request: send them in several`);
}

export function clearExtras(x: BatchExtras): void {
  if (x.text.length > KEEP_TEXT) x.text = new Uint8Array(0);
  x.textLength = 0;
  const { exemplars, metadata } = x;
  for (const list of [exemplars.series, exemplars.ts, exemplars.words, exemplars.spanEnd, exemplars.spans])
    list.length = 0;
  metadata.types.length = 0;
  metadata.spans.length = 0;
  x.refused.length = 0;
}

/** Copies a text and returns where it starts; it ends at `textLength`. */
export function pushText(x: BatchExtras, from: Uint8Array, start: number, end: number): number {
  const at = x.textLength;
  const need = at + end - start;
  if (need > MAX_TEXT) throw tooMuch(`${MAX_TEXT} bytes of labels of exemplars and of metadata`);
  if (need > x.text.length) x.text = grownBytes(x.text, at, Math.max(need, 1024));
  const to = x.text;
  for (let k = start, i = at; k < end; k++, i++) to[i] = from[k] as number;
  x.textLength = need;
  return at;
}

/** Adds a label to the exemplar that is being read. */
export function pushExemplarText(x: BatchExtras, from: Uint8Array, start: number, end: number): void {
  const at = pushText(x, from, start, end);
  x.exemplars.spans.push(at, x.textLength);
}

/** Ends the exemplar that is being read. */
export function pushExemplar(x: BatchExtras, series: number, ts: number, low: number, high: number): void {
  const { exemplars } = x;
  if (exemplars.series.length === MAX_EXTRAS) throw tooMuch(`${MAX_EXTRAS} exemplars`);
  exemplars.series.push(series);
  exemplars.ts.push(ts);
  exemplars.words.push(low, high);
  exemplars.spanEnd.push(exemplars.spans.length);
}

/** Begins an entry of metadata, whose spans the caller adds. */
export function beginMetadata(x: BatchExtras, type: number): void {
  if (x.metadata.types.length === MAX_EXTRAS) throw tooMuch(`${MAX_EXTRAS} descriptions of metrics`);
  x.metadata.types.push(type);
}

/** Counts a sample that cannot be taken. */
export function refuseSample(x: BatchExtras, number: number, message: string): void {
  const known = x.refused[0];
  if (known === undefined) x.refused.push({ reason: "invalid_histogram", number, message, count: 1 });
  else known.count++;
}
