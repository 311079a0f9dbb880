/** Sorting many strings given as UTF-8 without stopping the thread: a merge sort that lets others run in between. */
import { compareUtf8 } from "../../lib/utf8.ts";

/** Asked now and then by long work whether to stop for a moment: awaited when it gives a promise. */
export type Pause = () => Promise<void> | undefined;

const RUN = 16;
/** Comparisons between two questions whether to pause: some 0.1 ms. */
const STRETCH = 1024;

/** Numbers of the strings bytes[starts[i], starts[i + 1]), i below n, in order of their UTF-16 code units. */
export async function sortStrings(
  bytes: Uint8Array,
  starts: Uint32Array,
  n: number,
  pause: Pause | undefined,
): Promise<Uint32Array> {
  const compare = (a: number, b: number): number =>
    compareUtf8(
      bytes,
      starts[a] as number,
      starts[a + 1] as number,
      bytes,
      starts[b] as number,
      starts[b + 1] as number,
    );
  let from = Uint32Array.from({ length: n }, (_, i) => i);
  let to = new Uint32Array(n);
  let budget = STRETCH;
  for (let start = 0; start < n; start += RUN) {
    insertionSort(from, start, Math.min(start + RUN, n), compare);
    budget -= 4 * RUN;
    if (budget <= 0) {
      budget = STRETCH;
      const wait = pause?.();
      if (wait !== undefined) await wait;
    }
  }
  for (let width = RUN; width < n; width *= 2) {
    for (let start = 0; start < n; start += 2 * width) {
      const mid = Math.min(start + width, n);
      const end = Math.min(start + 2 * width, n);
      let i = start;
      let j = mid;
      for (let k = start; k < end; ) {
        const stop = Math.min(end, k + STRETCH);
        for (; k < stop; k++) {
          const left = i < mid && (j >= end || compare(from[i] as number, from[j] as number) <= 0);
          to[k] = from[left ? i++ : j++] as number;
        }
        budget -= Math.min(STRETCH, end - start);
        if (budget <= 0) {
          budget = STRETCH;
          const wait = pause?.();
          if (wait !== undefined) await wait;
        }
      }
    }
    [from, to] = [to, from];
  }
  return from;
}

function insertionSort(a: Uint32Array, from: number, to: number, compare: (a: number, b: number) => number): void {
  for (let i = from + 1; i < to; i++) {
    const x = a[i] as number;
    let k = i;
    while (k > from && compare(a[k - 1] as number, x) > 0) {
      a[k] = a[k - 1] as number;
      k--;
    }
    a[k] = x;
  }
}
