/**
 * Arrays that grow with series, symbols or lists. Doubling one of hundreds of megabytes would stand still for its copy, most
 * of all for the new pages' first touch, and hold both for that long. Memory that was never written costs nothing, so an array
 * that outgrows a small size is made as large as it will ever have to be; where the machine grants no such reservation, it is
 * doubled.
 */
const SMALL = 1 << 14;
export const LARGE = 1 << 24;

/** Makes arrays for more than `capacity` elements; `make` may throw a RangeError for want of memory. */
export function withMoreCapacity<T>(capacity: number, make: (capacity: number) => T): T {
  if (capacity >= SMALL && capacity < LARGE) {
    try {
      return make(LARGE);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return make(capacity * 2);
}

/** Makes arrays for `count` elements and some more, as `withMoreCapacity` would have. */
export function withCapacityFor<T>(count: number, make: (capacity: number) => T): T {
  let capacity = 256;
  while (capacity <= count && capacity < SMALL) capacity *= 2;
  if (capacity > count) return make(capacity);
  if (count < LARGE) {
    try {
      return make(LARGE);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  while (capacity <= count) capacity *= 2;
  return make(capacity);
}

/** Whether so little is left of what an array held at its peak that a smaller one gives memory back. */
export function worthShrinking(count: number, peak: number): boolean {
  return peak >= SMALL && count * 2 < peak;
}
