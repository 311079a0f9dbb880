import fc from "fast-check";
import { expect, test } from "vitest";
import { KERNEL_ROWS, loadColumnKernel } from "../../../src/storage/column/kernel/kernel.ts";
import { FALLS, HAS_NAN, shapeOf, shapePlainly } from "../../../src/storage/column/value-shape.ts";
import { seededRandom } from "../../lib/sim-disk.ts";

const { kernel } = loadColumnKernel();

test("what is built is what is looked with", () => expect(kernel).toBeDefined());

const special = fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324);
const run = fc.array(fc.oneof({ weight: 8, arbitrary: fc.nat(1000) }, { weight: 1, arbitrary: special }), {
  minLength: 1,
  maxLength: 200,
});

test("the kernel sees what TypeScript does, also in runs that rise but for one value", () => {
  fc.assert(
    fc.property(run, fc.boolean(), fc.nat(), fc.nat(), (some, sorted, a, b) => {
      const values = Float64Array.from(some);
      if (sorted) values.sort();
      const from = a % values.length;
      const to = from + (b % (values.length - from + 1));
      expect(shapeOf(values, from, to, kernel)).toBe(shapePlainly(values, from, to));
    }),
    { numRuns: 500 },
  );
});

test("more than fits into the kernel at once, and what lies across", () => {
  const random = seededRandom(7);
  const n = 2 * KERNEL_ROWS + 100;
  const values = new Float64Array(n);
  let v = 0;
  for (let i = 0; i < n; i++) values[i] = v += random();
  expect(shapeOf(values, 0, n, kernel)).toBe(0);
  for (const at of [1, KERNEL_ROWS - 1, KERNEL_ROWS, 2 * KERNEL_ROWS, n - 1]) {
    const kept = values[at] as number;
    values[at] = (values[at - 1] as number) / 2;
    expect(shapeOf(values, 0, n, kernel)).toBe(FALLS);
    values[at] = Number.NaN;
    expect(shapeOf(values, 0, n, kernel)).toBe(FALLS | HAS_NAN);
    values[at] = kept;
  }
  // The first of a part is compared with the one before it.
  values[49] = Number.POSITIVE_INFINITY;
  expect(shapeOf(values, 50, n, kernel)).toBe(FALLS);
});
