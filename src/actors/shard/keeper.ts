/**
 * The storage side of a shard: what it recovers at the start, what it checkpoints, cuts, merges and removes while it runs, and
 * what it leaves behind at a stop.
 *
 * Invariants:
 * - everything that the log says is in the head or in blocks when `openKeeper` resolves, or is named as lost;
 * - a snapshot is taken while the gate is held: no frame is applied and nothing is appended to the log meanwhile;
 * - a deletion is in the log before it is carried out, and carried out before anyone is told.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Disk } from "../../lib/disk.ts";
import { copyStorage } from "../../storage/engine/copy-storage.ts";
import { type Maintenance, startMaintenance } from "../../storage/engine/maintenance.ts";
import {
  closeStorage,
  dataTime,
  deleteFromStorage,
  nameLoss,
  openStorage,
  type ShardStorage,
  settleStorage,
} from "../../storage/engine/shard-storage.ts";
import type { NamedLoss } from "../../storage/engine/storage-state.ts";
import { deleteSamples } from "../../storage/head/delete.ts";
import { headStats } from "../../storage/head/head.ts";
import type { Pause } from "../../storage/head/sliced-sort.ts";
import { type Checkpoints, makeCheckpoints } from "../../storage/snapshot/checkpoints.ts";
import { headWalk } from "../../storage/snapshot/head-parts.ts";
import { type Recovered, recoverShard } from "../../storage/snapshot/recovery.ts";
import type { RecordKind } from "../../storage/wal/format.ts";
import type { SequenceRange } from "../../storage/wal/sequence-set.ts";
import { type Wal, walAppend, walMark, walSync } from "../../storage/wal/wal.ts";
import { messageOf } from "../../streams/nats/nats-error.ts";
import type { Say } from "../../streams/nats/say.ts";
import { describeDamage, lookForLog, lostLog, makeCutTail, makeHoles } from "./damage.ts";
import { type DeleteCommand, decodeDelete, encodeDelete } from "./delete-record.ts";
import { type Gate, makeGate } from "./gate.ts";
import type { RunJob } from "./job-relay.ts";
import type { ShardCore } from "./shard.core.ts";
import type { StorageSettings } from "./storage-settings.ts";
import { type LostTimes, timesOf } from "./stream-epoch.ts";

export interface KeeperOptions {
  readonly disk: Disk;
  /** The shard's folder. */
  readonly dir: string;
  readonly core: ShardCore;
  readonly settings: StorageSettings;
  readonly runJob: RunJob;
  readonly replay: (sequence: number, frame: Uint8Array, kind: RecordKind) => void;
  readonly say: Say;
  readonly now: () => number;
}

export interface Keeper {
  readonly wal: Wal;
  readonly storage: ShardStorage;
  readonly gate: Gate;
  readonly maintenance: Maintenance;
  readonly counts: { snapshots: number; snapshotSeconds: number; snapshotBytes: number; snapshotFailures: number };
  /** Writes a snapshot of the head; resolves also when that failed, which is said and counted. */
  checkpoint(): Promise<void>;
  /** Says that the stream does not have these messages any more. */
  noteGone(range: SequenceRange): void;
  /** Says that the bus has lost messages; resolves when that is on disk, or could not be brought there. */
  noteLost(what: string, times: LostTimes): Promise<void>;
  delete(command: DeleteCommand): Promise<number>;
  copy(dir: string, skipHead: boolean): Promise<{ blocks: number; bytes: number }>;
  /** Brings to the disk what had no space at the start. Rejects with DiskError or WalError as long as there is none. */
  settle(): Promise<void>;
  /** Ends the upkeep and, after everything was applied that will be, leaves a snapshot. The log stays open. */
  close(): Promise<void>;
}

/** A stop with less log than this behind the last snapshot leaves no new one: reading it again takes no time. */
const WORTH_A_SNAPSHOT = 1 << 20;
/** Long work in the shard's thread gives way after this. */
const SLICE_MS = 5;
const LOOK_MS = 2_000;

export async function openKeeper(options: KeeperOptions): Promise<Keeper> {
  const { disk, dir, core, settings, say, now } = options;
  const { head } = core;
  /** What a snapshot holds: everything that the log made. */
  const state = { head, parked: core.parked, metadata: core.metadata };
  const walk = () => headWalk(head);
  const log = await lookForLog(disk, dir);
  const recovered = await recoverShard({
    disk,
    dir,
    state,
    skip: walk().skip,
    timeOf: () => (Number.isFinite(head.maxT) ? head.maxT : undefined),
    replay: (sequence, payload, kind) => {
      if (kind !== "delete") return options.replay(sequence, payload, kind);
      const { tenant, sets, minT, maxT } = decodeDelete(payload);
      for (const set of sets) deleteSamples(head, tenant, set, minT, maxT);
    },
  });
  const storage = await openStorage({
    disk,
    dir,
    head,
    ages: settings.ages,
    rules: settings.rules,
    cacheBytes: settings.cacheBytes,
    now,
    say,
  });
  const { wal } = recovered.opened;
  tellRecovery(recovered, storage, say);
  const tail = makeCutTail(recovered.opened, head.maxT, now());
  const holes = makeHoles(recovered.opened.damage);
  /** When it cannot be written it is named in this life, and by the next change of the state that can be. */
  const name = (loss: NamedLoss): Promise<void> =>
    nameLoss(storage, loss).catch((error: unknown) => say("error", `a loss could not be noted: ${messageOf(error)}`));
  if (!log.isThere && log.was && recovered.snapshot === undefined && storage.blocks.tiers.raw.length > 0)
    await name(lostLog(storage.state.progress.cutUpTo, now()));
  const checkpoints = makeCheckpoints({ disk, dir, wal, recovered });
  const gate = makeGate();
  const counts = { snapshots: 0, snapshotSeconds: 0, snapshotBytes: 0, snapshotFailures: 0 };
  const stopping = new AbortController();
  const { signal } = stopping;

  /** Resolves when the snapshot is durable; a failure is said and counted, what was there before is still there. */
  const checkpoint = async (): Promise<void> => {
    const start = performance.now();
    const release = gate.hold();
    try {
      const { released, durable } = checkpoints.take(state, walk());
      void released.then(release);
      const written = await durable;
      counts.snapshots++;
      counts.snapshotBytes = written.bytes;
      counts.snapshotSeconds += (performance.now() - start) / 1000;
    } catch (error) {
      counts.snapshotFailures++;
      say("error", `no snapshot of the head could be written, the log is kept: ${messageOf(error)}`);
    } finally {
      release();
    }
  };
  const guarded = () => storage.lock.run(checkpoint);

  const upkeep = settings.everyMs !== undefined;
  const maintenance = startMaintenance({
    storage,
    runJob: options.runJob,
    maxBytes: settings.maxBytes,
    maxBlockRangeMs: settings.maxBlockRangeMs,
    pause: makePause(),
    afterCut: checkpoint,
    everyMs: settings.everyMs,
  });
  const looking = upkeep ? lookForSnapshots(checkpoints, guarded, signal) : Promise.resolve();

  return {
    wal,
    storage,
    gate,
    maintenance,
    counts,
    checkpoint: guarded,
    noteGone: (range) => {
      for (const loss of [tail.lost(range), ...holes.lost(range)]) if (loss !== undefined) void name(loss);
    },
    noteLost: (what, times) => name({ what, ...timesOf(times, dataTime(storage), now()) }),
    delete: (command) =>
      maintenance.withoutJobs(async () => {
        const release = gate.hold();
        try {
          walAppend(wal, 0, encodeDelete(command), "delete");
          await walSync(wal);
          const { tenant, sets, minT, maxT } = command;
          const series = await deleteFromStorage(storage, tenant, sets, minT, maxT);
          // No stream has it: were it damaged as the last commit, it would be taken for an unfinished write. A failure that
          // matters ends the log, of which the next commit tells.
          await walMark(wal).catch(() => undefined);
          return series;
        } finally {
          release();
        }
      }),
    copy: (to, skipHead) =>
      maintenance.withoutJobs(() => copyStorage(storage, join(to, "blocks"), skipHead, makePause())),
    settle: async () => {
      await settleStorage(storage);
      await walSync(wal);
    },
    close: async () => {
      stopping.abort();
      maintenance.stop();
      await Promise.all([looking, maintenance.done]);
      const since = checkpoints.bytesSince();
      if (upkeep && wal.failure === undefined && since > WORTH_A_SNAPSHOT) await guarded();
      await closeStorage(storage);
    },
  };
}

async function lookForSnapshots(
  checkpoints: Checkpoints,
  take: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (checkpoints.isDue()) await take();
    await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Gives the event loop a turn when the last one was long ago. */
function makePause(): Pause {
  let slice = performance.now();
  return async () => {
    if (performance.now() - slice < SLICE_MS) return;
    await new Promise(setImmediate);
    slice = performance.now();
  };
}

/** Whether these messages are in the log again, or were passed over: then they are named as gone (makeHoles). */
function isSettled({ synced }: Wal, { from, to }: SequenceRange): boolean {
  return !synced.applied.gaps(to).some((gap) => gap.to >= from);
}

function tellRecovery(recovered: Recovered, storage: ShardStorage, say: Say): void {
  const { opened, decision, damaged, snapshot } = recovered;
  for (const { error, quarantined } of damaged) {
    say("error", `${error.message}${quarantined === undefined ? "" : `; it was moved to ${quarantined}`}`);
  }
  for (const damage of opened.damage) {
    const what = `part of the write-ahead log is damaged: ${describeDamage(damage)}`;
    const isLoss = damage.lost.length > 0 || damage.mayHoldDeletions;
    say(isLoss ? "error" : "warn", describeDamage(damage));
    // A deletion may be of any time, and nothing brings it back.
    if (damage.mayHoldDeletions)
      storage.missing.push({ what, minT: Number.NEGATIVE_INFINITY, maxT: Number.POSITIVE_INFINITY });
    if (damage.lost.length === 0 || damage.mayHoldDeletions) continue;
    storage.missing.push({
      what,
      minT: damage.timeBefore ?? Number.NEGATIVE_INFINITY,
      maxT: damage.timeBehind ?? Number.POSITIVE_INFINITY,
      mended: () => damage.lost.every((range) => isSettled(opened.wal, range)),
    });
  }
  if (decision.loss !== "nothing") {
    const what = `no snapshot of the head could be read that the log goes back to: what came ${decision.loss === "between" ? "between the snapshot and the log" : "before the log"} is lost`;
    say("error", what);
    storage.missing.push({ what, minT: Number.NEGATIVE_INFINITY, maxT: Number.POSITIVE_INFINITY });
  }
  if (opened.truncated !== undefined) {
    const { segment, offset, bytes, problem } = opened.truncated;
    say("warn", `WAL ${segment}: cut off the last ${bytes} bytes at ${offset}, an unfinished write (${problem})`);
  }
  const { series, bytes } = headStats(storage.options.head);
  const from = snapshot === undefined ? "" : `a snapshot of ${snapshot.bytes >> 20} MB and `;
  say("info", `read ${from}${opened.replayed} frames of the WAL: ${series} series, ${bytes >> 20} MB in memory`);
}
