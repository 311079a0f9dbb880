/** Timers of virtual time: a binary heap by time, those of one time in the order in which they were set. */
export interface Timers<T> {
  set(at: number, what: T): void;
  /** When the next is due; Infinity when there is none. */
  next(): number;
  take(): T | undefined;
}

interface Entry<T> {
  readonly at: number;
  readonly order: number;
  readonly what: T;
}

export function makeTimers<T>(): Timers<T> {
  const heap: Entry<T>[] = [];
  let order = 0;
  const before = (a: Entry<T>, b: Entry<T>) => a.at < b.at || (a.at === b.at && a.order < b.order);
  const rise = (from: number, entry: Entry<T>): void => {
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent] as Entry<T>)) break;
      heap[i] = heap[parent] as Entry<T>;
      i = parent;
    }
    heap[i] = entry;
  };
  const sink = (entry: Entry<T>): void => {
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry<T>, heap[child] as Entry<T>)) child++;
      if (!before(heap[child] as Entry<T>, entry)) break;
      heap[i] = heap[child] as Entry<T>;
      i = child;
    }
    heap[i] = entry;
  };
  return {
    set: (at, what) => {
      const entry = { at, order: order++, what };
      heap.push(entry);
      rise(heap.length - 1, entry);
    },
    next: () => heap[0]?.at ?? Number.POSITIVE_INFINITY,
    take: () => {
      const first = heap[0];
      const last = heap.pop();
      if (first !== undefined && last !== undefined && heap.length > 0) sink(last);
      return first?.what;
    },
  };
}
