/** How much of the index is in a part. */

/** A block of up to this many series is a small one. */
export const SMALL_BLOCK = 4096;
export const SMALL_SHIFT = 12;
export const LARGE_SHIFT = 7;
