import type { ContextSource } from "./contexts.ts";
import type { Term } from "./derive.ts";
import { type DirectoryReader, takeNumber, takeSigned } from "./directory.ts";
import {
  type BitsColumn,
  type Exceptions,
  type ScaledColumn,
  takeExceptions,
  takeFloat,
  takeFloatBits,
  takeScaling,
} from "./float-column.ts";
import { type NumberColumn, readNumberColumn } from "./numbers-read.ts";
import { PageError } from "./page-error.ts";
import {
  CODE_BITS,
  CODE_BYTES,
  CODE_CONSTANT,
  CODE_DERIVED,
  CODE_NUMBERS,
  CODE_PART,
  CODE_REFERENCES,
  CODE_SAME,
  CODE_TICKS,
  KIND_BYTES,
  KIND_FLOAT,
  KIND_TIME,
  MAX_DEPTH,
  MAX_PAGE_ROWS,
  MAX_ROWS,
  MAX_TERMS,
  SAME_ROWS,
} from "./page-layout.ts";
import { MAX_WHOLE } from "./scale.ts";
import { type TimePart, takeTimePart } from "./time-part.ts";

/** Where the rows of one column come from. */
export type Source =
  | { readonly code: typeof CODE_CONSTANT; readonly lo: number; readonly hi: number }
  | { readonly code: typeof CODE_SAME; readonly column: number }
  | NumbersSource
  | { readonly code: typeof CODE_BITS; readonly bits: BitsColumn }
  | { readonly code: typeof CODE_REFERENCES; readonly exceptions: Exceptions }
  | { readonly code: typeof CODE_PART; readonly part: TimePart }
  | { readonly code: typeof CODE_BYTES; readonly numbers: NumberColumn; readonly from: number; readonly to: number };

/** Whole numbers, less what earlier columns account for. */
export interface NumbersSource {
  readonly code: typeof CODE_NUMBERS;
  readonly scaled: ScaledColumn | undefined;
  readonly terms: readonly Term[];
  readonly depth: number;
  readonly numbers: NumberColumn;
  /** Where the contexts of the numbers come from. */
  readonly contexts: ContextSource | undefined;
  /** The numbers count ticks; what is off them. */
  readonly ticks: { readonly tick: number; readonly off: NumberColumn } | undefined;
  /** Where the bodies end. */
  readonly to: number;
}

export interface ColumnEntry {
  /** Where it is in the page; of a column that is the same as an earlier one, the earlier one's place. */
  readonly column: number;
  readonly kind: number;
  readonly rows: number;
  /** Others are derived from it, have their contexts of it or are parts of it, or it is read for others as well. */
  referenced: boolean;
  readonly source: Source;
}

const oneFloat = new Float64Array(1);
const one = new Uint32Array(oneFloat.buffer);

/** Reads what the columns of a page are, of which `bodies` and `blob` bytes are there. Throws `PageError`. */
export function readDirectory(bytes: Uint8Array, count: number, bodies: number, blob: number): ColumnEntry[] {
  if (count > bytes.length) throw new PageError("the directory ends too soon");
  const d: DirectoryReader = { bytes, cursor: { at: count } };
  const entries: ColumnEntry[] = [];
  let rows = 0;
  let all = 0;
  let body = 0;
  let blobAt = 0;
  for (let c = 0; c < count; c++) {
    const code = bytes[c] as number;
    const kind = (code >> 4) & 3;
    if ((code & SAME_ROWS) === 0) rows = takeNumber(d);
    all += rows;
    if (rows > MAX_ROWS || all > MAX_PAGE_ROWS) throw new PageError("too many rows");
    const source: Source =
      rows === 0
        ? { code: CODE_CONSTANT, lo: 0, hi: 0 }
        : takeSource(d, entries, code & 15, kind, rows, body, bodies, blobAt, blob);
    if (source.code === CODE_NUMBERS) body = source.to;
    else if (source.code === CODE_BITS) body = source.bits.to;
    else if (source.code === CODE_BYTES) {
      body = source.numbers.to;
      blobAt = source.to;
    } else if (source.code === CODE_SAME) {
      const other = c - 1 - source.column;
      const entry = entries[other];
      if (entry === undefined || entry.kind !== kind || entry.rows !== rows || entry.source.code === CODE_SAME) {
        throw new PageError("a column is the same as one that is not there");
      }
      // Times that are read again with the next series are kept; the others are read once for each.
      if (kind === KIND_TIME && entry.source.code === CODE_NUMBERS) entry.referenced = true;
      entries.push(entry);
      continue;
    }
    entries.push({ column: c, kind, rows, referenced: false, source });
  }
  if (d.cursor.at !== bytes.length) throw new PageError("the directory has more than its columns");
  return entries;
}

function takeSource(
  d: DirectoryReader,
  entries: readonly ColumnEntry[],
  code: number,
  kind: number,
  rows: number,
  body: number,
  bodies: number,
  blobAt: number,
  blob: number,
): Source {
  if (code === CODE_BYTES && kind === KIND_BYTES) {
    const length = takeNumber(d);
    if (length > blob - blobAt) throw new PageError("byte strings are outside of the page");
    return { code, numbers: readNumberColumn(d, body, bodies, false), from: blobAt, to: blobAt + length };
  }
  if (kind > KIND_FLOAT) throw new PageError("an unknown column");
  if (code === CODE_CONSTANT && kind === KIND_FLOAT) {
    takeFloat(d, one, 0);
    return { code, lo: one[0] as number, hi: one[1] as number };
  }
  if (code === CODE_SAME) return { code, column: takeNumber(d) };
  if (code === CODE_NUMBERS || (code === CODE_DERIVED && kind === KIND_FLOAT)) {
    const scaled = kind === KIND_FLOAT ? takeScaling(d, rows) : undefined;
    const terms = code === CODE_DERIVED ? takeTerms(d, entries, rows) : noTerms;
    const numbers = readNumberColumn(d, body, bodies, true);
    const contexts = takenFrom(entries, numbers, rows);
    const depth = depthWith(entries, terms, contexts);
    return { code: CODE_NUMBERS, scaled, terms, depth, numbers, contexts, ticks: undefined, to: numbers.to };
  }
  if (code === CODE_TICKS && kind === KIND_FLOAT) {
    const scaled = takeScaling(d, rows);
    takeFloat(d, one, 0);
    const tick = oneFloat[0] as number;
    if (!(tick >= 1 && tick < MAX_WHOLE)) throw new PageError("a tick is out of range");
    const numbers = readNumberColumn(d, body, bodies, true);
    const contexts = takenFrom(entries, numbers, rows);
    const off = readNumberColumn(d, numbers.to, bodies, false);
    const depth = depthWith(entries, noTerms, contexts);
    return {
      code: CODE_NUMBERS,
      scaled,
      terms: noTerms,
      depth,
      numbers,
      contexts,
      ticks: { tick, off },
      to: off.to,
    };
  }
  if (code === CODE_PART && kind === KIND_TIME) return { code, part: takePart(d, entries, rows) };
  if (code === CODE_BITS) return { code, bits: takeFloatBits(d, rows, body, bodies) };
  if (code === CODE_REFERENCES && kind === KIND_FLOAT) return { code, exceptions: takeExceptions(d, rows) };
  throw new PageError("an unknown column");
}

const noTerms: readonly Term[] = [];

function takeTerms(d: DirectoryReader, entries: readonly ColumnEntry[], rows: number): readonly Term[] {
  const count = takeNumber(d) + 1;
  if (count > MAX_TERMS) throw new PageError("a column is derived from too many");
  const terms: Term[] = [];
  for (let k = 0; k < count; k++) {
    const column = entries.length - 1 - takeNumber(d);
    const other = entries[column];
    const num = takeSigned(d);
    const den = takeNumber(d);
    if (other === undefined || other.source.code !== CODE_NUMBERS || other.rows !== rows || den === 0) {
      throw new PageError("a column is derived from one that is not there");
    }
    other.referenced = true;
    terms.push({ column, num, den });
  }
  return terms;
}

function takePart(d: DirectoryReader, entries: readonly ColumnEntry[], rows: number): TimePart {
  const column = entries.length - 1 - takeNumber(d);
  const other = entries[column];
  if (other === undefined || other.kind !== KIND_TIME || other.source.code !== CODE_NUMBERS) {
    throw new PageError("a column is a part of one that is not there");
  }
  other.referenced = true;
  return takeTimePart(d, column, rows, other.rows);
}

/** The column that contexts come from, checked. */
function takenFrom(entries: readonly ColumnEntry[], numbers: NumberColumn, rows: number): ContextSource | undefined {
  if (numbers.source === undefined) return undefined;
  const { back, level, cuts } = numbers.source;
  const column = entries.length - 1 - back;
  const other = entries[column];
  if (other === undefined || other.source.code !== CODE_NUMBERS || other.rows !== rows) {
    throw new PageError("a column has contexts of one that is not there");
  }
  other.referenced = true;
  return { column, level, cuts };
}

/** How deep a column with these terms and contexts is. */
function depthWith(
  entries: readonly ColumnEntry[],
  terms: readonly Term[],
  contexts: ContextSource | undefined,
): number {
  let depth = contexts === undefined ? 0 : 1 + depthOf(entries[contexts.column]);
  for (const term of terms) depth = Math.max(depth, 1 + depthOf(entries[term.column]));
  if (depth > MAX_DEPTH) throw new PageError("a column is derived too often");
  return depth;
}

function depthOf(entry: ColumnEntry | undefined): number {
  return entry?.source.code === CODE_NUMBERS ? entry.source.depth : 0;
}
