import { assert, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { describe } from "vitest";
import { TryLater } from "../../../src/model/ingest.ts";
import { isStaleAt } from "../../../src/model/sample.ts";
import { makeOutbox } from "../../../src/streams/outbox/outbox.ts";
import { makeSampleBatch, pushSample, pushStale, type SampleBatch } from "../../../src/streams/outbox/sample-batch.ts";
import { type RecordingIngest, recordingIngest } from "./recording-ingest.ts";

const down = new TryLater("bus_unavailable", 503, 1, "the bus is down");

/** A batch of `size` samples of the series b<n>. */
function batchOf(ingest: RecordingIngest, n: number, size = 1): SampleBatch {
  const batch = makeSampleBatch(1);
  for (let i = 0; i < size; i++) pushSample(batch, ingest.series("default", ["__name__", `b${n}`]), i, n);
  return batch;
}

const names = (ingest: RecordingIngest): string[] => ingest.samples.map((s) => s.series);

describe("an outbox", () => {
  it.effect("sends in order", () =>
    Effect.gen(function* () {
      const ingest = recordingIngest();
      const outbox = makeOutbox({ ingest, maxSamples: 100, concurrency: 1 });
      const fiber = yield* Effect.forkChild(outbox.run);
      for (let n = 0; n < 5; n++) outbox.offer(batchOf(ingest, n), 0);
      yield* Effect.promise(() => ingest.until(() => ingest.appends === 5));
      assert.deepStrictEqual(names(ingest), ["b0", "b1", "b2", "b3", "b4"]);
      assert.deepStrictEqual(outbox.stats(), { waiting: 0, accepted: 5, rejected: 0, dropped: 0 });
      yield* Fiber.interrupt(fiber);
    }),
  );

  it.effect("keeps what the bus cannot take, and sends the newest first after an outage", () =>
    Effect.gen(function* () {
      const ingest = recordingIngest();
      ingest.refuse = down;
      const outbox = makeOutbox({ ingest, maxSamples: 100, concurrency: 1 });
      yield* Effect.forkChild(outbox.run);
      outbox.offer(batchOf(ingest, 0), 0);
      yield* Effect.promise(() => ingest.until(() => ingest.refusals === 1));
      for (let n = 1; n < 4; n++) outbox.offer(batchOf(ingest, n), n * 5000);
      yield* TestClock.adjust("20 seconds");
      assert.strictEqual(outbox.stats().waiting, 4);
      ingest.refuse = undefined;
      yield* TestClock.adjust("1 minute");
      yield* Effect.promise(() => ingest.until(() => ingest.appends === 4));
      assert.deepStrictEqual(names(ingest), ["b3", "b2", "b1", "b0"]);
    }),
  );

  it.effect("is bounded: the oldest batches are dropped, counted and named", () =>
    Effect.gen(function* () {
      const ingest = recordingIngest();
      const problems: string[] = [];
      const outbox = makeOutbox({ ingest, maxSamples: 25, concurrency: 1, onProblem: (m) => problems.push(m) });
      for (let n = 0; n < 4; n++) outbox.offer(batchOf(ingest, n, 10), n);
      assert.deepStrictEqual(outbox.stats(), { waiting: 20, accepted: 0, rejected: 0, dropped: 20 });
      assert.match(problems[0] ?? "", /^10 samples dropped/);
      yield* Effect.forkChild(outbox.run);
      yield* Effect.promise(() => ingest.until(() => ingest.appends === 2));
      assert.deepStrictEqual([...new Set(names(ingest))], ["b2", "b3"]);
    }),
  );

  it.effect("does not send again what the gateway will never take", () =>
    Effect.gen(function* () {
      const ingest = recordingIngest();
      ingest.refuse = new Error("no such thing");
      const problems: string[] = [];
      const outbox = makeOutbox({ ingest, maxSamples: 25, concurrency: 2, onProblem: (m) => problems.push(m) });
      yield* Effect.forkChild(outbox.run);
      outbox.offer(batchOf(ingest, 1, 3), 0);
      yield* Effect.promise(() => ingest.until(() => ingest.refusals === 1));
      yield* TestClock.adjust("1 hour");
      assert.strictEqual(ingest.refusals, 1);
      assert.deepStrictEqual(outbox.stats(), { waiting: 0, accepted: 0, rejected: 3, dropped: 0 });
      assert.deepStrictEqual(problems, ["3 samples rejected: no such thing"]);
    }),
  );

  it.effect("goes on after a restart with what waits, and with what was on its way", () =>
    Effect.gen(function* () {
      const ingest = recordingIngest();
      ingest.refuse = down;
      const outbox = makeOutbox({ ingest, maxSamples: 25, concurrency: 1 });
      const first = yield* Effect.forkChild(outbox.run);
      for (let n = 0; n < 3; n++) outbox.offer(batchOf(ingest, n), n);
      yield* Effect.promise(() => ingest.until(() => ingest.refusals === 1));
      yield* Fiber.interrupt(first);
      ingest.refuse = undefined;
      yield* Effect.forkChild(outbox.run);
      yield* Effect.promise(() => ingest.until(() => ingest.appends === 3));
      assert.deepStrictEqual(names(ingest), ["b0", "b1", "b2"]);
    }),
  );
});

describe("a batch", () => {
  it("grows, keeps staleness markers bit-exact and lets no value pass for one", () => {
    const ingest = recordingIngest();
    const ref = ingest.series("default", ["__name__", "x"]);
    const batch = makeSampleBatch(1);
    const stale = new Float64Array(1);
    new Uint32Array(stale.buffer).set([0x2, 0x7ff00000]);
    for (let i = 0; i < 10; i++) {
      if (i % 3 === 0) pushStale(batch, ref, i);
      else pushSample(batch, ref, i, i % 3 === 1 ? i : (stale[0] as number));
    }
    for (let i = 0; i < 10; i++) {
      assert.strictEqual(isStaleAt(batch.words, i), i % 3 === 0, `sample ${i}`);
      assert.strictEqual(batch.ts[i], i);
    }
    assert.isNaN(batch.values[2]);
  });
});
