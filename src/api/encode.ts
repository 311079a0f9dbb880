import { formatFloat, formatSampleValue } from "../lib/float-format.ts";
import {
  makeStamps,
  makeTextBytes,
  putSampleValue,
  putStamp,
  reserve,
  type Stamps,
  type TextBytes,
  takeBytes,
  VALUE_ROOM,
  writeSampleValue,
  writeText,
} from "../lib/text-bytes.ts";
import { decodeHistogram } from "../model/histogram-code.ts";
import type { Labels } from "../model/labels.ts";
import type { Annotated, InstantResult, Matrix, QueryStats, RangeResult } from "../model/query.ts";
import { histogramRef, isHistogramAt } from "../model/sample.ts";
import { encodeHistogramJson } from "./encode-histogram.ts";
import { encodeTrace, timed } from "./encode-trace.ts";

/**
 * Query results as Prometheus's JSON, written straight to bytes, in pieces of about 128 KiB: no object and no text a point, and a
 * large answer never stands whole in memory. Number and time forms are those of Prometheus's util/jsonutil.
 */
const PIECE = 128 * 1024;
/** Room for what most answers are; it grows. */
const AT_FIRST = 32 * 1024;
/** Kinds of cells, as in Matrix. */
const FLOAT = 1;
const HISTOGRAM = 2;

export function* encodeRange(result: RangeResult): Generator<Buffer> {
  yield* envelope(result, '"resultType":"matrix","result":', encodeMatrix(result.matrix));
}

export function* encodeInstant(result: InstantResult): Generator<Buffer> {
  const head = `"resultType":"${result.type}","result":`;
  switch (result.type) {
    case "scalar":
      // Unlike the points of series: never an exponent, and the time as any other JSON number.
      return yield* envelope(result, head, [Buffer.from(`[${result.time / 1000},"${formatFloat(result.value)}"]`)]);
    case "string": {
      const text = JSON.stringify(result.value.toWellFormed());
      return yield* envelope(result, head, [Buffer.from(`[${result.time / 1000},${text}]`)]);
    }
    case "vector":
      return yield* envelope(result, head, encodeVector(result));
    case "matrix":
      return yield* envelope(result, head, encodeSamples(result));
  }
}

function* envelope(annotated: Annotated, head: string, body: Iterable<Buffer>): Generator<Buffer> {
  const { trace } = annotated;
  const encoding = trace === undefined ? undefined : timed(body);
  yield Buffer.from(`{"status":"success","data":{${head}`);
  yield* encoding?.pieces ?? body;
  yield Buffer.from(`${encodeStats(annotated.stats)}}${annotations(annotated)}`);
  // Beside the data, where clients of Prometheus's API do not look.
  if (trace !== undefined) yield Buffer.from(`,"trace":${encodeTrace(trace, encoding?.ms() ?? 0)}`);
  yield Buffer.from("}");
}

/**
 * `,"stats":{...}` where there are statistics: Prometheus's, and `tiers`, what was read. Times in seconds. Results
 * are sorted while they are merged, so that that time is 0.
 */
function encodeStats(stats: QueryStats | undefined): string {
  if (stats === undefined) return "";
  const { perStep, windowSamples, peakPoints, samples } = stats;
  const preparation = stats.preparationMs / 1000;
  const queued = stats.queuedMs / 1000;
  const evaluation = stats.evaluationMs / 1000;
  const timings = {
    evalTotalTime: evaluation,
    resultSortTime: 0,
    queryPreparationTime: preparation,
    innerEvalTime: evaluation,
    execQueueTime: queued,
    execTotalTime: preparation + queued + evaluation,
  };
  const steps =
    perStep === undefined
      ? undefined
      : Array.from(perStep.windowSamples, (n, i) => [(perStep.start + i * perStep.step) / 1000, n]);
  const counts = {
    ...(steps === undefined ? {} : { totalQueryableSamplesPerStep: steps }),
    totalQueryableSamples: windowSamples,
    peakSamples: peakPoints,
    samplesRead: samples,
  };
  const tiers = stats.tiers.map(({ tier, after, until, rows, rounded }) => {
    return { tier, from: after / 1000, to: until / 1000, rows, rounded };
  });
  return `,"stats":${JSON.stringify({ timings, samples: counts, tiers })}`;
}

/** `,"warnings":[...]` and `,"infos":[...]` where there are any. */
export function annotations(a: { readonly warnings: readonly string[]; readonly infos: readonly string[] }): string {
  const warnings = a.warnings.length > 0 ? `,"warnings":${JSON.stringify(a.warnings)}` : "";
  const infos = a.infos.length > 0 ? `,"infos":${JSON.stringify(a.infos)}` : "";
  return warnings + infos;
}

function* encodeMatrix(m: Matrix): Generator<Buffer> {
  const { steps, values, present } = m;
  const out = makeTextBytes(AT_FIRST);
  const heads = makeStamps(steps, (s) => `,[${formatTime(m.start + s * m.step)},"`);
  const metricOf = metricWriter();
  writeText(out, "[");
  for (let r = 0; r < m.labels.length; r++) {
    writeText(out, `${r === 0 ? "" : ","}{"metric":${metricOf(m.labels[r]!)}`);
    const row = r * steps;
    let histograms = 0;
    let open = false;
    for (let s = 0; s < steps; s += AT_ONCE) {
      const end = Math.min(steps, s + AT_ONCE);
      histograms += countKind(present, HISTOGRAM, row + s, row + end);
      if (!open) {
        const floats = countKind(present, FLOAT, row + s, row + end);
        if (floats === 0) continue;
        open = true;
        writeText(out, ',"values":');
        // In place of the comma of the first point.
        const first = out.length;
        writePoints(out, heads, m, row, s, end);
        out.bytes[first] = BRACKET;
      } else writePoints(out, heads, m, row, s, end);
      if (out.length > PIECE) yield takeBytes(out);
    }
    if (open) writeText(out, "]");
    let before = ',"histograms":[';
    for (let s = 0; histograms > 0; s++) {
      if (present[row + s] !== HISTOGRAM) continue;
      writeText(out, `${before}[${formatTime(m.start + s * m.step)},`);
      writeText(out, `${encodeHistogramJson(m.histograms[values[row + s]!]!)}]`);
      before = ",";
      if (--histograms === 0) writeText(out, "]");
      if (out.length > PIECE) yield takeBytes(out);
    }
    writeText(out, "}");
  }
  writeText(out, "]");
  yield takeBytes(out);
}

/** Points of a row between two looks at the room there is. */
const AT_ONCE = 256;
const QUOTE = 34;
const BRACKET = 91;
const BRACKET_END = 93;

function countKind(present: Uint8Array, kind: number, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if (present[i] === kind) count++;
  return count;
}

/** The floats of a row's steps [from, to), each with a comma in front. */
function writePoints(
  out: TextBytes,
  heads: Stamps,
  { values, present }: Matrix,
  row: number,
  from: number,
  to: number,
): void {
  reserve(out, (to - from) * (heads.stride + VALUE_ROOM + 2));
  let at = out.length;
  for (let s = from; s < to; s++) {
    if (present[row + s] !== FLOAT) continue;
    const v = values[row + s]!;
    at = putStamp(out, at, heads, s);
    const end = putSampleValue(out, at, v);
    at = end < 0 ? at + out.bytes.write(formatSampleValue(v), at, "latin1") : end;
    out.bytes[at++] = QUOTE;
    out.bytes[at++] = BRACKET_END;
  }
  out.length = at;
}

/** `encodeLabels` for many label sets, whose names and values are mostly the same few texts. */
function metricWriter(): (labels: Labels) => string {
  const quoted = new Map<string, string>();
  const quote = (text: string): string => {
    let json = quoted.get(text);
    if (json === undefined) {
      json = JSON.stringify(text);
      quoted.set(text, json);
    }
    return json;
  };
  return (labels) => {
    let out = "{";
    for (let i = 0; i < labels.length; i += 2) {
      out += i === 0 ? quote(labels[i]!) : `,${quote(labels[i]!)}`;
      out += `:${quote(labels[i + 1]!)}`;
    }
    return `${out}}`;
  };
}

function* encodeVector(result: Extract<InstantResult, { type: "vector" }>): Generator<Buffer> {
  const { labels, values, present, histograms } = result;
  const t = formatTime(result.time);
  const out = makeTextBytes(AT_FIRST);
  const metricOf = metricWriter();
  writeText(out, "[");
  for (let r = 0; r < labels.length; r++) {
    writeText(out, `${r === 0 ? "" : ","}{"metric":${metricOf(labels[r]!)}`);
    if (present[r] === HISTOGRAM) {
      writeText(out, `,"histogram":[${t},${encodeHistogramJson(histograms[values[r]!]!)}]}`);
    } else {
      writeText(out, `,"value":[${t},"`);
      writeSampleValue(out, values[r]!);
      writeText(out, '"]}');
    }
    if (out.length > PIECE) yield takeBytes(out);
  }
  writeText(out, "]");
  yield takeBytes(out);
}

function* encodeSamples(result: Extract<InstantResult, { type: "matrix" }>): Generator<Buffer> {
  const { labels, ts, values, histograms } = result;
  const out = makeTextBytes(AT_FIRST);
  writeText(out, "[");
  for (let r = 0; r < labels.length; r++) {
    writeText(out, `${r === 0 ? "" : ","}{"metric":${encodeLabels(labels[r]!)}`);
    const times = ts[r]!;
    const row = values[r]!;
    const words = new Uint32Array(row.buffer, row.byteOffset, 2 * row.length);
    const bytes = histograms[r]!;
    const isHistogram = (i: number): boolean => bytes.length > 0 && isHistogramAt(words, i);
    for (const kind of ["values", "histograms"]) {
      let before = `,"${kind}":[`;
      for (let i = 0; i < times.length; i++) {
        if (isHistogram(i) !== (kind === "histograms")) continue;
        writeText(out, `${before}[${formatTime(times[i]!)},`);
        before = ",";
        if (isHistogram(i)) {
          writeText(out, `${encodeHistogramJson(decodeHistogram(bytes, histogramRef(words, i)))}]`);
        } else {
          writeText(out, '"');
          writeSampleValue(out, row[i]!);
          writeText(out, '"]');
        }
        if (out.length > PIECE) yield takeBytes(out);
      }
      if (before === ",") writeText(out, "]");
    }
    writeText(out, "}");
  }
  writeText(out, "]");
  yield takeBytes(out);
}

/** Unix milliseconds as seconds; three decimals where there is a fraction, none where not. */
export function formatTime(ms: number): string {
  const rest = Math.abs(ms % 1000);
  const whole = Math.trunc(ms / 1000);
  const sign = ms < 0 && whole === 0 && rest !== 0 ? "-" : "";
  return rest === 0 ? `${whole}` : `${sign}${whole}.${String(rest).padStart(3, "0")}`;
}

export function encodeLabels(labels: Labels): string {
  let out = "{";
  for (let i = 0; i < labels.length; i += 2) {
    out += `${i === 0 ? "" : ","}${JSON.stringify(labels[i])}:${JSON.stringify(labels[i + 1])}`;
  }
  return `${out}}`;
}
