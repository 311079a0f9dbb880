/**
 * Which series of the head have been without samples, and without any coming, for how long. A series that leaves the head has to
 * be sent with its labels again, and its senders do that after they have been silent for an hour: so it stays for longer than that
 * after the last sample came, however old that sample was.
 */
import type { Head } from "../head/head.ts";

export interface IdleSeries {
  /** Unix ms. */
  readonly since: number;
  /** By id: 1 when nothing has been there since. */
  readonly empty: Uint8Array;
}

/** Longer than gateways and writers remember a series that they have announced. */
export const IDLE_MS = 75 * 60_000;

/** Marks the series without samples. */
export function noteIdle(head: Head, now: number): IdleSeries {
  const { count, firstT } = head.series;
  const empty = new Uint8Array(count);
  for (let id = 0; id < count; id++) if (firstT[id] === Number.POSITIVE_INFINITY) empty[id] = 1;
  return { since: now, empty };
}

/** Takes the mark off series that have samples. To be called before samples are dropped, or what came would not be seen. */
export function forgetBusy({ empty }: IdleSeries, head: Head): void {
  const { firstT } = head.series;
  for (let id = 0; id < empty.length; id++) if (firstT[id] !== Number.POSITIVE_INFINITY) empty[id] = 0;
}
