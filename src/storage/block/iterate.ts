/** All series of a block in order, each read once: for merging and verifying. Past the cache, which is for queries. */
import type { Labels } from "../../model/labels.ts";
import { ALL_ROLLUP_COLUMNS, type RollupBuffer } from "../../model/rollup.ts";
import type { SampleBuffer } from "../../model/sample.ts";
import type { Page } from "../column/page.ts";
import type { Block } from "./block.ts";
import type { SeriesHash } from "./identity.ts";
import { TENANT_SERIES } from "./index-tables.ts";
import { identityIn, labelsAt, numberAt, tenantName } from "./lookup.ts";
import type { BlockMeta } from "./meta.ts";
import { type PageSource, readRows, readSamples } from "./read-series.ts";
import { passingPart } from "./section.ts";

export interface BlockSeries {
  /** Of the block that it is read from. */
  readonly meta: BlockMeta;
  readonly id: number;
  readonly tenant: string;
  readonly labels: Labels;
  readonly hash: SeriesHash;
  /** Replaces the content of `out` by all samples that are not deleted. Throws `BlockError`. */
  readSamples(out: SampleBuffer): void;
  /** The same for rollups. */
  readRows(out: RollupBuffer): void;
}

/** Throws `BlockError` while it goes. A series is to be read before the next one is asked for, or not at all. */
export function* iterateBlock(block: Block): Generator<BlockSeries> {
  const pages = passingPages();
  const words = new Uint32Array(3);
  const { labels, chunks, tenants } = block;
  let labelPart = -1;
  let labelRows = passingPart(labels, 0);
  let chunkPart = -1;
  let chunkRows = passingPart(chunks, 0);
  let tenantRow = -1;
  let tenantEnd = 0;
  let tenant = "";
  for (let id = 0; id < block.meta.series; id++) {
    while (id >= tenantEnd && tenantRow + 1 < tenants.table.items) {
      tenantRow++;
      tenantEnd = numberAt(tenants, TENANT_SERIES, tenantRow);
      tenant = tenantName(block, tenantRow);
    }
    if (id >>> labels.table.shift !== labelPart) {
      labelPart = id >>> labels.table.shift;
      labelRows = passingPart(labels, labelPart);
    }
    if (id >>> chunks.table.shift !== chunkPart) {
      chunkPart = id >>> chunks.table.shift;
      chunkRows = passingPart(chunks, chunkPart);
    }
    const part = chunkRows;
    const i = id & chunks.mask;
    pages.expect((part.ends[i + 1] as number) - (part.ends[i] as number));
    identityIn(block, labelRows, id, words, 0);
    yield {
      meta: block.meta,
      id,
      tenant,
      labels: labelsAt(block, labelRows, id & labels.mask),
      hash: { lo: words[0] as number, hi: words[1] as number, check: words[2] as number },
      readSamples: (out) =>
        readSamples(block, part, id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, out, pages.source),
      readRows: (out) => {
        out.length = 0;
        if (out.histograms !== undefined) out.histograms.bytes.length = 0;
        const [from, to] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
        readRows(block, part, id, from, to, out, ALL_ROLLUP_COLUMNS, pages.source);
      },
    };
  }
}

/** The pages in use: one for each chunk that a series has, and some more where series end in different ones. */
function passingPages(): { expect(chunks: number): void; readonly source: PageSource } {
  const held = new Map<number, Page>();
  let most = 1;
  return {
    expect: (chunks) => {
      if (chunks > most) most = chunks;
    },
    source: (pages, number) => {
      let page = held.get(number);
      if (page === undefined) {
        page = passingPart(pages, number);
        if (held.size > most + 1) held.delete(held.keys().next().value as number);
      } else held.delete(number);
      held.set(number, page);
      return page;
    },
  };
}
