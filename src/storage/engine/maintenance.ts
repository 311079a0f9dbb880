/**
 * What a shard's storage does by itself: cuts the head when a window is over, merges and rolls up blocks, drops what is
 * beyond its retention. Two loops: what touches the head runs in the shard's thread, in slices; what only touches blocks is
 * given to the compactor.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Tier } from "../../model/rollup.ts";
import { blockIdTime } from "../block/block-id.ts";
import type { BlockMeta } from "../block/meta.ts";
import { CHUNK_RANGE } from "../head/open-chunk.ts";
import type { Pause } from "../head/sliced-sort.ts";
import { exchangeBlocks, type OpenBlock, TIERS, tierBytes } from "./block-set.ts";
import { JobCancelled, JobFailed, type JobResult, type StorageJob } from "./jobs.ts";
import { makeLock } from "./lock.ts";
import { compactionRanges, planCompaction } from "./plan-compaction.ts";
import { planRetention } from "./plan-retention.ts";
import { retentionRules } from "./retention-rules.ts";
import {
  accountBlocks,
  allRolledUpTo,
  amendedIn,
  isRolledUp,
  nextStretch,
  rawRemoved,
  stretchDone,
} from "./rollup-progress.ts";
import { cutHead, dataTime, newestId, rawGaps, replaceBlocks, type ShardStorage, setAside } from "./shard-storage.ts";
import { firstToThin, mayHaveTooOld, noteThinned } from "./thinned.ts";

export interface MaintenanceOptions {
  readonly storage: ShardStorage;
  readonly runJob: (job: StorageJob, signal: AbortSignal) => Promise<JobResult>;
  /** Bytes of blocks that each tier may have in this shard, 0: no bound. */
  readonly maxBytes: Readonly<Record<Tier, number>>;
  /** Longest range of a raw block, ms. */
  readonly maxBlockRangeMs: number;
  readonly pause: Pause;
  /** Called after a cut: the moment at which a snapshot of the head is smallest. */
  readonly afterCut: () => Promise<void>;
  /** How often it is looked whether there is something to do; undefined: never, only what is asked for is done. */
  readonly everyMs: number | undefined;
}

export interface Maintenance {
  /** Resolves after `stop`. */
  readonly done: Promise<void>;
  stop(): void;
  /** Moves everything older than the cutoff to blocks, now. */
  cut(cutoff: number): Promise<boolean>;
  /** Cuts the head when it is time, once; resolves to whether there was anything to do. */
  lookAtHead(): Promise<boolean>;
  /** Does the most urgent job on blocks, once; resolves to whether there may be more to do. */
  lookAtBlocks(): Promise<boolean>;
  /** Runs `work` while no job is under way; one that is is called off and done again later. */
  withoutJobs<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Rewrites every block that has tombstones; resolves to how many. A job that is under way is called off and waited for.
   * Rejects naming the block that could not be rewritten.
   */
  cleanTombstones(): Promise<number>;
  readonly counts: MaintenanceCounts;
}

export interface MaintenanceCounts {
  compactions: number;
  rollups: number;
  jobFailures: number;
  cutFailures: number;
  jobSeconds: number;
  blocksDropped: number;
}

/** A window is cut so long after its end: what comes a little late then still is in order. */
const GRACE_MS = 15 * 60_000;
/** Late samples alone are cut when there are so many, or after so long. */
const LATE_SAMPLES = 2_000_000;
const LATE_EVERY_MS = CHUNK_RANGE;
/** What failed is not tried again before this. */
const RETRY_MS = 60_000;

export function startMaintenance(options: MaintenanceOptions): Maintenance {
  const { storage, pause } = options;
  const { disk, head, now, say } = storage.options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const counts: MaintenanceCounts = {
    compactions: 0,
    rollups: 0,
    jobFailures: 0,
    cutFailures: 0,
    jobSeconds: 0,
    blocksDropped: 0,
  };
  const { everyMs } = options;
  let lastCutoff = storage.state.progress.cutUpTo;
  let lastCutAt = now();
  let lateAtCut = head.totals.outOfOrder;
  const jobLock = makeLock();
  let job: AbortController | undefined;
  let held = 0;
  /** Counts beginnings and ends of what no job may overlap. */
  let turns = 0;
  let cutAgainAt = Number.NEGATIVE_INFINITY;
  let retryAt = Number.NEGATIVE_INFINITY;

  const cut = (cutoff: number): Promise<boolean> =>
    storage.lock.run(async () => {
      const any = await cutHead(storage, cutoff, pause);
      lastCutoff = cutoff;
      lastCutAt = now();
      lateAtCut = head.totals.outOfOrder;
      if (any) await options.afterCut();
      return any;
    });

  /** Whether something that was put off is not due yet. A clock that was set back does not put it off further. */
  const isBefore = (time: number): boolean => now() < time && time - now() <= RETRY_MS;

  /** The cutoff to cut at now, undefined when it is not time. */
  const cutDue = (): number | undefined => {
    const newest = Math.max(head.maxT, now());
    // A clock that is far ahead must not make windows complete that nobody has written to yet.
    const behind = (Math.floor(head.maxT / CHUNK_RANGE) + 1) * CHUNK_RANGE;
    const cutoff = Math.min(behind, Math.floor((newest - GRACE_MS) / CHUNK_RANGE) * CHUNK_RANGE);
    if (head.minT >= cutoff) return undefined;
    if (cutoff > lastCutoff) return cutoff;
    const late = head.totals.outOfOrder - lateAtCut;
    // Also when the clock was set back.
    return late >= LATE_SAMPLES || Math.abs(now() - lastCutAt) >= LATE_EVERY_MS ? cutoff : undefined;
  };

  /** One job at a time; what it made counts only when nothing was deleted meanwhile. */
  const attempt = (work: StorageJob, done: (result: JobResult) => Promise<void>): Promise<Outcome> =>
    jobLock.run(async () => {
      const mine = new AbortController();
      job = mine;
      const began = turns;
      try {
        // While it waited, another job may have replaced its blocks.
        if (!areThere(storage, work)) throw new JobCancelled();
        const result = await options.runJob(work, AbortSignal.any([mine.signal, signal]));
        counts.jobSeconds += result.seconds;
        await storage.lock.run(async () => {
          if (!mine.signal.aborted && turns === began) return done(result);
          for (const { tier, id } of result.made) await disk.removeDir(join(storage.blocks.dir, tier, id));
          throw new JobCancelled();
        });
        return "done";
      } catch (error) {
        if (error instanceof JobCancelled || signal.aborted) return "cancelled";
        fail(work, error);
        return "failed";
      } finally {
        job = undefined;
      }
    });

  const fail = (work: StorageJob, error: unknown): void => {
    counts.jobFailures++;
    retryAt = now() + RETRY_MS;
    say("error", `${work.kind} of ${work.ids.length} blocks failed: ${error instanceof Error ? error.message : error}`);
    if (error instanceof JobFailed && error.block !== undefined) setAside(storage, error.block);
  };

  const merge = (tier: Tier, ids: readonly string[], start: number, end: number): Promise<Outcome> => {
    const { ages, rules } = storage.options;
    const byRule = retentionRules(rules, tier, ages[tier]);
    const time = dataTime(storage);
    const rolledUpTo = tier === "raw" ? allRolledUpTo(storage.state.progress) : Number.POSITIVE_INFINITY;
    const retention = { rules, ageMs: ages[tier], now: time, rolledUpTo };
    const sources = storage.blocks.tiers[tier].filter((b) => ids.includes(b.block.meta.id));
    const work: StorageJob = { kind: "merge", blocksDir: storage.blocks.dir, tier, ids, start, end, retention };
    return attempt(work, async ({ made }) => {
      counts.compactions++;
      const newest = Math.max(...sources.map((b) => b.block.meta.maxT));
      const passed = newest < rolledUpTo ? byRule.passed(newest, time) : 0;
      const ofMade = made.map((m) => m.id);
      storage.state = noteThinned(storage.state, ofMade, passed, byRule.key);
      // Series of a shorter rule know by themselves how much of them is gone.
      const goneUpTo = Math.min(byRule.usuallyFrom(time), rolledUpTo, end);
      await replaceBlocks(storage, tier, ofMade, ids, (before) =>
        tier === "raw" && goneUpTo > start ? rawRemoved(before, goneUpTo) : before,
      );
    });
  };

  const rollUp = async (): Promise<boolean> => {
    const { progress } = storage.state;
    const stretch = nextStretch(progress);
    if (stretch === undefined) return false;
    const raw = soundBlocks(storage, "raw").filter(
      ({ block: { meta } }) => meta.maxT > stretch.after && meta.minT <= stretch.until,
    );
    const ids = raw.map((b) => b.block.meta.id);
    const known = progress.known;
    const finish = async ({ made }: Pick<JobResult, "made">) => {
      counts.rollups++;
      const idsOf = (tier: Tier) => made.filter((m) => m.tier === tier).map((m) => m.id);
      // Both are recorded at once: a late sample that is in one of them must not be put in again.
      await exchangeBlocks(storage.blocks, "1m", idsOf("1m"), []);
      await replaceBlocks(storage, "1h", idsOf("1h"), [], (before) =>
        // Blocks that came while the job ran are not in its rows.
        accountBlocks({ ...stretchDone(before, stretch), known }, rawInfo(storage)),
      );
    };
    if (ids.length === 0) {
      await storage.lock.run(() => finish({ made: [] }));
      return true;
    }
    const madeAt = newestId(storage);
    const rowsOf = (tier: Tier) =>
      soundBlocks(storage, tier)
        .map((b) => b.block.meta)
        .filter((meta) => meta.rangeEnd > stretch.after && meta.rangeStart < stretch.until)
        .map((meta) => meta.id);
    const work: StorageJob = {
      kind: "rollup",
      blocksDir: storage.blocks.dir,
      ids,
      ...stretch,
      rows: { "1m": rowsOf("1m"), "1h": rowsOf("1h") },
      amend: amendedIn(progress, stretch, rawGaps(storage)),
      madeAt,
    };
    return (await attempt(work, finish)) === "done";
  };

  const compact = async (): Promise<boolean> => {
    // Until they are in rows they must be told from those that are.
    const fresh = new Set(storage.state.progress.fresh.map((f) => f.id));
    for (const tier of TIERS) {
      const sound = soundBlocks(storage, tier).filter((b) => !fresh.has(b.block.meta.id));
      const plan = planCompaction(sound.map(blockInfo), {
        ranges: compactionRanges(tier === "raw" ? options.maxBlockRangeMs : LONGEST_ROLLUP_RANGE[tier]),
        completeUpTo: tier === "raw" ? storage.state.progress.cutUpTo : (storage.state.progress.doneUpTo ?? 0),
        now: now(),
      });
      if (plan !== undefined) return (await merge(tier, plan.ids, plan.start, plan.end)) === "done";
    }
    return false;
  };

  const retain = async (): Promise<boolean> => {
    const { ages, rules } = storage.options;
    for (const tier of TIERS) {
      const open = storage.blocks.tiers[tier];
      const byRule = retentionRules(rules, tier, ages[tier]);
      const time = dataTime(storage);
      const plan = planRetention(
        open.map((it) => {
          const { id, maxT, bytes } = it.block.meta;
          const droppable = tier !== "raw" || isRolledUp(storage.state.progress, it.block.meta);
          const hasTooOld = !storage.blocks.setAside.has(id) && mayHaveTooOld(storage, it.block.meta, byRule, time);
          return { id, maxT, bytes, droppable, hasTooOld };
        }),
        {
          now: time,
          maxAgeMs: ages[tier],
          maxBytes: options.maxBytes[tier],
          longestRuleMs: byRule.longest,
        },
      );
      const gone = [...plan.expired, ...plan.oversize];
      if (gone.length > 0) {
        const newest = Math.max(...open.filter((b) => gone.includes(b.block.meta.id)).map((b) => b.block.meta.maxT));
        await storage.lock.run(() =>
          replaceBlocks(storage, tier, [], gone, (before) => (tier === "raw" ? rawRemoved(before, newest) : before)),
        );
        counts.blocksDropped += gone.length;
        say(
          "info",
          `removed ${gone.length} blocks of tier ${tier} beyond their retention, ${tierBytes(storage.blocks, tier)} bytes are left`,
        );
        return true;
      }
      const thin = open.filter((b) => plan.thin.includes(b.block.meta.id));
      const next = firstToThin(storage, thin, byRule, time);
      if (next !== undefined) return (await merge(tier, [next.id], next.rangeStart, next.rangeEnd)) === "done";
      if (plan.thin.length > 0) return true;
    }
    return false;
  };

  const rest = async (): Promise<void> => {
    if (everyMs !== undefined) await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  };
  const everySoOften = async (work: () => Promise<boolean>): Promise<void> => {
    while (!signal.aborted && everyMs !== undefined) {
      const busy = await work();
      if (!busy) await rest();
    }
  };
  const lookAtHead = async (): Promise<boolean> => {
    const cutoff = cutDue();
    if (cutoff === undefined || isBefore(cutAgainAt)) return false;
    try {
      return await cut(cutoff);
    } catch (error) {
      counts.cutFailures++;
      cutAgainAt = now() + RETRY_MS;
      say(
        "error",
        `the head could not be written to blocks and is kept: ${error instanceof Error ? error.message : error}`,
      );
      return false;
    }
  };
  const lookAtBlocks = async (): Promise<boolean> => {
    if (held > 0 || isBefore(retryAt)) return false;
    return (await retain()) || (await rollUp()) || (await compact());
  };
  const headLoop = everySoOften(lookAtHead);
  // Whoever waits for a start wants answers: jobs on blocks have time until the first of them are given.
  const jobLoop = rest().then(() => everySoOften(lookAtBlocks));

  const withoutJobs = async <T>(work: () => Promise<T>): Promise<T> => {
    held++;
    job?.abort();
    try {
      // Until what the job made is gone again: a crash must not find it in the place of its sources.
      await jobLock.run(async () => undefined);
      return await storage.lock.run(async () => {
        turns++;
        try {
          return await work();
        } finally {
          turns++;
        }
      });
    } finally {
      held--;
    }
  };

  return {
    done: Promise.all([headLoop, jobLoop]).then(() => undefined),
    stop: () => stopping.abort(),
    cut,
    lookAtHead,
    lookAtBlocks,
    withoutJobs,
    cleanTombstones: async () => {
      let cleaned = 0;
      held++;
      job?.abort();
      try {
        // What the job at work still did to the blocks is done then.
        await jobLock.run(async () => undefined);
        for (let next = withTombstones(storage); next !== undefined; next = withTombstones(storage)) {
          const { tier, id, rangeStart, rangeEnd } = next;
          const outcome = await merge(tier, [id], rangeStart, rangeEnd);
          if (outcome === "done") cleaned++;
          // One that a deletion called off is done again; a shard that stops does none.
          else if (outcome === "failed" || signal.aborted)
            throw new Error(`block ${tier}/${id} could not be rewritten`);
        }
        return cleaned;
      } finally {
        held--;
      }
    },
    counts,
  };
}

/** Called off: by a deletion, a stop, or since its blocks were replaced before it began. */
type Outcome = "done" | "cancelled" | "failed";

const areThere = ({ blocks }: ShardStorage, work: StorageJob): boolean => {
  const there = new Set(blocks.tiers[work.kind === "merge" ? work.tier : "raw"].map((b) => b.block.meta.id));
  return work.ids.every((id) => there.has(id));
};

function withTombstones({ blocks }: ShardStorage): BlockMeta | undefined {
  for (const tier of TIERS) {
    const found = blocks.tiers[tier].find(({ block }) => block.tombstones.list.length > 0);
    if (found !== undefined) return found.block.meta;
  }
  return undefined;
}

const DAY = 24 * 3600_000;
const LONGEST_ROLLUP_RANGE: Readonly<Record<"1m" | "1h", number>> = { "1m": 16 * DAY, "1h": 256 * DAY };

const soundBlocks = ({ blocks }: ShardStorage, tier: Tier): OpenBlock[] =>
  blocks.tiers[tier].filter((b) => !blocks.setAside.has(b.block.meta.id));

const rawInfo = (storage: ShardStorage) => storage.blocks.tiers.raw.map((b) => b.block.meta);

function blockInfo({ block: { meta } }: OpenBlock) {
  return {
    id: meta.id,
    start: meta.rangeStart,
    end: meta.rangeEnd,
    bytes: meta.bytes,
    created: blockIdTime(meta.id),
  };
}
