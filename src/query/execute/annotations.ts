import { formatFloatG } from "../../lib/float-format.ts";
import { goQuote } from "../../lib/go-quote.ts";
import type { RollupTier } from "../../model/rollup.ts";
import type { Pos } from "../parse/ast.ts";
import type { ShardNote } from "../plan/shard-plan.ts";
import { type ForcedMonotonicity, spanText, widen } from "./histogram-function-note.ts";

/**
 * Warnings and infos of one query, without doubles, each with its place in the query text; Prometheus's wording.
 */
export interface Annotations {
  readonly query: string;
  /** Place by text: of notes with the same text the one of the outermost expression, which is added last, is told. */
  readonly warnings: Map<string, number>;
  readonly infos: Map<string, number>;
  /** Infos that say what they span, by text; of these the first place is told. */
  readonly forced: Map<string, { readonly at: number; readonly span: ForcedMonotonicity }>;
}

export function makeAnnotations(query: string): Annotations {
  return { query, warnings: new Map(), infos: new Map(), forced: new Map() };
}

export function warn(a: Annotations, text: string, pos: Pos): void {
  a.warnings.set(`PromQL warning: ${text}`, pos.start);
}

export function inform(a: Annotations, text: string, pos: Pos): void {
  a.infos.set(`PromQL info: ${text}`, pos.start);
}

/** Tells of classic buckets of the named metric that were made to ascend. */
export function informForced(a: Annotations, metric: string, pos: Pos, span: ForcedMonotonicity): void {
  const text = `PromQL info: ${forcedMonotonicity(metric)}`;
  const before = a.forced.get(text);
  if (before === undefined) a.forced.set(text, { at: pos.start, span });
  else widen(before.span, span);
}

/** A shard's note on the data, at the place of the argument that it is about. */
export function addNote(a: Annotations, note: ShardNote, pos: Pos): void {
  switch (note.kind) {
    case "invalidQuantile":
      warn(a, invalidQuantile(note.quantile), pos);
      return;
    case "startTimeOverlap":
      warn(a, startTimeOverlap(note.metric), pos);
      return;
    case "said":
      (note.severity === "warning" ? warn : inform)(a, note.text, pos);
      return;
    case "missingData":
      a.warnings.set(note.text, NO_PLACE);
      return;
    case "possibleNonCounter":
      inform(a, possibleNonCounter(note.metric), pos);
      return;
    default:
      inform(a, noRawSamples(note.kind, note.tier), pos);
  }
}

/** Of a note that is about the data, not about a part of the query. */
const NO_PLACE = -1;

/** Whether data that ought to be there was missing. */
export function lacksData(a: Annotations): boolean {
  for (const at of a.warnings.values()) if (at === NO_PLACE) return true;
  return false;
}

/** Notes of one kind that an answer tells at most. */
const MAX_TOLD = 10;

/** The notes as the answer tells them, sorted, each with its place; how many are left out where there are too many. */
export function tellNotes(a: Annotations, kind: "warning" | "info"): string[] {
  const notes = kind === "warning" ? a.warnings : a.infos;
  const all = [...notes].map(([text, at]) => (at === NO_PLACE ? text : `${text} (${place(a.query, at)})`));
  if (kind === "info") {
    for (const [text, { at, span }] of a.forced) all.push(`${text}${spanText(span)} (${place(a.query, at)})`);
  }
  all.sort();
  const rest = all.length - MAX_TOLD;
  return rest > 0 ? [...all.slice(0, MAX_TOLD), `${rest} more ${kind} annotations omitted`] : all;
}

/** `line:column`, both from 1, of a byte offset in the query. */
function place(query: string, offset: number): string {
  const bytes = Buffer.from(query, "utf8");
  let line = 1;
  let lineStart = 0;
  for (let i = 0; i < offset && i < bytes.length; i++) {
    if (bytes[i] === 10) {
      line++;
      lineStart = i + 1;
    }
  }
  return `${line}:${offset - lineStart + 1}`;
}

function ofMetric(text: string, metric: string): string {
  return metric === "" ? text : `${text} for metric name ${goQuote(metric)}`;
}

export function invalidQuantile(q: number): string {
  return `quantile value should be between 0 and 1, got ${formatFloatG(q)}`;
}

export function invalidRatio(ratio: number, cap: number): string {
  return `ratio value should be between -1 and 1, got ${formatFloatG(ratio)}, capping to ${formatFloatG(cap)}`;
}

export function badBucketLabel(value: string, metric: string): string {
  return ofMetric(`bucket label "le" is missing or has a malformed value of ${goQuote(value)}`, metric);
}

export function possibleNonCounter(metric: string): string {
  return `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${goQuote(metric)}`;
}

export function startTimeOverlap(metric: string): string {
  return `sample has start time that overlaps with previous sample timestamp for metric ${goQuote(metric)}`;
}

export function noRawSamples(how: "rounded" | "points", tier: RollupTier): string {
  const stand = `the newest sample of every ${tier} bucket stands for all of its samples there`;
  const what = how === "rounded" ? `windows are rounded to whole ${tier} buckets there` : stand;
  return `raw samples of a part of the time are no longer kept: ${what}`;
}

function forcedMonotonicity(metric: string): string {
  const link = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile";
  return ofMetric(`input to histogram_quantile needed to be fixed for monotonicity (see ${link})`, metric);
}

export function mixedClassicNative(metric: string): string {
  return ofMetric("vector contains a mix of classic and native histograms", metric);
}

export function quantileIsNaN(metric: string): string {
  return ofMetric("input to histogram_quantile has NaN observations, result is NaN", metric);
}

export function quantileIsSkewed(metric: string): string {
  return ofMetric("input to histogram_quantile has NaN observations, result is skewed higher", metric);
}

export function fractionWithoutNaN(metric: string): string {
  const text = "input to histogram_fraction has NaN observations, which are excluded from all fractions";
  return ofMetric(text, metric);
}

export function ineffectiveSort(): string {
  return "sort is ineffective for range queries since results are always ordered by labels";
}
