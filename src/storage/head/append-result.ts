/** How samples that are not newer than their series' newest are taken; not given: by the rules for fresh samples. */
export interface AppendOptions {
  /** The out-of-order window does not hold. */
  readonly anyAge?: boolean;
  /** A sample never replaces one that is there. */
  readonly keepExisting?: boolean;
  /** Called with the series of each sample that is too old. */
  readonly onTooOld?: ((id: number) => void) | undefined;
}

/**
 * What became of the samples: accepted + duplicates + kept + tooOld + invalidTime + unknownCount + ambiguousCount is their number.
 */
export interface AppendResult {
  /** Stored: in order, out of order, or in the place of one with the same time. */
  accepted: number;
  /** Of the accepted ones: older than the newest sample of their series. */
  outOfOrder: number;
  /** Of the accepted ones: there was another value at that time. */
  overwritten: number;
  /** Same time and value as a sample that is there: nothing changed. */
  duplicates: number;
  /** Not stored because another value is at that time, and is to stay. */
  kept: number;
  /** Further behind the newest sample than the out-of-order window: refused. */
  tooOld: number;
  /** The time is not a whole number of milliseconds below 2^53: refused. */
  invalidTime: number;
  /** Rows whose hash is not known, listed at the start of `unknown`. */
  unknownCount: number;
  /** Rows whose hash has several label sets, and the frame does not say which; listed at the end of `unknown`, last first. */
  ambiguousCount: number;
  /** The smallest time among what was stored, or one before it; Infinity when nothing was. */
  oldest: number;
}

export function noResult(): AppendResult {
  return {
    accepted: 0,
    outOfOrder: 0,
    overwritten: 0,
    duplicates: 0,
    kept: 0,
    tooOld: 0,
    invalidTime: 0,
    unknownCount: 0,
    ambiguousCount: 0,
    oldest: Number.POSITIVE_INFINITY,
  };
}
