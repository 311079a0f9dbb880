import { type ColumnKernel, columnKernel, KERNEL_ROWS } from "./kernel/kernel.ts";

/** Bits of what `shapeOf` says: some value is less than the one before it, -0 or NaN; some value is NaN. */
export const FALLS = 1;
export const HAS_NAN = 2;

/**
 * Looks at values[from, to), by the kernel (kernel/residuals.as), whose loop needs not be compiled while the first queries wait. The
 * first is compared with the one before it, if there is one.
 */
export function shapeOf(values: Float64Array, from: number, to: number, kernel = columnKernel()): number {
  if (kernel === undefined || to - from < FEW) return shapePlainly(values, from, to);
  let shape = 0;
  for (let at = from; at < to; at += KERNEL_ROWS) shape |= look(kernel, values, at, Math.min(to, at + KERNEL_ROWS));
  return shape;
}

/** Fewer are looked at sooner than copied. */
const FEW = 16;

function look({ rows, shape }: ColumnKernel, values: Float64Array, from: number, to: number): number {
  rows.set(values.subarray(from, to));
  return shape(to - from, from === 0 ? Number.NEGATIVE_INFINITY : (values[from - 1] as number));
}

/** The same without a kernel. */
export function shapePlainly(values: Float64Array, from: number, to: number): number {
  let before = from === 0 ? Number.NEGATIVE_INFINITY : (values[from - 1] as number);
  let shape = 0;
  for (let i = from; i < to; i++) {
    const v = values[i] as number;
    if (!(v >= before) || (v === 0 && 1 / v < 0)) shape |= FALLS;
    if (Number.isNaN(v)) shape |= HAS_NAN;
    before = v;
  }
  return shape;
}
