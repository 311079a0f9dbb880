/**
 * Looking for a place among ascending numbers. A function for each kind of array: one that has seen two kinds is slower for both.
 */

/** First of numbers[from, to) that is at or above the wanted one; `to` when none is. */
export function firstAt(numbers: Float64Array, from: number, to: number, wanted: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((numbers[mid] as number) < wanted) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** First of them that is above. */
export function firstAfter(numbers: Float64Array, from: number, to: number, wanted: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((numbers[mid] as number) <= wanted) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** As `firstAt`. */
export function firstWordAt(words: Uint32Array, from: number, to: number, wanted: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((words[mid] as number) < wanted) low = mid + 1;
    else high = mid;
  }
  return low;
}
