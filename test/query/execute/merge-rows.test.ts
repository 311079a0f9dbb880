import fc from "fast-check";
import { expect, test } from "vitest";
import { compareLabels, type Labels, labelsFromEntries } from "../../../src/model/labels.ts";
import { mergeRows } from "../../../src/query/execute/merge-rows.ts";
import { packLabels } from "../../../src/query/execute/packed-labels.ts";
import type { ShardRows } from "../../../src/query/plan/shard-plan.ts";
import { idlePace } from "../idle-pace.ts";

const STEPS = 3;

interface Row {
  readonly labels: Labels;
  readonly dropName: number;
  readonly cells: readonly number[];
}

function answerOf(rows: readonly Row[]): ShardRows {
  return {
    kind: "rows",
    samples: 0,
    tiers: [],
    notes: [],
    histograms: [],
    labels: packLabels(rows.map((r) => r.labels)),
    dropName: Uint8Array.from(rows, (r) => r.dropName),
    values: Float64Array.from(rows.flatMap((r) => r.cells)),
    present: Uint8Array.from(rows.flatMap((r) => r.cells.map((v) => v & 1))),
  };
}

const labels = fc
  .array(
    fc.tuple(fc.constantFrom("a", "b", "cc", "__name__", "Z"), fc.constantFrom("", "x", "y", "xx", "ä", "10", "9")),
  )
  .map(labelsFromEntries);
const row = fc.record({
  labels,
  dropName: fc.nat({ max: 1 }),
  cells: fc.array(fc.nat(), { minLength: STEPS, maxLength: STEPS }),
});
const answer = fc
  .uniqueArray(row, { selector: (r) => r.labels.join("\u0000") })
  .map((rows) => rows.sort((a, b) => compareLabels(a.labels, b.labels)));

test("rows of several answers are put in the order of their labels, equal ones in that of the answers", () =>
  fc.assert(
    fc.asyncProperty(fc.array(answer, { minLength: 1, maxLength: 4 }), async (answers) => {
      const merged = await mergeRows(idlePace(), answers.map(answerOf), STEPS);
      const want = answers.flat().sort((a, b) => compareLabels(a.labels, b.labels));
      const got = merged.labels.map((set, r) => ({
        labels: set,
        dropName: merged.dropName[r],
        cells: [...merged.values.subarray(r * STEPS, (r + 1) * STEPS)],
      }));
      expect(got).toEqual(want);
      expect([...merged.present]).toEqual(want.flatMap((r) => r.cells.map((v) => v & 1)));
    }),
  ));
