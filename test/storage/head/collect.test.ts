import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Labels, labelsFromObject } from "../../../src/model/labels.ts";
import { makeSampleBuffer, type SampleColumns } from "../../../src/model/sample.ts";
import { appendColumns } from "../../../src/storage/head/append.ts";
import { collectSeries } from "../../../src/storage/head/collect.ts";
import { beginCut, finishCut } from "../../../src/storage/head/cut.ts";
import {
  beginFrame,
  createHead,
  defineSeries,
  type Head,
  headIdentity,
  headStats,
} from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { ROW_WORDS } from "../../../src/storage/head/series-table.ts";
import { dropOldSamples } from "./drop-old.ts";
import { appendRows, bitsOf, hashOf, type Row } from "./reference-head.ts";

const HOUR = 3600_000;
const RANGE = 2 * HOUR;
const noPause = (): Promise<void> => Promise.resolve();

/** Everything that can be asked of a head, without ids. */
function content(head: Head): Map<string, unknown> {
  const source = headSource(head);
  const out = makeSampleBuffer(1);
  const identity = new Uint32Array(3);
  const all = new Map<string, unknown>();
  for (const tenant of ["default", "other"]) {
    for (const id of source.select(tenant, [], Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)) {
      source.read(id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, out);
      headIdentity(head, id, identity, 0);
      const start = out.startTs === undefined ? [] : [...out.startTs.subarray(0, out.length)];
      all.set(JSON.stringify([tenant, source.labels(id)]), {
        ts: [...out.ts.subarray(0, out.length)],
        words: [...out.words.subarray(0, 2 * out.length)],
        start: start.some((t) => t !== 0) ? start : [],
        identity: [...identity],
      });
    }
  }
  return all;
}

const labels = fc
  .dictionary(fc.constantFrom("a", "b", "__name__", "job", "λ"), fc.constantFrom("x", "y", "z", "é", "xx"), {
    maxKeys: 4,
  })
  .map((o) => labelsFromObject(o));
const event = fc.record({
  series: fc.nat(30),
  t: fc.integer({ min: 0, max: 12 }).map((k) => k * HOUR + 5),
  value: fc.nat(5),
  start: fc.boolean(),
});

describe("collecting series", () => {
  test("what has samples stays as it was, whoever is gone can come again", () => {
    void fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.constantFrom("default", "other"), labels), {
          minLength: 1,
          maxLength: 31,
          selector: (s) => JSON.stringify(s),
        }),
        fc.array(fc.array(event, { maxLength: 40 }), { minLength: 1, maxLength: 6 }),
        fc.nat(2),
        (all, rounds, sharing) => {
          const head = createHead({ outOfOrderWindowMs: 100 * HOUR });
          // Some series share a hash.
          const hashNumber = (n: number): number => (sharing > 0 && n % 5 === 1 ? n - sharing : n);
          rounds.forEach((events, round) => {
            for (const { series, t, value, start } of events) {
              const n = series % all.length;
              const [tenant, set] = all[n] as [string, Labels];
              const { lo, hi } = hashOf(hashNumber(n));
              beginFrame(head);
              defineSeries(head, lo, hi, tenant, set, 1000 + n);
              const cols: SampleColumns = {
                length: 1,
                hashLo: Uint32Array.of(lo),
                hashHi: Uint32Array.of(hi),
                ts: Float64Array.of(t + round * HOUR),
                values: Float64Array.of(value),
                ...(start ? { startTs: Float64Array.of(t - value) } : {}),
              };
              expect(appendColumns(head, cols, new Uint32Array(1)).ambiguousCount).toBe(0);
            }
            const before = round * 3 * HOUR;
            dropOldSamples(head, Math.floor(before / RANGE) * RANGE);
            const kept = content(head);
            const series = headStats(head).series;
            const gone = collectSeries(head, Number.POSITIVE_INFINITY);
            expect(content(head)).toEqual(kept);
            expect(headStats(head).series).toBe(series - gone);
            expect(headStats(head).series).toBe(kept.size);
            // Nothing but what is needed is left, and what is behind is zeros.
            const texts = new Set<string>();
            for (const key of kept.keys()) {
              const [tenant, set] = JSON.parse(key) as [string, string[]];
              for (const text of [tenant, ...set]) texts.add(text);
            }
            expect(headStats(head).symbols).toBe(texts.size);
            const { count, rows } = head.series;
            expect(rows.subarray(count * ROW_WORDS).every((w) => w === 0)).toBe(true);
            expect(head.starts.count + headStats(head).series).toBe(count);
          });
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);

  test("a series without samples stays until it is idle, and when too few would go", () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    for (let n = 0; n < 3; n++) defineSeries(head, hashOf(n).lo, hashOf(n).hi, "default", ["n", String(n)]);
    appendRows(
      head,
      [0, 1, 2].map((n): Row => ({ hash: n, t: n * HOUR, ...bitsOf(1) })),
    );
    dropOldSamples(head, RANGE * 2);
    expect(collectSeries(head, HOUR)).toBe(1);
    expect(collectSeries(head, 10 * HOUR, 3)).toBe(0);
    expect(collectSeries(head, 10 * HOUR, 2)).toBe(2);
    expect(collectSeries(head, 10 * HOUR)).toBe(0);
    expect(headStats(head)).toMatchObject({ series: 0, symbols: 0, openChunks: 0, chunks: 0 });
    expect(appendRows(head, [{ hash: 1, t: 5, ...bitsOf(1) }]).unknownCount).toBe(1);
  });

  test("not during a cut", async () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    beginCut(head, 0);
    expect(() => collectSeries(head, 0)).toThrow("during a cut");
    await finishCut(head, noPause);
    expect(collectSeries(head, 0)).toBe(0);
  });

  test("memory is flat over rounds of complete churn", async () => {
    const head = createHead({ outOfOrderWindowMs: HOUR });
    const perRound = 3000;
    const bytes: number[] = [];
    const slabs: number[] = [];
    for (let round = 0; round < 24; round++) {
      beginFrame(head);
      const rows: Row[] = [];
      for (let i = 0; i < perRound; i++) {
        const n = round * perRound + i;
        const { lo, hi } = hashOf(n);
        const set = ["__name__", `m${i % 20}`, "host", `host-${(n * 13) % 500}`, "pod", `pod-${n}-in-round-${round}`];
        defineSeries(head, lo, hi, "default", set);
        for (let k = 0; k < 8; k++) rows.push({ hash: n, t: round * RANGE + k * 60_000, ...bitsOf(n * k * 1.1) });
      }
      appendRows(head, rows);
      beginCut(head, round * RANGE);
      await finishCut(head, noPause);
      collectSeries(head, round * RANGE);
      bytes.push(headStats(head).bytes);
      slabs.push(head.pool.slabs.length);
    }
    expect(head.series.count).toBe(perRound);
    expect(headStats(head).symbols).toBeLessThan(perRound + 600);
    expect(head.postings.listCount).toBeLessThan(perRound + 600);
    expect(bytes.at(-1)).toBeLessThanOrEqual(1.02 * (bytes[4] as number));
    expect(slabs.at(-1)).toBe(slabs[4]);
    expect(
      headSource(head).select("default", [{ name: "pod", op: "=~", value: ".*-in-round-23" }], 0, 1e15),
    ).toHaveLength(perRound);
  }, 60_000);
});
