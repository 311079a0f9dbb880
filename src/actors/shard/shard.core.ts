/**
 * What a frame does to a shard's storage. No disk or bus here, and no clock but for how long labels are waited for: the actor (shard.actor.ts) brings frames from the WAL
 * or the stream, in order, and carries out what the core wants.
 *
 * Invariants:
 * - the same frames in the same order give the same state, so recovery is this code again;
 * - a frame is taken as a whole or, when it cannot be decoded, not at all;
 * - a frame's definitions count before its samples, and samples that waited for a definition before those of its frame;
 * - every sample of a frame is stored, parked, or counted by the reason for which it was not: none goes silently;
 * - samples of two label sets that share a hash are never mixed: each is stored where its frame says, or counted.
 */
import { makeSampleBuffer, type SampleBuffer, type SampleColumns } from "../../model/sample.ts";
import { isTenant } from "../../model/tenant.ts";
import { type AppendOptions, appendColumns } from "../../storage/head/append.ts";
import { beginFrame, defineText, type Head, seriesTenant } from "../../storage/head/head.ts";
import type { SeriesText } from "../../storage/head/shapes.ts";
import {
  type DecodedFrame,
  decodeFrame,
  type FrameScratch,
  makeFrameScratch,
} from "../../streams/codec/frame-decode.ts";
import {
  CHECK,
  DEFINITION_WORDS,
  type DefinitionTexts,
  GIVEN_HI,
  GIVEN_LO,
  REAL_HI,
  REAL_LO,
} from "../../streams/codec/frame-definitions.ts";
import { FrameError } from "../../streams/codec/frame-layout.ts";
import { partitionOf } from "../../streams/codec/series-hash.ts";
import { type ChangeLog, makeChangeLog, noteChange } from "./changes.ts";
import { takeExemplars } from "./frame-exemplars.ts";
import { type MetadataTable, makeMetadataTable, setMetadata } from "./metric-metadata.ts";
import {
  giveUp,
  isWaiting,
  makeParkedMessages,
  noteEarlier,
  noteParked,
  type ParkedMessages,
  wantedHashes,
} from "./parked-messages.ts";
import { makeParkedSamples, type ParkedSamples, parkRows, unpark } from "./parked-samples.ts";

/** Which of how many partitions a shard owns. */
export interface OwnedPartition {
  readonly partition: number;
  readonly partitions: number;
}

export interface ShardCore {
  readonly head: Head;
  /** With it, definitions are checked: whoever may publish to the bus can send anything. */
  readonly owned: OwnedPartition | undefined;
  readonly parked: ParkedSamples;
  readonly parkedMessages: ParkedMessages;
  /** Milliseconds that never go back. Nothing of what is stored depends on them. */
  readonly clock: () => number;
  /** Of the message whose frame is being applied; 0 when nobody asks for it by its number. */
  sequence: number;
  readonly counts: ShardCounts;
  /** Of `counts.tooOld`: how many samples each tenant lost so. */
  readonly tooOldBy: Map<string, number>;
  readonly noteTooOld: (id: number) => void;
  readonly metadata: MetadataTable;
  readonly changes: ChangeLog;
  /** Hashes with several label sets that the gateways have not been told about yet. */
  readonly ambiguousToTell: Map<string, readonly [lo: number, hi: number]>;
  readonly scratch: FrameScratch;
  unknown: Uint32Array;
  /** Rows taken out of a frame for a separate append. */
  readonly picked: SampleColumns;
  readonly unparked: SampleBuffer;
}

/** Counted since the last `resetCounts`. */
export interface ShardCounts {
  frames: number;
  /** Frames that could not be decoded; their samples are not known. */
  badFrames: number;
  appended: number;
  duplicates: number;
  overwritten: number;
  /** Not stored because of a backlog a sample never replaces one that is there. */
  kept: number;
  outOfOrder: number;
  tooOld: number;
  invalidTime: number;
  /** Not stored because the hash names several series and the frame does not say which. */
  ambiguous: number;
  /** Not stored because too many samples wait for labels. */
  parkedOverflow: number;
  /** Parked for so long that their labels are not waited for any more. They are stored should the labels come after all. */
  labelsOverdue: number;
  exemplars: number;
  /** Exemplars not stored: there already, older than the newest of their series, or of a series that is not known. */
  exemplarsRefused: number;
}

/** Tenants beyond so many are counted under no name, as are texts that name none: whoever may publish can make up any. */
const MAX_TENANTS = 1_000;

export function makeShardCore(
  head: Head,
  maxParkedSamples: number,
  owned?: OwnedPartition,
  clock: () => number = () => performance.now(),
): ShardCore {
  const tooOldBy = new Map<string, number>();
  return {
    head,
    owned,
    parked: makeParkedSamples(maxParkedSamples),
    parkedMessages: makeParkedMessages(),
    clock,
    sequence: 0,
    counts: noCounts(),
    tooOldBy,
    noteTooOld: (id) => {
      const tenant = seriesTenant(head, id);
      const named = tooOldBy.has(tenant) || (tooOldBy.size < MAX_TENANTS && isTenant(tenant));
      const key = named ? tenant : "";
      tooOldBy.set(key, (tooOldBy.get(key) ?? 0) + 1);
    },
    metadata: makeMetadataTable(),
    changes: makeChangeLog(),
    ambiguousToTell: new Map(),
    scratch: makeFrameScratch(),
    unknown: new Uint32Array(8192),
    picked: makeColumns(0),
    unparked: makeSampleBuffer(64),
  };
}

function noCounts(): ShardCounts {
  return {
    frames: 0,
    badFrames: 0,
    appended: 0,
    duplicates: 0,
    overwritten: 0,
    kept: 0,
    outOfOrder: 0,
    tooOld: 0,
    invalidTime: 0,
    ambiguous: 0,
    parkedOverflow: 0,
    labelsOverdue: 0,
    exemplars: 0,
    exemplarsRefused: 0,
  };
}

/** Recovery is over, with the messages up to this one: what was replayed is not counted as appended. */
export function recoveredUpTo(core: ShardCore, sequence: number): void {
  resetCounts(core);
  noteEarlier(core.parkedMessages, core.parked, sequence, core.clock());
}

/** Whether samples of the message wait for labels that may still come, so that nobody can read them yet. */
export function waitsForLabels({ parkedMessages, parked, clock }: ShardCore, sequence: number): boolean {
  return isWaiting(parkedMessages, parked, sequence, clock());
}

/** Counts from here on. */
export function resetCounts(core: ShardCore): void {
  Object.assign(core.counts, noCounts());
  core.tooOldBy.clear();
}

/**
 * How a frame came: live, or out of the backlog that fresh frames have overtaken. A sample of the backlog may be of any age, and
 * what is there at its time stays.
 */
export type FrameMode = "live" | "backlog";

/** What parked samples remember of how they are to be taken. */
const ANY_AGE = 1;
const KEEP = 2;

/**
 * Takes a frame into the storage. Throws FrameError when it cannot be decoded: it is counted, and nothing else has changed.
 * @param sequence of its message, for `waitsForLabels`
 */
export function applyFrame(core: ShardCore, bytes: Uint8Array, mode: FrameMode = "live", sequence = 0): void {
  const { head, counts } = core;
  core.sequence = sequence;
  let frame: DecodedFrame;
  try {
    frame = decodeFrame(bytes, core.scratch);
    if (core.owned !== undefined) checkDefinitions(frame.texts, core.owned);
  } catch (error) {
    counts.badFrames++;
    throw error;
  }
  counts.frames++;
  beginFrame(head);
  for (let d = 0; d < frame.texts.count; d++) define(core, frame.texts, d);
  const backlog = mode === "backlog";
  const options = { anyAge: backlog || frame.backfill, keepExisting: backlog, onTooOld: core.noteTooOld };
  if (frame.bound.rows.length === 0) append(core, frame.columns, options);
  else appendBound(core, frame, options);
  const refused = takeExemplars(head, frame);
  counts.exemplars += frame.exemplars.count - refused;
  counts.exemplarsRefused += refused;
  for (const entry of frame.metadata) setMetadata(core.metadata, entry);
}

/** A wrong hash would give a series' samples to another one, a wrong partition would show the series twice. */
function checkDefinitions({ count, words }: DefinitionTexts, { partition, partitions }: OwnedPartition): void {
  for (let d = 0, w = 0; d < count; d++, w += DEFINITION_WORDS) {
    if (words[w + GIVEN_LO] !== words[w + REAL_LO] || words[w + GIVEN_HI] !== words[w + REAL_HI])
      throw new FrameError("definition", `hash of definition ${d} is not its labels'`);
    const owner = partitionOf(words[w + REAL_HI]!, partitions);
    if (owner !== partition) throw new FrameError("definition", `definition ${d} belongs to partition ${owner}`);
  }
}

function define(core: ShardCore, texts: DefinitionTexts, d: number): void {
  const { head, parked } = core;
  const { words } = texts;
  const hashLo = words[d * DEFINITION_WORDS + GIVEN_LO]!;
  const hashHi = words[d * DEFINITION_WORDS + GIVEN_HI]!;
  const known = defineText(head, hashLo, hashHi, words[d * DEFINITION_WORDS + CHECK]!, seriesText(texts, d));
  if (known === "collision") tellAmbiguous(core, hashLo, hashHi);
  else if (known === "new" && unpark(parked, hashLo, hashHi, core.unparked)) appendUnparked(core, hashLo, hashHi);
}

function seriesText({ bytes, at, first }: DefinitionTexts, d: number): SeriesText {
  return { bytes, at, first: first[d]!, labels: (first[d + 1]! - first[d]!) >> 1 };
}

function tellAmbiguous(core: ShardCore, hashLo: number, hashHi: number): void {
  core.ambiguousToTell.set(`${hashLo}:${hashHi}`, [hashLo, hashHi]);
}

/** Samples that waited for this definition, by the rules of the frames that they came with. */
function appendUnparked(core: ShardCore, hashLo: number, hashHi: number): void {
  const { unparked, picked } = core;
  const rules = core.parked.takenRules;
  for (let from = 0; from < unparked.length; ) {
    let to = from + 1;
    while (to < unparked.length && rules[to] === rules[from]) to++;
    const n = to - from;
    reserveColumns(picked, n);
    picked.length = n;
    picked.hashLo.fill(hashLo, 0, n);
    picked.hashHi.fill(hashHi, 0, n);
    picked.ts.set(unparked.ts.subarray(from, to));
    wordsOf(picked.values).set(unparked.words.subarray(2 * from, 2 * to));
    picked.histograms = unparked.histograms?.bytes;
    picked.startTs = unparked.startTs?.subarray(from, to);
    append(core, picked, {
      anyAge: (rules[from]! & ANY_AGE) !== 0,
      keepExisting: (rules[from]! & KEEP) !== 0,
      onTooOld: core.noteTooOld,
    });
    from = to;
  }
}

/** Stores rows whose hash names their series; parks those whose hash nobody has explained yet. */
function append(core: ShardCore, columns: SampleColumns, options: AppendOptions): void {
  if (columns.length > core.unknown.length) core.unknown = new Uint32Array(2 * columns.length);
  const { counts } = core;
  const result = appendColumns(core.head, columns, core.unknown, options);
  if (result.oldest < Number.POSITIVE_INFINITY) noteChange(core.changes, result.oldest);
  counts.appended += result.accepted;
  counts.duplicates += result.duplicates;
  counts.overwritten += result.overwritten;
  counts.kept += result.kept;
  counts.outOfOrder += result.outOfOrder;
  counts.tooOld += result.tooOld;
  counts.invalidTime += result.invalidTime;
  counts.ambiguous += result.ambiguousCount;
  if (result.unknownCount > 0) {
    const rules = (options.anyAge === true ? ANY_AGE : 0) | (options.keepExisting === true ? KEEP : 0);
    counts.parkedOverflow += parkRows(core.parked, columns, core.unknown, result.unknownCount, rules);
    const { parked, parkedMessages, sequence, unknown } = core;
    noteParked(parkedMessages, parked, sequence, columns, unknown, result.unknownCount, core.clock());
  }
  // Parking these would give them to whichever of the label sets comes next.
  for (let i = 1; i <= result.ambiguousCount; i++) {
    const row = core.unknown[core.unknown.length - i]!;
    tellAmbiguous(core, columns.hashLo[row]!, columns.hashHi[row]!);
  }
}

/**
 * A frame with rows that belong to certain definitions: each such definition is resolved by itself, with its rows; the
 * other rows are appended as always. Rows of one series stay in order.
 */
function appendBound(core: ShardCore, frame: DecodedFrame, options: AppendOptions): void {
  const { columns, bound, texts } = frame;
  const rowsOf = new Map<number, number[]>();
  const free: number[] = [];
  for (let row = 0, b = 0; row < columns.length; row++) {
    if (bound.rows[b] !== row) {
      free.push(row);
      continue;
    }
    const number = bound.definition[b++]!;
    const rows = rowsOf.get(number);
    if (rows === undefined) rowsOf.set(number, [row]);
    else rows.push(row);
  }
  pick(core, columns, free);
  append(core, core.picked, options);
  for (const [number, rows] of rowsOf) {
    const hashLo = texts.words[number * DEFINITION_WORDS + GIVEN_LO]!;
    const hashHi = texts.words[number * DEFINITION_WORDS + GIVEN_HI]!;
    const check = texts.words[number * DEFINITION_WORDS + CHECK]!;
    beginFrame(core.head);
    defineText(core.head, hashLo, hashHi, check, seriesText(texts, number));
    pick(core, columns, rows);
    // A bound row belongs to its definition, whatever hash it carries.
    core.picked.hashLo.fill(hashLo, 0, rows.length);
    core.picked.hashHi.fill(hashHi, 0, rows.length);
    append(core, core.picked, options);
  }
}

function pick(core: ShardCore, from: SampleColumns, rows: readonly number[]): void {
  const to = core.picked;
  const n = rows.length;
  reserveColumns(to, n);
  to.length = n;
  const fromWords = wordsOf(from.values);
  const toWords = wordsOf(to.values);
  for (let i = 0; i < n; i++) {
    const row = rows[i]!;
    to.hashLo[i] = from.hashLo[row]!;
    to.hashHi[i] = from.hashHi[row]!;
    to.ts[i] = from.ts[row]!;
    toWords[2 * i] = fromWords[2 * row]!;
    toWords[2 * i + 1] = fromWords[2 * row + 1]!;
  }
  to.histograms = from.histograms;
  const { startTs } = from;
  to.startTs = startTs === undefined ? undefined : Float64Array.from(rows, (row) => startTs[row]!);
}

function makeColumns(size: number): SampleColumns {
  return {
    length: 0,
    hashLo: new Uint32Array(size),
    hashHi: new Uint32Array(size),
    ts: new Float64Array(size),
    values: new Float64Array(size),
  };
}

function reserveColumns(columns: SampleColumns, n: number): void {
  if (columns.ts.length < n) Object.assign(columns, makeColumns(Math.max(n, 2 * columns.ts.length)));
}

const wordsOf = (values: Float64Array) => new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);

/** What the gateways should hear: labels that are missing here, and hashes that several series share. */
export interface LabelsWanted {
  /** [lo, hi, ...] */
  readonly unknown: Uint32Array;
  readonly ambiguous: Uint32Array;
}

/** The next request to the gateways, of at most `limit` hashes a kind; undefined when there is nothing to ask. */
export function takeLabelsWanted(core: ShardCore, limit: number): LabelsWanted | undefined {
  core.counts.labelsOverdue += giveUp(core.parkedMessages, core.parked, core.clock());
  const unknown = wantedHashes(core.parkedMessages, core.parked, limit);
  const told = [...core.ambiguousToTell].slice(0, limit);
  for (const [key] of told) core.ambiguousToTell.delete(key);
  const ambiguous = Uint32Array.from(told.flatMap(([, pair]) => pair));
  return unknown.length + ambiguous.length === 0 ? undefined : { unknown, ambiguous };
}

/** Samples not in the storage, by reason, as ShardStats wants them: refused, there already, or replaced by a later one. */
export function rejections(counts: ShardCounts): Record<string, number> {
  return {
    duplicate: counts.duplicates,
    kept_existing: counts.kept,
    overwritten: counts.overwritten,
    too_old: counts.tooOld,
    invalid_time: counts.invalidTime,
    ambiguous_hash: counts.ambiguous,
    unknown_series: counts.parkedOverflow,
    labels_overdue: counts.labelsOverdue,
    bad_frame: counts.badFrames,
  };
}
