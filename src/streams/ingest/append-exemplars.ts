import { asBuffer, compareUtf8, isUtf8Range } from "../../lib/utf8.ts";
import type { BatchExtras } from "../codec/batch-extras.ts";
import { writeExemplar } from "../codec/frame-records.ts";
import { type AppendCore, openFor, type Run } from "./append-rows.ts";
import { joinOpenFrame, type PartitionQueue } from "./partition-queue.ts";
import { reject } from "./rejections.ts";
import { HIGH, LOW, NOT_FOUND, PLACE, speaker, wordAt, wordsOf } from "./series-cache.ts";

/** Characters that names and values of an exemplar's labels may have together, as OpenMetrics says. */
export const MAX_EXEMPLAR_CHARACTERS = 128;

/**
 * Puts the exemplars of a batch into the open frames of their series' partitions; returns how many. `found`: entries of the batch's
 * series; what belongs to a series that was refused is refused with it.
 */
export function appendExemplars(core: AppendCore, run: Run, extras: BatchExtras, found: Int32Array): number {
  const { series, ts, words, spanEnd, spans } = extras.exemplars;
  let appended = 0;
  for (let e = 0; e < series.length; e++) {
    const s = series[e] as number;
    const t = ts[e] as number;
    if (found[s] === NOT_FOUND) continue;
    const labels = spans.slice(e === 0 ? 0 : (spanEnd[e - 1] as number), spanEnd[e]);
    const problem = timeProblem(run, t) ?? labelsProblem(extras.text, labels);
    if (problem !== undefined) {
      reject(run.rejected, "invalid_exemplar", 1, () => `${run.describe(s)}: an exemplar's ${problem}`);
      continue;
    }
    const entry = speaker(core.cache, found[s] as number);
    const cached = wordsOf(core.cache, entry);
    const w = wordAt(entry);
    const q = core.queues[(cached[w + PLACE] as number) & 0xffff] as PartitionQueue;
    const definition = openFor(core, run, q, entry, s);
    const named = { low: cached[w + LOW] as number, high: cached[w + HIGH] as number, definition };
    const value = [words[2 * e] as number, words[2 * e + 1] as number] as const;
    writeExemplar(q.open.exemplars, named, t, value[0], value[1], { bytes: extras.text, spans: labels });
    joinOpenFrame(q, run.ticket);
    appended++;
  }
  return appended;
}

function timeProblem(run: Run, t: number): string | undefined {
  if (t <= run.maxTime && t >= run.minTime) return undefined;
  return `time ${t} is not a usable Unix time in ms, too far in the future, or before what is kept`;
}

/** Checks the labels, sorts them by name and leaves out those without a value. */
function labelsProblem(text: Uint8Array, spans: number[]): string | undefined {
  let characters = 0;
  const labels: number[][] = [];
  for (let i = 0; i < spans.length; i += 4) {
    const label = spans.slice(i, i + 4) as [number, number, number, number];
    const [nameStart, nameEnd, valueStart, valueEnd] = label;
    if (!isUtf8Range(text, nameStart, nameEnd) || !isUtf8Range(text, valueStart, valueEnd))
      return "labels are not UTF-8";
    if (nameEnd === nameStart) return "label has no name";
    if (valueEnd === valueStart) continue;
    for (let k = nameStart; k < nameEnd; k++) if (((text[k] as number) & 0xc0) !== 0x80) characters++;
    for (let k = valueStart; k < valueEnd; k++) if (((text[k] as number) & 0xc0) !== 0x80) characters++;
    labels.push(label);
  }
  if (characters > MAX_EXEMPLAR_CHARACTERS) {
    return `labels have ${characters} characters, at most ${MAX_EXEMPLAR_CHARACTERS} are possible`;
  }
  const byName = (a: readonly number[], b: readonly number[]) =>
    compareUtf8(text, a[0] as number, a[1] as number, text, b[0] as number, b[1] as number);
  labels.sort(byName);
  for (let i = 1; i < labels.length; i++) {
    const label = labels[i] as number[];
    if (byName(labels[i - 1] as number[], label) === 0) {
      return `label ${asBuffer(text).toString("utf8", label[0], label[1])} stands twice`;
    }
  }
  spans.length = 0;
  for (const label of labels) spans.push(...label);
  return undefined;
}
