/** A block as a part of the merged source: what is damaged in it is left out and said, the rest is served. */
import { type RollupBuffer, TIER_MS } from "../../model/rollup.ts";
import type { Block } from "../block/block.ts";
import { BlockError } from "../block/block-error.ts";
import { blockIdTime } from "../block/block-id.ts";
import { blockSource } from "../block/block-source.ts";
import type { SourcePart } from "./merged-source.ts";

/** Hears what could not be read, in words. */
export type OnDamage = (what: string) => void;

export function blockPart(block: Block, onDamage: OnDamage): SourcePart {
  const { meta } = block;
  const source = blockSource(block);
  /** A bucket counts up to its end, and is known by its start. */
  const width = meta.tier === "raw" ? 0 : TIER_MS[meta.tier];
  /** Set when labels could not be read: a series without its labels would be a wrong answer. */
  let unnamed = false;
  const guard = <T>(read: () => T, instead: T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      onDamage(`block ${meta.tier}/${meta.id} is damaged and answers in part: ${error.message}`);
      return instead;
    }
  };
  return {
    tier: meta.tier,
    minT: meta.minT,
    // A bucket that starts at maxT ends later: its rows count up to the range's end.
    maxT: meta.tier === "raw" ? meta.maxT : meta.rangeEnd,
    source: {
      select: (tenant, matchers, minT, maxT) => {
        if (unnamed) onDamage(`block ${meta.tier}/${meta.id} is damaged and left out: its labels cannot be read`);
        return unnamed ? NONE : guard(() => source.select(tenant, matchers, minT - width, maxT), NONE);
      },
      labels: (id) => {
        const labels = guard(() => source.labels(id), undefined);
        unnamed ||= labels === undefined;
        return labels ?? [];
      },
      symbol: (text) => guard(() => source.symbol(text), -1),
      text: (symbol) => source.text(symbol),
      valueSymbol: (id, name) => guard(() => source.valueSymbol(id, name), -1),
      read: (id, minT, maxT, out) => {
        out.length = 0;
        guard(() => source.read(id, minT, maxT, out), undefined);
      },
      labelNames: (tenant, matchers, minT, maxT) =>
        guard(() => source.labelNames(tenant, matchers, minT - width, maxT), []),
      labelValues: (tenant, name, matchers, minT, maxT) =>
        guard(() => source.labelValues(tenant, name, matchers, minT - width, maxT), []),
      identity: (id, out, at) => {
        // What stays when it cannot be read is nobody's.
        out[at] = 0xffff_ffff;
        out[at + 1] = blockIdTime(meta.id);
        out[at + 2] = id;
        guard(() => source.identity(id, out, at), undefined);
      },
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
