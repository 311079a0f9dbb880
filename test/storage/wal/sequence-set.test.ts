import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeSequenceSet, makeSequenceSet, type SequenceRange } from "../../../src/storage/wal/sequence-set.ts";

const TOP = 60;

/** The slow way: one sequence after another. */
function rangesOf(has: (seq: number) => boolean, from: number, to: number): SequenceRange[] {
  const out: { from: number; to: number }[] = [];
  for (let seq = from; seq <= to; seq++) {
    if (!has(seq)) continue;
    const last = out.at(-1);
    if (last?.to === seq - 1) last.to = seq;
    else out.push({ from: seq, to: seq });
  }
  return out;
}

const step = fc.oneof(
  fc.record({ from: fc.integer({ min: 1, max: TOP }), length: fc.constant(0) }),
  fc.record({ from: fc.integer({ min: 0, max: TOP }), length: fc.integer({ min: 0, max: 12 }) }),
);
const steps = fc.array(step, { maxLength: 40 });

function build(base: number, work: readonly { from: number; length: number }[]) {
  const set = makeSequenceSet(base);
  const model = new Set(Array.from({ length: base + 1 }, (_, i) => i));
  for (const { from, length } of work) {
    if (length === 0) {
      expect(set.add(from)).toBe(!model.has(from));
      model.add(from);
      continue;
    }
    set.addRange(from, from + length - 1);
    for (let seq = from; seq < from + length; seq++) model.add(seq);
  }
  return { set, model };
}

describe("a set of sequences", () => {
  test("is what a set of numbers is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), steps, (base, work) => {
        const { set, model } = build(base, work);
        const top = TOP + 15;
        for (let seq = 0; seq <= top; seq++) expect(set.has(seq)).toBe(model.has(seq));
        const all = rangesOf((seq) => model.has(seq), 0, top);
        expect(set.contiguousEnd()).toBe(all[0]?.to);
        expect(set.last()).toBe(all.at(-1)?.to);
        expect(set.islands()).toEqual(all.slice(1));
        for (const upTo of [0, 30, top]) expect(set.gaps(upTo)).toEqual(rangesOf((seq) => !model.has(seq), 0, upTo));
      }),
    );
  });

  test("what one has and another has not", () => {
    fc.assert(
      fc.property(steps, steps, (a, b) => {
        const one = build(0, a);
        const other = build(3, b);
        const expected = rangesOf((seq) => one.model.has(seq) && !other.model.has(seq), 0, TOP + 15);
        expect(one.set.without(other.set).flatMap(({ from, to }) => rangesOf(() => true, from, to))).toEqual(expected);
        const both = one.set.clone();
        both.addAll(other.set);
        expect(both.gaps(TOP + 15)).toEqual(
          rangesOf((seq) => !one.model.has(seq) && !other.model.has(seq), 0, TOP + 15),
        );
      }),
    );
  });

  test("is read back as it was written; a copy is a set of its own", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 52 }), steps, (base, work) => {
        const set = makeSequenceSet(base);
        for (const { from, length } of work) set.addRange(base + 2 * from, base + 2 * from + length);
        const again = decodeSequenceSet(set.encode());
        expect(again.islands()).toEqual(set.islands());
        expect(again.contiguousEnd()).toBe(set.contiguousEnd());
        const copy = set.clone();
        copy.add(set.last() + 5);
        expect(copy.last()).toBe(set.last() + 5);
        expect(again.last()).toBe(set.last());
      }),
    );
  });

  test("two lanes that meet become one interval", () => {
    const set = makeSequenceSet(100);
    for (let seq = 501; seq <= 600; seq++) set.add(seq);
    for (let seq = 101; seq < 500; seq++) set.add(seq);
    expect(set.gaps(600)).toEqual([{ from: 500, to: 500 }]);
    expect(set.contiguousEnd()).toBe(499);
    set.add(500);
    expect(set.contiguousEnd()).toBe(600);
    expect(set.islands()).toEqual([]);
    expect(set.encode()).toHaveLength(3);
  });

  test("refuses what is no set, and what is no sequence", () => {
    expect(() => decodeSequenceSet(Uint8Array.of(5, 1, 1, 0))).toThrow("overlap");
    expect(() => decodeSequenceSet(Uint8Array.of(5, 0, 9))).toThrow("behind");
    expect(() => decodeSequenceSet(Uint8Array.of(5, 1, 7))).toThrow("cut short");
    expect(() => makeSequenceSet().add(1.5)).toThrow(RangeError);
    expect(() => makeSequenceSet().addRange(-1, 3)).toThrow(RangeError);
  });
});
