import { describe, expect, test } from "vitest";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { seriesHash } from "../../../src/streams/codec/series-hash.ts";
import { definitions, NOW, one, setup, told, write } from "./gateway-setup.ts";

describe("labels that a gateway sends", () => {
  test("labels go again when a shard asks, and after an idle hour", async () => {
    const { bus, gateway, clock } = setup({ partitions: 1 });
    bus.open();
    const send = () =>
      gateway.remoteWrite("default", write([one({ __name__: "m" }, 1, NOW), one({ __name__: "n" }, 1, NOW)]));
    await send();
    await send();
    const { lo, hi } = seriesHash("default", ["__name__", "n"]);
    gateway.markUnannounced(0, [lo, hi, 1, 2]);
    await send();
    clock.now += 3_599_000;
    await send();
    clock.now += 3_600_000;
    await send();
    await send();
    expect(definitions(bus)).toEqual([
      ["__name__,m", "__name__,n"],
      [],
      ["__name__,n"],
      [],
      ["__name__,m", "__name__,n"],
      [],
    ]);
  });

  test("an ambiguous hash always goes with labels bound to its rows", async () => {
    const { bus, gateway } = setup({ partitions: 1 });
    bus.open();
    const { lo, hi } = seriesHash("default", ["__name__", "m"]);
    const send = () =>
      gateway.remoteWrite(
        "default",
        write([one({ __name__: "n" }), one({ __name__: "m" }), one({ __name__: "m" }, 2)]),
      );
    await send();
    gateway.markAmbiguous(0, [lo, hi]);
    await send();
    await gateway.append([gateway.series("default", ["__name__", "m"])], Float64Array.of(NOW), Float64Array.of(3));
    const frames = bus.stored.map((s) => decodeFrame(s.frame));
    expect(frames.map((f) => f.definitions.map((d) => d.labels[1]))).toEqual([["n", "m"], ["m", "m"], ["m"]]);
    expect(frames.map((f) => [...f.bound.rows])).toEqual([[], [1, 2], [0]]);
    // Known before its first sample, too.
    const other = setup({ partitions: 1 });
    other.bus.open();
    other.gateway.markAmbiguous(0, [lo, hi]);
    await other.gateway.remoteWrite("default", write([one({ __name__: "m" })]));
    expect([...decodeFrame(other.bus.stored[0]!.frame).bound.rows]).toEqual([0]);
  });

  test("limits are the tenant's own, those of the moment", async () => {
    const large = { maxLabelNamesPerSeries: 64, maxLabelNameBytes: 1024, maxLabelValueBytes: 4096 };
    let small = { ...large, maxLabelValueBytes: 3 };
    const { bus, gateway } = setup({ partitions: 1, limitsOf: (tenant) => (tenant === "small" ? small : large) });
    bus.open();
    const send = (tenant: string, value: string) =>
      gateway.remoteWrite(tenant, write([one({ __name__: "m", a: value })]));
    expect((await send("small", "four")).accepted).toBe(0);
    expect((await send("other", "four")).accepted).toBe(1);
    expect((await send("small", "abc")).accepted).toBe(1);
    small = large;
    expect((await send("small", "longer")).accepted).toBe(1);
  });

  test("a full series cache forgets idle series and sends labels again", async () => {
    const { bus, gateway, clock } = setup({ partitions: 1, maxSeries: 100 });
    bus.open();
    for (let round = 0; round < 30; round++) {
      clock.now += 60_000;
      const series = Array.from({ length: 20 }, (_, i) =>
        one({ __name__: "m", i: `${i}`, round: i < 15 ? `${round}` : "" }, 1, clock.now),
      );
      expect((await gateway.remoteWrite("default", write(series))).accepted).toBe(20);
      expect(gateway.stats().cachedSeries).toBeLessThanOrEqual(100);
    }
    expect(told(bus)).toHaveLength(600);
    expect(
      (
        await gateway.remoteWrite(
          "default",
          write(Array.from({ length: 300 }, (_, i) => one({ __name__: "n", i: `${i}` }))),
        )
      ).accepted,
    ).toBe(300);
  });
});
