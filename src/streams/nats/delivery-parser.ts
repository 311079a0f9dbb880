/**
 * Reads what a NATS server sends on a connection that only receives: messages go straight into slabs, nothing else is kept.
 * The protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
import { endRoom, type Slab, type Slabs, takeRoom } from "./slabs.ts";

export interface DeliveryHandler {
  /**
   * A message without its headers; let go of it (slabs.ts) when done. `status` is that of a message by which the server says
   * something about a request: 0 for an ordinary message.
   */
  onMessage(message: DeliveredMessage): void;
  onPing(): void;
  onPong(): void;
  onInfo(json: string): void;
  /** -ERR, or something that is not the protocol: nothing more is read. */
  onError(text: string): void;
}

export interface DeliveredMessage {
  /** That of the message, which a stream's message keeps: who is asked for tells only `subscription`. */
  readonly subject: string;
  /** The number that the subscription was given. */
  readonly subscription: number;
  readonly reply: string;
  readonly payload: Uint8Array;
  readonly slab: Slab;
  readonly status: number;
  readonly description: string;
}

export interface DeliveryParser {
  /** Takes the next bytes of the connection; they may be overwritten afterwards. */
  feed(chunk: Uint8Array): void;
}

/** A control line is no longer, but for the server's INFO. */
const MAX_LINE = 1 << 20;
const LF = 10;

export function makeDeliveryParser(slabs: Slabs, maxMessage: number, handler: DeliveryHandler): DeliveryParser {
  /** The start of a line whose end has not come. */
  let line = "";
  let failed = false;
  // The message that is being read: `missing` bytes of headers and payload, then CR LF.
  let slab: Slab | undefined;
  let subject = "";
  let subscription = 0;
  let reply = "";
  let headerBytes = 0;
  let total = 0;
  let got = 0;

  const fail = (text: string) => {
    failed = true;
    handler.onError(text);
  };

  /** The payload starts at a multiple of 8: the headers lie right before it. */
  const start = () => (slab as Slab).used + ((8 - (headerBytes & 7)) & 7);

  const onLine = (text: string) => {
    const space = text.indexOf(" ");
    const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase();
    switch (verb) {
      case "MSG":
      case "HMSG":
        return begin(text.slice(space + 1).split(" "), verb === "HMSG");
      case "PING":
        return handler.onPing();
      case "PONG":
        return handler.onPong();
      case "INFO":
        return handler.onInfo(text.slice(space + 1));
      case "+OK":
      case "":
        return;
      default:
        return fail(text.slice(0, 200));
    }
  };

  const begin = (args: string[], headers: boolean) => {
    const sizes = args.splice(headers ? -2 : -1).map(Number);
    total = sizes.at(-1) ?? Number.NaN;
    headerBytes = headers ? (sizes[0] as number) : 0;
    subject = args[0] ?? "";
    subscription = Number(args[1]);
    reply = args[2] ?? "";
    if (!(Number.isInteger(total) && total >= 0 && total <= maxMessage && headerBytes >= 0 && headerBytes <= total)) {
      return fail(`a message of ${total} bytes`);
    }
    got = 0;
    slab = takeRoom(slabs, total + 16);
  };

  const end = () => {
    const into = slab as Slab;
    const from = start();
    const payload = into.bytes.subarray(from + headerBytes, from + total);
    const head = headerBytes === 0 ? "" : statusLine(into.bytes, from, from + headerBytes);
    endRoom(into, total + 8);
    slab = undefined;
    const m = /^NATS\/1\.0 +(\d{3}) *(.*)$/.exec(head);
    handler.onMessage({
      subject,
      subscription,
      reply,
      payload,
      slab: into,
      status: m === null ? 0 : Number(m[1]),
      description: m === null ? "" : (m[2] as string),
    });
  };

  return {
    feed: (chunk) => {
      let i = 0;
      while (i < chunk.length && !failed) {
        if (slab !== undefined) {
          const n = Math.min(chunk.length - i, total - got);
          if (n > 0) slab.bytes.set(chunk.subarray(i, i + n), start() + got);
          got += n;
          i += n;
          // What is left of the line is CR LF: an empty line, which means nothing.
          if (got === total) end();
          continue;
        }
        const at = chunk.indexOf(LF, i);
        const to = at < 0 ? chunk.length : at;
        line += latin1(chunk, i, to);
        i = to + 1;
        if (line.length > MAX_LINE) return fail("a control line without an end");
        if (at < 0) return;
        const whole = line.endsWith("\r") ? line.slice(0, -1) : line;
        line = "";
        onLine(whole);
      }
    },
  };
}

/** The first line of headers. */
function statusLine(bytes: Uint8Array, from: number, to: number): string {
  const end = bytes.indexOf(13, from);
  return latin1(bytes, from, end < 0 || end > to ? to : end);
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}
