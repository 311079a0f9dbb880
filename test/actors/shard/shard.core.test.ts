import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyFrame,
  makeShardCore,
  rejections,
  resetCounts,
  type ShardCore,
  takeLabelsWanted,
} from "../../../src/actors/shard/shard.core.ts";
import type { Labels } from "../../../src/model/labels.ts";
import { DEFAULT_TENANT, makeSampleBuffer } from "../../../src/model/sample.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { partitionOf, seriesHash } from "../../../src/streams/codec/series-hash.ts";
import { frameOf, type Row, type TestSeries, testSeries } from "./frames.ts";

const HOUR = 3_600_000;
const newCore = (maxParked = 1_000) => makeShardCore(createHead({ outOfOrderWindowMs: HOUR }), maxParked);

/** Everything in the head: label set -> [time, value] pairs. */
function contents(core: ShardCore): Record<string, (readonly [number, number])[]> {
  const source = headSource(core.head);
  const buffer = makeSampleBuffer(16);
  const out: Record<string, (readonly [number, number])[]> = {};
  for (const id of source.select(DEFAULT_TENANT, [], -Infinity, Infinity)) {
    source.read(id, -Infinity, Infinity, buffer);
    out[source.labels(id).join(",")] = Array.from({ length: buffer.length }, (_, i) => [
      buffer.ts[i]!,
      buffer.values[i]!,
    ]);
  }
  return out;
}
const key = (labels: Labels) => labels.join(",");

const a = testSeries("a");
const b = testSeries("b");
const c = testSeries("c");

describe("a shard's core", () => {
  test("stores samples of series that the frame defines, and of such as earlier frames defined", () => {
    const core = newCore();
    applyFrame(
      core,
      frameOf(
        [a, b],
        [
          [a, 1000, 1],
          [b, 1000, 2],
        ],
      ),
    );
    applyFrame(
      core,
      frameOf(
        [],
        [
          [a, 2000, 3],
          [b, 2000, 4],
        ],
      ),
    );
    expect(contents(core)).toEqual({
      [key(a.labels)]: [
        [1000, 1],
        [2000, 3],
      ],
      [key(b.labels)]: [
        [1000, 2],
        [2000, 4],
      ],
    });
    expect(core.counts).toMatchObject({ frames: 2, appended: 4 });
    expect(takeLabelsWanted(core, 10)).toBeUndefined();
  });

  test("parks samples of unknown series, asks for their labels, and stores them in order when they come", () => {
    const core = newCore();
    applyFrame(
      core,
      frameOf(
        [a],
        [
          [a, 1000, 1],
          [b, 1000, 2],
          [c, 1000, 3],
        ],
      ),
    );
    applyFrame(core, frameOf([], [[b, 2000, 4]]));
    expect(contents(core)).toEqual({ [key(a.labels)]: [[1000, 1]] });
    expect(core.parked.length).toBe(3);
    const wanted = takeLabelsWanted(core, 10)!;
    expect([...wanted.unknown].sort()).toEqual([b.hash.lo, b.hash.hi, c.hash.lo, c.hash.hi].sort());
    applyFrame(core, frameOf([b], [[b, 3000, 5]]));
    expect(contents(core)[key(b.labels)]).toEqual([
      [1000, 2],
      [2000, 4],
      [3000, 5],
    ]);
    expect(core.parked.length).toBe(1);
    expect(core.counts).toMatchObject({ appended: 4, outOfOrder: 0 });
  });

  test("counts what does not fit the parking space", () => {
    const core = newCore(2);
    applyFrame(
      core,
      frameOf(
        [],
        [
          [a, 1000, 1],
          [b, 1000, 2],
          [c, 1000, 3],
        ],
      ),
    );
    expect(rejections(core.counts)).toMatchObject({ unknown_series: 1 });
    applyFrame(core, frameOf([a, b, c], []));
    // The newest is among them: what nobody ever explains must not keep it out.
    expect(contents(core)[key(c.labels)]).toEqual([[1000, 3]]);
    expect(Object.keys(contents(core))).toHaveLength(2);
  });

  test("a duplicate is a no-op, another value at the same time wins, and both are counted", () => {
    const core = newCore();
    applyFrame(
      core,
      frameOf(
        [a],
        [
          [a, 1000, 1],
          [a, 1000, 1],
          [a, 2000, 2],
          [a, 2000, 7],
          [a, 2000 - 2 * HOUR, 3],
        ],
      ),
    );
    expect(contents(core)[key(a.labels)]).toEqual([
      [1000, 1],
      [2000, 7],
    ]);
    expect(rejections(core.counts)).toMatchObject({ duplicate: 1, too_old: 1, overwritten: 1 });
  });

  test("what is too old is counted by tenant, parked samples included", () => {
    const core = newCore();
    const of = (tenant: string): TestSeries => ({ ...a, tenant, hash: seriesHash(tenant, a.labels) });
    const [acme, proto] = [of("acme"), of("__proto__")];
    applyFrame(
      core,
      frameOf(
        [acme],
        [
          [acme, 3 * HOUR, 1],
          [acme, HOUR, 2],
          [acme, HOUR + 1, 2],
        ],
      ),
    );
    // They wait for their labels.
    applyFrame(
      core,
      frameOf(
        [],
        [
          [proto, 3 * HOUR, 1],
          [proto, HOUR, 2],
        ],
      ),
    );
    expect([...core.tooOldBy]).toEqual([["acme", 2]]);
    applyFrame(core, frameOf([proto], []));
    expect([...core.tooOldBy]).toEqual([
      ["acme", 2],
      ["__proto__", 1],
    ]);
    expect(rejections(core.counts)).toMatchObject({ too_old: 3 });
    applyFrame(core, frameOf([], [[acme, HOUR, 2]]), "backlog");
    expect(rejections(core.counts)).toMatchObject({ too_old: 3 });
    const long = of("x".repeat(10_000));
    applyFrame(
      core,
      frameOf(
        [long],
        [
          [long, 3 * HOUR, 1],
          [long, HOUR, 2],
        ],
      ),
    );
    expect([...core.tooOldBy.keys()]).toEqual(["acme", "__proto__", ""]);
    for (let i = 0; i < 1_100; i++) {
      const s = of(`t${i}`);
      applyFrame(
        core,
        frameOf(
          [s],
          [
            [s, 3 * HOUR, 1],
            [s, HOUR, 2],
          ],
        ),
      );
    }
    expect(core.tooOldBy.size).toBe(1_000);
    expect(core.tooOldBy.get("")).toBe(104);
    resetCounts(core);
    expect(core.tooOldBy.size).toBe(0);
  });

  test("a frame that cannot be read changes nothing but its count", () => {
    const core = newCore();
    applyFrame(core, frameOf([a], [[a, 1000, 1]]));
    const good = frameOf(
      [b],
      [
        [a, 2000, 1],
        [b, 2000, 1],
      ],
    );
    for (let cut = 0; cut < good.length; cut += 7) {
      expect(() => applyFrame(core, good.subarray(0, cut))).toThrow(/bad frame/);
    }
    expect(contents(core)).toEqual({ [key(a.labels)]: [[1000, 1]] });
    expect(core.counts.badFrames).toBeGreaterThan(3);
    resetCounts(core);
    expect(core.counts).toMatchObject({ badFrames: 0, appended: 0 });
  });
});

describe("two label sets under one hash", () => {
  const hash = { lo: 0xdeadbeef, hi: 0xfeedface };
  const x = testSeries("x", hash);
  const y = testSeries("y", hash);

  test("are kept apart by rows bound to definitions", () => {
    const core = newCore();
    applyFrame(core, frameOf([x], [[x, 1000, 1]]));
    applyFrame(
      core,
      frameOf(
        [x, y, a],
        [
          [x, 2000, 2],
          [y, 2000, 3],
          [a, 2000, 9],
          [y, 3000, 4],
          [x, 3000, 5],
        ],
        [
          [0, 0],
          [1, 1],
          [3, 1],
          [4, 0],
        ],
      ),
    );
    expect(contents(core)).toEqual({
      [key(x.labels)]: [
        [1000, 1],
        [2000, 2],
        [3000, 5],
      ],
      [key(y.labels)]: [
        [2000, 3],
        [3000, 4],
      ],
      [key(a.labels)]: [[2000, 9]],
    });
    expect([...takeLabelsWanted(core, 10)!.ambiguous]).toEqual([hash.lo, hash.hi]);
    expect(takeLabelsWanted(core, 10)).toBeUndefined();
  });

  test("a frame that defines one of them gives it its samples; one that defines none is counted, told and never parked", () => {
    const core = newCore();
    applyFrame(core, frameOf([x], [[x, 1000, 1]]));
    applyFrame(core, frameOf([y], [[y, 1000, 2]]));
    takeLabelsWanted(core, 10);
    applyFrame(core, frameOf([x], [[x, 2000, 3]]));
    applyFrame(core, frameOf([], [[x, 3000, 4]]));
    expect(contents(core)).toEqual({
      [key(x.labels)]: [
        [1000, 1],
        [2000, 3],
      ],
      [key(y.labels)]: [[1000, 2]],
    });
    expect(rejections(core.counts)).toMatchObject({ ambiguous_hash: 1 });
    expect(core.parked.length).toBe(0);
    expect([...takeLabelsWanted(core, 10)!.ambiguous]).toEqual([hash.lo, hash.hi]);
  });
});

test("whatever the frames: every sample is stored, parked or counted, and a replay gives the same state", () => {
  const all: TestSeries[] = ["p", "q", "r", "s"].map((n) => testSeries(n));
  const row = fc.tuple(
    fc.constantFrom(...all),
    fc.integer({ min: 0, max: 40 }).map((n) => n * 250_000),
    fc.integer({ min: 0, max: 3 }),
  );
  const frame = fc.record({ defined: fc.subarray(all), rows: fc.array(row, { maxLength: 12 }) });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), fc.integer({ min: 0, max: 10 }), (frames, maxParked) => {
      const bytes = frames.map((f) => frameOf(f.defined, f.rows as Row[]));
      const core = newCore(maxParked);
      for (const f of bytes) applyFrame(core, f);
      const sent = frames.reduce((n, f) => n + f.rows.length, 0);
      const { appended, duplicates, tooOld, parkedOverflow } = core.counts;
      expect(appended + duplicates + tooOld + parkedOverflow + core.parked.length).toBe(sent);
      const replayed = newCore(maxParked);
      for (const f of bytes) applyFrame(replayed, f);
      expect(contents(replayed)).toEqual(contents(core));
      expect(replayed.counts).toEqual(core.counts);
    }),
  );
});

describe("a shard's core that knows its partition", () => {
  const owner = partitionOf(a.hash.hi, 2);
  const owning = (partition: number) =>
    makeShardCore(createHead({ outOfOrderWindowMs: HOUR }), 10, { partition, partitions: 2 });

  test("takes its own series", () => {
    const core = owning(owner);
    applyFrame(core, frameOf([a], [[a, 1000, 1]]));
    expect(contents(core)).toEqual({ [key(a.labels)]: [[1000, 1]] });
  });

  test("refuses a frame with a series of another partition: it would be found in two", () => {
    const core = owning(1 - owner);
    expect(() => applyFrame(core, frameOf([a], [[a, 1000, 1]]))).toThrow(`belongs to partition ${owner}`);
    expect(contents(core)).toEqual({});
    expect(rejections(core.counts).bad_frame).toBe(1);
  });

  test("refuses a frame that gives a series' hash to other labels: they would get its samples", () => {
    const core = owning(owner);
    applyFrame(core, frameOf([a], [[a, 1000, 1]]));
    const forged = testSeries(["__name__", "forged"], a.hash);
    expect(() => applyFrame(core, frameOf([forged], [[forged, 2000, 2]]))).toThrow("hash of definition 0");
    applyFrame(core, frameOf([], [[a, 3000, 3]]));
    expect(contents(core)).toEqual({
      [key(a.labels)]: [
        [1000, 1],
        [3000, 3],
      ],
    });
    expect(core.ambiguousToTell.size).toBe(0);
  });
});
