/**
 * How long the first selector takes that a block is asked, in processes that do nothing else: `node first-select.ts <block> <number>`
 * prints the times of one process.
 */
import { execFileSync } from "node:child_process";
import { realDisk } from "../../src/lib/disk.ts";
import { closeBlock, openBlock } from "../../src/storage/block/block.ts";
import { blockSource } from "../../src/storage/block/block-source.ts";
import { makeBlockCache } from "../../src/storage/block/cache.ts";
import { ask, SELECTS, type Select } from "./label-fleet.ts";

export interface FirstTimes {
  /** CPU milliseconds of the answering thread (not of those that compile for it): the process' very first query. */
  readonly process: number;
  /** The first one of a block that was opened anew, in a process that has asked others. */
  readonly block: number;
}

const PROCESSES = 3;
/** Blocks opened in a process until its code is compiled, and after that. */
const WARM_UP = 10;
const OPENED = 5;

/** Medians over some processes, for the selector with this number. */
export function firstTimes(dir: string, select: number): FirstTimes {
  const runs = Array.from({ length: PROCESSES }, () => {
    const args = [import.meta.filename, dir, String(select)];
    return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as number[];
  });
  return {
    process: median(runs.map((times) => times[0] as number)),
    block: median(runs.flatMap((times) => times.slice(1 + WARM_UP))),
  };
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1] as number;
}

/** The block is opened so many times; CPU milliseconds of the first query each time. */
async function measure(dir: string, select: Select): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < 1 + WARM_UP + OPENED; round++) {
    const block = await openBlock(realDisk, dir, makeBlockCache(256 << 20));
    const start = process.threadCpuUsage();
    ask(blockSource(block), select, round + 1);
    const { user, system } = process.threadCpuUsage(start);
    times.push((user + system) / 1000);
    await closeBlock(block);
  }
  return times;
}

if (process.argv[1] === import.meta.filename) {
  const [dir, number] = process.argv.slice(2);
  console.log(JSON.stringify(await measure(dir as string, SELECTS[Number(number)] as Select)));
}
