/**
 * Parts of the index as they lie in the file: a byte that says how the content is compressed, the content, and the CRC-32C of
 * both. Docs: docs/format/block.md, "Part".
 */
import { brotliCompressSync, brotliDecompressSync, constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { readU32, writeU32 } from "../../lib/bytes.ts";
import { crc32c } from "../../lib/crc32c.ts";
import { type Cursor, readVarint, varintLength, writeVarint } from "../../lib/varint.ts";

const PLAIN = 0;
const ZSTD = 1;
const BROTLI = 2;
export const CHECKSUM_BYTES = 4;

/** A part larger than this is damage. */
const MAX_PART = 1 << 28;
/** Brotli at its best is too slow for more, and its dictionary of common words of no use then. */
const MAX_BROTLI = 1 << 18;

/** How hard to compress: not at all, so that it is read in microseconds; with zstd; with what is the smallest. */
export type PartEffort = "plain" | "zstd" | "smallest";

/** The part's bytes for the file. */
export function sealPart(content: Uint8Array, effort: PartEffort): Uint8Array<ArrayBuffer> {
  let code = PLAIN;
  let body = content;
  const room = () => body.length - (code === PLAIN ? varintLength(content.length) : 0);
  if (effort !== "plain") {
    const level = effort === "zstd" ? 3 : 19;
    const z = zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: level } });
    if (z.length < room()) {
      code = ZSTD;
      body = z;
    }
  }
  if (effort === "smallest" && content.length <= MAX_BROTLI) {
    const { BROTLI_PARAM_MODE, BROTLI_MODE_TEXT, BROTLI_PARAM_SIZE_HINT } = constants;
    for (const params of [{}, { [BROTLI_PARAM_MODE]: BROTLI_MODE_TEXT }]) {
      const b = brotliCompressSync(content, { params: { ...params, [BROTLI_PARAM_SIZE_HINT]: content.length } });
      if (b.length < room()) {
        code = BROTLI;
        body = b;
      }
    }
  }
  const head = code === PLAIN ? 1 : 1 + varintLength(content.length);
  const part = new Uint8Array(head + body.length + CHECKSUM_BYTES);
  part[0] = code;
  if (code !== PLAIN) writeVarint(part, 1, content.length);
  part.set(body, head);
  const end = head + body.length;
  writeU32(part, end, crc32c(part, 0, end));
  return part;
}

/** True when the bytes end with their own checksum. */
export function checksumHolds(bytes: Uint8Array): boolean {
  const end = bytes.length - CHECKSUM_BYTES;
  return end >= 0 && readU32(bytes, end) === crc32c(bytes, 0, end);
}

const cursor: Cursor = { at: 0 };

/** The content of a part whose checksum holds; a view of `part` where it is not compressed. Throws for what is no part. */
export function partContent(part: Uint8Array): Uint8Array {
  const end = part.length - CHECKSUM_BYTES;
  const code = part[0];
  if (code === PLAIN) return part.subarray(1, end);
  if (code !== ZSTD && code !== BROTLI) throw new RangeError(`a part of code ${code}`);
  cursor.at = 1;
  const length = readVarint(part, cursor, end);
  if (length > MAX_PART) throw new RangeError(`a part of ${length} bytes`);
  const body = part.subarray(cursor.at, end);
  // One piece of output of just the right size, where that is allowed.
  const options = { maxOutputLength: Math.max(length, 1), chunkSize: Math.max(length, 64) };
  const content = code === ZSTD ? zstdDecompressSync(body, options) : brotliDecompressSync(body, options);
  if (content.length !== length) throw new RangeError(`${content.length} bytes in a part of ${length}`);
  return content;
}
