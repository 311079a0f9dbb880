import type { RollupBuffer } from "../../model/rollup.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import type { SeriesSource } from "../../model/series-source.ts";
import type { Block } from "./block.ts";
import { estimateChunks } from "./estimate.ts";
import { FIELD_SYMBOL, type NumberPart, VALUE_SYMBOL } from "./index-tables.ts";
import {
  findField,
  findSymbol,
  findTenant,
  labelPart,
  numberAt,
  seriesIdentity,
  seriesLabels,
  seriesValue,
  symbolText,
  tenantName,
} from "./lookup.ts";
import { readRollup, readSeries } from "./read-series.ts";
import type { Section } from "./section.ts";
import { selectSeries } from "./select.ts";

/** A block as what queries read from. Every method throws `BlockError` for what is damaged, and works on for what is not. */
export interface BlockSource extends SeriesSource {
  /** With `once` the chunks that are read are not kept decoded. */
  read(id: number, minT: number, maxT: number, out: SampleBuffer, once?: boolean): void;
  /** Writes the 96-bit hash of a series to out[at], out[at + 1], out[at + 2]: low, high, check. */
  identity(id: number, out: Uint32Array, at: number): void;
  /**
   * Appends the buckets of a series that start in [minT, maxT] to `out`; only the columns in `need` (all when it is left out) must
   * hold their values.
   */
  readRollup(id: number, minT: number, maxT: number, out: RollupBuffer, need?: number): void;
  /** All tenants that have series in the block, sorted. */
  tenants(): string[];
}

/**
 * Series and symbols of a block stay the same while it is open. `labelNames` and `labelValues` without matchers are of all series of
 * the tenant in a block of many, whatever the time.
 */
export function blockSource(block: Block): BlockSource {
  const select: SeriesSource["select"] = (tenant, matchers, minT, maxT) =>
    selectSeries(block, tenant, matchers, minT, maxT);
  const whole = (matchers: readonly unknown[], minT: number, maxT: number): boolean =>
    matchers.length === 0 &&
    block.values.table.items > 0 &&
    block.tombstones.list.length === 0 &&
    minT <= block.meta.maxT &&
    maxT >= block.meta.minT;
  return {
    select,
    labels: (id) => seriesLabels(block, id),
    symbol: (text) => findSymbol(block, text),
    text: (symbol) => symbolText(block, symbol),
    valueSymbol: (id, name) => seriesValue(block, id, name),
    read: (id, minT, maxT, out, once) => readSeries(block, id, minT, maxT, out, once),
    estimate: (ids, minT, maxT, spent) => estimateChunks(block, ids, minT, maxT, spent),
    readCounts: () => {
      const { bytesRead, hits, misses } = block.data.cache;
      return { bytesRead, cacheHits: hits, cacheMisses: misses };
    },
    readRollup: (id, minT, maxT, out, need) => readRollup(block, id, minT, maxT, out, need),
    identity: (id, out, at) => seriesIdentity(block, id, out, at),
    tenants: () => Array.from({ length: block.tenants.table.items }, (_, row) => tenantName(block, row)),
    labelNames: (tenant, matchers, minT, maxT) => {
      if (whole(matchers, minT, maxT)) {
        const row = findTenant(block, tenant);
        return row === undefined ? [] : texts(block, rowsOf(block.fields, FIELD_SYMBOL, row.firstField, row.endField));
      }
      const names = new Set<number>();
      let shape: Uint32Array | undefined;
      for (const id of select(tenant, matchers, minT, maxT)) {
        const part = labelPart(block, id);
        const next = part.shapes[part.shapeOf[id & block.labels.mask] as number];
        if (next !== shape && next !== undefined) for (const name of next) names.add(name);
        shape = next;
      }
      return texts(
        block,
        [...names].sort((a, b) => a - b),
      );
    },
    labelValues: (tenant, name, matchers, minT, maxT) => {
      const symbol = findSymbol(block, name);
      if (symbol < 0) return [];
      if (whole(matchers, minT, maxT)) {
        const row = findTenant(block, tenant);
        const field = row === undefined ? undefined : findField(block, row, symbol);
        return field === undefined ? [] : texts(block, rowsOf(block.values, VALUE_SYMBOL, field.first, field.end));
      }
      const values = new Set<number>();
      for (const id of select(tenant, matchers, minT, maxT)) values.add(seriesValue(block, id, symbol));
      values.delete(-1);
      return texts(
        block,
        [...values].sort((a, b) => a - b),
      );
    },
  };
}

function rowsOf(section: Section<NumberPart>, column: number, first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => numberAt(section, column, first + i));
}

/** Symbols are in order of their texts. */
function texts(block: Block, symbols: readonly number[]): string[] {
  return symbols.map((s) => symbolText(block, s));
}
