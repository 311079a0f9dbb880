/** Messages that came and wait for their reader, in order: columns that are cut from the front. */
import type { Batch } from "./partition-feed.ts";
import { letGo, type Slab, type Slabs } from "./slabs.ts";

export interface Arrival {
  readonly sequence: number;
  readonly payload: Uint8Array;
  readonly slab: Slab;
  /** Unix ms. */
  readonly storedAt: number;
  /** Subject by which it is acknowledged. */
  readonly reply: string;
}

export interface Arrivals {
  push(arrival: Arrival): void;
  /** The first ones, up to so many bytes but one at least; what was taken before is let go of. Undefined without any. */
  take(maxBytes: number, skipped: number): { readonly batch: Batch; readonly reply: string } | undefined;
  count(): number;
  /** Bytes that wait. */
  bytes(): number;
  oldest(): number | undefined;
}

export function makeArrivals(slabs: Slabs): Arrivals {
  let sequences: number[] = [];
  let payloads: Uint8Array[] = [];
  let storedAt: number[] = [];
  let replies: string[] = [];
  let slabOf: Slab[] = [];
  /** Of what was taken last: the reader has it until it asks for more. */
  let lent: Slab[] = [];
  let waiting = 0;
  return {
    push: (a) => {
      sequences.push(a.sequence);
      payloads.push(a.payload);
      storedAt.push(a.storedAt);
      replies.push(a.reply);
      slabOf.push(a.slab);
      waiting += a.payload.length;
    },
    take: (maxBytes, skipped) => {
      for (const slab of lent) letGo(slabs, slab);
      lent = [];
      if (payloads.length === 0) return undefined;
      let n = 0;
      let bytes = 0;
      while (n < payloads.length && (n === 0 || bytes + (payloads[n] as Uint8Array).length <= maxBytes)) {
        bytes += (payloads[n++] as Uint8Array).length;
      }
      const batch: Batch = {
        sequences: sequences.slice(0, n),
        payloads: payloads.slice(0, n),
        storedAt: storedAt.slice(0, n),
        bytes,
        skipped,
      };
      const reply = replies[n - 1] as string;
      lent = slabOf.slice(0, n);
      sequences = sequences.slice(n);
      payloads = payloads.slice(n);
      storedAt = storedAt.slice(n);
      replies = replies.slice(n);
      slabOf = slabOf.slice(n);
      waiting -= bytes;
      return { batch, reply };
    },
    count: () => payloads.length,
    bytes: () => waiting,
    oldest: () => storedAt[0],
  };
}
