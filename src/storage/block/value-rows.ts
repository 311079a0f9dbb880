/**
 * Which values of a label a test accepts, as rows of the values table: the slow half of a regular expression over a label with
 * very many values. What was found over a large field is remembered: a block never changes.
 */
import { literalPrefix, type StringTest } from "../../lib/regex.ts";
import { spend } from "../../lib/work-at-hand.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { Block } from "./block.ts";
import { VALUE_SYMBOL } from "./index-tables.ts";
import { numberAt, passingText, rowFrom, symbolFrom } from "./lookup.ts";
import { requiredLiteral } from "./required-literal.ts";
import { makePartRun, runPart } from "./section.ts";
import { passingStringAt, type StringPart, stringWith } from "./string-table.ts";

/** Rows [first, end) of the values table. */
interface Field {
  readonly first: number;
  readonly end: number;
}

/** Many rows of a field take a bit for each of its values, few a word each. */
interface Found {
  readonly words: Uint32Array;
  /** How many, when `words` are bits; -1 when they are the rows. */
  readonly count: number;
}

/** What patterns found, oldest first. */
interface Memory {
  readonly found: Map<string, Found>;
  bytes: number;
}

const remembered = new WeakMap<Block, Memory>();
/** Smaller fields are not worth remembering. */
const REMEMBERED_FIELD = 1000;
/** Of a block. */
const MAX_BYTES = 1 << 18;
const OVERHEAD = 200;

/** Rows of the field's values that the test, the matcher compiled, accepts, or with `refused` refuses; ascending. */
export function matchRows(
  block: Block,
  field: Field,
  matcher: Matcher,
  matches: StringTest,
  refused: boolean,
): Uint32Array {
  if (field.end - field.first < REMEMBERED_FIELD) return tryValues(block, field, matcher, matches, refused);
  let memory = remembered.get(block);
  if (memory === undefined) {
    memory = { found: new Map(), bytes: 0 };
    remembered.set(block, memory);
  }
  const key = `${field.first} ${refused} ${matcher.op} ${matcher.value}`;
  const known = memory.found.get(key);
  if (known !== undefined) {
    memory.found.delete(key);
    memory.found.set(key, known);
    return known.count < 0 ? known.words : rowsOfBits(known.words, field.first, known.count);
  }
  const rows = tryValues(block, field, matcher, matches, refused);
  remember(memory, key, field, rows);
  return rows;
}

function remember(memory: Memory, key: string, field: Field, rows: Uint32Array): void {
  const words = (field.end - field.first + 31) >>> 5;
  const found =
    rows.length <= words ? { words: rows, count: -1 } : { words: bitsOfRows(rows, field), count: rows.length };
  memory.found.set(key, found);
  memory.bytes += found.words.byteLength + OVERHEAD;
  for (const [old, { words }] of memory.found) {
    if (memory.bytes <= MAX_BYTES) break;
    memory.found.delete(old);
    memory.bytes -= words.byteLength + OVERHEAD;
  }
}

function bitsOfRows(rows: Uint32Array, { first, end }: Field): Uint32Array {
  const bits = new Uint32Array((end - first + 31) >>> 5);
  for (let i = 0; i < rows.length; i++) {
    const at = (rows[i] as number) - first;
    bits[at >>> 5] = (bits[at >>> 5] as number) | (1 << (at & 31));
  }
  return bits;
}

function rowsOfBits(bits: Uint32Array, first: number, count: number): Uint32Array {
  const rows = new Uint32Array(count);
  numbersOfBits(bits, first, rows);
  return rows;
}

/** Writes the numbers of the bits that are set, `base` added, ascending, as far as there is room; returns how many there are. */
export function numbersOfBits(bits: Uint32Array, base: number, out: Uint32Array): number {
  let n = 0;
  for (let w = 0; w < bits.length; w++) {
    for (let word = bits[w] as number; word !== 0; word &= word - 1)
      out[n++] = base + (w << 5) + 31 - Math.clz32(word & -word);
  }
  return n;
}

/** What trying a value costs at least. */
const TRY_NS = 100;

/** Values are tried in order, each once. */
function tryValues(block: Block, field: Field, matcher: Matcher, matches: StringTest, refused: boolean): Uint32Array {
  const { values, symbols } = block;
  const prefix = matcher.op === "=~" && !refused ? literalPrefix(matcher.value) : "";
  const first =
    prefix === "" ? field.first : rowFrom(values, VALUE_SYMBOL, field.first, field.end, symbolFrom(block, prefix));
  const end = prefix === "" ? field.end : endOfPrefix(block, first, field.end, prefix);
  const rows = new Uint32Array(end - first);
  let n = 0;
  if (first === end) return rows;
  const literal = matcher.op === "=~" && !refused ? requiredLiteral(matcher.value) : "";
  const [valueRun, symbolRun] = [makePartRun(), makePartRun()];
  const lastValues = (end - 1) >>> values.table.shift;
  const lastSymbols = numberAt(values, VALUE_SYMBOL, end - 1) >>> symbols.table.shift;
  // Values ascend, so many in a row are of the same part of the symbols.
  let partOf = -1;
  let strings: StringPart | undefined;
  // The string of the part that has the literal, at or behind the one that was looked at last.
  let candidate = 0;
  for (let row = first; row < end; ) {
    const part = row >>> values.table.shift;
    const column = runPart(values, valueRun, part, lastValues)[VALUE_SYMBOL] as Float64Array;
    const stop = Math.min(end, (part + 1) * (values.mask + 1));
    spend((stop - row) * TRY_NS);
    for (; row < stop; row++) {
      const symbol = column[(row & values.mask) + 1] as number;
      if (strings === undefined || symbol >>> symbols.table.shift !== partOf) {
        partOf = symbol >>> symbols.table.shift;
        strings = runPart(symbols, symbolRun, partOf, lastSymbols);
        candidate = -1;
      }
      const i = symbol & symbols.mask;
      if (literal !== "" && candidate < i) candidate = stringWith(strings, literal, i);
      if (literal !== "" && candidate > i) continue;
      if (matches(passingStringAt(strings, i)) !== refused) rows[n++] = row;
    }
  }
  return rows.slice(0, n);
}

/** The first of the rows [first, end), none of them before the prefix, whose value does not begin with it. */
function endOfPrefix(block: Block, first: number, end: number, prefix: string): number {
  let low = first;
  let high = end;
  while (low < high) {
    const mid = Math.floor((low + high) / 2);
    if (passingText(block, numberAt(block.values, VALUE_SYMBOL, mid)).startsWith(prefix)) low = mid + 1;
    else high = mid;
  }
  return low;
}
