import { readJsonPush } from "../codec/json-push.ts";
import { type HashSeeds, MAX_BATCH_SAMPLES, makeBatch, type SampleBatch } from "../codec/sample-batch.ts";

/** Bytes of JSON that are read before others have their turn: some milliseconds. */
export const JSON_PIECE = 1 << 18;
/** A body with more objects and arrays is left to `readJsonPush`, which refuses those that have far more. */
const MAX_NESTED = 1 << 21;

/**
 * Reads a large JSON push body into batches of its own, with `giveWay` between pieces of some milliseconds. Together they say what
 * `readJsonPush` makes of the body, and it throws the same errors: a body that has more than the list of series, is malformed or has
 * too many samples is read by it at once.
 */
export async function readLargeJson(
  body: Uint8Array,
  now: number,
  seeds: HashSeeds,
  giveWay: () => Promise<unknown>,
): Promise<readonly SampleBatch[]> {
  const batches = await readPieces(body, now, seeds, giveWay);
  if (batches !== undefined) return batches;
  const batch = makeBatch();
  readJsonPush(batch, body, now, seeds);
  return [batch];
}

async function readPieces(body: Uint8Array, now: number, seeds: HashSeeds, giveWay: () => Promise<unknown>) {
  const start = HEAD.exec(Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 256)).toString("latin1"));
  if (start === null) return undefined;
  const walk: Walk = { at: start[0].length, series: 0, nested: 0, ended: false };
  const batches: SampleBatch[] = [];
  let samples = 0;
  while (!walk.ended) {
    const { at: from, series } = walk;
    const end = endOfPiece(body, walk);
    if (end < 0 || walk.nested > MAX_NESTED) return undefined;
    const batch = makeBatch();
    try {
      readJsonPush(batch, asBody(body.subarray(from, end)), now, seeds);
    } catch {
      // Its message would name a place in the piece.
      return undefined;
    }
    samples += batch.samples;
    if (samples > MAX_BATCH_SAMPLES) return undefined;
    for (let s = 0; s < batch.series; s++) batch.seen[s] = (batch.seen[s] as number) + series;
    batches.push(batch);
    await giveWay();
  }
  return batches;
}

const HEAD = /^[ \t\r\n]*\{[ \t\r\n]*"series"[ \t\r\n]*:[ \t\r\n]*\[/;
const TAIL = /^[ \t\r\n]*\}[ \t\r\n]*$/;
/** What may stand behind the list. */
const MAX_TAIL = 256;

/** How far the elements of the list were walked through. */
interface Walk {
  /** Where the next one begins. */
  at: number;
  series: number;
  nested: number;
  /** Whether the list has ended, and the body with it. */
  ended: boolean;
}

/**
 * Walks on over whole elements, a piece's worth of bytes; returns where they end, -1 when something is not as usual. Only brackets,
 * strings and commas are looked at: what is between them is for who reads the piece.
 */
function endOfPiece(body: Uint8Array, walk: Walk): number {
  const enough = walk.at + JSON_PIECE;
  let depth = 0;
  // A comma or the list's end without an element before it is an error of the body, which its pieces would not have.
  let empty = true;
  for (let i = walk.at; i < body.length; i++) {
    const c = body[i] as number;
    if (c === QUOTE) {
      empty = false;
      for (i++; i < body.length && body[i] !== QUOTE; i++) if (body[i] === BACKSLASH) i++;
    } else if (c === OPEN_ARRAY || c === OPEN_OBJECT) {
      empty = false;
      walk.nested++;
      depth++;
    } else if (depth > 0) {
      if (c === CLOSE_ARRAY || c === CLOSE_OBJECT) depth--;
    } else if (c === COMMA || c === CLOSE_ARRAY) {
      if (empty) return -1;
      walk.series++;
      walk.at = i + 1;
      walk.ended = c === CLOSE_ARRAY;
      if (walk.ended) return endsAt(body, i + 1) ? i : -1;
      if (i >= enough) return i;
      empty = true;
    }
  }
  return -1;
}

function endsAt(body: Uint8Array, from: number): boolean {
  const rest = body.subarray(from);
  return rest.length <= MAX_TAIL && TAIL.test(Buffer.from(rest).toString("latin1"));
}

const OPENING = Buffer.from('{"series":[');
const CLOSING = Buffer.from("]}");

function asBody(piece: Uint8Array): Uint8Array {
  return Buffer.concat([OPENING, piece, CLOSING]);
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
