import { type ByteArena, makeArena, reserveArena } from "../codec/byte-arena.ts";
import { type HashSeeds, makeBatch, type SampleBatch } from "../codec/sample-batch.ts";
import { decodeSnappy, elementsStart, snappySize } from "../codec/snappy.ts";
import { scanTopField } from "../codec/write-request.ts";

/** Decoded bytes that are worked on before others have their turn: some milliseconds. */
const PIECE_BYTES = 2 << 20;
/** The input of Snappy's encoders is cut into fragments of this size; copies do not reach from one into another. */
const FRAGMENT_BYTES = 1 << 16;

/** The size that a Snappy block claims to have when decoded, or its own where that is more; whether it is one is not checked. */
export function claimedSize(body: Uint8Array): number {
  let size = 0;
  for (let i = 0; i < 5 && i < body.length; i++) {
    const byte = body[i] as number;
    size += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) break;
  }
  return Math.max(size, body.length);
}

/**
 * Reads a large remote-write 1.0 body into a batch of its own, with `giveWay` between pieces of some milliseconds.
 * Gives what `WriteReader.read` gives, and throws the same errors.
 */
export async function readLargeWrite(
  body: Uint8Array,
  maxDecodedBytes: number,
  seeds: HashSeeds,
  giveWay: () => Promise<unknown>,
): Promise<SampleBatch> {
  const batch = makeBatch();
  const size = await decodeLarge(body, batch.arena, maxDecodedBytes, giveWay);
  let number = 0;
  for (let i = 0; i < size; ) {
    const end = Math.min(size, i + PIECE_BYTES);
    while (i < end) {
      const isSeries = batch.arena.bytes[i] === 0x0a;
      i = scanTopField(batch, i, size, number, seeds);
      if (isSeries) number++;
    }
    await giveWay();
  }
  return batch;
}

/** Where a block can be cut: so many bytes of it make so many decoded ones. */
interface Cut {
  readonly from: number;
  readonly to: number;
}

/**
 * Decodes a Snappy block as `decodeSnappy` does, in pieces where the block is one of whole fragments, as those of all usual
 * encoders are; at once where it is another, or malformed.
 */
async function decodeLarge(
  body: Uint8Array,
  arena: ByteArena,
  limit: number,
  giveWay: () => Promise<unknown>,
): Promise<number> {
  const size = snappySize(body, limit);
  let at: Cut = { from: elementsStart(), to: 0 };
  reserveArena(arena, size, 0);
  const input = makeArena(PIECE_BYTES);
  while (at.from < body.length) {
    const next = nextCut(body, at, size);
    if (next === undefined) return decodeSnappy(body, arena, limit);
    const piece = asBlock(input, body.subarray(at.from, next.from), next.to - at.to);
    const { buffer, byteOffset } = arena.bytes;
    const out = arena.bytes.subarray(at.to);
    decodeSnappy(piece, { bytes: out, view: new DataView(buffer, byteOffset + at.to, out.length) }, limit);
    at = next;
    await giveWay();
  }
  return at.to === size ? size : decodeSnappy(body, arena, limit);
}

/** The last cut within a piece behind the one given, or the end; undefined where there is none, or the block is malformed. */
function nextCut(body: Uint8Array, { from, to }: Cut, size: number): Cut | undefined {
  const n = body.length;
  const most = to + PIECE_BYTES;
  let i = from;
  let o = to;
  let fragment = to;
  let cut: Cut | undefined;
  while (i < n) {
    if (o - fragment >= FRAGMENT_BYTES) {
      // An element that crosses the border of fragments leaves no place to cut.
      if (o - fragment > FRAGMENT_BYTES) return undefined;
      if (o > most) return cut;
      cut = { from: i, to: o };
      fragment = o;
    }
    const tag = body[i++] as number;
    const kind = tag & 3;
    let length = (tag >>> 2) + 1;
    if (kind === 0) {
      if (length > 60) {
        const extra = length - 60;
        length = 1;
        for (let k = 0; k < extra; k++) length += (body[i + k] as number) * 2 ** (8 * k);
        i += extra;
      }
      i += length;
    } else {
      let offset: number;
      if (kind === 1) {
        length = ((tag >>> 2) & 7) + 4;
        offset = ((tag >>> 5) << 8) | (body[i] as number);
        i++;
      } else {
        offset = (body[i] as number) | ((body[i + 1] as number) << 8);
        if (kind === 3) offset += (body[i + 2] as number) * 0x1_0000 + (body[i + 3] as number) * 0x100_0000;
        i += kind === 2 ? 2 : 4;
      }
      if (offset > o - fragment) return undefined;
    }
    o += length;
  }
  return i === n && o === size && o - to <= PIECE_BYTES + FRAGMENT_BYTES ? { from: i, to: o } : undefined;
}

/** The elements with the size that they make before them: a block of its own. */
function asBlock(into: ByteArena, elements: Uint8Array, size: number): Uint8Array {
  reserveArena(into, elements.length + 5, 0);
  const { bytes } = into;
  let at = 0;
  let rest = size;
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = rest | 0x80;
  bytes[at++] = rest;
  bytes.set(elements, at);
  return bytes.subarray(0, at + elements.length);
}
