/**
 * A sample is a timestamp (Unix milliseconds) and a float64. Batches of samples are columns (typed arrays), never objects.
 *
 * Staleness markers are a NaN with exact bits (0x7ff0000000000002, Prometheus's value.StaleNaN). JavaScript may change
 * a NaN's bits when it goes through a number, so code that must keep or test them looks at the 32-bit words of the column.
 */
export const STALE_NAN_LO = 0x00000002;
export const STALE_NAN_HI = 0x7ff00000;

/** The default tenant, used when a request names none (X-Scope-OrgID). */
export const DEFAULT_TENANT = "default";

const staleBytes = new Uint32Array([STALE_NAN_LO, STALE_NAN_HI]);

/** Writes a staleness marker at index i, bit-exact. `words` is the Uint32Array over the same buffer as the Float64Array. */
export function writeStale(words: Uint32Array, i: number): void {
  words[2 * i] = staleBytes[0] as number;
  words[2 * i + 1] = staleBytes[1] as number;
}

export function isStaleAt(words: Uint32Array, i: number): boolean {
  return words[2 * i] === STALE_NAN_LO && words[2 * i + 1] === STALE_NAN_HI;
}

/**
 * A native histogram stands in a column of values as a NaN with these high 14 bits; the other 50 bits say where its bytes are
 * (histogram-code.ts). So everything that moves samples moves histograms as well. No sender's NaN keeps such bits.
 */
export const HISTOGRAM_TAG_HI = 0xfff40000;
const TAG_MASK = 0xfffc0000;
const REF_HI_MASK = 0x3ffff;

export function isHistogramAt(words: Uint32Array, i: number): boolean {
  return ((words[2 * i + 1] as number) & TAG_MASK) >>> 0 === HISTOGRAM_TAG_HI;
}

/** The NaN that every NaN of a sender becomes that looks like a histogram: Go's and JavaScript's ordinary one. */
export const ORDINARY_NAN_LO = 0;
export const ORDINARY_NAN_HI = 0x7ff80000;

/** Whether the high word of a value (as a signed or unsigned number) is that of a histogram. */
export function isHistogramWord(hi: number): boolean {
  return hi >>> 18 === HISTOGRAM_TAG_HI >>> 18;
}

/** Where the bytes of the histogram at index i are: of a SampleBuffer, in `histograms`. */
export function histogramRef(words: Uint32Array, i: number): number {
  return ((words[2 * i + 1] as number) & REF_HI_MASK) * 0x1_0000_0000 + (words[2 * i] as number);
}

/** The reference in a value given by its words, signed or unsigned. */
export function histogramRefOf(lo: number, hi: number): number {
  return (hi & REF_HI_MASK) * 0x1_0000_0000 + (lo >>> 0);
}

/** Writes a reference (below 2^50) at index i. */
export function writeHistogramRef(words: Uint32Array, i: number, ref: number): void {
  words[2 * i] = ref;
  words[2 * i + 1] = (HISTOGRAM_TAG_HI | Math.floor(ref / 0x1_0000_0000)) >>> 0;
}

/** Bytes of histograms one behind another, grown where needed; each says its own length. */
export interface HistogramBytes {
  bytes: Uint8Array;
  length: number;
}

/**
 * Samples of one series in time order, filled by `SeriesSource.read` and reused from call to call.
 * `words` aliases `values` (little-endian: lo, hi).
 */
export interface SampleBuffer {
  ts: Float64Array;
  values: Float64Array;
  words: Uint32Array;
  length: number;
  /** Start timestamps (Unix ms, 0 unknown), only where the source has them; as long as `ts`. */
  startTs?: Float64Array;
  /** Bytes of the native histograms among the values; absent, or of length 0, where there are none. */
  histograms?: HistogramBytes;
}

export function makeSampleBuffer(capacity: number): SampleBuffer {
  const values = new Float64Array(capacity);
  return { ts: new Float64Array(capacity), values, words: new Uint32Array(values.buffer), length: 0 };
}

/** Floats of one series that lie decoded in memory, in a form that functions over a SampleBuffer can read. Nobody writes to it. */
export interface SampleView extends SampleBuffer {
  /** There are NaNs, staleness markers among them perhaps. */
  hasNan: boolean;
  /** No value is smaller than the one before it, none is NaN or -0. */
  ascending: boolean;
}

export function makeSampleView(): SampleView {
  return { ...makeSampleBuffer(0), hasNan: false, ascending: false };
}

/** Makes room for at least `capacity` samples, keeping what is there. */
export function reserveSamples(buffer: SampleBuffer, capacity: number): void {
  if (buffer.ts.length >= capacity) return;
  const size = Math.max(capacity, buffer.ts.length * 2);
  const ts = new Float64Array(size);
  const values = new Float64Array(size);
  const words = new Uint32Array(values.buffer);
  ts.set(buffer.ts.subarray(0, buffer.length));
  words.set(buffer.words.subarray(0, 2 * buffer.length));
  if (buffer.startTs !== undefined) {
    const startTs = new Float64Array(size);
    startTs.set(buffer.startTs.subarray(0, buffer.length));
    buffer.startTs = startTs;
  }
  buffer.ts = ts;
  buffer.values = values;
  buffer.words = words;
}

/** Columns of samples of many series, as a decoded frame hands them to a shard's head. All arrays have `length` entries. */
export interface SampleColumns {
  length: number;
  /** Low and high 32 bits of the 64-bit series hash. */
  hashLo: Uint32Array;
  hashHi: Uint32Array;
  /** Unix milliseconds. */
  ts: Float64Array;
  values: Float64Array;
  /** Bytes of the native histograms among the values: a tagged value is an offset in them. Absent where there are none. */
  histograms?: Uint8Array | undefined;
  /** Start timestamps (Unix ms, 0 unknown); absent where no sample has one. */
  startTs?: Float64Array | undefined;
}
