import type { Tier } from "../../model/rollup.ts";
import type { SeriesRetention, TierAges } from "../../storage/engine/retention-rules.ts";

/** How long and in what form a shard keeps its data. Plain data: it goes to the shard's thread. */
export interface StorageSettings {
  readonly ages: TierAges;
  readonly rules: readonly SeriesRetention[];
  /** Bytes of blocks of this shard, 0: no bound. */
  readonly maxBytes: Readonly<Record<Tier, number>>;
  readonly maxBlockRangeMs: number;
  readonly maxExemplars: number;
  /** Memory for decoded parts of blocks. */
  readonly cacheBytes: number;
  /** How often it is looked whether there is something to do; undefined: nothing is ever cut or checkpointed by itself. */
  readonly everyMs: number | undefined;
}

/** Everything stays for ever, in head and log. */
export const KEEP_ALL: StorageSettings = {
  ages: { raw: 0, "1m": 0, "1h": 0 },
  rules: [],
  maxBytes: { raw: 0, "1m": 0, "1h": 0 },
  maxBlockRangeMs: 24 * 3600_000,
  maxExemplars: 100_000,
  cacheBytes: 16 << 20,
  everyMs: undefined,
};
