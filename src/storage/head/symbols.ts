/**
 * Interned strings: a string is a symbol, an integer from 0 upwards. The UTF-8 bytes lie in one growing array; JavaScript
 * strings are made when someone asks for the text, and kept in a bounded cache.
 */
export interface Symbols {
  count: number;
  /** A Buffer, since its toString is several times as fast as a TextDecoder on short texts. */
  bytes: Buffer;
  /** Symbol s is bytes[starts[s], starts[s + 1]). */
  starts: Uint32Array;
  /** Open addressing, pairs of hash and symbol + 1 (0: empty). */
  slots: Uint32Array;
  mask: number;
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
    bytes: Buffer.alloc(4096),
    starts: new Uint32Array(257),
    slots: new Uint32Array(1024),
    mask: 511,
    texts: [],
    cached: 0,
  };
}

/** The string's symbol, -1 when it has none. */
export function findSymbol(s: Symbols, text: string): number {
  const length = encode(text);
  const slot = findSlot(s, hashBytes(scratch, length), length);
  return (s.slots[2 * slot + 1] as number) - 1;
}

/** The string's symbol, a new one when it has none. */
export function internSymbol(s: Symbols, text: string): number {
  const length = encode(text);
  const hash = hashBytes(scratch, length);
  const slot = findSlot(s, hash, length);
  const found = s.slots[2 * slot + 1] as number;
  if (found !== 0) return found - 1;
  const start = s.starts[s.count] as number;
  reserve(s, start + length);
  const symbol = s.count++;
  s.bytes.set(scratch.subarray(0, length), start);
  s.starts[symbol + 1] = start + length;
  s.slots[2 * slot] = hash;
  s.slots[2 * slot + 1] = symbol + 1;
  if (s.count * 2 > s.mask) growSlots(s);
  return symbol;
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

export function symbolsBytes(s: Symbols): number {
  return s.bytes.byteLength + s.starts.byteLength + s.slots.byteLength;
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

function hashBytes(bytes: Uint8Array, length: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < length; i++) h = Math.imul(h ^ (bytes[i] as number), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

/** The slot that holds the string in scratch, or the empty one where it belongs. */
function findSlot(s: Symbols, hash: number, length: number): number {
  const { slots, mask, starts } = s;
  let slot = hash & mask;
  while (true) {
    const found = slots[2 * slot + 1] as number;
    if (found === 0) return slot;
    if (slots[2 * slot] === hash) {
      const start = starts[found - 1] as number;
      if ((starts[found] as number) - start === length && sameBytes(s.bytes, start, length)) return slot;
    }
    slot = (slot + 1) & mask;
  }
}

function sameBytes(bytes: Uint8Array, start: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[start + i] !== scratch[i]) return false;
  return true;
}

function reserve(s: Symbols, end: number): void {
  if (end > s.bytes.length) {
    const bytes = Buffer.alloc(Math.max(end, s.bytes.length * 2));
    bytes.set(s.bytes);
    s.bytes = bytes;
  }
  if (s.count + 2 > s.starts.length) {
    const starts = new Uint32Array(s.starts.length * 2);
    starts.set(s.starts);
    s.starts = starts;
  }
}

function growSlots(s: Symbols): void {
  const old = s.slots;
  const mask = s.mask * 2 + 1;
  const slots = new Uint32Array(2 * (mask + 1));
  for (let i = 0; i < old.length; i += 2) {
    if (old[i + 1] === 0) continue;
    let slot = (old[i] as number) & mask;
    while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
    slots[2 * slot] = old[i] as number;
    slots[2 * slot + 1] = old[i + 1] as number;
  }
  s.slots = slots;
  s.mask = mask;
}
