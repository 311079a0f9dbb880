/** Exemplars out of the head, by the labels of their series. */
import type { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import type { Exemplar, SeriesExemplars } from "../../model/shard.ts";
import { newestExemplar } from "./exemplar-ring.ts";
import { type Head, headIdentity, seriesLabels } from "./head.ts";
import { selectSeries } from "./select.ts";

/**
 * The exemplars with minT <= time <= maxT of the tenant's series that satisfy every matcher; only series that have some. Those of
 * series that have left the head are not found. Throws `RegexError` for a bad pattern.
 */
export function selectExemplars(
  head: Head,
  tenant: string,
  matchers: readonly Matcher[],
  minT: number,
  maxT: number,
): SeriesExemplars[] {
  const ring = head.exemplars;
  const out: SeriesExemplars[] = [];
  if (ring.total === 0) return out;
  const identity = new Uint32Array(3);
  for (const id of selectSeries(head, tenant, matchers, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)) {
    headIdentity(head, id, identity, 0);
    const [low, high, check] = identity as unknown as [number, number, number];
    const exemplars: Exemplar[] = [];
    let number = newestExemplar(ring, low, high, check);
    while (number >= 0 && number >= ring.total - ring.ts.length) {
      const at = number % ring.ts.length;
      const ts = ring.ts[at] as number;
      if (ts < minT) break;
      if (ts <= maxT) {
        const labels = JSON.parse(ring.labels[at] as string) as Labels;
        exemplars.push({ labels, value: ring.values[at] as number, ts });
      }
      number = ring.before[at] as number;
    }
    if (exemplars.length > 0) out.push({ series: seriesLabels(head, id), exemplars: exemplars.reverse() });
  }
  return out;
}
