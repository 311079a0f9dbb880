/**
 * A shard at work: it reads its WAL, then its partition's stream, and makes durable and acknowledges what it took.
 *
 * Invariants:
 * - the WAL is the only truth about what was read: the stream is read from the WAL's last sequence on, whatever the server
 *   remembers; so a message is applied exactly once, however often anything is killed;
 * - a message is acknowledged, and purged from the stream, only after its WAL record is on disk; the stream keeps the
 *   newest message that is on disk, so that it never forgets where it is;
 * - while one batch is synced to disk, the next one is applied; at most MAX_UNSYNCED bytes are ahead of the disk;
 * - any failure of the disk ends the shard: its supervisor starts a new one, which knows only what is on disk.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Disk } from "../../lib/disk.ts";
import type { ShardRequest, ShardStats } from "../../model/shard.ts";
import { createHead, headStats } from "../../storage/head/head.ts";
import { headSource } from "../../storage/head/head-source.ts";
import { openWal } from "../../storage/wal/open.ts";
import { type Wal, walAppend, walClose, walEpoch, walSync } from "../../storage/wal/wal.ts";
import { WalError } from "../../storage/wal/wal-error.ts";
import { FrameError } from "../../streams/codec/frame-layout.ts";
import type { Bus } from "../../streams/nats/bus.ts";
import { type Batch, consumePartition, type PartitionFeed } from "../../streams/nats/consume.ts";
import { messageOf, NatsError } from "../../streams/nats/nats-error.ts";
import { type Say, sayEachReasonSometimes } from "../../streams/nats/say.ts";
import { type StreamIdentity, streamIdentity } from "../../streams/nats/stream-identity.ts";
import { type Answer, answerRequest } from "./answer.ts";
import { type Committer, makeCommitter } from "./committer.ts";
import { MAX_HASHES, sendLabelsRequest } from "./labels-request.ts";
import type { ShardPhase } from "./protocol.ts";
import { applyFrame, makeShardCore, rejections, resetCounts, takeLabelsWanted } from "./shard.core.ts";
import { formatEpoch, parseEpoch, resumeStream, type StreamEpoch } from "./stream-epoch.ts";

export interface ShardOptions {
  readonly partition: number;
  /** Of the cluster; undefined takes series that belong elsewhere too. */
  readonly partitions?: number | undefined;
  readonly walDir: string;
  readonly disk: Disk;
  /** Waits for the bus; gives up when the signal is aborted. */
  readonly connect: (signal: AbortSignal) => Promise<Bus>;
  readonly outOfOrderWindowMs: number;
  readonly maxParkedSamples: number;
  readonly say: Say;
  readonly onPhase: (phase: ShardPhase, detail: string) => void;
}

export interface Shard {
  /** Resolves when the shard was stopped and all is closed; rejects with what ended it otherwise. */
  readonly done: Promise<void>;
  /** Asks it to stop; wait for `done`. */
  stop(): void;
  /** Answers a request from what is in memory; throws while the WAL is being read. */
  answer(request: ShardRequest, stopped: () => boolean): Answer;
}

const MAX_UNSYNCED = 64 << 20;
/** Frames are applied for at most this long before requests get their turn. */
const SLICE_MS = 10;
/** Labels that are missing are asked for at once, and again in this rhythm while samples wait. */
const ASK_EVERY_MS = 250;
const ASK_AGAIN_MS = 5_000;
const RETRY_MS = 1_000;

/** Starts a shard. */
export function startShard(options: ShardOptions): Shard {
  const { partition, say } = options;
  const head = createHead({ outOfOrderWindowMs: options.outOfOrderWindowMs });
  const owned = options.partitions === undefined ? undefined : { partition, partitions: options.partitions };
  const core = makeShardCore(head, options.maxParkedSamples, owned);
  const source = headSource(head);
  const stopping = new AbortController();
  const { signal } = stopping;
  let phase: ShardPhase = "replaying";
  let wal: Wal | undefined;
  let epoch: StreamEpoch | undefined;
  let committer: Committer | undefined;
  let feed: PartitionFeed | undefined;
  /** Last sequence that is in the WAL's buffer and in the head. */
  let applied = 0;
  /** Messages taken from the feed and not applied yet. */
  let inHand = 0;
  let missed = 0;

  const sayBadFrame = sayEachReasonSometimes("error", say);
  const enter = (next: ShardPhase, detail: string) => {
    phase = next;
    options.onPhase(next, detail);
  };

  const apply = (sequence: number, frame: Uint8Array) => {
    try {
      applyFrame(core, frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      sayBadFrame(error.code, `message ${sequence} cannot be read and is left out: ${error.message}`);
    }
  };

  const recover = async (): Promise<Wal> => {
    enter("replaying", "reading the WAL");
    const start = performance.now();
    const opened = await openWal(options.walDir, options.disk, { replay: apply });
    const { truncated, replayed } = opened;
    if (truncated !== undefined) {
      const { segment, offset, bytes, problem } = truncated;
      say("warn", `WAL ${segment}: cut off the last ${bytes} bytes at ${offset}, an unfinished write (${problem})`);
    }
    resetCounts(core);
    epoch = opened.epoch === undefined ? undefined : parseEpoch(opened.epoch);
    applied = opened.lastSeq;
    const { series, bytes } = headStats(head);
    const took = `${Math.round(performance.now() - start)} ms`;
    say("info", `read ${replayed} frames from the WAL in ${took}: ${series} series, ${bytes >> 20} MB in memory`);
    return opened.wal;
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
  const sync = async (log: Wal): Promise<void> => {
    for (let tries = 0; ; tries++) {
      try {
        await walSync(log);
        if (tries > 0) say("info", "the disk has space again");
        return;
      } catch (error) {
        if (!(error instanceof WalError && error.kind === "no_space") || signal.aborted) throw error;
        if (tries % 30 === 0) say("error", `${error.message}: nothing is stored until there is space`);
      }
      await sleep(RETRY_MS, undefined, { signal });
    }
  };

  /** Reads one stream until it is replaced by another, or the shard stops. */
  const consumeStream = async (bus: Bus, log: Wal): Promise<void> => {
    const stream = await identify(bus);
    const resume = resumeStream(stream, epoch, applied);
    missed += resume.missed;
    if (resume.warning !== undefined) say("error", resume.warning);
    if (resume.newEpoch !== undefined) {
      epoch = resume.newEpoch;
      walEpoch(log, formatEpoch(epoch));
      await sync(log);
    }
    applied = resume.startSequence - 1;
    let failure: { readonly error: unknown } | undefined;
    const { startSequence } = resume;
    const reading = await consumePartition(bus, partition, { startSequence, created: stream.created, say });
    feed = reading;
    if (signal.aborted) await reading.close();
    const commit = makeCommitter({
      sync: () => sync(log),
      sequence: applied,
      maxUnsynced: MAX_UNSYNCED,
      onDurable: (sequence) => {
        reading.ack(sequence);
        // The newest durable message stays: an empty stream could forget where it is.
        reading.purgeBelow(sequence);
      },
      onFailure: (error) => {
        failure = { error };
        // Wakes the loop below.
        reading.close().catch(() => {});
      },
    });
    committer = commit;
    const end = stream.lastSequence;
    const noteReady = () => {
      if (phase !== "ready" && applied >= end) enter("ready", "ready");
    };
    enter("catching-up", `reading messages ${startSequence} to ${end} of ${stream.name}`);
    noteReady();
    try {
      while (true) {
        const batch = await reading.next();
        if (failure !== undefined) throw failure.error;
        if (batch === undefined) return;
        await takeBatch(log, commit, batch);
        noteReady();
      }
    } finally {
      feed = undefined;
      await reading.close();
      if (failure === undefined) await commit.settled();
    }
  };

  const takeBatch = async (log: Wal, commit: Committer, batch: Batch): Promise<void> => {
    const { sequences, payloads } = batch;
    if (batch.skipped > 0) {
      missed += batch.skipped;
      say("error", `${batch.skipped} messages up to ${sequences.at(-1)} were deleted before they were read`);
    }
    let slice = performance.now();
    for (let i = 0; i < payloads.length; i++) {
      inHand = payloads.length - i;
      const sequence = sequences[i]!;
      const frame = payloads[i]!;
      if (sequence <= applied) continue;
      walAppend(log, sequence, frame);
      apply(sequence, frame);
      applied = sequence;
      commit.advance(sequence, frame.length);
      if (performance.now() - slice > SLICE_MS) {
        await new Promise(setImmediate);
        slice = performance.now();
      }
      await commit.room();
    }
    inHand = 0;
  };

  let asked = Number.NEGATIVE_INFINITY;
  let askedSeries = 0;
  const ask = (bus: Bus) => {
    const waiting = core.parked.seriesCount;
    if (waiting === 0) askedSeries = 0;
    const more = waiting > askedSeries || core.ambiguousToTell.size > 0;
    if (!more && (waiting === 0 || performance.now() - asked < ASK_AGAIN_MS)) return;
    const wanted = takeLabelsWanted(core, MAX_HASHES);
    if (wanted === undefined) return;
    asked = performance.now();
    askedSeries = waiting;
    sendLabelsRequest(bus, partition, wanted);
  };

  const run = async (): Promise<void> => {
    wal = await recover();
    const log = wal;
    let bus: Bus | undefined;
    let asking: NodeJS.Timeout | undefined;
    try {
      if (signal.aborted) return;
      enter("connecting", "waiting for the bus");
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
      await walClose(log).catch((error: unknown) => say("error", messageOf(error)));
      await bus?.close();
    }
  };

  const stats = (): ShardStats => {
    const h = headStats(head);
    const w = wal?.stats;
    return {
      partition,
      ready: phase === "ready",
      headSeries: h.series,
      headChunks: h.chunks,
      headBytes: h.bytes,
      headMinTime: h.minTime,
      headMaxTime: h.maxTime,
      samplesAppended: core.counts.appended,
      samplesRejected: rejections(core.counts),
      samplesParked: core.parked.length,
      consumedSequence: committer?.durable() ?? applied,
      streamLag: (feed?.pending() ?? 0) + inHand,
      messagesMissed: missed,
      walBytes: w?.bytes ?? 0,
      walFsyncCount: w?.fsyncCount ?? 0,
      walFsyncSeconds: w?.fsyncSeconds ?? 0,
      walFsyncBuckets: w?.fsyncBuckets ?? [],
    };
  };

  return {
    done: run(),
    stop: () => {
      stopping.abort(new Error("stopping"));
      feed?.close().catch(() => {});
    },
    answer: (request, stopped) => {
      if (wal === undefined) throw new Error("the shard is reading its WAL");
      return answerRequest(source, stats, request, stopped);
    },
  };
}
