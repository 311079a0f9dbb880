/** A block as a part of the merged source: what is damaged in it is left out and said, the rest is served. */
import { type RollupBuffer, TIER_MS } from "../../model/rollup.ts";
import type { Block } from "../block/block.ts";
import { BlockError } from "../block/block-error.ts";
import { blockSource } from "../block/block-source.ts";
import type { SourcePart } from "./merged-source.ts";

/** Hears what could not be read, in words, and of which times, Unix ms. */
export type OnDamage = (what: string, minT: number, maxT: number) => void;

/**
 * A series cannot be told from others any more, since a part of its block's index is damaged: whatever the request has made of
 * the block is void. Begin it again: the block is left out from now on.
 */
export class UnnamedSeries extends Error {
  constructor(cause: BlockError) {
    super(`a series without a name: ${cause.message}`, { cause });
    this.name = "UnnamedSeries";
  }
}

export function blockPart(block: Block, onDamage: OnDamage): SourcePart {
  const { meta } = block;
  const source = blockSource(block);
  /** A bucket counts up to its end, and is known by its start. */
  const width = meta.tier === "raw" ? 0 : TIER_MS[meta.tier];
  // A bucket that starts at maxT ends later: its rows count up to the range's end.
  const maxT = meta.tier === "raw" ? meta.maxT : meta.rangeEnd;
  const tell = (how: string): void => onDamage(`block ${meta.tier}/${meta.id} is damaged and ${how}`, meta.minT, maxT);
  /** Set when labels could not be read: a series without its labels would be a wrong answer. */
  let unnamed = false;
  const guard = <T>(read: () => T, instead: T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      tell(`answers in part: ${error.message}`);
      return instead;
    }
  };
  /** Reads what says which series one is. */
  const name = <T>(read: () => T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      unnamed = true;
      throw new UnnamedSeries(error);
    }
  };
  const leftOut = (): boolean => {
    if (unnamed) tell("left out: its labels cannot be read");
    return unnamed;
  };
  return {
    tier: meta.tier,
    minT: meta.minT,
    maxT,
    source: {
      select: (tenant, matchers, minT, maxT) =>
        leftOut() ? NONE : guard(() => source.select(tenant, matchers, minT - width, maxT), NONE),
      labels: (id) => name(() => source.labels(id)),
      symbol: (text) => name(() => source.symbol(text)),
      text: (symbol) => name(() => source.text(symbol)),
      valueSymbol: (id, label) => name(() => source.valueSymbol(id, label)),
      read: (id, minT, maxT, out, once) => {
        out.length = 0;
        guard(() => source.read(id, minT, maxT, out, once), undefined);
      },
      estimate: (ids, minT, maxT, spent) =>
        guard(() => source.estimate?.(ids, minT, maxT, spent), undefined) ?? { rows: 0, bytes: 0 },
      readCounts: () => source.readCounts?.() ?? NO_READS,
      labelNames: (tenant, matchers, minT, maxT) =>
        leftOut() ? [] : guard(() => source.labelNames(tenant, matchers, minT - width, maxT), []),
      labelValues: (tenant, label, matchers, minT, maxT) =>
        leftOut() ? [] : guard(() => source.labelValues(tenant, label, matchers, minT - width, maxT), []),
      identity: (id, out, at) => name(() => source.identity(id, out, at)),
    },
    ...(meta.tier === "raw"
      ? {}
      : {
          readRollup: (id: number, after: number, until: number, need: number, out: RollupBuffer) => {
            out.length = 0;
            if (out.histograms !== undefined) out.histograms.bytes.length = 0;
            // Bucket starts are whole minutes: those of (after, until] start in [after, until).
            guard(() => source.readRollup(id, after, until - 1, out, need), undefined);
          },
        }),
  };
}

const NONE = new Uint32Array(0);
const NO_READS = { bytesRead: 0, cacheHits: 0, cacheMisses: 0 };
