import fc from "fast-check";
import { expect, test } from "vitest";
import { type Labels, labelsFromEntries, labelValue } from "../../../src/model/labels.ts";
import {
  broadcast,
  compactRows,
  keepFloats,
  mergeEqualRows,
  PRESENT_FLOAT,
  PRESENT_HISTOGRAM,
  pickRows,
  sortByLabels,
  type Vector,
} from "../../../src/query/execute/vector.ts";
import { idlePace } from "../idle-pace.ts";

const STEPS = 4;

/** Rows of cells: undefined, or `f` and `h` with a number. */
function vectorOf(rows: readonly { name: string; cells: readonly (string | undefined)[] }[]): Vector {
  const kindOf = (c: string | undefined) => (c === undefined ? 0 : c[0] === "h" ? PRESENT_HISTOGRAM : PRESENT_FLOAT);
  return {
    steps: STEPS,
    labels: rows.map((r) => labelsFromEntries([["a", r.name]])),
    dropName: Uint8Array.from(rows, (_, i) => i % 2),
    values: Float64Array.from(rows.flatMap((r) => r.cells.map((c) => (c === undefined ? 99 : Number(c.slice(1)))))),
    present: Uint8Array.from(rows.flatMap((r) => r.cells.map(kindOf))),
  };
}

function show({ labels, steps, values, present }: Vector): string[] {
  return labels.map((set: Labels, r) => {
    const cells = Array.from({ length: steps }, (_, s) => {
      const i = r * steps + s;
      return present[i] === 0 ? "_" : `${present[i] === PRESENT_HISTOGRAM ? "h" : "f"}${values[i]}`;
    });
    return `${labelValue(set, "a")}: ${cells.join(" ")}`;
  });
}

const rows = fc.array(
  fc.record({
    name: fc.constantFrom("x", "y", "z", "w"),
    cells: fc.array(fc.option(fc.constantFrom("f0", "f1", "h0", "h1"), { nil: undefined, freq: 2 }), {
      minLength: STEPS,
      maxLength: STEPS,
    }),
  }),
  { maxLength: 6 },
);

test("without histograms, and without the rows that had nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(rows, async (all) => {
      const floats = all.map((r) => ({ ...r, cells: r.cells.map((c) => (c?.[0] === "f" ? c : undefined)) }));
      const met = all.some((r) => r.cells.some((c) => c?.[0] === "h"));
      const expected = met ? floats.filter((r) => r.cells.some((c) => c !== undefined)) : all;
      expect(show(await keepFloats(idlePace(), vectorOf(all)))).toEqual(show(vectorOf(expected)));
    }),
  );
});

test("rows keep their histograms when they are picked, sorted and made fewer", async () => {
  await fc.assert(
    fc.asyncProperty(rows, async (all) => {
      const pace = idlePace();
      const vector = vectorOf(all);
      const lines = show(vector);
      const backwards = all.map((_, i) => all.length - 1 - i);
      expect(show(await pickRows(pace, vector, backwards))).toEqual([...lines].reverse());
      expect(show(await compactRows(pace, vector))).toEqual(lines.filter((l) => !l.endsWith(": _ _ _ _")));
      const sorted = lines
        .map((l, i) => ({ l, i }))
        .sort((a, b) => (a.l[0] === b.l[0] ? a.i - b.i : a.l < b.l ? -1 : 1));
      expect(show(await sortByLabels(pace, vector))).toEqual(sorted.map(({ l }) => l));
    }),
  );
});

test("equal rows are joined where they do not meet, whatever their samples are", async () => {
  await fc.assert(
    fc.asyncProperty(rows, async (all) => {
      const byName = new Map<string, (string | undefined)[]>();
      let meet = false;
      for (const { name, cells } of all) {
        const joined = byName.get(name) ?? new Array(STEPS).fill(undefined);
        cells.forEach((c, s) => {
          if (c === undefined) return;
          if (joined[s] !== undefined) meet = true;
          joined[s] = c;
        });
        byName.set(name, joined);
      }
      const merged = await mergeEqualRows(idlePace(), vectorOf(all));
      if (meet) expect(merged).toBeUndefined();
      else
        expect(show(merged as Vector)).toEqual(show(vectorOf([...byName].map(([name, cells]) => ({ name, cells })))));
    }),
  );
});

test("a histogram of one step is the same one at every step", async () => {
  const one: Vector = {
    ...vectorOf([]),
    steps: 1,
    labels: [
      ["a", "x"],
      ["a", "y"],
      ["a", "z"],
    ],
  };
  const vector = {
    ...one,
    dropName: Uint8Array.of(0, 1, 0),
    values: Float64Array.of(3, 4, 5),
    present: Uint8Array.of(PRESENT_HISTOGRAM, PRESENT_FLOAT, 0),
  };
  const wide = await broadcast(idlePace(), vector, STEPS);
  expect(show(wide)).toEqual(["x: h3 h3 h3 h3", "y: f4 f4 f4 f4", "z: _ _ _ _"]);
  expect([...wide.dropName]).toEqual([0, 1, 0]);
});
