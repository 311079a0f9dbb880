/** A small stand-in for a shard: its state is what it was given, in order; so that a lost, doubled or foreign frame shows. */
import type { Disk } from "../../../src/lib/disk.ts";
import { type Checkpoints, makeCheckpoints } from "../../../src/storage/snapshot/checkpoints.ts";
import { type Recovered, recoverShard } from "../../../src/storage/snapshot/recovery.ts";
import type { WrittenSnapshot } from "../../../src/storage/snapshot/write.ts";
import type { RecordKind } from "../../../src/storage/wal/format.ts";
import { type Wal, walAppend } from "../../../src/storage/wal/wal.ts";

export const DIR = "/shard";

export interface ToyState {
  count: number;
  /** Large enough to be a section by itself. */
  seqs: Float64Array;
  readonly texts: Map<number, string>;
  readonly deleted: string[];
}

export interface ToyShard {
  readonly disk: Disk;
  readonly state: ToyState;
  readonly wal: Wal;
  readonly recovered: Recovered;
  readonly checkpoints: Checkpoints;
}

const makeState = (): ToyState => ({ count: 0, seqs: new Float64Array(3000), texts: new Map(), deleted: [] });
const walk = { skip: new Set<string>(), used: () => undefined };

export const payloadOf = (seq: number): Uint8Array => new Uint8Array(4 + ((seq * 97) % 300)).fill(seq & 255);

function apply(state: ToyState, seq: number, payload: Uint8Array, kind: RecordKind): void {
  if (kind === "delete") {
    state.deleted.push(`${state.count}`);
    return;
  }
  if (Buffer.compare(payload, payloadOf(seq)) !== 0) throw new Error(`record ${seq} is not what was written`);
  if (state.texts.has(seq)) throw new Error(`record ${seq} a second time`);
  state.seqs[state.count++] = seq;
  state.texts.set(seq, kind);
}

export async function openToy(disk: Disk, segmentBytes = 4000): Promise<ToyShard> {
  const state = makeState();
  const recovered = await recoverShard({
    disk,
    dir: DIR,
    state,
    skip: walk.skip,
    segmentBytes,
    replay: (seq, payload, kind) => apply(state, seq, payload, kind),
  });
  const { wal } = recovered.opened;
  return { disk, state, wal, recovered, checkpoints: makeCheckpoints({ disk, dir: DIR, wal, recovered }) };
}

export function feed(shard: ToyShard, seq: number, kind: RecordKind = "frame"): void {
  const payload = kind === "delete" ? new Uint8Array(3) : payloadOf(seq);
  walAppend(shard.wal, seq, payload, kind);
  apply(shard.state, seq, payload, kind);
}

export function checkpoint(shard: ToyShard): { released: Promise<void>; durable: Promise<WrittenSnapshot> } {
  return shard.checkpoints.take(shard.state, walk);
}

export const seqsOf = (state: ToyState): number[] => [...state.seqs.subarray(0, state.count)];
