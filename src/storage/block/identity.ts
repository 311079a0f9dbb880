/**
 * The hash that names a series wherever it is (docs/format/frame.md): of the tenant and the labels, each string followed by 0xff.
 * So a block needs not store it.
 */
import { hash96 } from "../../lib/hash64.ts";

const SEED_A = 0x54534631;
const SEED_B = 0x746f6373;
const SEED_C = 0x696e2e31;
const SEPARATOR = 0xff;

/** A series' hash: low and high half of its 64 bits, and 32 further bits. */
export interface SeriesHash {
  readonly lo: number;
  readonly hi: number;
  readonly check: number;
}

/** The text that is hashed, put together string by string. */
export interface HashedText {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  length: number;
}

export function makeHashedText(): HashedText {
  const bytes = new Uint8Array(1024);
  return { bytes, view: new DataView(bytes.buffer), length: 0 };
}

/** Appends the string from[start, end) in UTF-8. */
export function putHashed(text: HashedText, from: Uint8Array, start: number, end: number): void {
  const need = text.length + end - start + 1;
  if (need > text.bytes.length) {
    const bytes = new Uint8Array(2 * need);
    bytes.set(text.bytes.subarray(0, text.length));
    text.bytes = bytes;
    text.view = new DataView(bytes.buffer);
  }
  const { bytes } = text;
  let to = text.length;
  for (let i = start; i < end; i++) bytes[to++] = from[i] as number;
  bytes[to++] = SEPARATOR;
  text.length = to;
}

/** Writes the three words of the text's hash. */
export function hashText(text: HashedText, out: Uint32Array, at: number): void {
  hash96(text.view, 0, text.length, SEED_A, SEED_B, SEED_C, out, at);
}
