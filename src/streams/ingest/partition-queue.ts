import { TryLater } from "../../model/ingest.ts";
import {
  clearFrame,
  encodeFrame,
  type FrameBuilder,
  frameBytes,
  isEmptyFrame,
  makeFrameBuilder,
} from "../codec/frame-encode.ts";

/** Where a message is in its stream. */
export interface Stored {
  readonly sequence: number;
  /** Incarnation of the stream (StreamPosition.stream); undefined while that is not known. */
  readonly stream: string | undefined;
}

/** Where frames go: JetStream in production. Resolves when the frame is durable; a rejection means it may not be. */
export interface FramePublisher {
  /** A frame published again with the same `msgId` must not be stored twice. `frame` does not change any more. */
  publish(partition: number, frame: Uint8Array, msgId: string): Promise<Stored>;
}

/** One request that waits for its frames. */
export interface Ticket {
  /** Frames that hold samples of it and are not acknowledged, plus one while samples are still being added. */
  waiting: number;
  /** Called with each frame that is durable, in the order in which that becomes known. */
  stored(partition: number, where: Stored): void;
  resolve(): void;
  reject(error: unknown): void;
}

interface SealedFrame {
  readonly bytes: Uint8Array;
  readonly msgId: string;
  readonly samples: number;
  readonly tickets: readonly Ticket[];
  /** Hashes of its definitions: low, high, low, high, ... */
  readonly defined: readonly number[];
}

/**
 * The frames of one partition on their way to the bus.
 *
 * Group commit: the open frame is published as soon as fewer than `maxInFlight` frames wait for their acknowledgement; until
 * then it fills. So a quiet partition sends small frames at once, a busy one large frames. A frame that reaches
 * `maxFrameBytes` is sealed and waits its turn. Who feeds the queue bounds `queuedBytes`.
 */
export interface PartitionQueue {
  readonly partition: number;
  readonly open: FrameBuilder;
  /** Names the open frame among all frames of the gateway; never 0 or ANNOUNCED. */
  serial: number;
  openTickets: Ticket[];
  openDefined: number[];
  readonly sealed: SealedFrame[];
  inFlight: number;
  /** Bytes of sealed frames, those in flight included. */
  sealedBytes: number;
  readonly shared: QueueShared;
}

/** What the queues of a gateway have in common. */
export interface QueueShared {
  readonly publisher: FramePublisher;
  readonly maxInFlight: number;
  readonly maxFrameBytes: number;
  /** Prefix of message ids: unique to this gateway. */
  readonly id: string;
  nextSerial: number;
  /** Called with the hashes that an acknowledged frame defined. */
  onDefined(hashes: readonly number[]): void;
  /** Called with each frame that is durable, before those who wait for it hear of it. */
  readonly onStored?: ((partition: number, where: Stored) => void) | undefined;
  /** Called whenever a frame's fate is known. */
  onSettled(): void;
  readonly counts: { frames: number; bytes: number; samples: number; failures: number; definitions: number };
}

/** @param flags of all its frames: FRAME_BACKFILL or 0 */
export function makePartitionQueue(partition: number, shared: QueueShared, flags = 0): PartitionQueue {
  const open = makeFrameBuilder(1024);
  open.flags = flags;
  return {
    partition,
    open,
    serial: takeSerial(shared),
    openTickets: [],
    openDefined: [],
    sealed: [],
    inFlight: 0,
    sealedBytes: 0,
    shared,
  };
}

function takeSerial(shared: QueueShared): number {
  const serial = shared.nextSerial;
  shared.nextSerial = serial >= 0xfffffffe ? 1 : serial + 1;
  return serial;
}

/** Adds a ticket to the open frame: call it when samples of the request have been appended. */
export function joinOpenFrame(q: PartitionQueue, ticket: Ticket): void {
  if (q.openTickets[q.openTickets.length - 1] === ticket) return;
  q.openTickets.push(ticket);
  ticket.waiting++;
}

/** Bytes that wait here: sealed, in flight and open. */
export function queuedBytes(q: PartitionQueue): number {
  return q.sealedBytes + (isEmptyFrame(q.open) ? 0 : frameBytes(q.open));
}

/** Ends the open frame and starts the next. */
export function sealFrame(q: PartitionQueue): void {
  const bytes = encodeFrame(q.open);
  const msgId = `${q.shared.id}-${q.partition}-${q.serial}`;
  q.sealed.push({ bytes, msgId, samples: q.open.samples, tickets: q.openTickets, defined: q.openDefined });
  q.sealedBytes += bytes.length;
  clearFrame(q.open);
  q.openTickets = [];
  q.openDefined = [];
  q.serial = takeSerial(q.shared);
}

/** Publishes what may be published now. */
export function pump(q: PartitionQueue): void {
  while (q.inFlight < q.shared.maxInFlight) {
    if (q.sealed.length === 0) {
      if (isEmptyFrame(q.open)) return;
      sealFrame(q);
    }
    const frame = q.sealed.shift() as SealedFrame;
    q.inFlight++;
    q.shared.publisher.publish(q.partition, frame.bytes, frame.msgId).then(
      (where) => settle(q, frame, where),
      (error: unknown) => settle(q, frame, undefined, error),
    );
  }
}

function settle(q: PartitionQueue, frame: SealedFrame, where: Stored | undefined, error?: unknown): void {
  const { counts } = q.shared;
  q.inFlight--;
  q.sealedBytes -= frame.bytes.length;
  if (where !== undefined) {
    counts.frames++;
    counts.bytes += frame.bytes.length;
    counts.samples += frame.samples;
    counts.definitions += frame.defined.length / 2;
    if (frame.defined.length > 0) q.shared.onDefined(frame.defined);
    q.shared.onStored?.(q.partition, where);
    for (const t of frame.tickets) {
      t.stored(q.partition, where);
      leave(t);
    }
  } else {
    counts.failures++;
    for (const t of frame.tickets) t.reject(error);
    if (error instanceof TryLater) giveUp(q, error);
  }
  pump(q);
  q.shared.onSettled();
}

/**
 * Puts off all that waits behind a frame that the bus did not take. Each would wait as long again for its own refusal, one
 * after the other, long after its sender has gone; the frame that is open now finds out whether the bus is back.
 */
function giveUp(q: PartitionQueue, error: TryLater): void {
  for (const frame of q.sealed.splice(0)) {
    q.sealedBytes -= frame.bytes.length;
    q.shared.counts.failures++;
    for (const t of frame.tickets) t.reject(error);
  }
}

/** One frame fewer to wait for. */
export function leave(ticket: Ticket): void {
  if (--ticket.waiting === 0) ticket.resolve();
}
