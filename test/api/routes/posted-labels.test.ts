import fc from "fast-check";
import { expect, it } from "vitest";
import { readAlerts } from "../../../src/api/routes/alertmanager-body.ts";
import { labelsFromEntries, labelsToObject } from "../../../src/model/labels.ts";
import { labelsForJson } from "../../../src/model/labels-json.ts";

const name = fc.oneof(
  fc.constantFrom("a", "b", "10", "9", "__proto__", "constructor", "é"),
  fc.string({ minLength: 1 }),
);
const value = fc.oneof(fc.constantFrom("", "x", "\ud800"), fc.string({ unit: "binary" }));

it("reads posted labels and annotations as they are, in whatever order and with whatever names", () => {
  const pairs = fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(pairs, pairs, (labels, annotations) => {
      const text = (all: typeof labels) =>
        `{${all.map(([n, v]) => `${JSON.stringify(n)}:${JSON.stringify(v)}`).join(",")}}`;
      const body = Buffer.from(`[{"labels":${text(labels)},"annotations":${text(annotations)}}]`);
      const well = (all: typeof labels) => all.map(([n, v]) => [n.toWellFormed(), v.toWellFormed()] as const);
      const expected = labelsFromEntries(well(labels));
      const { alerts, problems } = readAlerts(body, 0);
      if (expected.length === 0) {
        expect([alerts, problems]).toEqual([[], ["at least one label pair required"]]);
        return;
      }
      expect(problems).toEqual([]);
      expect(alerts[0]?.labels).toEqual(expected);
      expect(new Map(Object.entries(alerts[0]?.annotations ?? {}))).toEqual(new Map(well(annotations)));
      expect(JSON.stringify(labelsForJson(expected))).toBe(JSON.stringify(labelsToObject(expected)));
    }),
    { numRuns: 1000 },
  );
});
