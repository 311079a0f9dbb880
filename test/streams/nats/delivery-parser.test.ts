import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DeliveredMessage, makeDeliveryParser } from "../../../src/streams/nats/delivery-parser.ts";
import { letGo, makeSlabs } from "../../../src/streams/nats/slabs.ts";

const MAX = 1 << 16;

interface Sent {
  readonly subject: string;
  readonly subscription: number;
  readonly reply: string | undefined;
  readonly headers: string | undefined;
  readonly payload: Uint8Array;
}

function bytesOf({ subject, subscription, reply, headers, payload }: Sent): Buffer {
  const to = `${subject} ${subscription}${reply === undefined ? "" : ` ${reply}`}`;
  const head = Buffer.from(headers ?? "");
  const total = head.length + payload.length;
  const line = headers === undefined ? `MSG ${to} ${total}` : `HMSG ${to} ${head.length} ${total}`;
  return Buffer.concat([Buffer.from(`${line}\r\n`), head, payload, Buffer.from("\r\n")]);
}

/** What a parser says of bytes that come in pieces of these sizes. */
function parse(bytes: Buffer, sizes: readonly number[], keep = false) {
  const slabs = makeSlabs(64 << 20);
  const events: string[] = [];
  const messages: DeliveredMessage[] = [];
  const parser = makeDeliveryParser(slabs, MAX, {
    onMessage: (m) => {
      events.push("message");
      messages.push(keep ? m : { ...m, payload: m.payload.slice() });
      if (!keep) letGo(slabs, m.slab);
    },
    onPing: () => events.push("ping"),
    onPong: () => events.push("pong"),
    onInfo: (json) => events.push(`info ${json}`),
    onError: (text) => events.push(`error ${text}`),
  });
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    // The connection's buffer is used again.
    const chunk = Uint8Array.from(bytes.subarray(at, at + size));
    parser.feed(chunk);
    chunk.fill(0xee);
    at += size;
  }
  return { events, messages };
}

const name = fc.stringMatching(/^[a-zA-Z0-9_$.]{1,30}$/);
const sent: fc.Arbitrary<Sent> = fc.record({
  subject: name,
  subscription: fc.nat(1_000),
  reply: fc.option(name, { nil: undefined }),
  headers: fc.option(
    fc.constantFrom("NATS/1.0\r\nNats-Msg-Id: x-1\r\n\r\n", "NATS/1.0\r\n\r\n", "NATS/1.0 100 Idle Heartbeat\r\n\r\n"),
    { nil: undefined },
  ),
  payload: fc.uint8Array({ maxLength: 300 }),
});

describe("the parser of a delivery connection", () => {
  it("gives each message whole, aligned and with what it says, however the bytes are cut", () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 12 }), pieces, fc.boolean(), (all, sizes, keep) => {
        const noise = all.map((m, i) => Buffer.concat([bytesOf(m), Buffer.from(i % 3 === 0 ? "PING\r\n" : "+OK\r\n")]));
        const { events, messages } = parse(Buffer.concat(noise), sizes, keep);
        expect(events.filter((e) => e === "ping")).toHaveLength(Math.ceil(all.length / 3));
        expect(messages).toHaveLength(all.length);
        messages.forEach((m, i) => {
          const { subject, subscription, reply, headers, payload } = all[i] as Sent;
          expect([m.subject, m.subscription]).toEqual([subject, subscription]);
          expect(m.reply).toBe(reply ?? "");
          expect(m.payload).toEqual(payload);
          if (keep) expect(m.payload.byteOffset % 8).toBe(0);
          expect([m.status, m.description]).toEqual(headers?.includes("100") ? [100, "Idle Heartbeat"] : [0, ""]);
        });
      }),
    );
  });

  it("hears what else a server says", () => {
    const text = "INFO {\"max_payload\":1}\r\n+OK\r\nPONG\r\nping\r\n-ERR 'Permissions Violation'\r\nPING\r\n";
    expect(parse(Buffer.from(text), [7]).events).toEqual([
      'info {"max_payload":1}',
      "pong",
      "ping",
      "error -ERR 'Permissions Violation'",
    ]);
  });

  it.each([
    "MSG a 1 99999999\r\n",
    "MSG a 1 x\r\n",
    "HMSG a 1 20 10\r\n",
    "MSG\r\n",
    "GET / HTTP/1.1\r\n",
    "x".repeat(2_000_000),
  ])("%s is an error, not memory", (text) => {
    const { events, messages } = parse(Buffer.from(text), [1000]);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatch(/^error/);
    expect(messages).toEqual([]);
  });
});

describe("slabs", () => {
  it("are used again when all in them were let go of, and never before", () => {
    const slabs = makeSlabs(64 << 20);
    const payload = new Uint8Array(60_000);
    const message = bytesOf({ subject: "a", subscription: 1, reply: undefined, headers: undefined, payload });
    const used = new Set<ArrayBufferLike>();
    const waiting: DeliveredMessage[] = [];
    const parser = makeDeliveryParser(slabs, MAX, {
      onMessage: (m) => {
        m.payload.fill(waiting.length & 0xff);
        used.add(m.payload.buffer);
        waiting.push(m);
      },
      onPing: () => {},
      onPong: () => {},
      onInfo: () => {},
      onError: (text) => {
        throw new Error(text);
      },
    });
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 100; i++) parser.feed(message);
      waiting.forEach((m, i) => {
        if (Buffer.compare(m.payload, payload.fill(i & 0xff)) !== 0) throw new Error(`message ${i} was overwritten`);
      });
      for (const m of waiting.splice(0)) letGo(slabs, m.slab);
    }
    // 6 MB at a time fit into two of them.
    expect(used.size).toBeLessThanOrEqual(3);
  });
});
