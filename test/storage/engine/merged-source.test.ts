import { expect, test } from "vitest";
import { type Labels, labelsFromObject, labelsKey, labelValue } from "../../../src/model/labels.ts";
import { compileMatcher, type Matcher } from "../../../src/model/matcher.ts";
import { makeRollupBuffer, ROLLUP_COLUMNS, reserveRollup, type Tier } from "../../../src/model/rollup.ts";
import { makeSampleBuffer, reserveSamples } from "../../../src/model/sample.ts";
import { makeMergedSource, type SourcePart } from "../../../src/storage/engine/merged-source.ts";
import { seededRandom } from "../../lib/sim-disk.ts";

/** Series with their samples (or bucket rows) by time, in a plain table with symbols and ids of its own. */
interface Table {
  readonly tier: Tier;
  readonly rows: readonly { readonly labels: Labels; readonly samples: ReadonlyMap<number, number> }[];
}

function partOf({ tier, rows }: Table): SourcePart {
  const texts = [...new Set(rows.flatMap((r) => [...r.labels]))];
  const times = rows.flatMap((r) => [...r.samples.keys()]);
  const sorted = (id: number, minT: number, maxT: number) =>
    [...(rows[id]?.samples ?? [])].filter(([t]) => t >= minT && t <= maxT).sort(([a], [b]) => a - b);
  const select = (_: string, matchers: readonly Matcher[], minT: number, maxT: number) =>
    Uint32Array.from(
      rows.flatMap((r, id) => {
        const fits = matchers.every((m) => compileMatcher(m)(labelValue(r.labels, m.name)));
        return fits && sorted(id, minT, maxT).length > 0 ? [id] : [];
      }),
    );
  const over = (ids: Uint32Array) => [...ids].map((id) => rows[id]?.labels ?? []);
  return {
    tier,
    minT: Math.min(...times),
    maxT: Math.max(...times),
    source: {
      select,
      labels: (id) => rows[id]?.labels ?? [],
      symbol: (text) => texts.indexOf(text),
      text: (symbol) => texts[symbol] as string,
      valueSymbol: (id, name) => texts.indexOf(labelValue(rows[id]?.labels ?? [], texts[name] as string) || "\0"),
      read: (id, minT, maxT, out) => {
        out.length = 0;
        for (const [t, v] of sorted(id, minT, maxT)) {
          reserveSamples(out, out.length + 1);
          out.ts[out.length] = t;
          out.values[out.length++] = v;
        }
      },
      labelNames: (t, m, a, b) =>
        [...new Set(over(select(t, m, a, b)).flatMap((l) => l.filter((_, i) => i % 2 === 0)))].sort(),
      labelValues: (t, name, m, a, b) =>
        [...new Set(over(select(t, m, a, b)).map((l) => labelValue(l, name)))].filter((v) => v !== "").sort(),
      identity: (id, out, at) => {
        const key = labelsKey(rows[id]?.labels ?? []);
        for (let w = 0; w < 3; w++) {
          let h = 0x811c9dc5 ^ w;
          for (const c of key) h = Math.imul(h ^ c.charCodeAt(0), 0x01000193);
          // Few bits in the first words: series differ in the last one only.
          out[at + w] = w < 2 ? h & 1 : h;
        }
      },
    },
    readRollup: (id, after, until, _need, out) => {
      out.length = 0;
      for (const [t, v] of sorted(id, after + 1, until)) {
        reserveRollup(out, out.length + 1);
        out.start[out.length] = t - 1;
        for (const name of ROLLUP_COLUMNS) out.columns[name][out.length] = v;
        out.length++;
      }
    },
  };
}

const HOSTS = ["a", "b", "c", "d", "e", "f"];
const JOBS = ["x", "y", ""];

function randomTable(random: () => number, tier: Tier, from: number, to: number): Table {
  const rows = [];
  for (const host of HOSTS) {
    for (const job of JOBS) {
      if (random() < 0.4) continue;
      const samples = new Map<number, number>();
      for (let t = from; t <= to; t++) if (random() < 0.5) samples.set(t, random());
      if (samples.size === 0) continue;
      rows.push({
        labels: labelsFromObject(job === "" ? { __name__: "up", host } : { __name__: "up", host, job }),
        samples,
      });
    }
  }
  return { tier, rows: rows.sort(() => random() - 0.5) };
}

test("the union of all parts, the later ones winning, whatever is asked", () => {
  const source = makeMergedSource();
  for (let seed = 1; seed <= 60; seed++) {
    const random = seededRandom(seed);
    const tables: Table[] = [];
    const count = 1 + Math.floor(random() * 5);
    for (let i = 0; i < count; i++) {
      const from = Math.floor(random() * 40);
      const table = randomTable(random, random() < 0.3 ? "1m" : "raw", from, from + 10);
      if (table.rows.length > 0) tables.push(table);
    }
    const rawAfter = random() < 0.5 ? Number.NEGATIVE_INFINITY : 20;
    const rowsFrom = { "1m": Number.NEGATIVE_INFINITY, "1h": Number.NEGATIVE_INFINITY };
    source.begin(tables.map(partOf), { byRule: [{ coverage: { rawAfter, tiers: [] }, rowsFrom }], ruleOf: () => 0 });
    for (let ask = 0; ask < 3; ask++) {
      const minT = Math.floor(random() * 50);
      const maxT = minT + Math.floor(random() * 20);
      const matchers: Matcher[] = random() < 0.5 ? [] : [{ name: "host", op: "=~", value: "a|b|c" }];
      const fits = (l: Labels) => matchers.every((m) => compileMatcher(m)(labelValue(l, m.name)));
      const expected = new Map<string, { samples: Map<number, number>; rows: Map<number, number> }>();
      for (const t of tables) {
        for (const r of t.rows) {
          if (!fits(r.labels)) continue;
          const key = labelsKey(r.labels);
          const e = expected.get(key) ?? { samples: new Map(), rows: new Map() };
          for (const [at, v] of r.samples)
            if (at >= minT && at <= maxT) (t.tier === "raw" ? e.samples : e.rows).set(at, v);
          expected.set(key, e);
        }
      }
      const ids = source.select("t", matchers, minT, maxT);
      expect(new Set(ids).size).toBe(ids.length);
      const found = new Map([...ids].map((id) => [labelsKey(source.labels(id)), id]));
      for (const [key, { samples, rows }] of expected) {
        const id = found.get(key);
        if (id === undefined) {
          expect(samples.size, `seed ${seed} ${key}`).toBe(0);
          continue;
        }
        const out = makeSampleBuffer(1);
        source.read(id, minT, maxT, out);
        const got = Array.from({ length: out.length }, (_, i) => [out.ts[i], out.values[i]]);
        expect(got, `seed ${seed} ${key}`).toEqual([...samples].sort(([a], [b]) => a - b));
        const buckets = makeRollupBuffer(1);
        source.rollups.read(id, "1m", minT - 1, maxT, 0, buckets);
        const gotRows = Array.from({ length: buckets.length }, (_, i) => [
          (buckets.start[i] as number) + 1,
          buckets.columns.sum[i],
        ]);
        expect(gotRows, `seed ${seed} ${key}`).toEqual([...rows].sort(([a], [b]) => a - b));
        for (const name of ["host", "job", "nope"]) {
          const value = source.valueSymbol(id, source.symbol(name));
          expect(value < 0 ? "" : source.text(value)).toBe(labelValue(source.labels(id), name));
        }
      }
      for (const [key] of found) expect(expected.has(key)).toBe(true);
      const withSamples = tables.filter((t) => t.tier === "raw").flatMap((t) => t.rows);
      const inRange = withSamples.filter(
        (r) => fits(r.labels) && [...r.samples.keys()].some((t) => t >= minT && t <= maxT),
      );
      if (rawAfter < minT) {
        const names = new Set(inRange.flatMap((r) => r.labels.filter((_, i) => i % 2 === 0)));
        expect(source.labelNames("t", matchers, minT, maxT)).toEqual([...names].sort());
        const hosts = new Set(inRange.map((r) => labelValue(r.labels, "host")));
        expect(source.labelValues("t", "host", matchers, minT, maxT)).toEqual([...hosts].sort());
      }
    }
  }
});
