import { copyHistogram } from "../../src/model/histogram-code.ts";
import {
  HISTOGRAM_ROLLUP_NUMBERS,
  HISTOGRAM_ROLLUP_REFS,
  HISTOGRAM_ROLLUPS,
  makeRollupBuffer,
  makeRollupHistograms,
  ROLLUP_COLUMNS,
  type RollupBuffer,
  type RollupHistograms,
  type RollupTier,
  reserveRollup,
  TIER_MS,
} from "../../src/model/rollup.ts";
import { makeSampleBuffer } from "../../src/model/sample.ts";
import type { SeriesSource, TierCoverage } from "../../src/model/series-source.ts";
import { rollUp } from "../../src/storage/rollup/roll-up.ts";
import { rollUpFurther } from "../../src/storage/rollup/roll-up-further.ts";

export interface Kept {
  /** Raw samples up to there are gone. */
  readonly rawAfter?: number;
  readonly tiers: readonly TierCoverage[];
}

/** Counts what is read of which. */
export interface TierSource extends SeriesSource {
  readonly reads: { raw: number; "1m": number; "1h": number };
}

/**
 * A source with rollups made of all samples of `full`, of which it shows what `kept` says: outside of complete stretches rows are
 * there but wrong, columns that were not asked for hold nonsense, raw samples that are not kept are not given.
 */
export function makeTierSource(full: SeriesSource, kept: Kept): TierSource {
  const rawAfter = kept.rawAfter ?? Number.NEGATIVE_INFINITY;
  const reads = { raw: 0, "1m": 0, "1h": 0 };
  const samples = makeSampleBuffer(16);
  const minutes = makeRollupBuffer(16);
  const hours = makeRollupBuffer(16);
  const rowsOf = (id: number, tier: RollupTier): RollupBuffer => {
    full.read(id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, samples);
    rollUp(samples, TIER_MS["1m"], minutes);
    if (tier === "1m") return minutes;
    rollUpFurther(minutes, TIER_MS["1h"], hours);
    return hours;
  };
  return {
    ...full,
    reads,
    read(id, minT, maxT, out) {
      full.read(id, Math.max(minT, rawAfter + 1), maxT, out);
      reads.raw += out.length;
    },
    rollups: {
      coverage: () => ({ rawAfter, tiers: kept.tiers }),
      read(id, tier, after, until, need, out) {
        const width = TIER_MS[tier];
        if (after % width !== 0 || until % width !== 0) throw new Error(`(${after}, ${until}] is not of whole buckets`);
        const rows = rowsOf(id, tier);
        const complete = kept.tiers.find((t) => t.tier === tier)?.complete ?? [];
        for (let i = 0; i < rows.length; i++) {
          const start = rows.start[i] as number;
          if (start < after || start + width > until) continue;
          const right = complete.some((s) => s.after <= start && start + width <= s.until);
          reserveRollup(out, out.length + 1);
          out.start[out.length] = start;
          ROLLUP_COLUMNS.forEach((c, bit) => {
            const wanted = (need & (1 << bit)) !== 0;
            out.columns[c][out.length] = right && wanted ? (rows.columns[c][i] as number) : 12345.678;
          });
          if ((need & HISTOGRAM_ROLLUPS) !== 0 && rows.histograms !== undefined) {
            out.histograms ??= makeRollupHistograms(out.start.length);
          }
          if (out.histograms !== undefined)
            copyHistograms(right ? rows.histograms : undefined, i, out.histograms, out.length);
          out.length++;
          reads[tier]++;
        }
      },
    },
  };
}

function copyHistograms(from: RollupHistograms | undefined, i: number, out: RollupHistograms, row: number): void {
  for (const name of HISTOGRAM_ROLLUP_NUMBERS) out.numbers[name][row] = from?.numbers[name][i] ?? 0;
  for (const name of HISTOGRAM_ROLLUP_REFS) {
    const ref = from?.refs[name][i] ?? -1;
    out.refs[name][row] = from === undefined || ref < 0 ? -1 : copyHistogram(from.bytes.bytes, ref, out.bytes);
  }
}
