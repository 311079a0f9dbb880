/** Puts together what shards list: in slices, so that long lists do not keep the thread from others. */
import { compareLabels, type Labels } from "../model/labels.ts";
import type { PackedList } from "../model/packed-list.ts";
import type { Listed } from "../model/shard.ts";
import { due, type Pace, ROW_WORK, turn } from "../query/execute/pace.ts";

/** What unpacking or writing a text counts for. */
const TEXT_WORK = 32;

/** A pace for work on a request's behalf, which ends when the client has gone. */
export function paceOf(signal: AbortSignal): Pace {
  const now = () => performance.now();
  return { signal, deadline: Number.POSITIVE_INFINITY, now, work: 0, turnAt: now() };
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The texts of all lists in their order (UTF-16 units, as JavaScript sorts), each once. */
export async function mergeTexts(pace: Pace, lists: readonly Listed<string>[]): Promise<string[]> {
  const sorted: string[][] = [];
  for (const { values, packed } of lists) {
    sorted.push(packed === undefined ? [...values].sort(compareTexts) : await unpackTexts(pace, packed));
  }
  return merge(pace, sorted, compareTexts);
}

/** The label sets of all lists in their order, each once. */
export async function mergeSets(pace: Pace, lists: readonly Listed<Labels>[]): Promise<Labels[]> {
  const sorted: Labels[][] = [];
  for (const { values, packed } of lists) {
    sorted.push(packed === undefined ? [...values].sort(compareLabels) : await unpackSets(pace, packed));
  }
  return merge(pace, sorted, compareLabels);
}

async function unpackTexts(pace: Pace, { bytes, textEnds }: PackedList): Promise<string[]> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: string[] = [];
  for (let i = 0, at = 0; i < textEnds.length; i++) {
    const end = textEnds[i] as number;
    out.push(buffer.toString("utf8", at, end));
    at = end;
    if (due(pace, TEXT_WORK)) await turn(pace);
  }
  return out;
}

async function unpackSets(pace: Pace, packed: PackedList): Promise<Labels[]> {
  const texts = await unpackTexts(pace, packed);
  const { ids, ends } = packed.sets as NonNullable<PackedList["sets"]>;
  const out: Labels[] = [];
  for (let i = 0, at = 0; i < ends.length; i++) {
    const end = ends[i] as number;
    const set: string[] = new Array(end - at);
    for (let k = 0; at < end; k++, at++) set[k] = texts[ids[at] as number] as string;
    out.push(set);
    if (due(pace, ROW_WORK)) await turn(pace);
  }
  return out;
}

/** Merges sorted lists; equal entries come once. */
async function merge<T>(pace: Pace, lists: readonly (readonly T[])[], compare: (a: T, b: T) => number): Promise<T[]> {
  const out: T[] = [];
  const next = new Int32Array(lists.length);
  for (;;) {
    let best: T | undefined;
    let from = -1;
    for (let i = 0; i < lists.length; i++) {
      const entry = lists[i]?.[next[i] as number];
      if (entry === undefined || (best !== undefined && compare(entry, best) >= 0)) continue;
      best = entry;
      from = i;
    }
    if (best === undefined) return out;
    next[from] = (next[from] as number) + 1;
    const last = out.at(-1);
    if (last === undefined || compare(last, best) !== 0) out.push(best);
    if (due(pace, ROW_WORK)) await turn(pace);
  }
}

/** Characters of a piece, about. */
const PIECE = 65_536;

/** A JSON array in pieces, between the texts that go before and after it. */
export async function jsonPieces<T>(
  pace: Pace,
  entries: readonly T[],
  textOf: (entry: T) => string,
  [before, after]: readonly [string, string],
): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  let text = `${before}[`;
  for (let i = 0; i < entries.length; i++) {
    const one = textOf(entries[i] as T);
    text += i === 0 ? one : `,${one}`;
    if (text.length >= PIECE) {
      pieces.push(Buffer.from(text));
      text = "";
    }
    if (due(pace, TEXT_WORK + one.length)) await turn(pace);
  }
  pieces.push(Buffer.from(`${text}]${after}`));
  return pieces;
}

/** Writes label sets as JSON objects; names, of which there are few, are written out once. */
export function labelsJson(): (labels: Labels) => string {
  const names = new Map<string, string>();
  return (labels) => {
    let text = "{";
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i] as string;
      let written = names.get(name);
      if (written === undefined) {
        written = `${JSON.stringify(name)}:`;
        names.set(name, written);
      }
      text += `${i === 0 ? "" : ","}${written}${JSON.stringify(labels[i + 1])}`;
    }
    return `${text}}`;
  };
}
