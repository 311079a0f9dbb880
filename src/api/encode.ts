import { formatFloat, formatSampleValue } from "../lib/float-format.ts";
import { decodeHistogram } from "../model/histogram-code.ts";
import type { Labels } from "../model/labels.ts";
import type { Annotated, InstantResult, Matrix, QueryStats, RangeResult } from "../model/query.ts";
import { histogramRef, isHistogramAt } from "../model/sample.ts";
import { encodeHistogramJson } from "./encode-histogram.ts";

/**
 * Query results as Prometheus's JSON, written straight to text pieces of about 32 KiB: no object a point, and a large
 * answer never stands whole in memory. Number and time forms are those of Prometheus's util/jsonutil.
 */
const PIECE = 32 * 1024;
/** Kinds of cells, as in Matrix. */
const FLOAT = 1;
const HISTOGRAM = 2;

export function* encodeRange(result: RangeResult): Generator<string> {
  yield* envelope(result, '"resultType":"matrix","result":', encodeMatrix(result.matrix));
}

export function* encodeInstant(result: InstantResult): Generator<string> {
  const head = `"resultType":"${result.type}","result":`;
  switch (result.type) {
    case "scalar":
      // Unlike the points of series: never an exponent, and the time as any other JSON number.
      return yield* envelope(result, head, [`[${result.time / 1000},"${formatFloat(result.value)}"]`]);
    case "string":
      return yield* envelope(result, head, [`[${result.time / 1000},${JSON.stringify(result.value.toWellFormed())}]`]);
    case "vector":
      return yield* envelope(result, head, encodeVector(result));
    case "matrix":
      return yield* envelope(result, head, encodeSamples(result));
  }
}

function* envelope(annotated: Annotated, head: string, body: Iterable<string>): Generator<string> {
  yield `{"status":"success","data":{${head}`;
  yield* body;
  yield `${encodeStats(annotated.stats)}}${annotations(annotated)}}`;
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

function* encodeMatrix(m: Matrix): Generator<string> {
  let out = "[";
  const times: string[] = [];
  for (let s = 0; s < m.steps; s++) times.push(formatTime(m.start + s * m.step));
  for (let r = 0; r < m.labels.length; r++) {
    out += `${r === 0 ? "" : ","}{"metric":${encodeLabels(m.labels[r]!)}`;
    const row = r * m.steps;
    let before = ',"values":[';
    let histograms = 0;
    for (let s = 0; s < m.steps; s++) {
      const kind = m.present[row + s];
      if (kind !== FLOAT) {
        if (kind === HISTOGRAM) histograms++;
        continue;
      }
      out += `${before}[${times[s]},"${formatSampleValue(m.values[row + s]!)}"]`;
      before = ",";
      if (out.length > PIECE) {
        yield out;
        out = "";
      }
    }
    if (before === ",") out += "]";
    before = ',"histograms":[';
    for (let s = 0; histograms > 0; s++) {
      if (m.present[row + s] !== HISTOGRAM) continue;
      out += `${before}[${times[s]},${encodeHistogramJson(m.histograms[m.values[row + s]!]!)}]`;
      before = ",";
      if (--histograms === 0) out += "]";
      if (out.length > PIECE) {
        yield out;
        out = "";
      }
    }
    out += "}";
  }
  yield `${out}]`;
}

function* encodeVector(result: Extract<InstantResult, { type: "vector" }>): Generator<string> {
  const { labels, values, present, histograms } = result;
  const t = formatTime(result.time);
  let out = "[";
  for (let r = 0; r < labels.length; r++) {
    const value =
      present[r] === HISTOGRAM
        ? `"histogram":[${t},${encodeHistogramJson(histograms[values[r]!]!)}]`
        : `"value":[${t},"${formatSampleValue(values[r]!)}"]`;
    out += `${r === 0 ? "" : ","}{"metric":${encodeLabels(labels[r]!)},${value}}`;
    if (out.length > PIECE) {
      yield out;
      out = "";
    }
  }
  yield `${out}]`;
}

function* encodeSamples(result: Extract<InstantResult, { type: "matrix" }>): Generator<string> {
  const { labels, ts, values, histograms } = result;
  let out = "[";
  for (let r = 0; r < labels.length; r++) {
    out += `${r === 0 ? "" : ","}{"metric":${encodeLabels(labels[r]!)}`;
    const times = ts[r]!;
    const row = values[r]!;
    const words = new Uint32Array(row.buffer, row.byteOffset, 2 * row.length);
    const bytes = histograms[r]!;
    const isHistogram = (i: number): boolean => bytes.length > 0 && isHistogramAt(words, i);
    for (const kind of ["values", "histograms"]) {
      let before = `,"${kind}":[`;
      for (let i = 0; i < times.length; i++) {
        if (isHistogram(i) !== (kind === "histograms")) continue;
        const value = isHistogram(i)
          ? encodeHistogramJson(decodeHistogram(bytes, histogramRef(words, i)))
          : `"${formatSampleValue(row[i]!)}"`;
        out += `${before}[${formatTime(times[i]!)},${value}]`;
        before = ",";
        if (out.length > PIECE) {
          yield out;
          out = "";
        }
      }
      if (before === ",") out += "]";
    }
    out += "}";
  }
  yield `${out}]`;
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
