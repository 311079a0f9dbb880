/** What the records of a log say together about the stream: its identity, and which of its messages are in the log. */
import { type Cursor, readVarint, varintLength, writeVarint } from "../../lib/varint.ts";
import { EPOCH, SKIP } from "./format.ts";
import { decodeSequenceSet, makeSequenceSet, type SequenceSet } from "./sequence-set.ts";

export interface LogState {
  /** Identity of the stream that the sequences belong to; undefined before the first one was named, or when that is lost. */
  readonly epoch: string | undefined;
  /** Number of the epoch in this log, modulo 2^16; each record has it, so that a lost epoch record is noticed. 0: none. */
  readonly ordinal: number;
  /** Sequences up to here are of no concern. */
  readonly base: number;
  readonly applied: SequenceSet;
}

export const emptyLog = (): LogState => ({ epoch: undefined, ordinal: 0, base: 0, applied: makeSequenceSet() });

/** A state of its own, with a set of its own. */
export const cloneLog = (state: LogState): LogState => ({ ...state, applied: state.applied.clone() });

/** The epoch after this one: sequences start again behind `base`. */
export function nextEpoch(state: LogState, epoch: string, base: number): LogState {
  return { epoch, ordinal: (state.ordinal + 1) & 0xffff, base, applied: makeSequenceSet(base) };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The state after one more record that was appended to a log; the set of the old one is used on. */
export function afterRecord(state: LogState, type: number, seq: number, payload: Uint8Array): LogState {
  if (type === EPOCH) return nextEpoch(state, decoder.decode(payload), seq);
  if (type === SKIP) state.applied.addAll(decodeSequenceSet(payload));
  else if (seq > 0) state.applied.add(seq);
  return state;
}

/** Varints: length of the epoch's name + 1 (0: none), the name, ordinal, base; then the set. */
export function encodeLogState({ epoch, ordinal, base, applied }: LogState): Uint8Array {
  const text = epoch === undefined ? new Uint8Array() : encoder.encode(epoch);
  const length = epoch === undefined ? 0 : text.length + 1;
  const set = applied.encode();
  const numbers = varintLength(length) + varintLength(ordinal) + varintLength(base);
  const out = new Uint8Array(numbers + text.length + set.length);
  let at = writeVarint(out, 0, length);
  out.set(text, at);
  at = writeVarint(out, at + text.length, ordinal);
  at = writeVarint(out, at, base);
  out.set(set, at);
  return out;
}

/** Throws VarintError or RangeError for what `encodeLogState` did not make. */
export function decodeLogState(bytes: Uint8Array): LogState {
  const cursor: Cursor = { at: 0 };
  const length = readVarint(bytes, cursor);
  const start = cursor.at;
  cursor.at = start + Math.max(0, length - 1);
  if (cursor.at > bytes.length) throw new RangeError("the name of a stream is cut short");
  const epoch = length === 0 ? undefined : decoder.decode(bytes.subarray(start, cursor.at));
  const ordinal = readVarint(bytes, cursor);
  const base = readVarint(bytes, cursor);
  return { epoch, ordinal, base, applied: decodeSequenceSet(bytes.subarray(cursor.at)) };
}
