/**
 * How many of `count` points lie in [from, to] when they are evenly spaced from `first` to `last`: all or none of them exactly, else
 * an estimate with fractions.
 */
export function shareWithin(count: number, first: number, last: number, from: number, to: number): number {
  if (from <= first && to >= last) return count;
  if (to < first || from > last || from > to) return 0;
  return (count * (Math.min(to, last) - Math.max(from, first))) / (last - first);
}
