import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { makeTurns } from "../../lib/turns.ts";
import { compressed, sendPieces } from "../respond.ts";

/** About so many characters are sent at a time: each piece waits for a turn of the loop until the next is asked for. */
const PIECE = 512 * 1024;

/**
 * A JSON list, made as the client takes it, in stretches between which others are answered: there may be very many alerts.
 * @param textOf the item as JSON; "" leaves it out
 */
export async function* listPieces<T>(items: readonly T[], textOf: (item: T) => string): AsyncGenerator<Buffer> {
  const turn = makeTurns();
  let piece = "[";
  let first = true;
  for (const item of items) {
    const text = textOf(item);
    if (text !== "") {
      piece += first ? text : `,${text}`;
      first = false;
    }
    if (piece.length >= PIECE) {
      yield Buffer.from(piece);
      piece = "";
    }
    if (turn.due()) await turn.next();
  }
  yield Buffer.from(`${piece}]\n`);
}

/** Sends such a list: whole where it is short, as a stream where it is long. */
export async function sendList(
  request: FastifyRequest,
  reply: FastifyReply,
  pieces: AsyncGenerator<Buffer>,
): Promise<FastifyReply> {
  const first = await pieces.next();
  const second = await pieces.next();
  const heads = [first, second].flatMap((p) => (p.done === true ? [] : [p.value]));
  if (second.done === true) return sendPieces(request, reply, heads);
  const stream = Readable.from(after(heads, pieces), { objectMode: false, highWaterMark: 2 * PIECE });
  return compressed(request, reply.type("application/json"), stream);
}

async function* after(heads: readonly Buffer[], rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield* heads;
  yield* rest;
}
