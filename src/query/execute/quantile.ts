/**
 * The q-quantile of `values[0..n)`, ascending with NaN first, interpolated between ranks. q below 0, above 1 and NaN give
 * -Inf, +Inf and NaN; so does an empty input (NaN).
 */
export function quantileOfSorted(q: number, values: Float64Array, n: number): number {
  if (n === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const rank = q * (n - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(n - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return (values[lower] as number) * (1 - weight) + (values[upper] as number) * weight;
}
