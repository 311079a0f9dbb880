import type { BitReader } from "./bit-stream.ts";
import { type DirectoryReader, takeByte, takeNumber, takeSigned } from "./directory.ts";
import { PageError } from "./page-error.ts";
import { PREDICTORS, type Unfolding, unfoldNothing } from "./predict.ts";
import { MAX_CONTEXTS } from "./residual-plan.ts";
import { readCoded } from "./residual-read.ts";

/**
 * A column of whole numbers (at most 2^51): n[i] = offset + unit * x[i], x predicted, residuals entropy coded. When all residuals
 * are zero there is no body.
 */
export interface NumberColumn extends Unfolding {
  /** Where in the page's bodies, in bytes. */
  readonly from: number;
  readonly to: number;
  readonly source: NumberSource | undefined;
}

/** Which column the contexts of the residuals come from (contexts.ts): `back` columns before this one, 0 the one just before. */
export interface NumberSource {
  readonly back: number;
  readonly level: boolean;
  readonly cuts: Float64Array;
}

export const HAS_UNIT = 8;
export const HAS_BODY = 16;
export const HAS_SOURCE = 32;

/** Reads the parameters; `bodies` is how many bytes of bodies the page has, `from` where this one's begin. */
export function readNumberColumn(
  d: DirectoryReader,
  from: number,
  bodies: number,
  mayHaveSource: boolean,
): NumberColumn {
  const head = takeByte(d);
  const predictor = head & 7;
  if (predictor >= PREDICTORS || head > (mayHaveSource ? 63 : 31)) throw new PageError("an unknown prediction");
  const source = head & HAS_SOURCE ? takeSource(d) : undefined;
  const offset = takeSigned(d);
  const unit = head & HAS_UNIT ? takeNumber(d) : 1;
  const base = takeSigned(d);
  const length = head & HAS_BODY ? takeNumber(d) : 0;
  if (length > bodies - from) throw new PageError("a column's body is outside of the page");
  if (head & HAS_BODY && length === 0) throw new PageError("a column's body is empty");
  return { predictor, offset, unit, base, from, to: from + length, source };
}

function takeSource(d: DirectoryReader): NumberSource {
  const head = takeNumber(d);
  const cuts = new Float64Array(MAX_CONTEXTS - 1);
  let last = 0;
  for (let c = 0; c < cuts.length; c++) {
    last += takeSigned(d);
    cuts[c] = last;
  }
  return { back: Math.floor(head / 2), level: head % 2 === 1, cuts };
}

/** Reads n whole numbers into out[at, at + n), with the contexts that they were written with, if any. */
export function readNumbers(
  view: DataView,
  bodyAt: number,
  column: NumberColumn,
  n: number,
  out: Float64Array,
  at: number,
  contexts?: Uint8Array,
): void {
  if (column.to === column.from) {
    unfoldNothing(n, column, out, at);
    return;
  }
  const reader: BitReader = { view, bit: 8 * (bodyAt + column.from), end: 8 * (bodyAt + column.to) };
  readCoded(reader, n, column, out, at, contexts);
}
