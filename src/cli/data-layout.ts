/**
 * `tocsin.json`: the number of partitions of a data dir. A series is looked for in the shard that its hash and this number
 * give, so with another number samples that are there are not found. It is therefore compared with the folders below shards/.
 *
 * Invariants:
 * - a file with a checksum is only written when shards/ has a folder for each partition, and a partition has no other;
 * - a file of an earlier version has no checksum; shards/ of its data dir may be empty or not there.
 */
import { join } from "node:path";
import { crc32c } from "../lib/crc32c.ts";
import { type Disk, DiskError, ifThere, readWhole, replaceFile } from "../lib/disk.ts";

export const LAYOUT_FILE = "tocsin.json";
const SHARDS = "shards";
/** Shards' folders before all of them are made. */
const SHARDS_BEING_MADE = "shards.tmp";
const FORMAT = 1;

/** What `readLayout` found; `problem` says what is wrong and what to do, with the file's path. */
export type Layout =
  | { readonly kind: "good"; readonly partitions: number; readonly hasChecksum: boolean }
  /** Neither a description nor data of shards. */
  | { readonly kind: "none" }
  | { readonly kind: "bad"; readonly problem: string };

interface Facts {
  readonly format: number;
  readonly partitions: number;
  readonly checksum?: string;
}

const bad = (problem: string): Layout => ({ kind: "bad", problem });

/** Reads the description of a data dir or a snapshot and compares it with the shards' folders; changes nothing. */
export async function readLayout(disk: Disk, path: string): Promise<Layout> {
  const file = join(path, LAYOUT_FILE);
  let bytes: Uint8Array | undefined;
  let shards: number[];
  try {
    bytes = await readWhole(disk, file);
  } catch (error) {
    return bad(`cannot read ${file}: ${messageOf(error)}`);
  }
  try {
    shards = await shardNumbers(disk, path);
  } catch (error) {
    return bad(`cannot read ${join(path, SHARDS)}: ${messageOf(error)}`);
  }
  if (bytes === undefined) {
    if (await areEmpty(disk, path, shards)) return { kind: "none" };
    return bad(
      `${file} is missing though ${path} holds the data of ${shards.length} shards (${shards.join(", ")}): ${remedy(shards)}`,
    );
  }
  const facts = parseFacts(new TextDecoder().decode(bytes));
  if (facts === undefined) {
    return bad(`${file} is not a Tocsin data dir's description: is ${path} the right folder?`);
  }
  const { partitions } = facts;
  const hasChecksum = facts.checksum !== undefined;
  const says = `${file} says ${partitions} partitions`;
  if (hasChecksum && facts.checksum !== checksumOf(facts)) {
    return bad(
      `${says}, but its checksum does not match: it was damaged or edited. ${there(path, shards)}: ${remedy(shards)}`,
    );
  }
  const complete = shards.length === partitions && shards.every((shard, i) => shard === i);
  if (complete || (!hasChecksum && shards.length === 0)) return { kind: "good", partitions, hasChecksum };
  return bad(`${says}, but ${there(path, shards).toLowerCase()}: ${disagreement(path, shards, partitions)}`);
}

/**
 * Writes the description, with a checksum, and makes the folders of shards that are not there. Durable when it resolves; rejects
 * with DiskError, and whatever is there then is read as before.
 */
export async function writeLayout(disk: Disk, path: string, partitions: number): Promise<void> {
  const shards = await shardNumbers(disk, path);
  if (shards.length !== partitions) {
    const making = join(path, SHARDS_BEING_MADE);
    await disk.removeDir(making);
    for (let shard = 0; shard < partitions; shard++) await disk.makeDir(join(making, String(shard)));
    await disk.syncDir(making);
    // Nothing is in it, else readLayout had not let it come to this.
    await disk.removeDir(join(path, SHARDS));
    await disk.rename(making, join(path, SHARDS));
    await disk.syncDir(path);
  }
  const facts = { format: FORMAT, partitions };
  const text = JSON.stringify({ ...facts, checksum: checksumOf(facts) }, null, 2);
  await replaceFile(disk, join(path, LAYOUT_FILE), new TextEncoder().encode(`${text}\n`));
}

/** CRC-32C of what the file says, as eight hexadecimal digits. */
function checksumOf({ format, partitions }: Facts): string {
  return crc32c(new TextEncoder().encode(JSON.stringify({ format, partitions })))
    .toString(16)
    .padStart(8, "0");
}

function parseFacts(text: string): Facts | undefined {
  try {
    const facts = JSON.parse(text) as Facts;
    const { format, partitions, checksum } = facts;
    const known = format === FORMAT && Number.isInteger(partitions) && partitions > 0;
    return known && (checksum === undefined || typeof checksum === "string") ? facts : undefined;
  } catch {
    return undefined;
  }
}

/** Ascending; none when there is no such folder. */
async function shardNumbers(disk: Disk, path: string): Promise<number[]> {
  const names = (await ifThere(disk.list(join(path, SHARDS)))) ?? [];
  const numbers = names.filter((name) => /^(0|[1-9]\d*)$/.test(name)).map(Number);
  return numbers.sort((a, b) => a - b);
}

/** A first start that was cut short has made folders and nothing in them. */
async function areEmpty(disk: Disk, path: string, shards: readonly number[]): Promise<boolean> {
  for (const shard of shards) {
    const names = await disk.list(join(path, SHARDS, String(shard))).catch(() => ["unreadable"]);
    if (names.length > 0) return false;
  }
  return true;
}

function there(path: string, shards: readonly number[]): string {
  if (shards.length === 0) return `There are no shards in ${join(path, SHARDS)}`;
  return `There ${shards.length === 1 ? "is 1 shard" : `are ${shards.length} shards`} (${shards.join(", ")}) in ${join(path, SHARDS)}`;
}

const description = (partitions: number) => `{"format":${FORMAT},"partitions":${partitions}}`;

function remedy(shards: readonly number[]): string {
  const gapless = shards.length > 0 && shards.every((shard, i) => shard === i);
  if (gapless) return `if that is all of them, put ${description(shards.length)} into it; else restore a snapshot`;
  return "put back the shards' folders and the file, or restore a snapshot";
}

function disagreement(path: string, shards: readonly number[], partitions: number): string {
  const missing = Array.from({ length: partitions }, (_, i) => i).filter((shard) => !shards.includes(shard));
  const [first] = missing;
  // More than fits a line is more than somebody would make by hand.
  const named = missing.length <= 8 ? missing.join(", ") : `${missing.slice(0, 8).join(", ")}, ...`;
  const gapless = shards.length > 0 && shards.every((shard, i) => shard === i);
  const ways = [
    ...(gapless ? [`put ${description(shards.length)} into the file if it is wrong`] : []),
    ...(first === undefined
      ? []
      : [
          `put back the missing folders (${named})`,
          `make them empty to go on without their data (mkdir -p ${join(path, SHARDS, String(first))})`,
        ]),
    "restore a snapshot",
  ];
  return ways.join(", or ");
}

function messageOf(error: unknown): string {
  return error instanceof DiskError ? error.message.replace(/^\w+ \S+: /, "") : String(error);
}
