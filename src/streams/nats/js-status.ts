import type { Msg } from "@nats-io/transport-node";

/** A message without payload by which the server says something about a request: its code, 0 for an ordinary message. */
export function statusCode(msg: Msg): number {
  return msg.headers?.code ?? 0;
}

/** The fields of `$JS.ACK...`, the reply subject of a message that a consumer delivers. */
export interface DeliveryInfo {
  readonly streamSequence: number;
  readonly consumerSequence: number;
  /** How often the message was delivered, this time included. */
  readonly deliveries: number;
  /** Messages behind this one in the stream. */
  readonly pending: number;
  /** When the server stored it, Unix milliseconds. */
  readonly storedAt: number;
}

/** Undefined when the subject is something else. Two layouts: 9 tokens, or 11 and more with domain and account. */
export function parseAckSubject(reply: string): DeliveryInfo | undefined {
  const t = reply.split(".");
  if (t[0] !== "$JS" || t[1] !== "ACK" || t.length < 9) return undefined;
  const at = t.length >= 11 ? 6 : 4;
  return {
    deliveries: Number(t[at]),
    streamSequence: Number(t[at + 1]),
    consumerSequence: Number(t[at + 2]),
    storedAt: Math.floor(Number(t[at + 3]) / 1e6),
    pending: Number(t[at + 4]),
  };
}
