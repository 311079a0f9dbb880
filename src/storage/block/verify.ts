/** Looking through a whole block: every checksum, every reference, order and counts. */
import { join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import { compileMatcher } from "../../model/matcher.ts";
import { isMediaError } from "../wal/segment-reader.ts";
import { type Block, closeBlock, openBlock, sectionsOf } from "./block.ts";
import { BlockError, type BlockProblem } from "./block-error.ts";
import { makeBlockCache } from "./cache.ts";
import { type Findings, makeFindings } from "./findings.ts";
import { DATA_FILE, FOOTER_BYTES, HEADER_BYTES, META_FILE } from "./layout.ts";
import { readPartBytes, type Section } from "./section.ts";
import type { Pause } from "./sort-strings.ts";
import { verifyChunks } from "./verify-chunks.ts";
import { verifyPostings, verifySeries, verifySymbols } from "./verify-index.ts";

/** Memory for what the checks look up again and again. */
const CACHE_BYTES = 32 << 20;

/**
 * Everything that is wrong with the block in a folder, nothing when it is whole. Rejects with `DiskError` when the disk fails
 * otherwise than by a missing file or by having lost what was in it. `pause` is asked between steps.
 */
export async function verifyBlock(disk: Disk, dir: string, pause?: Pause): Promise<readonly BlockProblem[]> {
  let block: Block;
  try {
    block = await openBlock(disk, dir, makeBlockCache(CACHE_BYTES));
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined) throw error;
    return [problem];
  }
  const findings = makeFindings();
  const path = join(dir, DATA_FILE);
  try {
    const name = dir.slice(dir.lastIndexOf("/") + 1);
    if (block.meta.id !== name) findings.add(join(dir, META_FILE), 0, `says that it is block ${block.meta.id}`);
    checkPlaces(block, path, findings);
    for (const section of sectionsOf(block)) await checkSums(section, findings, pause);
    // What follows reads by meaning, which is of no use over parts that cannot be read.
    if (findings.problems.length === 0) {
      for (const check of [verifySymbols, verifySeries, verifyPostings, verifyChunks])
        await check(block, findings, pause);
      findings.check(() => {
        for (const t of block.tombstones.list) for (const m of t.matchers) compileMatcher(m);
      });
    }
  } finally {
    await closeBlock(block);
  }
  return findings.problems;
}

/** What an error says of a block's file; undefined when it says nothing of it (rights, too many open files). */
export function problemOf(error: unknown): BlockProblem | undefined {
  if (error instanceof BlockError) return { file: error.file, offset: error.offset, problem: error.problem };
  return isMediaError(error) ? { file: error.path, offset: 0, problem: error.message } : undefined;
}

/** The parts lie one behind another from the header to the tables, nothing between them and nothing twice. */
function checkPlaces(block: Block, path: string, findings: Findings): void {
  const places: [number, number][] = [[0, HEADER_BYTES]];
  for (const { table } of sectionsOf(block)) {
    for (let i = 0; i < table.starts.length; i++) places.push([table.starts[i] as number, table.lengths[i] as number]);
  }
  const footer = block.meta.bytes - FOOTER_BYTES;
  places.push([block.data.tablesAt, footer - block.data.tablesAt], [footer, FOOTER_BYTES]);
  places.sort(([a], [b]) => a - b);
  let end = 0;
  for (const [start, length] of places) {
    if (start !== end) {
      findings.add(path, Math.min(start, end), start > end ? "bytes that belong to nothing" : "two parts overlap");
    }
    end = Math.max(end, start + length);
  }
}

async function checkSums(section: Section<unknown>, findings: Findings, pause: Pause | undefined): Promise<void> {
  for (let part = 0; part < section.table.starts.length; part++) {
    findings.check(() => void readPartBytes(section, part));
    const wait = pause?.();
    if (wait !== undefined) await wait;
  }
}
