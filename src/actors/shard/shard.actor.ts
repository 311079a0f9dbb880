/**
 * A shard at work: it reads its WAL, then its partition's stream, and makes durable and acknowledges what it took.
 *
 * Invariants:
 * - the WAL is the only truth about what was read: what is in it is not read again, and what is not is read as long as the
 *   stream has it, whatever the server remembers; so a message is applied exactly once, however often anything is killed;
 * - the newest messages are read first (lanes.ts); what waits behind them is applied as backlog: such a sample never replaces
 *   one that is there already;
 * - a message is acknowledged only after its WAL record is on disk, and purged from the stream only when those of all before
 *   it are as well; the stream keeps the newest message that is on disk, so that it never forgets where it is;
 * - while one batch is synced to disk, the next one is applied; at most MAX_UNSYNCED bytes are ahead of the disk;
 * - any failure of the disk ends the shard: its supervisor starts a new one, which knows only what is on disk.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Disk } from "../../lib/disk.ts";
import { stillReading } from "../../model/backlog.ts";
import type { ShardRequest, ShardStats } from "../../model/shard.ts";
import { timeText } from "../../storage/engine/name-missing.ts";
import { answerFrom } from "../../storage/engine/shard-storage.ts";
import { createHead, headStats } from "../../storage/head/head.ts";
import type { RecordKind } from "../../storage/wal/format.ts";
import type { SequenceRange } from "../../storage/wal/sequence-set.ts";
import { type Wal, walAppend, walClose, walEpoch, walSkip, walSync } from "../../storage/wal/wal.ts";
import { WalError } from "../../storage/wal/wal-error.ts";
import { FrameError } from "../../streams/codec/frame-layout.ts";
import type { Bus } from "../../streams/nats/bus.ts";
import { MAX_HASHES, sendLabelsRequest } from "../../streams/nats/labels-request.ts";
import { messageOf, NatsError } from "../../streams/nats/nats-error.ts";
import { type Say, sayEachReasonSometimes } from "../../streams/nats/say.ts";
import { type StreamIdentity, streamIdentity, streamToken } from "../../streams/nats/stream-identity.ts";
import { type Answer, answerRequest } from "./answer.ts";
import { makeChanges, noteChange } from "./changes.ts";
import { makeCommitter } from "./committer.ts";
import { FULL, makeDiskSpace } from "./disk-space.ts";
import type { RunJob } from "./job-relay.ts";
import { type Keeper, openKeeper } from "./keeper.ts";
import { DEFAULT_BOUNDS, type LaneBounds, type Lanes, openLanes } from "./lanes.ts";
import { forgetMessages } from "./parked-messages.ts";
import type { ShardPhase } from "./protocol.ts";
import { makeReachedWaiters } from "./reached.ts";
import {
  applyFrame,
  makeShardCore,
  recoveredUpTo,
  rejections,
  takeLabelsWanted,
  waitsForLabels,
} from "./shard.core.ts";
import { answerLater } from "./slow-answers.ts";
import type { StorageSettings } from "./storage-settings.ts";
import { storageStats } from "./storage-stats.ts";
import { formatEpoch, parseEpoch, resumeStream, type StreamEpoch } from "./stream-epoch.ts";

export interface ShardOptions {
  readonly partition: number;
  /** Of the cluster; undefined takes series that belong elsewhere too. */
  readonly partitions?: number | undefined;
  /** The shard's folder. */
  readonly dir: string;
  readonly storage: StorageSettings;
  readonly runJob: RunJob;
  readonly disk: Disk;
  /** Waits for the bus; gives up when the signal is aborted. */
  readonly connect: (signal: AbortSignal) => Promise<Bus>;
  readonly outOfOrderWindowMs: number;
  readonly maxParkedSamples: number;
  /** When the newest messages are read before older ones. */
  readonly lanes?: LaneBounds | undefined;
  readonly say: Say;
  readonly onPhase: (phase: ShardPhase, detail: string) => void;
  /** Hears the number of the newest message that can be queried, but for samples that wait for their labels. */
  readonly onVisible?: (sequence: number) => void;
}

export interface Shard {
  /** Resolves when the shard was stopped and all is closed; rejects with what ended it otherwise. */
  readonly done: Promise<void>;
  /** Asks it to stop; wait for `done`. */
  stop(): void;
  /** Answers a request at once; throws while the shard recovers. */
  answer(request: ShardRequest, stopped: () => boolean): Answer;
  /** The answer to a request that takes its time; undefined for one that is answered at once. */
  later(request: ShardRequest): Promise<unknown> | undefined;
}

const MAX_UNSYNCED = 64 << 20;
/** What a killed shard reads from the stream again is about this much; a sync costs the same for 10 ms of samples as for 100. */
const SYNC_SPACING_MS = 100;
/** Labels that are missing are asked for at once, and again in this rhythm while samples wait. */
const ASK_EVERY_MS = 250;
const ASK_AGAIN_MS = 5_000;
const RETRY_MS = 1_000;

/** Starts a shard. */
export function startShard(options: ShardOptions): Shard {
  const { partition, say } = options;
  const head = createHead({
    outOfOrderWindowMs: options.outOfOrderWindowMs,
    maxExemplars: options.storage.maxExemplars,
  });
  const owned = options.partitions === undefined ? undefined : { partition, partitions: options.partitions };
  const core = makeShardCore(head, options.maxParkedSamples, owned);
  const stopping = new AbortController();
  const { signal } = stopping;
  let phase: ShardPhase = "replaying";
  let keeper: Keeper | undefined;
  let epoch: StreamEpoch | undefined;
  let lanes: Lanes | undefined;
  /** Messages that the stream lost before they were read. */
  let missed = 0;
  /** The newest message that the epoch's stream is known to have had. */
  let known = 0;
  const waiters = makeReachedWaiters(() => ({
    stream: lanes === undefined || epoch === undefined ? undefined : streamToken(epoch.created),
    has: (sequence) => keeper?.wal.state.applied.has(sequence) === true && !waitsForLabels(core, sequence),
  }));

  const sayBadFrame = sayEachReasonSometimes("error", say);
  const sayNoLabels = sayEachReasonSometimes("warn", say);
  let detail = "";
  /** One that cannot store is not ready, whatever it has read. */
  const tell = () => {
    if (space.isFull()) options.onPhase(phase === "ready" ? "catching-up" : phase, FULL);
    else options.onPhase(phase, detail);
  };
  const enter = (next: ShardPhase, why: string) => {
    phase = next;
    detail = why;
    tell();
  };
  const space = makeDiskSpace({ partition, signal, say, now: Date.now, newest: () => head.maxT, onChange: tell });

  const apply = (sequence: number, frame: Uint8Array, kind: RecordKind) => {
    try {
      applyFrame(core, frame, kind === "backlog" ? "backlog" : "live", sequence);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      sayBadFrame(error.code, `message ${sequence} cannot be read and is left out: ${error.message}`);
    }
  };

  const recover = async (): Promise<Keeper> => {
    enter("replaying", "reading snapshot and WAL");
    const start = performance.now();
    const { disk, dir, runJob } = options;
    const opened = await openKeeper({
      disk,
      dir,
      core,
      settings: options.storage,
      runJob,
      replay: apply,
      say,
      now: Date.now,
    });
    const { state } = opened.wal;
    recoveredUpTo(core, state.applied.last());
    epoch = state.epoch === undefined ? undefined : parseEpoch(state.epoch);
    say("info", `recovered in ${Math.round(performance.now() - start)} ms`);
    return opened;
  };

  /** What the server says about the stream; waits for a server or stream that is not there. */
  const identify = async (bus: Bus): Promise<StreamIdentity> => {
    let said = "";
    while (true) {
      try {
        return await streamIdentity(bus, partition);
      } catch (error) {
        if (bus.nc.isClosed()) throw error;
        if (messageOf(error) !== said) say("warn", `${messageOf(error)}: waiting for it`);
        said = messageOf(error);
      }
      await sleep(RETRY_MS, undefined, { signal });
    }
  };

  /** Syncs; waits for space on a full disk, which the WAL survives. */
  const sync = (log: Wal): Promise<void> => space.retry(() => walSync(log));

  const skip = (log: Wal, stream: StreamIdentity, { from, to }: SequenceRange) => {
    walSkip(log, from, to);
    keeper?.noteGone({ from, to });
    missed += to - from + 1;
    const what = `${to - from + 1} messages of stream ${stream.name} were deleted before they were read (${from} to ${to})`;
    say("error", `${what}: they expired (streams.max_age), or somebody purged them`);
  };

  /** Reads one stream until it is replaced by another, or the shard stops. */
  const consumeStream = async (bus: Bus, log: Wal): Promise<void> => {
    const stream = await identify(bus);
    const resume = resumeStream(stream, epoch, log.state.applied, known);
    known = stream.lastSequence;
    missed += resume.missed;
    const { gate, noteLost } = keeper as Keeper;
    // Named on disk before the new epoch is: afterwards nothing tells of it.
    if (resume.lost !== undefined) await noteLost(resume.warning as string, resume.lost);
    else if (resume.warning !== undefined) say("error", resume.warning);
    for (let held = gate.held(); held !== undefined; held = gate.held()) await held;
    if (resume.newEpoch !== undefined) {
      epoch = resume.newEpoch;
      forgetMessages(core.parkedMessages);
      walEpoch(log, formatEpoch(epoch), epoch.base);
      await sync(log);
    }
    const taken = log.state.applied;
    // A log of an earlier version does not say where its epoch began.
    if (epoch !== undefined) taken.addRange(0, epoch.base);
    const commit = makeCommitter({
      sync: () => sync(log),
      position: () => lanes?.position(),
      maxUnsynced: MAX_UNSYNCED,
      spacingMs: SYNC_SPACING_MS,
      onDurable: (position) => position && lanes?.durable(position, log.synced.applied.contiguousEnd()),
      onFailure: (error) => lanes?.fail(error),
    });
    enter("catching-up", `reading messages ${taken.contiguousEnd() + 1} to ${stream.lastSequence} of ${stream.name}`);
    const reading = await openLanes({
      bus,
      partition,
      stream,
      taken,
      bounds: options.lanes ?? DEFAULT_BOUNDS,
      say,
      take: (lane, sequence, frame) => {
        const kind = lane === "fresh" ? "frame" : "backlog";
        walAppend(log, sequence, frame, kind);
        apply(sequence, frame, kind);
        commit.advance(frame.length);
        if (lane === "fresh") options.onVisible?.(sequence);
        waiters.look();
      },
      skip: (range) => {
        skip(log, stream, range);
        // Nothing else may come that would bring it to the disk.
        commit.advance(0);
        waiters.look();
      },
      room: commit.room,
      held: gate.held,
      onProgress: (caughtUp, backlog) => {
        if (phase !== "ready" && caughtUp && !backlog) enter("ready", "ready");
      },
      now: Date.now,
    });
    lanes = reading;
    options.onVisible?.(taken.last());
    waiters.look();
    try {
      if (!signal.aborted) await reading.run();
    } finally {
      await reading.close();
      // Rejects with what ended the reading when that was the disk.
      await commit.settled().finally(() => {
        lanes = undefined;
      });
    }
  };

  let asked = Number.NEGATIVE_INFINITY;
  let askedSeries = 0;
  const ask = (bus: Bus) => {
    const waiting = core.parked.seriesCount;
    if (waiting === 0) askedSeries = 0;
    const more = waiting > askedSeries || core.ambiguousToTell.size > 0;
    if (!more && (waiting === 0 || performance.now() - asked < ASK_AGAIN_MS)) return;
    const overdue = core.counts.labelsOverdue;
    const wanted = takeLabelsWanted(core, MAX_HASHES);
    const late = core.counts.labelsOverdue - overdue;
    if (late > 0) {
      sayNoLabels("overdue", `${late} samples of series whose labels nobody knows are given up on (docs/nats.md)`);
    }
    if (wanted === undefined) return;
    asked = performance.now();
    askedSeries = waiting;
    sendLabelsRequest(bus, partition, wanted);
  };

  const run = async (): Promise<void> => {
    const opened = await recover();
    keeper = opened;
    const log = opened.wal;
    let bus: Bus | undefined;
    let asking: NodeJS.Timeout | undefined;
    try {
      if (signal.aborted) return;
      enter("connecting", "waiting for the bus");
      // What is read from the log counts as stored only then; queries are answered meanwhile.
      await space.retry(opened.settle);
      const connected = await options.connect(signal);
      bus = connected;
      asking = setInterval(() => ask(connected), ASK_EVERY_MS);
      while (!signal.aborted) {
        try {
          await consumeStream(connected, log);
        } catch (error) {
          if (!(error instanceof NatsError && error.code === "stream_replaced")) throw error;
          say("warn", error.message);
        }
      }
    } catch (error) {
      // The abort of a wait is how a stop looks from inside.
      if (!signal.aborted || error instanceof WalError) throw error;
    } finally {
      clearInterval(asking);
      waiters.close();
      await opened.close().catch((error: unknown) => say("error", messageOf(error)));
      await walClose(log).catch((error: unknown) => say("error", messageOf(error)));
      await bus?.close();
    }
  };

  /** What is still on its way. Messages are stored on the bus about when their samples were taken. */
  const unread = (minT: number, maxT: number): readonly string[] => {
    const full = space.problem(maxT);
    const times = lanes?.backlogTimes();
    if (times === undefined || times.from > maxT || times.to < minT) return full;
    const at = (t: number, unknown: string) => (Number.isFinite(t) ? timeText(t) : unknown);
    const between = `${at(times.from, "the beginning")} and ${at(times.to, "now")}`;
    return [...full, stillReading(partition, between)];
  };

  const recovered = (): Keeper => {
    if (keeper === undefined) throw new Error("the shard is reading its WAL");
    return keeper;
  };

  const changes = makeChanges(core.changes, () => recovered().storage);

  const stats = (): ShardStats => {
    const h = headStats(head);
    const w = keeper?.wal.stats;
    const reading = lanes?.stats();
    const since = reading?.oldestUnreadAt;
    const lag = reading?.lag ?? 0;
    return {
      partition,
      ready: phase === "ready" && !space.isFull(),
      headSeries: h.series,
      headChunks: h.chunks,
      headBytes: h.bytes,
      headMinTime: h.minTime,
      headMaxTime: h.maxTime,
      samplesAppended: core.counts.appended,
      samplesRejected: rejections(core.counts),
      tooOldByTenant: [...core.tooOldBy],
      samplesParked: core.parked.length,
      consumedSequence: keeper?.wal.synced.applied.contiguousEnd() ?? 0,
      streamLag: lag,
      backlogLag: reading?.backlogLag ?? 0,
      lagSeconds: lag === 0 ? 0 : since === undefined ? undefined : Math.max(0, (Date.now() - since) / 1_000),
      messagesMissed: missed,
      walBytes: w?.bytes ?? 0,
      walFsyncCount: w?.fsyncCount ?? 0,
      walFsyncSeconds: w?.fsyncSeconds ?? 0,
      walFsyncBuckets: w?.fsyncBuckets ?? [],
      ...(keeper === undefined ? {} : { storage: storageStats(keeper, space.isFull()) }),
    };
  };

  return {
    done: run(),
    stop: () => {
      stopping.abort(new Error("stopping"));
      lanes?.close().catch(() => {});
    },
    answer: (request, stopped) => {
      const { storage } = recovered();
      const from = { source: storage.source, head, metadata: core.metadata, stats, changes };
      return answerFrom(storage, () => answerRequest(from, request, stopped), unread);
    },
    later: (request) => {
      const onDeleted = () => noteChange(core.changes, Number.NEGATIVE_INFINITY);
      return answerLater({ waiters, recovered, onDeleted }, request);
    },
  };
}
