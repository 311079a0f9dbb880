/** `tocsin storage inspect|verify|repair DIR`: the data of a stopped server, or of a snapshot. */
import { basename, dirname, join, resolve } from "node:path";
import { makeShardCore } from "../actors/shard/shard.core.ts";
import { DiskError, realDisk as disk } from "../lib/disk.ts";
import { TIER_MS } from "../model/rollup.ts";
import { timeText } from "../storage/engine/name-missing.ts";
import { type Damaged, repairShard, type ShardSurvey, surveyShard, verifyShard } from "../storage/engine/survey.ts";
import { createHead } from "../storage/head/head.ts";
import { headWalk } from "../storage/snapshot/head-parts.ts";
import { DataDirError, holdDir } from "./data-dir.ts";
import { LAYOUT_FILE, readLayout } from "./data-layout.ts";

/** What a person can mend is said in a line, without a stack. */
function orSayWhy<A extends readonly unknown[]>(command: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  return async (...args) => {
    try {
      await command(...args);
    } catch (error) {
      if (!(error instanceof DataDirError || error instanceof DiskError)) throw error;
      console.error(error.message);
      process.exitCode = 1;
    }
  };
}

/** Lists what each shard has on disk. */
export const inspectStorage = orSayWhy(async (dir: string, options: { json?: boolean }): Promise<void> => {
  const surveys = await Promise.all((await shardDirs(dir)).map((shard) => surveyShard(disk, shard)));
  const layout = await layoutProblem(dir);
  if (layout !== undefined) console.error(`BROKEN ${layout}`);
  if (options.json === true) {
    console.log(JSON.stringify(surveys, null, 2));
    return;
  }
  for (const survey of surveys) console.log(describe(survey));
});

/** What a write that a crash has stopped looks like; nobody was told of it. */
const CUT_OFF = "the next start cuts it off, and reads again what the bus still has of it";

/** Checks every checksum; exit code 1 when something is broken. */
export const verifyStorage = orSayWhy(async (dir: string): Promise<void> => {
  let broken = 0;
  let checked = 0;
  let noted = 0;
  const shards = await shardDirs(dir);
  const layout = await layoutProblem(dir);
  if (layout !== undefined) {
    broken++;
    console.log(layout);
  }
  for (const shard of shards) {
    const { problems, notes, files } = await verifyShard(disk, shard, emptyState);
    checked += files;
    broken += problems.length;
    noted += notes.length;
    for (const p of problems) console.log(line(p));
    for (const n of notes) console.log(`note: ${line(n)}: ${CUT_OFF}`);
  }
  const but = noted === 0 ? "" : `, but for the last write of ${noted} logs`;
  const whole = `all of ${checked} blocks, snapshots and log segments are whole${but}`;
  console.log(broken === 0 ? whole : `${broken} problems`);
  if (broken > 0) process.exitCode = 1;
});

/** Moves what is broken to the shards' quarantine folders, so that a server starts on the rest and finds nothing wrong. */
export const repairStorage = orSayWhy(async (dir: string): Promise<void> => {
  const shards = await shardDirs(dir);
  // Held until the end: no server may start meanwhile.
  const release = await holdDir(await dataDirOf(dir));
  try {
    const layout = await layoutProblem(dir);
    if (layout !== undefined) throw new DataDirError(layout);
    let moved = 0;
    for (const shard of shards) {
      for (const done of await repairShard(disk, shard, emptyState)) {
        moved++;
        console.log(done);
      }
    }
    console.log(moved === 0 ? "nothing is broken, nothing was changed" : `${moved} repairs`);
  } finally {
    await release();
  }
});

/** A state that snapshots can be loaded into. */
function emptyState(): { state: object; skip: ReadonlySet<string> } {
  const core = makeShardCore(createHead({ outOfOrderWindowMs: 0 }), 0);
  const { head, parked, metadata } = core;
  return { state: { head, parked, metadata }, skip: headWalk(head).skip };
}

/** What is wrong with the number of partitions of a data dir or snapshot; a shard's folder by itself has none. */
async function layoutProblem(dir: string): Promise<string | undefined> {
  const path = resolve(dir);
  if (!(await disk.list(path)).includes("shards")) return undefined;
  const layout = await readLayout(disk, path);
  if (layout.kind === "none") return `${join(path, LAYOUT_FILE)} is missing`;
  return layout.kind === "bad" ? layout.problem : undefined;
}

/** The folder that a server on this data would hold. */
async function dataDirOf(dir: string): Promise<string> {
  const path = resolve(dir);
  const above = dirname(dirname(path));
  const isShard = basename(dirname(path)) === "shards" && (await disk.list(above)).includes(LAYOUT_FILE);
  return isShard ? above : path;
}

/** The shards' folders of a data dir or snapshot, or the folder itself when it is one shard's. */
async function shardDirs(dir: string): Promise<string[]> {
  const path = resolve(dir);
  const names = await disk.list(path).catch((error: unknown) => {
    throw new DataDirError(`${path} cannot be read: ${error instanceof DiskError ? error.code : error}`);
  });
  if (names.includes("shards")) {
    const shards = (await disk.list(join(path, "shards"))).filter((n) => /^\d+$/.test(n));
    return shards.sort((a, b) => Number(a) - Number(b)).map((n) => join(path, "shards", n));
  }
  if (names.includes("blocks") || names.includes("wal")) return [path];
  throw new DataDirError(`${path} is no data dir, snapshot or shard: there is neither shards/ nor blocks/ in it`);
}

function line({ path, offset, problem }: Damaged): string {
  return `${path}${offset > 0 ? ` at byte ${offset}` : ""}: ${problem}`;
}

function describe({ dir, blocks, unreadable, snapshots, segments }: ShardSurvey): string {
  const lines = [`shard ${basename(dir)} (${dir})`];
  const time = (t: number) => timeText(t).replace(/\.\d+Z$/, "");
  for (const b of blocks) {
    // A bucket is known by its start, and has samples up to its end.
    const [one, width] = b.tier === "raw" ? ["sample", 0] : ["bucket", TIER_MS[b.tier]];
    const range = `${time(b.minT)} to ${time(b.maxT + width)}`;
    const size = `${b.bytes} bytes, ${(b.bytes / b.samples).toFixed(2)} a ${one}`;
    const deleted = b.tombstones > 0 ? `, ${b.tombstones} deletions` : "";
    const unused = b.inUse ? "" : ", not in use: left by a job, the next start sees to it";
    lines.push(
      `  ${b.tier.padEnd(3)} ${b.id}  ${range}  level ${b.level}  ${b.series} series, ${b.samples} ${one}s, ${size}${deleted}${unused}`,
    );
  }
  for (const { path, problem } of unreadable) lines.push(`  BROKEN ${path}: ${problem}`);
  for (const s of snapshots) lines.push(`  head snapshot ${s.generation}  ${s.bytes} bytes`);
  const bytes = segments.reduce((n, s) => n + s.bytes, 0);
  lines.push(`  log: ${segments.length} segments, ${bytes} bytes`);
  return lines.join("\n");
}
