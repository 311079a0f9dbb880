/**
 * Sorting millions of items without standing still: by a sequence of keys an item, most significant first, in slices of some
 * milliseconds between which the caller's `pause` is awaited.
 */

/** Gives the event loop a turn. */
export type Pause = () => Promise<void>;

/** Items are below this, keys below 2^27: together they fit a float64, which the engine sorts without a comparison function. */
const ITEM_LIMIT = 2 ** 26;
export const KEY_LIMIT = 2 ** 27;
/** Elements sorted, gathered or merged at once. */
const SLICE = 1 << 14;

/**
 * Sorts `items` in place. `keyAt(item, depth)` is the item's key at a depth from 0 upwards, 0 when it has no more: an item
 * that ends comes before those that go on. Items that are equal throughout stay in no promised order.
 */
export async function sortInSlices(
  items: Uint32Array,
  keyAt: (item: number, depth: number) => number,
  pause: Pause,
): Promise<void> {
  const keys = new Float64Array(items.length);
  const spare = new Float64Array(items.length > SLICE ? items.length : 0);
  const stack = [0, items.length, 0];
  let work = 0;
  while (stack.length > 0) {
    const depth = stack.pop() as number;
    const end = stack.pop() as number;
    const start = stack.pop() as number;
    let same = true;
    const first = start < end ? keyAt(items[start] as number, depth) : 0;
    for (let i = start; i < end; i++) {
      const item = items[i] as number;
      const key = keyAt(item, depth);
      if (key !== first) same = false;
      keys[i] = key * ITEM_LIMIT + item;
      if (++work >= SLICE) {
        work = 0;
        await pause();
      }
    }
    if (same) {
      if (first !== 0) stack.push(start, end, depth + 1);
      continue;
    }
    work += (end - start) >> 1;
    if (end - start <= 12) insertionSort(keys, start, end);
    else if (end - start <= SLICE) keys.subarray(start, end).sort();
    else await mergeSort(keys, spare, start, end, pause);
    let group = start;
    let groupKey = -1;
    for (let i = start; i <= end; i++) {
      const key = i < end ? Math.floor((keys[i] as number) / ITEM_LIMIT) : -1;
      if (i < end) items[i] = (keys[i] as number) - key * ITEM_LIMIT;
      if (key === groupKey && i < end) continue;
      if (groupKey > 0 && i - group > 1) stack.push(group, i, depth + 1);
      group = i;
      groupKey = key;
      if (end - start > SLICE && ++work >= SLICE) {
        work = 0;
        await pause();
      }
    }
  }
}

function insertionSort(keys: Float64Array, start: number, end: number): void {
  for (let i = start + 1; i < end; i++) {
    const key = keys[i] as number;
    let k = i;
    for (; k > start && (keys[k - 1] as number) > key; k--) keys[k] = keys[k - 1] as number;
    keys[k] = key;
  }
}

async function mergeSort(keys: Float64Array, spare: Float64Array, start: number, end: number, pause: Pause) {
  for (let at = start; at < end; at += SLICE) {
    keys.subarray(at, Math.min(at + SLICE, end)).sort();
    await pause();
  }
  let from = keys;
  let to = spare;
  for (let width = SLICE; width < end - start; width *= 2) {
    for (let at = start; at < end; at += 2 * width) {
      const middle = Math.min(at + width, end);
      const last = Math.min(at + 2 * width, end);
      let i = at;
      let j = middle;
      for (let k = at; k < last; ) {
        const stop = Math.min(last, k + 4 * SLICE);
        for (; k < stop; k++) {
          if (j >= last || (i < middle && (from[i] as number) <= (from[j] as number))) to[k] = from[i++] as number;
          else to[k] = from[j++] as number;
        }
        await pause();
      }
    }
    [from, to] = [to, from];
  }
  if (from !== keys) keys.set(from.subarray(start, end), start);
}
