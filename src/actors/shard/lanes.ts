/**
 * Reads one stream in two lanes: the newest messages first, and what an outage or an overload left unread behind them with
 * what time is left.
 *
 * Invariants:
 * - each message that the stream has is given to `take` once, whichever lane reads it and whenever the shard is killed: what
 *   was taken is the set `taken` alone;
 * - the fresh lane has precedence; the backlog lane gets a slice when there is nothing fresh, and every STARVE_MS at least,
 *   so that a stream that is written to at full speed is nevertheless freed some time;
 * - a fresh lane that falls behind by more than the bound begins anew near the end, and what it skips joins the backlog;
 * - ranges of the backlog are read oldest first, since the stream is freed from its start.
 */
import type { SequenceRange, SequenceSet } from "../../storage/wal/sequence-set.ts";
import type { Bus } from "../../streams/nats/bus.ts";
import { type Batch, consumePartition, type PartitionFeed } from "../../streams/nats/consume.ts";
import { messageOf } from "../../streams/nats/nats-error.ts";
import type { Say } from "../../streams/nats/say.ts";
import { messageStoredAt, type StreamIdentity, streamIdentity } from "../../streams/nats/stream-identity.ts";
import { makeBell } from "./bell.ts";
import { jumpAhead, planLanes } from "./lane-plan.ts";

export type Lane = "fresh" | "backlog";

export interface LaneBounds {
  /** A reader that is further behind than this reads in two lanes. */
  readonly maxBehindBytes: number;
  /** A fresh lane is not begun anew before it is also so many milliseconds behind. */
  readonly maxBehindMs: number;
}

export const DEFAULT_BOUNDS: LaneBounds = { maxBehindBytes: 16 << 20, maxBehindMs: 10_000 };

export interface LanesOptions {
  readonly bus: Bus;
  readonly partition: number;
  readonly stream: StreamIdentity;
  /** What was taken. */
  readonly taken: SequenceSet;
  readonly bounds: LaneBounds;
  readonly say: Say;
  /** Appends a message that was not taken before to the WAL and the head; adds it to `taken`. */
  readonly take: (lane: Lane, sequence: number, frame: Uint8Array) => void;
  /** Told of sequences that were not taken and that the stream no longer has; adds them to `taken`. */
  readonly skip: (range: SequenceRange) => void;
  /** Waits until more may be taken. */
  readonly room: () => Promise<void>;
  /** Nothing may be taken or skipped while this gives a promise: looked at right before, again when it has resolved. */
  readonly held: () => Promise<void> | undefined;
  /** Called after each batch: has the fresh lane reached what was the stream's end, is there a backlog? */
  readonly onProgress: (caughtUp: boolean, backlog: boolean) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

export interface LaneStats {
  /** Messages of the stream that were not taken, and those of them that are in the backlog. */
  readonly lag: number;
  readonly backlogLag: number;
  /** When the oldest of them was stored, Unix ms; undefined when there are none, or nobody has said yet. */
  readonly oldestUnreadAt: number | undefined;
}

/** The last sequence that each lane has taken, 0 for none. */
export type LanePosition = Readonly<Record<Lane, number>>;

export interface Lanes {
  /** Resolves after close(); rejects as the feeds do, and with what `fail` is given. */
  run(): Promise<void>;
  position(): LanePosition;
  /** What the lanes had taken at a position is on disk, and everything up to contiguousEnd: the stream may forget that. */
  durable(position: LanePosition, contiguousEnd: number): void;
  stats(): LaneStats;
  /** Store times of what the backlog holds, Unix ms, undefined without a backlog. A bound is infinite while unknown. */
  backlogTimes(): { readonly from: number; readonly to: number } | undefined;
  fail(error: unknown): void;
  close(): Promise<void>;
}

/** A range of the backlog, with the store times at its ends where they are known. */
interface Gap {
  readonly from: number;
  readonly to: number;
  /** Of the oldest message that was not taken. */
  since: number | undefined;
  until: number | undefined;
}

/** Frames are applied for at most this long before requests get their turn. */
const SLICE_MS = 10;
/** After so long without a turn the backlog lane gets one though there is something fresh. */
const STARVE_MS = 100;
const FRESH_BATCH_BYTES = 4 << 20;
const BACKLOG_BATCH_BYTES = 512 << 10;
/** More ranges than this are not made: the fresh lane then reads on from where it is. */
const MAX_GAPS = 64;
/** How often it is looked whether the fresh lane has fallen behind. */
const LOOK_EVERY_MS = 1_000;

/** Begins to read; `run` does the work. Rejects as consumePartition does. */
export async function openLanes(options: LanesOptions): Promise<Lanes> {
  const { bus, partition, stream, taken, bounds, say } = options;
  const bell = makeBell();
  const { created } = stream;
  let failure: { readonly error: unknown } | undefined;
  let closed = false;
  /** Messages in hand and not taken yet, by lane. */
  const inHand = { fresh: 0, backlog: 0 };
  /** Store time of the last message that a lane took. */
  const takenAt: Record<Lane, number | undefined> = { fresh: undefined, backlog: undefined };
  const takenTo = { fresh: 0, backlog: 0 };
  let backlogBytes = 0;

  const plan = planLanes(stream, taken, bounds.maxBehindBytes);
  const gaps: Gap[] = plan.backlog.map(({ from, to }) => ({ from, to, since: undefined, until: undefined }));
  if (gaps.length > 0) tellBacklog();
  const openFeed = (startSequence: number, endSequence?: number) =>
    consumePartition(bus, partition, {
      startSequence,
      created,
      say,
      onArrival: bell.ring,
      ...(endSequence === undefined ? {} : { endSequence }),
    });
  let fresh = await openFeed(plan.freshStart);
  /** The last sequence that the fresh lane was given, taken or not. */
  let freshAt = plan.freshStart - 1;
  let backlog: PartitionFeed | undefined;
  let opening = false;
  let jumping = false;
  let caughtUp = false;

  function tellBacklog(): void {
    const count = gaps.reduce((sum, g) => sum + g.to - g.from + 1, 0);
    const ranges = gaps.map((g) => `${g.from} to ${g.to}`).join(", ");
    say("warn", `stream ${stream.name}: the newest messages are read first, ${count} (${ranges}) wait behind them`);
  }

  const fail = (error: unknown) => {
    failure ??= { error };
    bell.ring();
  };

  const noteProgress = () => {
    // The stream's last messages may have been deleted: then nothing is pending before its end is reached.
    caughtUp ||= freshAt >= stream.lastSequence || fresh.pending() === 0;
    options.onProgress(caughtUp, gaps.length > 0);
  };

  // ---- the backlog ----

  /** Opens the feed of the oldest gap, in the background: the fresh lane does not wait for it. */
  const openBacklog = () => {
    const gap = gaps[0];
    if (gap === undefined || backlog !== undefined || opening || closed) return;
    opening = true;
    const open = async () => {
      gap.since ??= await messageStoredAt(bus, partition, gap.from).catch(() => undefined);
      const feed = await openFeed(gap.from, gap.to);
      if (closed) return feed.close();
      backlog = feed;
    };
    open()
      .catch(fail)
      .finally(() => {
        opening = false;
        bell.ring();
      });
  };

  const closeGap = () => {
    const gap = gaps.shift() as Gap;
    const feed = backlog as PartitionFeed;
    backlog = undefined;
    takenAt.backlog = undefined;
    // What is still missing of it the stream did not have any more.
    skipMissing(gap.from, gap.to);
    say("info", `stream ${stream.name}: messages ${gap.from} to ${gap.to} are read, ${gaps.length} more ranges wait`);
    noteProgress();
    feed.close().catch(fail);
  };

  /** Of these sequences the ones that were not taken will not come. */
  const skipMissing = (from: number, to: number) => {
    for (const gap of taken.gaps(to)) if (gap.to >= from) options.skip({ from: Math.max(gap.from, from), to: gap.to });
  };

  // ---- the fresh lane ----

  /** When the oldest message that the fresh lane did not take was stored; undefined when there is none. */
  const freshWaitsSince = () => {
    if (inHand.fresh === 0 && fresh.pending() === 0) return undefined;
    return inHand.fresh > 0 ? takenAt.fresh : (fresh.oldestWaiting() ?? takenAt.fresh);
  };

  let looked = performance.now();
  const lookAhead = () => {
    if (performance.now() - looked < LOOK_EVERY_MS) return;
    looked = performance.now();
    const since = freshWaitsSince();
    if (jumping || closed || since === undefined || gaps.length >= MAX_GAPS) return;
    if (options.now() - since < bounds.maxBehindMs || !bus.connected()) return;
    jumping = true;
    jump()
      .catch((error: unknown) => say("debug", `stream ${stream.name}: ${messageOf(error)}`))
      .finally(() => {
        jumping = false;
      });
  };

  const jump = async () => {
    const now = await streamIdentity(bus, partition);
    const start = now.created === created ? jumpAhead(now, freshAt + 1, bounds.maxBehindBytes) : undefined;
    if (start === undefined) return;
    const next = await openFeed(start);
    if (closed) return next.close();
    const old = fresh;
    fresh = next;
    // The old one has gone on meanwhile; a batch of it may be in hand, up to freshAt.
    if (freshAt + 1 < start) {
      gaps.push({
        from: freshAt + 1,
        to: start - 1,
        since: old.oldestWaiting() ?? takenAt.fresh,
        until: options.now(),
      });
      tellBacklog();
    }
    freshAt = Math.max(freshAt, start - 1);
    bell.ring();
    await old.close();
  };

  // ---- the reader ----

  const released = async () => {
    for (let held = options.held(); held !== undefined; held = options.held()) await held;
  };

  /** Others get their turn: requests, and what has come meanwhile. */
  const breathe = async () => {
    await new Promise(setImmediate);
    slice = performance.now();
  };
  let slice = performance.now();

  const takeBatch = async (lane: Lane, batch: Batch): Promise<void> => {
    const { sequences, payloads, storedAt } = batch;
    const n = payloads.length;
    const first = sequences[0] as number;
    const last = sequences[n - 1] as number;
    if (lane === "fresh") {
      if (first > freshAt + 1) skipMissing(freshAt + 1, first - 1);
      freshAt = Math.max(freshAt, last);
      const newest = gaps.at(-1);
      if (newest !== undefined) newest.until ??= storedAt[0];
    } else backlogBytes += batch.bytes;
    for (let i = 0; i < n; i++) {
      inHand[lane] = n - i;
      const sequence = sequences[i] as number;
      if (!taken.has(sequence)) options.take(lane, sequence, payloads[i] as Uint8Array);
      takenAt[lane] = storedAt[i];
      if (performance.now() - slice > SLICE_MS) await breathe();
      await options.room();
      if (failure !== undefined) throw failure.error;
      // Unless it is held there is no turn of the event loop between this look and the next message.
      if (options.held() !== undefined) await released();
    }
    inHand[lane] = 0;
    takenTo[lane] = last;
    if (batch.skipped > 0) skipMissing(first, last);
    noteProgress();
  };

  const run = async () => {
    if (options.held() !== undefined) await released();
    if (!closed) for (const range of plan.gone) options.skip(range);
    noteProgress();
    let backlogTurn = performance.now();
    try {
      while (!closed) {
        if (failure !== undefined) throw failure.error;
        if (options.held() !== undefined) await released();
        openBacklog();
        lookAhead();
        const starving = backlog !== undefined && performance.now() - backlogTurn > STARVE_MS;
        const freshBatch = starving ? undefined : fresh.poll(FRESH_BATCH_BYTES);
        if (freshBatch !== undefined) {
          await takeBatch("fresh", freshBatch);
          continue;
        }
        backlogTurn = performance.now();
        const late = backlog?.poll(BACKLOG_BATCH_BYTES);
        if (late !== undefined) {
          await takeBatch("backlog", late);
          // Something fresh may have come, which the next look is to find.
          await breathe();
          backlogTurn = performance.now();
        } else if (backlog?.finished() === true) closeGap();
        else if (!starving) await bell.wait(LOOK_EVERY_MS);
      }
    } finally {
      await close();
    }
  };

  const close = async () => {
    if (closed) return;
    closed = true;
    bell.ring();
    await Promise.all([fresh.close(), backlog?.close()]);
  };

  const gapLag = () => {
    const before = gaps[0]?.from ?? 0;
    const last = gaps.at(-1)?.to ?? 0;
    let missing = 0;
    for (const { from, to } of taken.gaps(last)) missing += to - Math.max(from, before) + 1;
    return missing;
  };

  return {
    run,
    position: () => ({ ...takenTo }),
    durable: (position, contiguousEnd) => {
      fresh.ack(position.fresh);
      backlog?.ack(position.backlog);
      // The newest message that is on disk stays: an empty stream could forget where it is.
      fresh.purgeBelow(contiguousEnd, backlogBytes);
    },
    stats: () => {
      const backlogLag = gapLag();
      const oldest = gaps[0] === undefined ? freshWaitsSince() : (takenAt.backlog ?? gaps[0].since);
      return { lag: fresh.pending() + inHand.fresh + backlogLag, backlogLag, oldestUnreadAt: oldest };
    },
    backlogTimes: () => {
      if (gaps.length === 0) return undefined;
      const from = takenAt.backlog ?? (gaps[0] as Gap).since ?? Number.NEGATIVE_INFINITY;
      return { from, to: (gaps.at(-1) as Gap).until ?? Number.POSITIVE_INFINITY };
    },
    fail,
    close,
  };
}
