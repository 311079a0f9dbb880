/**
 * The tables of the index whose rows are whole numbers: chunks, tenants, label names and label values. Docs:
 * docs/format/block.md.
 */
import type { Cursor } from "../../lib/varint.ts";
import { type ByteSink, makeSink, sinkBytes } from "./byte-sink.ts";
import { putColumn, readColumn } from "./number-column.ts";

/** Chunks of consecutive series. Chunk k of the part has these columns. */
export interface ChunkPart {
  readonly count: number;
  /** The chunks of series i are [ends[i], ends[i + 1]). */
  readonly ends: Uint32Array;
  readonly page: Uint32Array;
  /** The first of the chunk's columns in its page. */
  readonly column: Uint32Array;
  readonly rows: Uint32Array;
  readonly minT: Float64Array;
  readonly maxT: Float64Array;
  /** Which columns the chunk has behind its times: bits, lowest first. */
  readonly mask: Uint32Array;
}

/** Rows of chunks that wait to be written. */
export interface ChunkRows {
  /** Where the chunks of each series end. */
  readonly ends: number[];
  readonly page: number[];
  readonly column: number[];
  readonly rows: number[];
  readonly minT: number[];
  readonly maxT: number[];
  readonly mask: number[];
}

export function makeChunkRows(): ChunkRows {
  return { ends: [], page: [], column: [], rows: [], minT: [], maxT: [], mask: [] };
}

/** The part of series [from, to) of those waiting. */
export function encodeChunks(r: ChunkRows, from: number, to: number, pack: boolean): Uint8Array {
  const first = from === 0 ? 0 : (r.ends[from - 1] as number);
  const end = r.ends[to - 1] as number;
  const sink = makeSink(1024);
  const ends = r.ends.slice(from, to).map((e) => e - first);
  putColumn(sink, ends, ends.length, 0, pack);
  for (const column of [r.page, r.column, r.rows, r.minT, r.maxT, r.mask]) {
    putColumn(sink, column.slice(first, end), end - first, column[first] as number, pack);
  }
  return sinkBytes(sink);
}

/** Takes the first `n` of the waiting series out. */
export function forgetChunks(r: ChunkRows, n: number): void {
  if (n === 0) return;
  const end = r.ends[n - 1] as number;
  r.ends.splice(0, n);
  for (let i = 0; i < r.ends.length; i++) r.ends[i] = (r.ends[i] as number) - end;
  for (const column of [r.page, r.column, r.rows, r.minT, r.maxT, r.mask]) column.splice(0, end);
}

export function readChunks(content: Uint8Array, count: number): ChunkPart {
  const cursor: Cursor = { at: 0 };
  const ends = new Uint32Array(count + 1);
  readColumn(content, cursor, count, ends);
  const n = ends[count] as number;
  for (let i = 0; i < count; i++) {
    if ((ends[i] as number) > (ends[i + 1] as number)) throw new RangeError(`series ${i} has less than no chunk`);
  }
  // One run may stand for many rows, but not for more than there is memory for.
  if (n > 2 ** 24) throw new RangeError(`${n} chunks`);
  const whole = (): Uint32Array => {
    const column = new Uint32Array(n + 1);
    readColumn(content, cursor, n, column);
    return column.subarray(1);
  };
  const times = (): Float64Array => {
    const column = new Float64Array(n + 1);
    readColumn(content, cursor, n, column);
    return column.subarray(1);
  };
  const [page, column, rows, minT, maxT, mask] = [whole(), whole(), whole(), times(), times(), whole()];
  expectEnd(content, cursor);
  return { count, ends, page, column, rows, minT, maxT, mask };
}

/**
 * Rows with these columns, row i at i + 1. Where a column says how far something reaches, entry i is where row i begins, the
 * first of the part included.
 */
export type NumberPart = readonly Float64Array[];

export function encodeNumbers(
  columns: readonly { readonly rows: ArrayLike<number>; readonly base: number }[],
): Uint8Array {
  const sink: ByteSink = makeSink(1024);
  for (const { rows, base } of columns) putColumn(sink, rows, rows.length, base, true);
  return sinkBytes(sink);
}

export function readNumbers(content: Uint8Array, count: number, columns: number): NumberPart {
  const cursor: Cursor = { at: 0 };
  const out: Float64Array[] = [];
  // One piece of memory for all: making it costs more than filling it.
  const all = new Float64Array(columns * (count + 1));
  for (let c = 0; c < columns; c++) {
    const column = all.subarray(c * (count + 1), (c + 1) * (count + 1));
    readColumn(content, cursor, count, column);
    out.push(column);
  }
  expectEnd(content, cursor);
  return out;
}

function expectEnd(content: Uint8Array, cursor: Cursor): void {
  if (cursor.at !== content.length) throw new RangeError(`a table ends at ${cursor.at} of ${content.length} bytes`);
}

/** Columns of tenants: name; where its series and its fields end. */
export const TENANT_SYMBOL = 0;
export const TENANT_SERIES = 1;
export const TENANT_FIELDS = 2;
export const TENANT_COLUMNS = 3;
/** Columns of fields (a label name of a tenant): name; where its values end. */
export const FIELD_SYMBOL = 0;
export const FIELD_VALUES = 1;
export const FIELD_COLUMNS = 2;
/** Columns of values: value; number of series; where its list ends (one series has no list); the series where it is one. */
export const VALUE_SYMBOL = 0;
export const VALUE_COUNT = 1;
export const VALUE_LIST = 2;
export const VALUE_SERIES = 3;
export const VALUE_COLUMNS = 4;
