import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  forgetMessages,
  GIVE_UP_MS,
  makeParkedMessages,
  noteEarlier,
} from "../../../src/actors/shard/parked-messages.ts";
import { makeParkedSamples } from "../../../src/actors/shard/parked-samples.ts";
import {
  applyFrame,
  makeShardCore,
  recoveredUpTo,
  rejections,
  takeLabelsWanted,
  waitsForLabels,
} from "../../../src/actors/shard/shard.core.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { withNatsServer } from "../../streams/nats/with-nats-server.ts";
import { frameOf, testSeries } from "./frames.ts";
import { consumed, runShard, withTempDir } from "./running-shard.ts";

const series = Array.from({ length: 12 }, (_, i) => testSeries(`s${i}`));
const newCore = (maxParked = 1_000) => makeShardCore(createHead({ outOfOrderWindowMs: 3_600_000 }), maxParked);

describe("a message whose samples were parked", () => {
  test("waits until each of its series has its labels, whatever else comes", () => {
    const indexes = fc.uniqueArray(fc.nat(series.length - 1), { maxLength: 4 });
    const step = fc.record({ defined: indexes, sampled: indexes });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.option(fc.nat(40), { nil: undefined }), (steps, restart) => {
        const core = newCore();
        const known = new Set<number>();
        const wanted = steps.map((s) => s.sampled);
        steps.forEach(({ defined, sampled }, k) => {
          const rows = sampled.map((i) => [series[i]!, (k + 1) * 1_000, k] as const);
          applyFrame(
            core,
            frameOf(
              defined.map((i) => series[i]!),
              rows,
            ),
            "live",
            k + 1,
          );
          for (const i of defined) known.add(i);
          if (k === restart) recoveredUpTo(core, k + 1);
          // What came before a restart waits for all that was parked then.
          const ofAll = restart !== undefined && k >= restart ? wanted.slice(0, restart + 1).flat() : [];
          for (let m = 0; m <= k; m++) {
            const mine = restart !== undefined && k >= restart && m <= restart ? ofAll : wanted[m]!;
            expect(waitsForLabels(core, m + 1), `message ${m + 1} after ${k + 1}`).toBe(
              mine.some((i) => !known.has(i)),
            );
          }
        });
      }),
    );
  });

  test("does not wait for samples that made room for others", () => {
    const core = newCore(1);
    applyFrame(core, frameOf([], [[series[0]!, 1_000, 1]]), "live", 1);
    applyFrame(core, frameOf([], [[series[1]!, 1_000, 1]]), "live", 2);
    expect([1, 2].map((m) => waitsForLabels(core, m))).toEqual([false, true]);
  });

  test("costs nothing when it does not wait any more, also when nobody asks", () => {
    const core = newCore(1_000_000);
    const s = series[0]!;
    // A sender that defines its series a message late, again and again.
    for (let k = 0; k < 400; k++) {
      const mine = testSeries(`late${k}`);
      applyFrame(
        core,
        frameOf(
          [],
          Array.from({ length: 200 }, (_, i) => [mine, i + 1, 1] as const),
        ),
        "live",
        2 * k + 1,
      );
      applyFrame(core, frameOf([mine, s], []), "live", 2 * k + 2);
    }
    expect(core.parked.length).toBe(0);
    expect(core.parkedMessages.words).toBeLessThan(1 << 17);
    expect(core.parkedMessages.bySequence.size).toBeLessThan(400);
  });

  test("is forgotten with its stream", () => {
    const core = newCore();
    applyFrame(core, frameOf([], [[series[0]!, 1_000, 1]]), "live", 1);
    forgetMessages(core.parkedMessages);
    expect(waitsForLabels(core, 1)).toBe(false);
    const none = makeParkedMessages();
    noteEarlier(none, makeParkedSamples(10), 7, 0);
    expect(none.earlier).toBeUndefined();
  });
});

describe("labels that do not come", () => {
  const timed = () => {
    const clock = { now: 0 };
    const head = createHead({ outOfOrderWindowMs: 3_600_000 });
    return { clock, core: makeShardCore(head, 1_000, undefined, () => clock.now) };
  };
  const [a, b] = [series[0]!, series[1]!];
  const wanted = (core: ReturnType<typeof newCore>) => [...(takeLabelsWanted(core, 10)?.unknown ?? [])];
  const overdue = (core: ReturnType<typeof newCore>) => rejections(core.counts).labels_overdue;

  test("are waited and asked for up to a time, then counted; samples that come later wait for themselves", () => {
    const { clock, core } = timed();
    applyFrame(core, frameOf([], [[a, 1_000, 1]]), "live", 1);
    clock.now = 1_000;
    const two = [1_000, 2_000].map((t) => [b, t, 1] as const);
    applyFrame(core, frameOf([], two), "live", 2);
    clock.now = GIVE_UP_MS - 1;
    expect([1, 2].map((m) => waitsForLabels(core, m))).toEqual([true, true]);
    expect(wanted(core)).toEqual([b.hash.lo, b.hash.hi, a.hash.lo, a.hash.hi]);
    clock.now = GIVE_UP_MS;
    expect([1, 2].map((m) => waitsForLabels(core, m))).toEqual([false, true]);
    expect(wanted(core)).toEqual([b.hash.lo, b.hash.hi]);
    expect(overdue(core)).toBe(1);
    // The sender does not mend its ways.
    applyFrame(core, frameOf([], [[b, 3_000, 1]]), "live", 3);
    clock.now = GIVE_UP_MS + 1_000;
    expect([1, 2, 3].map((m) => waitsForLabels(core, m))).toEqual([false, false, true]);
    expect(wanted(core)).toEqual([b.hash.lo, b.hash.hi]);
    expect(overdue(core)).toBe(3);
    clock.now = 2 * GIVE_UP_MS;
    expect(takeLabelsWanted(core, 10)).toBeUndefined();
    expect(overdue(core)).toBe(4);
    expect([core.parkedMessages.bySequence.size, core.parkedMessages.words]).toEqual([0, 0]);
  });

  test("also after a restart, from then on", () => {
    const { clock, core } = timed();
    applyFrame(core, frameOf([], [[a, 1_000, 1]]), "live", 1);
    clock.now = GIVE_UP_MS;
    recoveredUpTo(core, 1);
    expect([waitsForLabels(core, 1), wanted(core).length]).toEqual([true, 2]);
    clock.now = 2 * GIVE_UP_MS;
    expect([waitsForLabels(core, 1), wanted(core).length, overdue(core)]).toEqual([false, 0, 1]);
  });

  test("are of use whenever they come, so that a replay stores the same at any speed", () => {
    const steps = fc.record({
      defined: fc.uniqueArray(fc.nat(3), { maxLength: 1 }),
      sampled: fc.uniqueArray(fc.nat(3), { maxLength: 3 }),
      passed: fc.constantFrom(0, 1_000, GIVE_UP_MS),
    });
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 20 }), fc.nat(6), (all, maxParked) => {
        const clock = { now: 0 };
        const make = () =>
          makeShardCore(createHead({ outOfOrderWindowMs: 3_600_000 }), maxParked, undefined, () => clock.now);
        const [live, replayed] = [make(), make()];
        const frames = all.map(({ defined, sampled }, k) =>
          frameOf(
            defined.map((i) => series[i]!),
            sampled.map((i) => [series[i]!, (k + 1) * 1_000, k] as const),
          ),
        );
        frames.forEach((frame, k) => {
          applyFrame(live, frame, "live", k + 1);
          clock.now += all[k]!.passed;
          takeLabelsWanted(live, 10);
        });
        frames.forEach((frame, k) => {
          applyFrame(replayed, frame, "live", k + 1);
        });
        expect(replayed.parked).toEqual(live.parked);
        const { labelsOverdue: _, ...counts } = live.counts;
        expect(replayed.counts).toMatchObject(counts);
      }),
    );
  });

  test("a request names at most so many", () => {
    const core = newCore();
    const rows = series.map((s) => [s, 1_000, 1] as const);
    applyFrame(core, frameOf([], rows), "live", 1);
    expect(takeLabelsWanted(core, 5)!.unknown).toHaveLength(10);
    expect(takeLabelsWanted(core, 50)!.unknown).toHaveLength(24);
  });
});

test("a position is not reached before its samples can be read, through a restart", { timeout: 300_000 }, () =>
  withNatsServer((nats) =>
    withTempDir(async (dir) => {
      const bus = await nats.bus({ partitions: 1 });
      const publisher = jetStreamPublisher(bus);
      const [a, b] = [series[0]!, series[1]!];
      let shard = runShard({ dir, busUrl: nats.url });
      const reached = (sequence: number, timeoutMs: number) =>
        shard.client.request<"reached">({ kind: "reached", sequence, stream: undefined, timeoutMs });
      await publisher.publish(0, frameOf([a], [[a, 1_000, 1]]), "m1");
      await publisher.publish(0, frameOf([], [[b, 1_000, 1]]), "m2");
      await consumed(shard, 2);
      expect(await Promise.all([reached(1, 0), reached(2, 0)])).toEqual(["reached", "too_late"]);
      await shard.stop();
      shard = runShard({ dir, busUrl: nats.url });
      await shard.ready();
      expect(await reached(2, 0)).toBe("too_late");
      const waiting = reached(2, 30_000);
      await publisher.publish(0, frameOf([b], []), "m3");
      expect(await waiting).toBe("reached");
      expect(await reached(1, 0)).toBe("reached");
      await shard.stop();
    }),
  ),
);
