import { describe, expect, test } from "vitest";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { chunkBefore } from "../../../src/storage/head/chunk-arena.ts";
import {
  beginFrame,
  createHead,
  defineSeries,
  type Head,
  headStats,
  seriesTenant,
} from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { ROW_SHIFT, SEALED } from "../../../src/storage/head/series-table.ts";
import { dropOldSamples } from "./drop-old.ts";
import { appendRows, bitsOf, hashOf, type Row } from "./reference-head.ts";

const HOUR = 3600_000;
const row = (hash: number, t: number, value: number): Row => ({ hash, t, ...bitsOf(value) });

function define(head: Head, hash: number, name: string, tenant = "default") {
  const { lo, hi } = hashOf(hash);
  return defineSeries(head, lo, hi, tenant, ["__name__", name]);
}

function samples(head: Head, name: string): string[] {
  const source = headSource(head);
  const matcher = { name: "__name__", op: "=", value: name } as const;
  const [id] = source.select("default", [matcher], Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  if (id === undefined) return [];
  const out = makeSampleBuffer(4);
  source.read(id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, out);
  return Array.from({ length: out.length }, (_, i) => `${out.ts[i]}=${out.values[i]}`);
}

describe("two label sets under one hash", () => {
  test("are kept apart: samples only go where their own frame says", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    beginFrame(head);
    expect(define(head, 1, "a")).toBe("new");
    define(head, 2, "other");
    appendRows(head, [row(1, 10, 1)]);

    beginFrame(head);
    expect(define(head, 1, "b")).toBe("collision");
    expect(appendRows(head, [row(1, 20, 2), row(2, 20, 0)])).toMatchObject({ accepted: 2, ambiguousCount: 0 });

    // No definition: nobody knows whose these are.
    beginFrame(head);
    const frame = [row(1, 30, 9), row(7, 30, 9), row(2, 30, 3), row(1, 31, 9)];
    expect(appendRows(head, frame)).toMatchObject({
      accepted: 1,
      unknownCount: 1,
      unknown: [1],
      ambiguousCount: 2,
      ambiguous: [0, 3],
    });

    beginFrame(head);
    expect(define(head, 1, "a")).toBe("collision");
    expect(appendRows(head, [row(1, 40, 4)])).toMatchObject({ accepted: 1 });

    // Both in one frame say nothing.
    beginFrame(head);
    define(head, 1, "a");
    define(head, 1, "b");
    expect(appendRows(head, [row(1, 50, 9)])).toMatchObject({ accepted: 0, ambiguousCount: 1 });

    expect(samples(head, "a")).toEqual(["10=1", "40=4"]);
    expect(samples(head, "b")).toEqual(["20=2"]);
    expect(samples(head, "other")).toEqual(["20=0", "30=3"]);
    expect(headStats(head)).toMatchObject({ series: 3, ambiguousHashes: 1 });
  });

  test("the tenant is part of the series", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    beginFrame(head);
    expect(define(head, 1, "a", "one")).toBe("new");
    expect(define(head, 1, "a", "one")).toBe("known");
    expect(define(head, 1, "a", "two")).toBe("collision");
    expect([seriesTenant(head, 0), seriesTenant(head, 1)]).toEqual(["one", "two"]);
  });

  test("names that run into one another are different shapes", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    expect(defineSeries(head, 1, 1, "default", ["a", "x", "bc", "y"])).toBe("new");
    expect(defineSeries(head, 1, 1, "default", ["ab", "x", "c", "y"])).toBe("collision");
    expect(headSource(head).labels(1)).toEqual(["ab", "x", "c", "y"]);
  });
});

describe("appending", () => {
  test("follows a run of neighbours and leaves it where the frame does", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    for (let n = 0; n < 50; n++) define(head, n, `m${n}`);
    const order = [0, 1, 2, 3, 9, 10, 11, 4, 5, 5, 6, 49, 99, 0, 48, 49];
    const got = appendRows(
      head,
      order.map((n, i) => row(n, 1000 + i, n)),
    );
    expect(got).toMatchObject({ accepted: order.length - 1, unknown: [12] });
    order.forEach((n, i) => {
      if (n !== 99) expect(samples(head, `m${n}`)).toContain(`${1000 + i}=${n}`);
    });
  });

  test("refuses times that are no whole milliseconds, and takes all others", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    define(head, 1, "a");
    const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1.5, 2 ** 53].map((t) => row(1, t, 1));
    expect(appendRows(head, bad)).toMatchObject({ accepted: 0, invalidTime: 5 });
    expect(appendRows(head, [row(1, -5, 1), row(1, 0, 2), row(1, 2 ** 53 - 1, 3)])).toMatchObject({ accepted: 3 });
    expect(appendRows(head, [row(1, 10.5, 1)])).toMatchObject({ invalidTime: 1 });
    expect(samples(head, "a")).toEqual(["-5=1", "0=2", "9007199254740991=3"]);
  });

  test("a repeated request changes nothing, wherever its samples have gone since", () => {
    const head = createHead({ outOfOrderWindowMs: 10 * HOUR });
    define(head, 1, "a");
    const first = Array.from({ length: 500 }, (_, i) => row(1, i * 10_000, i));
    const late = Array.from({ length: 100 }, (_, i) => row(1, i * 10_000 + 5, -i));
    expect(appendRows(head, first)).toMatchObject({ accepted: 500, outOfOrder: 0 });
    expect(appendRows(head, late)).toMatchObject({ accepted: 100, outOfOrder: 100 });
    const before = samples(head, "a");
    expect(before).toHaveLength(600);
    expect(appendRows(head, [...late, ...first])).toMatchObject({ accepted: 0, duplicates: 600 });
    expect(samples(head, "a")).toEqual(before);
  });

  test("the last value of a time wins, also over the newest sample", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    define(head, 1, "a");
    appendRows(head, [row(1, 10, 1), row(1, 20, 2)]);
    expect(appendRows(head, [row(1, 20, 3)])).toMatchObject({ accepted: 1, overwritten: 1, outOfOrder: 0 });
    expect(appendRows(head, [row(1, 20, 2)])).toMatchObject({ accepted: 1, overwritten: 1 });
    expect(appendRows(head, [row(1, 20, 2)])).toMatchObject({ duplicates: 1 });
    expect(appendRows(head, [row(1, 30, 4)])).toMatchObject({ accepted: 1, overwritten: 0 });
    expect(samples(head, "a")).toEqual(["10=1", "20=2", "30=4"]);
  });

  test("no chunk crosses a two-hour boundary", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    define(head, 1, "a");
    appendRows(head, [row(1, 2 * HOUR - 2, 0), row(1, 2 * HOUR - 1, 1)]);
    expect(headStats(head).chunks).toBe(1);
    appendRows(head, [row(1, 2 * HOUR, 2)]);
    expect(headStats(head).chunks).toBe(2);
    appendRows(head, [row(1, 2 * HOUR + 1, 2), row(1, 9 * HOUR, 2)]);
    expect(headStats(head).chunks).toBe(3);
  });

  test("the same frames give the same head", () => {
    const make = (): Head => {
      const head = createHead({ outOfOrderWindowMs: HOUR });
      for (let n = 0; n < 20; n++) define(head, n, `m${n}`);
      for (let i = 0; i < 300; i++) appendRows(head, [row(i % 20, ((i * 7919) % 400) * 10_000, i)]);
      return head;
    };
    const [a, b] = [make(), make()];
    expect(headStats(a)).toEqual(headStats(b));
    for (let n = 0; n < 20; n++) expect(samples(a, `m${n}`)).toEqual(samples(b, `m${n}`));
  });
});

describe("dropping old samples", () => {
  test("gives memory back, keeps what is young, and reads go on", () => {
    const head = createHead({ outOfOrderWindowMs: 100 * HOUR });
    define(head, 1, "a");
    define(head, 2, "quiet");
    let seed = 1;
    const noise = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed * 1.000000001;
    };
    appendRows(head, [row(2, 1000, 7)]);
    const kept: string[] = [];
    const cut = 1_500_000_000;
    let frame: Row[] = [];
    for (let i = 0; i < 200_000; i++) {
      const value = noise();
      const t = 1000 + i * 10_000;
      frame.push(row(1, t, value));
      if (i % 1000 === 999) {
        frame.push(row(1, t - 3, value));
        appendRows(head, frame);
        frame = [];
      }
      if (i % 1000 === 999 && t - 3 >= cut) kept.push(`${t - 3}=${value}`);
      if (t >= cut) kept.push(`${t}=${value}`);
    }
    const before = headStats(head);
    expect(before.openChunks).toBe(2);
    expect(dropOldSamples(head, -1)).toBe(false);
    expect(dropOldSamples(head, cut)).toBe(true);
    const after = headStats(head);
    expect(after.bytes).toBeLessThanOrEqual(before.bytes - (1 << 20));
    expect(after.chunks).toBeLessThan(before.chunks);
    expect(after.openChunks).toBe(1);
    const got = samples(head, "a");
    expect(got.slice(-kept.length)).toEqual(kept);
    expect(samples(head, "quiet")).toEqual([]);
    // The chain ends where chunks are gone.
    let chunks = 0;
    for (let c = (head.series.rows[SEALED] as number) >>> 0; c !== 0; c = chunkBefore(head.chunks, c)) chunks++;
    expect(chunks).toBeLessThan(after.chunks);
    expect(head.series.rows[(1 << ROW_SHIFT) + SEALED]).toBe(0);
    appendRows(head, [row(1, 2_000_001_000, 1), row(2, 2_000_001_000, 8)]);
    expect(samples(head, "a").at(-1)).toBe("2000001000=1");
    expect(samples(head, "quiet").at(-1)).toBe("2000001000=8");
  }, 30_000);
});
