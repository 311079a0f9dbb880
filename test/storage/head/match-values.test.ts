import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeMatchedValues, matchLists, remembersMatch } from "../../../src/storage/head/match-values.ts";
import {
  hitList,
  listLength,
  makePostings,
  obtainField,
  obtainList,
  pushPosting,
} from "../../../src/storage/head/postings.ts";
import { internSymbol, makeSymbols, symbolText } from "../../../src/storage/head/symbols.ts";
import { makeWordPool } from "../../../src/storage/head/word-pool.ts";

describe("matching values of a label", () => {
  test("near and far from one another, ASCII or not, remembered and extended", () => {
    const symbols = makeSymbols();
    const postings = makePostings(makeWordPool());
    const name = internSymbol(symbols, "name");
    const field = obtainField(postings, name, name);
    const other = obtainField(postings, name, 77);
    const m = makeMatchedValues();
    const texts: string[] = [];
    const add = (from: number, end: number, textOf: (i: number) => string): void => {
      for (let i = from; i < end; i++) {
        const text = textOf(i);
        texts.push(text);
        pushPosting(postings, obtainList(postings, field, internSymbol(symbols, text)), i);
        // Values of another label lie between.
        for (let k = 0; k < i % 3; k++) obtainList(postings, other, internSymbol(symbols, `other ${i} ${k}`));
      }
    };
    const find = (re: RegExp): string[] =>
      matchLists(m, postings, symbols, field, re.source, (value) => re.test(value))
        .map((list) => symbolText(symbols, postings.listValue[list] as number))
        .sort();
    add(0, 3000, (i) => `value-${i}`);
    expect(find(/-1.*9$/)).toEqual(texts.filter((t) => /-1.*9$/.test(t)).sort());
    expect(remembersMatch(m, "-1.*9$")).toBe(true);
    add(3000, 3500, (i) => (i % 50 === 0 ? `välue-${i}` : `value-1${i}`));
    add(3500, 3600, (i) => `${"x".repeat(i % 7 === 0 ? 9000 : 3000)}-1${i}`);
    for (const re of [/-1.*9$/, /ä/, /^x+-1/, /./, /never/]) {
      expect(find(re), re.source).toEqual(texts.filter((t) => re.test(t)).sort());
      expect(find(re), re.source).toEqual(texts.filter((t) => re.test(t)).sort());
    }
  });

  test("what is remembered has a bound", () => {
    const symbols = makeSymbols();
    const postings = makePostings(makeWordPool());
    const field = obtainField(postings, 1, 2);
    for (let i = 0; i < 8000; i++) obtainList(postings, field, internSymbol(symbols, `v${i}`));
    const m = makeMatchedValues();
    for (let k = 0; k < 500; k++) {
      expect(matchLists(m, postings, symbols, field, `all ${k}`, () => true)).toHaveLength(8000);
      let size = 0;
      for (const found of m.found.values()) size += found.lists.length + 16;
      expect(m.size).toBe(size);
      expect(size).toBeLessThanOrEqual(1 << 20);
      expect(m.found.size).toBeLessThanOrEqual(200);
    }
  });
});

describe("searching candidates in a posting list", () => {
  test("finds those that are in both", () => {
    const ids = fc
      .tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 40 }), fc.integer())
      .map(([count, gap, seed]) => {
        let state = seed | 1;
        let id = 0;
        return Array.from({ length: count }, () => {
          state = Math.imul(state, 1664525) + 1013904223;
          id += 1 + ((state >>> 16) % gap);
          return id;
        });
      });
    void fc.assert(
      fc.property(ids, ids, (listed, candidates) => {
        const postings = makePostings(makeWordPool());
        const list = obtainList(postings, obtainField(postings, 0, 0), 5);
        expect(listLength(postings, list)).toBe(0);
        for (const id of listed) pushPosting(postings, list, id);
        expect(listLength(postings, list)).toBe(listed.length);
        const hits = new Uint8Array(candidates.length);
        hitList(postings, list, Uint32Array.from(candidates), candidates.length, hits);
        const set = new Set(listed);
        expect([...hits]).toEqual(candidates.map((id) => (set.has(id) ? 1 : 0)));
      }),
      { numRuns: 150 },
    );
  });
});
