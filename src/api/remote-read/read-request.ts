import type { Matcher, MatchOp } from "../../model/matcher.ts";
import { MAX_TIME, MIN_TIME } from "../params.ts";

/** prometheus.ReadRequest, without the hints: they promise nothing that an answer would have to keep. */
export interface ReadRequest {
  readonly queries: readonly ReadQuery[];
  /** In the order of the reader's preference; numbers of prometheus.ReadRequest.ResponseType. */
  readonly accepted: readonly number[];
}

export interface ReadQuery {
  /** Unix ms, inclusive. */
  readonly start: number;
  readonly end: number;
  readonly matchers: readonly Matcher[];
}

/** The body is no ReadRequest. */
export class ReadRequestError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ReadRequestError";
  }
}

type Field = { readonly number: number; readonly value: bigint; readonly bytes: Uint8Array };

const NO_BYTES = new Uint8Array(0);

/** The fields of a message; `value` is that of a varint, `bytes` what a length stands before. Throws ReadRequestError. */
function* fields(message: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= message.length) throw new ReadRequestError("unexpected EOF");
      if (shift > 63n) throw new ReadRequestError("proto: integer overflow");
      const byte = message[at++] as number;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(varint() & 0xffff_ffffn);
    const number = tag >>> 3;
    const type = tag & 7;
    let size = 0;
    let value = 0n;
    if (type === 0) value = varint();
    else if (type === 1) size = 8;
    else if (type === 2) size = Number(varint());
    else if (type === 5) size = 4;
    else throw new ReadRequestError(`proto: illegal wireType ${type}`);
    if (size > message.length - at) throw new ReadRequestError("unexpected EOF");
    yield { number, value, bytes: type === 2 ? message.subarray(at, at + size) : NO_BYTES };
    at += size;
  }
}

/** Reads a prometheus.ReadRequest. Throws ReadRequestError. */
export function readRequest(message: Uint8Array): ReadRequest {
  const queries: ReadQuery[] = [];
  const accepted: number[] = [];
  for (const { number, value, bytes } of fields(message)) {
    if (number === 1) queries.push(readQuery(bytes));
    else if (number === 2 && bytes.length === 0) accepted.push(Number(value));
    // Packed: the numbers are small enough to have a byte each.
    else if (number === 2) accepted.push(...bytes);
  }
  return { queries, accepted };
}

function readQuery(message: Uint8Array): ReadQuery {
  let start = 0;
  let end = 0;
  const matchers: Matcher[] = [];
  for (const { number, value, bytes } of fields(message)) {
    if (number === 1) start = timeOf(value);
    else if (number === 2) end = timeOf(value);
    else if (number === 3) matchers.push(readMatcher(bytes));
  }
  return { start, end, matchers };
}

/** Times that mean "since ever" and "for ever" are brought to what every layer can reckon with. */
function timeOf(value: bigint): number {
  return Math.min(MAX_TIME, Math.max(MIN_TIME, Number(BigInt.asIntN(64, value))));
}

const OPS: readonly MatchOp[] = ["=", "!=", "=~", "!~"];
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function readMatcher(message: Uint8Array): Matcher {
  let op: MatchOp | undefined = "=";
  let name = "";
  let text = "";
  for (const { number, value, bytes } of fields(message)) {
    if (number === 1) op = OPS[Number(value)];
    else if (number === 2) name = decoder.decode(bytes);
    else if (number === 3) text = decoder.decode(bytes);
  }
  if (op === undefined) throw new ReadRequestError("invalid matcher type");
  return { name, op, value: text };
}
