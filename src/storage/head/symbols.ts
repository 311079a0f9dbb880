import { withCapacityFor, withMoreCapacity, worthShrinking } from "./capacity.ts";
import {
  addSlot,
  makeSlotTable,
  NUMBER_MASK,
  PART_SHIFT,
  type SlotTable,
  START_SHIFT,
  slotTableBytes,
  TAG_MASK,
  TAG_SHIFT,
} from "./slot-table.ts";

/**
 * Interned strings: a string is a symbol, an integer from 0 upwards. The UTF-8 bytes lie in one growing array; JavaScript
 * strings are made when someone asks for the text, and kept in a bounded cache.
 */
export interface Symbols {
  count: number;
  /** The largest number of symbols that the arrays have held. */
  peak: number;
  /** A Buffer, since its toString is several times as fast as a TextDecoder on short texts. */
  bytes: Buffer;
  /** Symbol s is bytes[starts[s], starts[s + 1]). */
  starts: Uint32Array;
  slots: SlotTable;
  texts: (string | undefined)[];
  cached: number;
}

/** Cached strings beyond this number are forgotten all at once and made again when asked for. */
const CACHE_LIMIT = 1 << 18;

const encoder = new TextEncoder();
let scratch = new Uint8Array(1024);

export function makeSymbols(): Symbols {
  return {
    count: 0,
    peak: 0,
    bytes: Buffer.alloc(4096),
    starts: new Uint32Array(257),
    slots: makeSlotTable(),
    texts: [],
    cached: 0,
  };
}

/** The string's symbol, -1 when it has none. */
export function findSymbol(s: Symbols, text: string): number {
  const length = encode(text);
  return findBytes(s, hashBytes(scratch, 0, length), scratch, 0, length);
}

/** The string's symbol, a new one when it has none. */
export function internSymbol(s: Symbols, text: string): number {
  const length = encode(text);
  return internBytes(s, scratch, 0, length);
}

/** The symbol of bytes[from, to), well-formed UTF-8 in a plain Uint8Array (a Buffer would slow the loops down). */
export function internBytes(s: Symbols, bytes: Uint8Array, from: number, to: number): number {
  const hash = hashBytes(bytes, from, to);
  const found = findBytes(s, hash, bytes, from, to);
  if (found >= 0) return found;
  const start = s.starts[s.count] as number;
  const end = start + to - from;
  reserve(s, end);
  const symbol = s.count++;
  const into = s.bytes;
  for (let i = start, k = from; i < end; i++, k++) into[i] = bytes[k] as number;
  s.starts[symbol + 1] = end;
  addSlot(s.slots, hash, symbol, (n) => hashOfSymbol(s, n));
  return symbol;
}

/** True when the symbol, which may be one that is not there, is bytes[from, to). */
export function isSymbol(s: Symbols, symbol: number, bytes: Uint8Array, from: number, to: number): boolean {
  if (symbol >= s.count) return false;
  const start = s.starts[symbol] as number;
  return (s.starts[symbol + 1] as number) - start === to - from && sameBytes(s.bytes, start, bytes, from, to);
}

/** As `hashBytes`, apart from it since a Buffer there would slow the loop down. */
function hashOfSymbol(s: Symbols, symbol: number): number {
  const { bytes } = s;
  const end = s.starts[symbol + 1] as number;
  let h = 0x811c9dc5;
  for (let i = s.starts[symbol] as number; i < end; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  return finish(h);
}

function finish(hash: number): number {
  const h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}

export function symbolText(s: Symbols, symbol: number): string {
  const known = s.texts[symbol];
  if (known !== undefined) return known;
  if (s.cached >= CACHE_LIMIT) {
    s.texts = [];
    s.cached = 0;
  }
  const text = s.bytes.toString("utf8", s.starts[symbol], s.starts[symbol + 1]);
  s.texts[symbol] = text;
  s.cached++;
  return text;
}

/** The same without keeping the string, for looking through many. */
export function passingText(s: Symbols, symbol: number): string {
  return s.texts[symbol] ?? s.bytes.toString("utf8", s.starts[symbol], s.starts[symbol + 1]);
}

/** Bytes in use. */
export function symbolsBytes(s: Symbols): number {
  return (s.starts[s.count] as number) + 4 * s.count + slotTableBytes(s.slots);
}

/** Puts the text's UTF-8 bytes into scratch and returns their number. */
function encode(text: string): number {
  const n = text.length;
  if (scratch.length < n * 3) scratch = new Uint8Array(n * 6);
  for (let i = 0; i < n; i++) {
    const c = text.charCodeAt(i);
    if (c > 127) return encoder.encodeInto(text, scratch).written;
    scratch[i] = c;
  }
  return n;
}

function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  return finish(h);
}

/** The symbol of bytes[from, to), -1 when it has none. */
function findBytes(s: Symbols, hash: number, bytes: Uint8Array, from: number, to: number): number {
  const { starts } = s;
  const length = to - from;
  const slots = s.slots.parts[hash >>> PART_SHIFT] as Uint32Array;
  const mask = slots.length - 1;
  let slot = (hash >>> START_SHIFT) & mask;
  while (true) {
    const entry = slots[slot] as number;
    if (entry === 0) return -1;
    if (entry >>> TAG_SHIFT === (hash & TAG_MASK)) {
      const symbol = (entry & NUMBER_MASK) - 1;
      const start = starts[symbol] as number;
      if ((starts[symbol + 1] as number) - start === length && sameBytes(s.bytes, start, bytes, from, to))
        return symbol;
    }
    slot = (slot + 1) & mask;
  }
}

function sameBytes(known: Buffer, start: number, bytes: Uint8Array, from: number, to: number): boolean {
  const shift = start - from;
  for (let i = from; i < to; i++) if (known[i + shift] !== bytes[i]) return false;
  return true;
}

function reserve(s: Symbols, end: number): void {
  if (end > s.bytes.length) {
    // In units of 64 bytes, so that what is reserved for very many symbols is enough for their texts.
    let bytes = s.bytes;
    while (end > bytes.length) bytes = withMoreCapacity(bytes.length >>> 6, (units) => Buffer.alloc(units << 6));
    bytes.set(s.bytes);
    s.bytes = bytes;
  }
  if (s.count + 2 > s.starts.length) {
    const starts = withMoreCapacity(s.starts.length, (capacity) => new Uint32Array(capacity));
    starts.set(s.starts);
    s.starts = starts;
  }
}

/** Gone: what `keepSymbols` answers for a symbol that nobody uses. */
export const NO_SYMBOL = 0xffff_ffff;

/**
 * Forgets the symbols s with used[s] = 0 and gives the others new numbers, in their order. Returns the new number of each old
 * one. Memory is given back when little is left of it.
 */
export function keepSymbols(s: Symbols, used: Uint8Array): Uint32Array {
  const { bytes, starts, count } = s;
  const renamed = new Uint32Array(count).fill(NO_SYMBOL);
  s.peak = Math.max(s.peak, count);
  let kept = 0;
  let end = 0;
  // In runs: what is used lies together.
  for (let from = 0; from < count; ) {
    if (used[from] === 0) {
      from++;
      continue;
    }
    let to = from;
    const start = starts[from] as number;
    const shift = start - end;
    for (; to < count && used[to] !== 0; to++) {
      renamed[to] = kept;
      starts[kept++] = (starts[to] as number) - shift;
    }
    const stop = starts[to] as number;
    bytes.copyWithin(end, start, stop);
    end += stop - start;
    starts[kept] = end;
    from = to;
    // The next start to be read is that of `to` or later, which the writing above has not reached.
  }
  starts[kept] = end;
  s.count = kept;
  s.texts = [];
  s.cached = 0;
  s.slots = makeSlotTable(kept);
  const hashOf = (n: number): number => hashOfSymbol(s, n);
  for (let symbol = 0; symbol < kept; symbol++) addSlot(s.slots, hashOfSymbol(s, symbol), symbol, hashOf);
  if (worthShrinking(kept, s.peak)) {
    const fewer = withCapacityFor(kept + 1, (capacity) => new Uint32Array(capacity));
    fewer.set(starts.subarray(0, kept + 1));
    s.starts = fewer;
    const less = withCapacityFor(Math.max(64, end >>> 6), (units) => Buffer.alloc(units << 6));
    less.set(bytes.subarray(0, end));
    s.bytes = less;
    s.peak = kept;
  }
  return renamed;
}
