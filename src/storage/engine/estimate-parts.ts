/** What reading series of a merged source would go through, from what its parts say. */
import type { Tier } from "../../model/rollup.ts";
import type { ReadCounts, SeriesSource, Touched } from "../../model/series-source.ts";
import type { Identities, Members } from "./merged-series.ts";
import type { SeriesCache } from "./series-cache.ts";

/** What of a part of a merged source is asked. */
interface Part {
  readonly tier: Tier;
  readonly minT: number;
  readonly maxT: number;
  readonly source: Pick<SeriesSource, "estimate" | "readCounts">;
}

/** The sum over the parts of a tier that reach into [from, to]: of samples their times, of buckets the times at which they start. */
export function estimateParts(
  parts: readonly Part[],
  { series, members }: { readonly series: Identities; readonly members: Members },
  tier: Tier,
  ids: Uint32Array,
  from: number,
  to: number,
  spent: (work: number) => void,
): Touched {
  const counts = new Uint32Array(parts.length);
  const each = (take: (part: number, id: number) => void): void => {
    for (let k = 0; k < ids.length; k++) {
      let e = (series.first[ids[k] as number] as number) + 1;
      for (; e !== 0; e = members.next[e - 1] as number) {
        take(members.part[e - 1] as number, members.id[e - 1] as number);
      }
    }
  };
  each((part) => {
    counts[part] = (counts[part] as number) + 1;
  });
  const lists = parts.map((part, p) => {
    const counted = part.tier === tier && part.maxT >= from && part.minT <= to;
    return counted ? new Uint32Array(counts[p] as number) : undefined;
  });
  counts.fill(0);
  each((part, id) => {
    const list = lists[part];
    if (list === undefined) return;
    const at = counts[part] as number;
    list[at] = id;
    counts[part] = at + 1;
  });
  const out: Touched = { rows: 0, bytes: 0 };
  for (let p = 0; p < parts.length; p++) {
    const list = lists[p];
    if (list === undefined || list.length === 0) continue;
    // A block's parts of the index are gone through in order.
    const found = (parts[p] as Part).source.estimate?.(list.sort(), from, to, spent);
    out.rows += found?.rows ?? 0;
    out.bytes += found?.bytes ?? 0;
  }
  return out;
}

/** All blocks of a shard share a cache: what one says of its reads is of all. Nothing has been read where there is no block. */
export function readCountsOf(parts: readonly Part[], cache: SeriesCache | undefined): ReadCounts {
  const told = parts.find((p) => p.source.readCounts !== undefined)?.source.readCounts?.();
  const counts = told ?? { bytesRead: 0, cacheHits: 0, cacheMisses: 0 };
  return cache === undefined ? counts : { ...counts, decodedSeries: cache.hits };
}
