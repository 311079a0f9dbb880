import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TryLater } from "../../../src/model/ingest.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { freshKernel } from "../support/kernel.ts";
import { replay } from "../support/memory-bus.ts";
import { definitions, NOW, one, setup, told, turn, write } from "./gateway-setup.ts";

describe("frames of a gateway", () => {
  test("a request is answered when all its frames are acknowledged, not before", async () => {
    const { bus, gateway } = setup({ partitions: 8 });
    const series = Array.from({ length: 100 }, (_, i) => one({ __name__: "m", i: `${i}` }));
    let answered = false;
    const result = gateway.remoteWrite("default", write(series)).then((r) => {
      answered = true;
      return r;
    });
    await turn();
    expect(bus.waiting).toHaveLength(8);
    while (bus.waiting.length > 0) {
      expect(answered).toBe(false);
      bus.settle(bus.waiting.length >> 1, { stored: true, acknowledged: true });
      await turn();
    }
    expect(await result).toMatchObject({ accepted: 100, rejected: [] });
    expect(told(bus)).toHaveLength(100);
  });

  test("a frame that is not acknowledged fails its requests, and its labels are sent again", async () => {
    const { bus, gateway } = setup({ partitions: 1 });
    const body = write([one({ __name__: "m" })]);
    const first = gateway.remoteWrite("default", body);
    await turn();
    bus.settle(0, { stored: false, acknowledged: false });
    await expect(first).rejects.toThrow(TryLater);
    const second = gateway.remoteWrite("default", body);
    await turn();
    bus.open();
    expect(await second).toMatchObject({ accepted: 1, rejected: [] });
    expect(definitions(bus)).toEqual([["__name__,m"]]);
    expect(gateway.stats()).toMatchObject({
      publishFailures: 1,
      samplesAccepted: 1,
      requestsRefused: { bus_unavailable: 1 },
    });
  });

  test("group commit: while frames are in flight, requests share the next one", async () => {
    const { bus, gateway } = setup({ partitions: 1, maxInFlight: 2 });
    const send = (i: number) => gateway.remoteWrite("default", write([one({ __name__: "m", i: `${i}` })]));
    const requests = [send(0), send(1)];
    await turn();
    expect(bus.waiting).toHaveLength(1);
    requests.push(send(2));
    await turn();
    expect(bus.waiting).toHaveLength(2);
    for (let i = 3; i < 20; i++) {
      requests.push(send(i));
      await turn();
    }
    expect(bus.waiting).toHaveLength(2);
    bus.settle(0, { stored: true, acknowledged: true });
    await turn();
    expect(bus.waiting).toHaveLength(2);
    expect(decodeFrame(bus.waiting[1]!.frame).columns.length).toBe(17);
    bus.open();
    await Promise.all(requests);
    expect(new Set(bus.stored.map((s) => s.msgId)).size).toBe(3);
    expect(told(bus)).toHaveLength(20);
  });

  test("frames are not filled beyond their size, whether by rows or by labels", async () => {
    const { bus, gateway } = setup({ partitions: 1, maxFrameBytes: 8192 });
    bus.open();
    const many = Array.from({ length: 400 }, (_, i) => one({ __name__: "m", i: `${i}`.padEnd(100, "x") }));
    const long = {
      labels: [["__name__", "long"] as const],
      samples: Array.from({ length: 5000 }, (_, i) => ({ ts: NOW - i, value: i })),
    };
    expect((await gateway.remoteWrite("default", write([...many, long]))).accepted).toBe(5400);
    expect(Math.max(...bus.stored.map((s) => s.frame.length))).toBeLessThan(8192 + 400);
    expect(bus.stored.length).toBeGreaterThan(15);
    expect(told(bus)).toHaveLength(5400);
  });

  test("when too much waits, requests are put off before they are read, and taken again later", async () => {
    const { bus, gateway } = setup({ partitions: 1, maxQueuedBytes: 100_000, maxFrameBytes: 16_384 });
    const body = write([
      { labels: [["__name__", "m"]], samples: Array.from({ length: 1000 }, (_, i) => ({ ts: NOW - i, value: i })) },
    ]);
    const taken: Promise<unknown>[] = [];
    let refused: unknown;
    for (let i = 0; i < 20 && refused === undefined; i++) {
      const request = gateway.remoteWrite("default", body);
      taken.push(
        request.catch((e: unknown) => {
          refused = e;
        }),
      );
      await turn();
    }
    expect(refused).toMatchObject({ name: "TryLater", reason: "overloaded", status: 503 });
    expect(taken.length).toBe(6);
    expect(gateway.stats().queuedBytes).toBeLessThan(100_000 + 25_000);
    bus.open();
    await Promise.all(taken);
    expect((await gateway.remoteWrite("default", body)).accepted).toBe(1000);
  });

  test("after close nothing is taken, and what was taken is out", async () => {
    const { bus, gateway } = setup();
    const request = gateway.remoteWrite("default", write([one({ __name__: "m" })]));
    const closed = gateway.close();
    await expect(gateway.remoteWrite("default", write([]))).rejects.toThrow(TryLater);
    bus.open();
    await closed;
    expect((await request).accepted).toBe(1);
  });

  test("whatever the bus does: what is acknowledged is stored once, under its labels, and labels come in time", async () => {
    const name = fc.constantFrom("a", "b", "c", "zone");
    const label = fc.tuple(name, fc.constantFrom("", "1", "2", "ü"));
    const labels = fc
      .uniqueArray(label, { selector: ([n]) => n, maxLength: 3 })
      .chain((l) => fc.shuffledSubarray([...l, ["__name__", "m"] as [string, string]], { minLength: l.length + 1 }));
    const request = fc.record({
      kind: fc.constant("write" as const),
      tenant: fc.constantFrom("x", "y"),
      // Mostly one sample each, as a fleet sends them.
      series: fc.array(fc.record({ labels, samples: fc.constantFrom(1, 1, 1, 1, 2) }), { minLength: 1, maxLength: 6 }),
    });
    const fate = fc.record({
      kind: fc.constant("settle" as const),
      n: fc.nat(20),
      stored: fc.boolean(),
      acknowledged: fc.boolean(),
    });
    const step = fc.oneof(
      { weight: 3, arbitrary: request },
      { weight: 3, arbitrary: fate },
      fc.constant({ kind: "turn" as const }),
      fc.constant({ kind: "idle" as const }),
    );
    const options = fc.record({ partitions: fc.integer({ min: 1, max: 3 }), fast: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), options, async (steps, { partitions, fast }) => {
        const kernel = fast ? freshKernel() : undefined;
        const { bus, gateway, clock } = setup({ partitions, maxFrameBytes: 600, kernel });
        const sent: { key: string; result: Promise<boolean> }[] = [];
        let value = 0;
        for (const s of steps) {
          if (s.kind === "turn") await turn();
          else if (s.kind === "idle") clock.now += 7_200_000;
          else if (s.kind === "settle") {
            // A lost frame cannot be acknowledged.
            if (bus.waiting.length > 0)
              bus.settle(s.n % bus.waiting.length, {
                stored: s.stored || s.acknowledged,
                acknowledged: s.acknowledged,
              });
            await turn();
          } else {
            const series = s.series.map((x) => ({
              labels: x.labels,
              samples: Array.from({ length: x.samples }, () => ({ ts: NOW, value: value++ })),
            }));
            const body = write(series);
            const result = gateway.remoteWrite(s.tenant, body).then(
              () => true,
              () => false,
            );
            for (const { labels: l, samples } of series) {
              const name = `${s.tenant} ${labelsFromObject(Object.fromEntries(l)).join()} ${NOW}`;
              for (const x of samples) sent.push({ key: `${name} ${x.value}`, result });
            }
          }
        }
        await turn();
        bus.open();
        await gateway.flush();
        const unknown: number[] = [];
        const samples = replay(bus.stored, (p, low, high) => unknown.push(p, low, high)).map(
          (s) => `${s.tenant} ${s.labels.join()} ${s.ts} ${new Float64Array(Uint32Array.from(s.bits).buffer)[0]}`,
        );
        expect(new Set(samples).size).toBe(samples.length);
        const all = new Set(sent.map((s) => s.key));
        for (const s of samples) expect(all).toContain(s);
        // A frame may only lean on labels of a frame that was acknowledged before it was made, so none is unknown.
        expect(unknown).toEqual([]);
        for (const s of sent) if (await s.result) expect(samples).toContain(s.key);
      }),
      { numRuns: 300 },
    );
  });
});
