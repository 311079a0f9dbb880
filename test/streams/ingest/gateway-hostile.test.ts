import { compress } from "snappyjs";
import { describe, expect, test } from "vitest";
import { MalformedBody } from "../../../src/model/ingest.ts";
import type { Gateway } from "../../../src/streams/ingest/gateway.ts";
import { freshKernel } from "../support/kernel.ts";
import { one, setup, text, write } from "./gateway-setup.ts";

// Bodies that are made to harm: each is small on the wire, and answered without taking much more memory than it has bytes.

const MIB = 1 << 20;
const LARGE = {
  maxDecodedBytes: 64 * MIB,
  maxLabelNamesPerSeries: 64,
  maxLabelNameBytes: 1024,
  maxLabelValueBytes: 4096,
};

const varint = (n: number): number[] => (n < 0x80 ? [n] : [(n % 0x80) | 0x80, ...varint(Math.floor(n / 0x80))]);
const field = (tag: number, content: Uint8Array): Buffer =>
  Buffer.concat([Uint8Array.of(tag, ...varint(content.length)), content]);
const string = (tag: number, s: string) => field(tag, Buffer.from(s));
const repeated = (bytes: Uint8Array, times: number) => Buffer.alloc(bytes.length * times, bytes);
const snappy = (...parts: Uint8Array[]) => new Uint8Array(compress(Buffer.concat(parts)));
const NAME = field(0x0a, Buffer.concat([string(0x0a, "__name__"), string(0x12, "m")]));
/** A sample, and an exemplar, of remote write with a time of 2025 and nothing else. */
const TIME = varint(1.75e12);
const SAMPLE = Uint8Array.of(0x12, TIME.length + 1, 0x10, ...TIME);
const EMPTY_EXEMPLAR = Uint8Array.of(0x1a, 0);

describe("a body that names more than it has", () => {
  const long = Buffer.concat([string(0x22, ""), string(0x22, "__name__"), string(0x22, "x".repeat(4000))]);
  const tiny = field(0x2a, Buffer.concat([Uint8Array.of(0x0a, 2, 1, 2), SAMPLE]));
  const v2 = (g: Gateway, ...parts: Uint8Array[]) => g.remoteWrite2("t", snappy(...parts));
  const v1 = (g: Gateway, ...parts: Uint8Array[]) => g.remoteWrite("t", snappy(...parts));
  const json = (g: Gateway, body: string) => g.json("t", text(body));

  test.each<[string, (g: Gateway) => Promise<unknown>, RegExp]>([
    ["a long symbol in many series", (g) => v2(g, long, repeated(tiny, 100_000)), /bytes of labels/],
    ["many symbols", (g) => v2(g, repeated(Uint8Array.of(0x22, 0), 6_000_000)), /4194304 symbols/],
    [
      "many labels in a series",
      (g) => v2(g, long, field(0x2a, Buffer.concat([field(0x0a, Buffer.alloc(10_000_000, 1)), SAMPLE]))),
      /65536 references/,
    ],
    [
      "a long symbol in many exemplars",
      (g) => v2(g, long, field(0x2a, repeated(field(0x22, Uint8Array.of(0x0a, 2, 1, 2)), 100_000))),
      /bytes of labels of exemplars/,
    ],
    [
      "many exemplars",
      (g) => v1(g, field(0x0a, Buffer.concat([NAME, repeated(EMPTY_EXEMPLAR, 5_000_000)]))),
      /131072 exemplars/,
    ],
    ["much metadata", (g) => v1(g, repeated(Uint8Array.of(0x1a, 0), 5_000_000)), /131072 descriptions/],
    [
      "many samples",
      (g) => v1(g, field(0x0a, Buffer.concat([NAME, repeated(Uint8Array.of(0x12, 0), 5_000_000)]))),
      /samples/,
    ],
    ["deep JSON", (g) => json(g, "[".repeat(10_000_000)), /nested more than 16 deep/],
    ["deep JSON behind a string", (g) => json(g, `{"a\\"":${"[".repeat(1000)}`), /nested more than 16 deep/],
    ["many objects", (g) => json(g, `{"series":[${"{},".repeat(3_000_000)}{}]}`), /3000002 objects/],
    ["many arrays", (g) => json(g, `{"series":[${"[],".repeat(6_000_000)}[]]}`), /6000002 arrays/],
  ])("%s", async (_what, send, message) => {
    const { bus, gateway } = setup({ limits: LARGE });
    bus.open();
    const before = process.memoryUsage().rss;
    const error = await send(gateway).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(MalformedBody);
    expect((error as Error).message).toMatch(message);
    expect((process.memoryUsage().rss - before) / MIB).toBeLessThan(700);
    // And the next one is taken.
    expect(await gateway.remoteWrite("t", write([one({ __name__: "after" })]))).toMatchObject({ accepted: 1 });
  });

  test("brackets in strings are no nesting", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const labels = { __name__: "m", odd: '[[[[[[[[[[[[[[[[[[\\"{{{{{{{{{{{{{{{{{{{{{' };
    const body = JSON.stringify({ series: [{ labels, samples: [[null, 1]] }] });
    expect(await gateway.json("t", text(body))).toMatchObject({ accepted: 1, rejected: [] });
  });
});

describe("a message that is broken somewhere", () => {
  const good = [1, 2, 3].map((i) => one({ __name__: `m${i}`, job: "näh" }, i));
  const decoded = Buffer.concat(
    [1, 2, 3].map((i) => {
      const label = field(0x0a, Buffer.concat([string(0x0a, "__name__"), string(0x12, `m${i}`)]));
      const exemplar = field(0x1a, Buffer.concat([label, Uint8Array.of(0x18, ...TIME)]));
      return field(0x0a, Buffer.concat([label, SAMPLE, exemplar]));
    }),
  );
  const symbols = ["", "__name__", "m", "help"].map((s) => string(0x22, s));
  const meta = field(0x2a, Uint8Array.of(0x08, 1, 0x18, 3));
  const decoded2 = Buffer.concat([
    ...symbols,
    field(0x2a, Buffer.concat([Uint8Array.of(0x0a, 2, 1, 2), SAMPLE, meta])),
  ]);

  test.each([
    ["1.0 in the kernel", decoded, true, "remoteWrite" as const],
    ["1.0", decoded, false, "remoteWrite" as const],
    ["2.0", decoded2, false, "remoteWrite2" as const],
  ])("is refused or taken, never more: %s, each byte and each length", async (_what, bytes, kernel, call) => {
    const { bus, gateway } = setup(kernel ? { kernel: freshKernel() } : {});
    bus.open();
    const attempt = async (body: Uint8Array) => {
      const outcome = await gateway[call]("t", snappy(body)).catch((e: unknown) => e);
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(MalformedBody);
      else expect(outcome).toMatchObject({ rejected: expect.any(Array) });
    };
    for (let cut = 0; cut < bytes.length; cut++) await attempt(bytes.subarray(0, cut));
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0, 0x7f, 0x80, 0xff, (bytes[at] as number) ^ 1, (bytes[at] as number) ^ 0x10]) {
        const broken = Buffer.from(bytes);
        broken[at] = byte;
        await attempt(broken);
      }
    }
    expect(gateway.stats().kernelEnabled).toBe(kernel);
    expect(await gateway.remoteWrite("t", write(good))).toMatchObject({ accepted: 3, rejected: [] });
  });
});
