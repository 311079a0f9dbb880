import { RESET_NO, RESET_UNKNOWN, RESET_YES } from "../../../src/model/histogram.ts";
import type { Sample } from "./histogram-cases.ts";

/**
 * How Prometheus goes through a series of histograms when it leaves out buckets, written down sample by sample: storage knows of
 * one that goes on from the one stored before it, and of others whoever looks at them learns a hint from the one that was looked
 * at before.
 */
export interface StatsIterator {
  /** At the end: undefined. */
  current(): Sample | undefined;
  next(): void;
  /** To the first sample that is not before `t`. */
  seek(t: number): void;
  /** Looks at the current sample; undefined: a float. */
  look(): number | undefined;
}

export function statsIterator(all: readonly Sample[], after: number): StatsIterator {
  const first = all.findIndex((x) => x.t > after);
  const samples = first < 0 ? [] : all.slice(first);
  let i = 0;
  let last: Sample | undefined;
  return {
    current: () => samples[i],
    next: () => {
      i++;
    },
    seek(t) {
      if (i < samples.length && t > (samples[i] as Sample).t) last = undefined;
      while (i < samples.length && (samples[i] as Sample).t < t) i++;
    },
    look() {
      const sample = samples[i] as Sample;
      if (!sample.histogram) return undefined;
      const before = last;
      last = sample;
      const stored = all[first + i - 1];
      if (stored?.histogram === true && !(sample.value < stored.value)) return RESET_NO;
      if (before === undefined) return RESET_UNKNOWN;
      return sample.value < before.value ? RESET_YES : RESET_NO;
    },
  };
}
