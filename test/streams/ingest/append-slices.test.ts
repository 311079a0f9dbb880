import { describe, expect, test } from "vitest";
import { SLICE_SERIES } from "../../../src/streams/ingest/append-slices.ts";
import { type MemoryBus, replay } from "../support/memory-bus.ts";
import { concat, labelBytes, lengthDelimited, type TestSeries, varint } from "../support/write-request-bytes.ts";
import { NOW, one, setup, told, turn, write } from "./gateway-setup.ts";

const MANY = 5 * SLICE_SERIES + 17;
const name = (i: number) => ({ __name__: "large", i: String(i) });
const large = (from = 0, n = MANY) => Array.from({ length: n }, (_, i) => one(name(from + i), from + i));
const valuesOf = (bus: MemoryBus, metric: string) =>
  replay(bus.stored)
    .filter((s) => s.labels.includes(metric))
    .map((s) => new Float64Array(Uint32Array.from(s.bits).buffer)[0] as number)
    .sort((a, b) => a - b);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

function exemplar(trace: string): Uint8Array {
  const value = new Uint8Array(9);
  value[0] = 0x11;
  new DataView(value.buffer).setFloat64(1, 1, true);
  return concat([lengthDelimited(1, labelBytes("trace", trace)), value, Uint8Array.of(0x18), varint(NOW)]);
}

describe("a request with many new series", () => {
  test("gives way to others, which use the same buffers meanwhile; all of both is stored once", async () => {
    const { bus, gateway } = setup();
    bus.open();
    let done = false;
    const whole = gateway.remoteWrite("t", write(large())).then((result) => {
      done = true;
      return result;
    });
    expect(gateway.stats().cacheMisses).toBe(SLICE_SERIES);
    let others = 0;
    while (!done) {
      await gateway.remoteWrite(
        "t",
        write([one({ __name__: "small", i: "x".repeat(others % 90) }, others, NOW + others)]),
      );
      others++;
      await turn();
    }
    expect(others).toBeGreaterThan(3);
    expect(await whole).toMatchObject({ accepted: MANY, rejected: [], position: expect.any(String) });
    await gateway.flush();
    expect(valuesOf(bus, "large")).toEqual(upTo(MANY));
    expect(valuesOf(bus, "small")).toEqual(upTo(others));
    const known = gateway.remoteWrite("t", write(large()));
    // What is known already takes no time.
    expect(gateway.stats().cacheMisses).toBe(MANY + Math.min(others, 90));
    expect(await known).toMatchObject({ accepted: MANY });
  });

  test("gives what a small one gives: messages, exemplars, several samples a series", async () => {
    const series = large().map((s, i): TestSeries => {
      if (i % 1_000 === 999) return { ...s, labels: [...s.labels, ["i", "twice"]] };
      const samples = i % 7 === 0 ? [...s.samples, { ts: NOW + 1, value: i + 0.5 }] : s.samples;
      return { ...s, samples, exemplars: i % 500 === 0 ? [exemplar(`of ${i}`)] : [] };
    });
    const [inOne, inMany] = [setup(), setup()];
    inOne.bus.open();
    inMany.bus.open();
    const result = await inOne.gateway.remoteWrite("t", write(series));
    let accepted = 0;
    let exemplars = 0;
    for (let from = 0; from < MANY; from += 100) {
      const part = await inMany.gateway.remoteWrite("t", write(series.slice(from, from + 100)));
      accepted += part.accepted;
      exemplars += part.exemplars ?? 0;
    }
    expect(result).toMatchObject({ accepted, exemplars });
    expect(result.rejected).toMatchObject([{ count: 10, message: expect.stringContaining("series 999 ") }]);
    expect(told(inOne.bus)).toEqual(told(inMany.bus));
    const stats = ({ gateway }: typeof inOne) => {
      const { samplesAccepted, samplesRejected, definitionsPublished } = gateway.stats();
      return { samplesAccepted, samplesRejected, definitionsPublished };
    };
    expect(stats(inOne)).toEqual(stats(inMany));
  });

  test("waits for another such request, fresh and backfilled samples apart, and is waited for at the end", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const bodies = [0, 1, 2].map((k) => write(large(k * MANY)));
    const writes = bodies.map((body, k) => gateway.remoteWrite("t", body, { backfill: k === 1 }));
    expect(gateway.stats().cacheMisses).toBe(SLICE_SERIES);
    const all = Promise.all(writes);
    await writes[1];
    await gateway.close();
    for (const { accepted } of await all) expect(accepted).toBe(MANY);
    expect(valuesOf(bus, "large")).toEqual(upTo(3 * MANY));
  });

  test("of several megabytes is read in pieces as well: remote write, and JSON that says where something is wrong", async () => {
    const { bus, gateway } = setup();
    bus.open();
    const series = Array.from({ length: 3 * SLICE_SERIES }, (_, i): TestSeries => {
      const samples = Array.from({ length: i === 5 ? 40_000 : 2 }, (_, k) => ({ ts: NOW + k, value: i }));
      const labels: [string, string][] = [...Object.entries(name(i)), ["long", "x".repeat(150)]];
      return { labels, samples, exemplars: [exemplar(`of ${i}`), exemplar(`and of ${i}`)] };
    });
    const count = series.reduce((sum, { samples }) => sum + samples.length, 0);
    const body = write(series);
    let done = false;
    const whole = gateway.remoteWrite("t", body).finally(() => {
      done = true;
    });
    let others = 0;
    for (; !done; others++) await gateway.remoteWrite("t", write([one({ __name__: "small" }, others, NOW + others)]));
    expect(others).toBeGreaterThan(3);
    expect(await whole).toMatchObject({ accepted: count, exemplars: 2 * series.length, rejected: [] });
    const told = { labels: { __name__: "json", x: "y".repeat(90) }, samples: [1] };
    const json = Array.from({ length: 4_000 }, (_, i) => ({ ...told, labels: { ...told.labels, i: `${i}` } }));
    Object.assign(json[3_990]?.labels ?? {}, { x: "y".repeat(300) });
    const result = await gateway.json("t", Buffer.from(JSON.stringify({ series: json })));
    expect(result).toMatchObject({ accepted: 3_999 });
    expect(result.rejected[0]?.message).toContain("series 3990 ");
    await gateway.flush();
    expect(valuesOf(bus, "small")).toEqual(upTo(others));
    expect(valuesOf(bus, "large")).toHaveLength(count);
    expect(valuesOf(bus, "json")).toHaveLength(3_999);
    const malformed = gateway.json("t", Buffer.from(`{"series":${JSON.stringify(json)},}`));
    await expect(malformed).rejects.toMatchObject({ reason: "malformed_json" });
    expect(gateway.stats().requestsRefused).toEqual({ malformed_json: 1 });
  });
});
