/**
 * What a shard stores: the head for what is new, blocks for what is old, and one source over both. Everything that changes the
 * blocks goes through here, one change after the other.
 *
 * Invariants:
 * - a change of which blocks count happens in one step between two queries;
 * - blocks are durable before the head drops what is in them, and the state file names a block before the ones that it
 *   replaces are removed;
 * - a query gets every sample that can be read, and hears in words of those that cannot.
 */
import { basename, join } from "node:path";
import type { Disk } from "../../lib/disk.ts";
import type { Matcher } from "../../model/matcher.ts";
import { TIER_MS, type Tier } from "../../model/rollup.ts";
import type { Stretch } from "../../model/series-source.ts";
import { blockIdTime } from "../block/block-id.ts";
import { makeBlockCache } from "../block/cache.ts";
import { deleteFromBlock } from "../block/deleted.ts";
import { collectSeries } from "../head/collect.ts";
import { abortCut, beginCut, finishCut, windowsBefore } from "../head/cut.ts";
import { deleteSamples } from "../head/delete.ts";
import type { Head } from "../head/head.ts";
import { seriesInLabelOrder } from "../head/label-order.ts";
import { CHUNK_RANGE } from "../head/open-chunk.ts";
import type { Pause } from "../head/sliced-sort.ts";
import { isWantOfSpace } from "../wal/wal-error.ts";
import { type BlockSet, closeBlockSet, exchangeBlocks, type MissingData, openBlockSet, TIERS } from "./block-set.ts";
import { type RuleCoverage, type SeriesCoverage, seriesCoverage } from "./coverage.ts";
import { writeWindows } from "./cut-head.ts";
import { headPart } from "./head-part.ts";
import { forgetBusy, IDLE_MS, type IdleSeries, noteIdle } from "./idle-series.ts";
import { type Lock, makeLock } from "./lock.ts";
import { hoursLost, isKept, lostBlocks, unmadeRows } from "./lost-data.ts";
import { type MergedSource, makeMergedSource, type Problems, type SourcePart } from "./merged-source.ts";
import { nameMissing } from "./name-missing.ts";
import { UnnamedSeries } from "./part-source.ts";
import { refreshCache } from "./refresh-cache.ts";
import { type RuleOf, ruleFinder, type SeriesRetention, type TierAges } from "./retention-rules.ts";
import { accountBlocks, type RollupProgress, rawRemoved, stretchRemoved, wholeFrom } from "./rollup-progress.ts";
import { forgetAll, makeSeriesCache, type SeriesCache } from "./series-cache.ts";
import { endOf, type KnownBlock, type NamedLoss, readState, type StorageState, writeState } from "./storage-state.ts";

export interface StorageOptions {
  readonly disk: Disk;
  /** The shard's folder, named by its number: blocks/ is made in it. */
  readonly dir: string;
  readonly head: Head;
  readonly ages: TierAges;
  readonly rules: readonly SeriesRetention[];
  /** Memory for decoded parts of blocks. */
  readonly cacheBytes: number;
  /** Unix ms. */
  readonly now: () => number;
  readonly say: (level: "info" | "warn" | "error", line: string) => void;
}

export interface ShardStorage {
  readonly options: StorageOptions;
  readonly blocks: BlockSet;
  readonly source: MergedSource;
  readonly cache: SeriesCache;
  readonly ruleOf: RuleOf;
  /** One change of the blocks, or of what the head holds of the past, at a time. */
  readonly lock: Lock;
  state: StorageState;
  /** The state could not be written: the file has an older one. */
  unsaved: boolean;
  idle: IdleSeries | undefined;
  /** Blocks that there ought to be and that are not open. */
  lost: readonly KnownBlock[];
  /** Data that is lost, for as long as a query may ask for its times. */
  readonly missing: MissingData[];
  /** What the running request could not read. */
  readonly met: Set<string>;
  readonly counts: { cuts: number; cutSeconds: number; damagedReads: number; seriesRemoved: number };
}

const BLOCKS = "blocks";
/** Damage that every query meets is not logged with every query. */
const SAY_AGAIN_MS = 10 * 60_000;
const MOST_SAID = 1_000;

/** Opens what is on disk. Rejects with DiskError; damage is told, not thrown. */
export async function openStorage(options: StorageOptions): Promise<ShardStorage> {
  const { disk, dir, say } = options;
  const folder = join(dir, BLOCKS);
  await disk.makeDir(folder);
  const counts = { cuts: 0, cutSeconds: 0, damagedReads: 0, seriesRemoved: 0 };
  const met = new Set<string>();
  const { state, known, problem } = await readState(disk, folder);
  if (problem !== undefined) say("error", `${problem}: the rollups are made anew`);
  const said = new Map<string, number>();
  const hear = (how: string, minT: number, maxT: number): void => {
    const what = nameMissing({ what: how, minT, maxT }, basename(dir));
    counts.damagedReads++;
    cache.damage++;
    met.add(what);
    const before = said.get(what);
    if (before !== undefined && Math.abs(options.now() - before) < SAY_AGAIN_MS) return;
    if (said.size >= MOST_SAID) said.clear();
    said.set(what, options.now());
    say("error", what);
  };
  const named = known ? new Set(state.blocks.map((b) => b.id)) : undefined;
  const memory = makeBlockCache(options.cacheBytes);
  const cache = makeSeriesCache(memory);
  const blocks = await openBlockSet(disk, folder, memory, hear, named);
  const lost = lostBlocks(blocks, state);
  const again = lost.filter((b) => b.tier !== "raw" && b.minT >= wholeFrom(state.progress));
  const storage: ShardStorage = {
    options,
    blocks,
    source: makeMergedSource(cache),
    cache,
    ruleOf: ruleFinder(options.rules),
    lock: makeLock(),
    state,
    unsaved: false,
    idle: undefined,
    lost: lost.filter((b) => !again.includes(b)),
    missing: [...state.losses],
    met,
    counts,
  };
  for (const { tier, id, minT, maxT } of lost) {
    const what = blocks.damaged.find((d) => d.id === id)?.what ?? `block ${tier}/${id} is missing`;
    if (storage.lost.some((b) => b.id === id)) storage.missing.push({ what, tier, minT, maxT: endOf(tier, maxT) });
    else say("error", `${what}; it is made anew`);
  }
  for (const damage of blocks.damaged) {
    if (!lost.some((b) => b.id === damage.id))
      storage.missing.push({ ...damage, maxT: endOf(damage.tier, damage.maxT) });
  }
  for (const id of state.setAside) setAside(storage, id);
  const unmade = again.flatMap((b) => unmadeRows(rawGaps(storage), b));
  storage.missing.push(...unmade);
  storage.state = { ...state, losses: [...state.losses, ...unmade] };
  for (const missing of storage.missing) say("error", nameMissing(missing, basename(dir)));
  const oldest = Math.min(...blocks.tiers.raw.map((b) => b.block.meta.minT));
  const redone = again.reduce((p, b) => stretchRemoved(p, b.minT + 1, endOf(b.tier, b.maxT), oldest), state.progress);
  await saveState(storage, redone).catch((error: unknown) => {
    // The same comes of the same files at every start; what there is can be served, and the next save has it.
    if (!isWantOfSpace(error)) throw error;
  });
  return storage;
}

/** A block that a job found damaged: jobs leave it alone from now on, and queries hear of it. */
export function setAside({ blocks, missing }: ShardStorage, id: string): void {
  for (const tier of TIERS) {
    const found = blocks.tiers[tier].find((b) => b.block.meta.id === id);
    if (found === undefined || blocks.setAside.has(id)) continue;
    blocks.setAside.add(id);
    const { minT, maxT } = found.block.meta;
    missing.push({
      what: `block ${tier}/${id} is damaged: part of its samples is lost`,
      tier,
      minT,
      maxT: endOf(tier, maxT),
    });
  }
}

/** Names something that is lost for good, in this life of the shard and in later ones until its time is beyond retention. */
export async function nameLoss(storage: ShardStorage, loss: NamedLoss): Promise<void> {
  storage.missing.push(loss);
  storage.options.say("error", nameMissing(loss, basename(storage.options.dir)));
  storage.state = { ...storage.state, losses: [...storage.state.losses, loss] };
  await storage.lock.run(() => saveState(storage, storage.state.progress));
}

/** Writes the state when it is not on disk as it is. Rejects with DiskError. */
export async function settleStorage(storage: ShardStorage): Promise<void> {
  await storage.lock.run(async () => {
    if (storage.unsaved) await saveState(storage, storage.state.progress);
  });
}

/** Accounts for the blocks that are there now and writes the state. */
async function saveState(storage: ShardStorage, progress: RollupProgress): Promise<void> {
  const { blocks, options } = storage;
  const raw = blocks.tiers.raw.map(({ block: { meta } }) => meta);
  const { losses } = storage.state;
  const rawAfter = Math.min(...coverage(storage).byRule.map((r) => r.coverage.rawAfter));
  const over = losses.filter((l) => !isKept(l, rawAfter, options.ages, dataTime(storage)));
  // Of lost samples as of those that were dropped in their time: their rows are what there is.
  const gone = over.filter((l) => l.tier === "raw").reduce((p, l) => rawRemoved(p, l.maxT), progress);
  const there = TIERS.flatMap((tier) => blocks.tiers[tier].map(({ block: { meta } }) => ({ ...meta, tier })));
  storage.state = {
    progress: accountBlocks(gone, raw),
    // What is lost stays named, so that queries hear of it after the next start as well.
    blocks: [...there, ...storage.lost].map(({ tier, id, minT, maxT }) => ({ tier, id, minT, maxT })),
    setAside: there.filter(({ id }) => blocks.setAside.has(id)).map(({ id }) => id),
    losses: losses.filter((l) => !over.includes(l)),
    thinned: Object.fromEntries(Object.entries(storage.state.thinned).filter(([id]) => there.some((b) => b.id === id))),
  };
  storage.unsaved = true;
  await writeState(options.disk, blocks.dir, storage.state);
  storage.unsaved = false;
}

/**
 * Answers a request from the storage. `more` says what else is missing. `work` reads from `storage.source` and is done again, without
 * the block, when a damaged block cannot say which series are in it.
 */
export function answerFrom<T>(storage: ShardStorage, work: () => T, more: Problems = () => []): T {
  for (;;) {
    beginRequest(storage, more);
    try {
      return work();
    } catch (error) {
      if (!(error instanceof UnnamedSeries)) throw error;
    }
  }
}

function beginRequest(storage: ShardStorage, more: Problems): void {
  const { source, cache, blocks, options, met } = storage;
  met.clear();
  refreshCache(cache, options.head, blocks.tiers.raw);
  const parts: SourcePart[] = [];
  for (const tier of TIERS) for (const { part } of blocks.tiers[tier]) parts.push(part);
  parts.push(headPart(options.head));
  source.begin(parts, coverage(storage), (minT, maxT) => [
    ...requestWarnings(storage, minT, maxT),
    ...more(minT, maxT),
  ]);
}

/** What the request since `beginRequest` could not read, and lost data that lies in its times. */
function requestWarnings(storage: ShardStorage, minT: number, maxT: number): string[] {
  const lost = missingData(storage)
    .filter((m) => m.minT <= maxT && m.maxT >= minT)
    .map((m) => nameMissing(m, basename(storage.options.dir)));
  return [...new Set([...lost, ...storage.met])];
}

/** Data that is lost as far as is known. */
export function missingData({ missing }: ShardStorage): readonly MissingData[] {
  return missing.filter((m) => m.mended?.() !== true);
}

/** The hours of which raw samples are lost, as far as their times are known. */
export const rawGaps = (storage: ShardStorage): Stretch[] => hoursLost(missingData(storage));

function coverage(storage: ShardStorage): SeriesCoverage {
  const { blocks, options, state, ruleOf } = storage;
  const { head, ages, rules } = options;
  const found = seriesCoverage(rules, ruleOf, ages, {
    progress: state.progress,
    now: dataTime(storage),
    oldestInHead: head.minT,
    oldestRaw: blocks.tiers.raw.reduce((oldest, { block }) => Math.min(oldest, block.meta.minT), head.minT),
    tiers: (["1m", "1h"] as const).filter((tier) => blocks.tiers[tier].length > 0),
  });
  const gaps = rawGaps(storage);
  const withGaps = ({ coverage: c, rowsFrom }: RuleCoverage): RuleCoverage => ({
    coverage: { ...c, rawGaps: gaps.filter((g) => g.until > c.rawAfter) },
    rowsFrom,
  });
  const [usual, ...ruled] = found.byRule;
  return { ...found, byRule: [withGaps(usual), ...ruled.map(withGaps)] };
}

/** Replaces blocks of a tier by others, durably; the rollups' progress changes with it. */
export async function replaceBlocks(
  storage: ShardStorage,
  tier: Tier,
  made: readonly string[],
  replaced: readonly string[],
  progress: (before: RollupProgress) => RollupProgress = (p) => p,
): Promise<void> {
  await exchangeBlocks(storage.blocks, tier, made, replaced, () =>
    saveState(storage, progress(storage.state.progress)),
  );
}

/**
 * Moves everything older than the cutoff (a multiple of 2 h) from the head to blocks. Resolves to whether there was any. When it
 * rejects, the head has it all as before.
 */
export async function cutHead(storage: ShardStorage, cutoff: number, pause: Pause): Promise<boolean> {
  const { options, blocks, counts } = storage;
  const { head, disk, say } = options;
  if (head.minT >= cutoff) return false;
  const start = performance.now();
  if (storage.idle !== undefined) forgetBusy(storage.idle, head);
  beginCut(head, cutoff);
  let made: string[];
  try {
    const starts = await windowsBefore(head, cutoff, pause);
    const windows = starts.map((from) => ({ start: from, end: from + CHUNK_RANGE }));
    const order = await seriesInLabelOrder(head, pause);
    made = await writeWindows(disk, join(blocks.dir, "raw"), head, order, windows, newestId(storage), pause);
    const cut = (p: RollupProgress) => ({ ...p, cutUpTo: Math.max(p.cutUpTo, cutoff) });
    await replaceBlocks(storage, "raw", made, [], cut);
  } catch (error) {
    abortCut(head);
    throw error;
  }
  await finishCut(head, pause);
  const gone = collectIdle(storage, cutoff);
  const seconds = (performance.now() - start) / 1000;
  counts.cuts++;
  counts.cutSeconds += seconds;
  counts.seriesRemoved += gone;
  say(
    "info",
    `wrote ${made.length} blocks up to ${new Date(cutoff).toISOString()} in ${seconds.toFixed(1)} s; ${gone} idle series left the head`,
  );
  return true;
}

/** A time for the ids of new blocks: after that of every block there is, also when the clock was set back. */
export function newestId({ blocks, options }: ShardStorage): number {
  let newest = options.now();
  for (const tier of TIERS) {
    for (const { block } of blocks.tiers[tier]) newest = Math.max(newest, blockIdTime(block.meta.id) + 1);
  }
  return newest;
}

/**
 * The time that ages are counted from, Unix ms: now, but not later than the newest sample. So a clock that jumps ahead makes
 * nothing too old.
 */
export function dataTime({ blocks, options }: ShardStorage): number {
  let newest = options.head.maxT;
  for (const tier of TIERS) for (const { block } of blocks.tiers[tier]) newest = Math.max(newest, block.meta.maxT);
  return Math.min(options.now(), newest);
}

/** Series that have been idle for long leave the head. Numbers change, so that what was noted of the rest begins anew. */
function collectIdle(storage: ShardStorage, cutoff: number): number {
  const { head, now } = storage.options;
  const { idle } = storage;
  if (idle !== undefined && now() - idle.since < IDLE_MS) return 0;
  // Renumbering is one pass over everything: not for a handful of series.
  const least = Math.max(1, head.series.count >> 5);
  const gone = idle === undefined ? 0 : collectSeries(head, cutoff, least, idle.empty);
  storage.idle = noteIdle(head, now());
  return gone;
}

/** Removes the samples in [minT, maxT] of the series that a set selects, from blocks and head. Resolves to how many series may have had some. */
export async function deleteFromStorage(
  storage: ShardStorage,
  tenant: string,
  sets: readonly (readonly Matcher[])[],
  minT: number,
  maxT: number,
): Promise<number> {
  const { blocks, options } = storage;
  const { head } = options;
  let series = 0;
  for (const set of sets) {
    for (const { block } of blocks.tiers.raw) series += await deleteFromBlock(block, tenant, set, minT, maxT);
    for (const tier of ["1m", "1h"] as const) {
      const [from, to] = bucketsToDelete(storage, TIER_MS[tier], minT, maxT);
      for (const { block } of blocks.tiers[tier]) await deleteFromBlock(block, tenant, set, from, to);
    }
    series += deleteSamples(head, tenant, set, minT, maxT);
  }
  forgetAll(storage.cache);
  const oldest = Math.min(head.minT, ...blocks.tiers.raw.map((b) => b.block.meta.minT));
  await saveState(storage, stretchRemoved(storage.state.progress, minT, maxT, oldest));
  return series;
}

/**
 * Starts of the first and the last bucket that go with the samples in [minT, maxT]. A bucket that keeps some of its samples goes
 * as well where raw samples are there, since it is made anew from them; elsewhere it stays, they are all that it has.
 */
function bucketsToDelete(storage: ShardStorage, width: number, minT: number, maxT: number): [from: number, to: number] {
  const rawAfter = Math.max(...coverage(storage).byRule.map((r) => r.coverage.rawAfter));
  const gaps = rawGaps(storage);
  const isMadeAnew = (start: number): boolean =>
    start > rawAfter && !gaps.some((g) => g.after <= start && start < g.until);
  const startOf = (t: number): number => (Number.isFinite(t) ? (Math.ceil(t / width) - 1) * width : t);
  const first = startOf(minT);
  const last = startOf(maxT);
  return [
    isMadeAnew(first) || !Number.isFinite(minT) || minT === first + 1 ? first : first + width,
    isMadeAnew(last) || !Number.isFinite(maxT) || maxT === last + width ? last : last - width,
  ];
}

export async function closeStorage(storage: ShardStorage): Promise<void> {
  await closeBlockSet(storage.blocks);
}
