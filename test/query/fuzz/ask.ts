import { encodeHistogramJson } from "../../../src/api/encode-histogram.ts";
import { formatFloat, formatSampleValue } from "../../../src/lib/float-format.ts";
import type { Histogram } from "../../../src/model/histogram.ts";
import { decodeHistogram } from "../../../src/model/histogram-code.ts";
import { labelsToObject } from "../../../src/model/labels.ts";
import { type Engine, QueryError } from "../../../src/model/query.ts";
import { DEFAULT_TENANT, histogramRef, isHistogramAt } from "../../../src/model/sample.ts";

/** A question for both engines; times in Unix ms, `end` and `step` for a range. */
export interface Question {
  readonly query: string;
  readonly time: number;
  readonly range?: { readonly end: number; readonly step: number };
  readonly lookback?: number;
}

/** An answer in the form of the API: times, and values as Prometheus prints them; native histograms as JSON. */
export interface Answer {
  readonly error?: string;
  readonly type?: string;
  readonly series: readonly { readonly labels: string; readonly points: readonly (readonly [number, string])[] }[];
  readonly notes: readonly string[];
}

const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

interface Row {
  readonly metric: Record<string, string>;
  readonly value?: [number, string];
  readonly values?: [number, string][];
  readonly histogram?: [number, object];
  readonly histograms?: [number, object][];
}

interface Body {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?: {
    readonly resultType: string;
    readonly result: [number, string] | Row[];
  };
}

export async function askPrometheus(url: string, q: Question): Promise<Answer> {
  const params = new URLSearchParams({ query: q.query });
  if (q.range === undefined) params.set("time", String(q.time / 1000));
  else {
    params.set("start", String(q.time / 1000));
    params.set("end", String(q.range.end / 1000));
    params.set("step", String(q.range.step / 1000));
  }
  if (q.lookback !== undefined) params.set("lookback_delta", String(q.lookback / 1000));
  const response = await fetch(`${url}/api/v1/query${q.range === undefined ? "" : "_range"}`, {
    method: "POST",
    body: params,
  });
  const body = (await response.json()) as Body;
  if (body.data === undefined) {
    const text = body.error?.replace('invalid parameter "query": ', "");
    return { error: `${body.errorType}: ${text}`, series: [], notes: [] };
  }
  const { resultType: type, result } = body.data;
  const notes = [...(body.warnings ?? []), ...(body.infos ?? [])];
  if (type === "scalar" || type === "string") {
    const [t, v] = result as [number, string];
    return { type, notes, series: [{ labels: "", points: [[Math.round(t * 1000), v]] }] };
  }
  const series = (result as Row[]).map(({ metric, value, values, histogram, histograms }) => ({
    labels: keyOf(metric),
    points: [
      ...(values ?? (value === undefined ? [] : [value])),
      ...(histograms ?? (histogram === undefined ? [] : [histogram])).map(([t, h]) => [t, JSON.stringify(h)] as const),
    ]
      .map(([t, v]) => [Math.round(t * 1000), v] as const)
      .sort(([a], [b]) => a - b),
  }));
  return { type, notes, series };
}

export async function askTocsin(engine: Engine, q: Question): Promise<Answer> {
  const base = {
    tenant: DEFAULT_TENANT,
    query: q.query,
    ...(q.lookback === undefined ? {} : { lookbackMs: q.lookback }),
  };
  try {
    if (q.range !== undefined) {
      const { matrix, warnings, infos } = await engine.range({ ...base, start: q.time, ...q.range });
      const series = matrix.labels.map((labels, r) => {
        const points: [number, string][] = [];
        for (let s = 0; s < matrix.steps; s++) {
          const cell = r * matrix.steps + s;
          if (matrix.present[cell] === 0) continue;
          points.push([matrix.start + s * matrix.step, show(matrix, cell)]);
        }
        return { labels: keyOf(labelsToObject(labels)), points };
      });
      return { type: "matrix", series, notes: [...warnings, ...infos] };
    }
    const result = await engine.instant({ ...base, time: q.time });
    const { type } = result;
    const notes = [...result.warnings, ...result.infos];
    switch (result.type) {
      case "scalar":
        return { type, notes, series: [{ labels: "", points: [[result.time, formatFloat(result.value)]] }] };
      case "string":
        return { type, notes, series: [{ labels: "", points: [[result.time, result.value]] }] };
      case "vector": {
        const { labels, time } = result;
        const series = labels.map((l, i) => ({
          labels: keyOf(labelsToObject(l)),
          points: [[time, show(result, i)] as const],
        }));
        return { type, notes, series };
      }
      default: {
        const { labels, ts, values, histograms } = result;
        const series = labels.map((l, i) => {
          const own = values[i]!;
          const words = new Uint32Array(own.buffer, own.byteOffset, 2 * own.length);
          const value = (k: number): string =>
            Number.isNaN(own[k]) && isHistogramAt(words, k)
              ? encodeHistogramJson(decodeHistogram(histograms[i]!, histogramRef(words, k)))
              : formatSampleValue(own[k]!);
          return { labels: keyOf(labelsToObject(l)), points: Array.from(ts[i]!, (t, k) => [t, value(k)] as const) };
        });
        return { type, notes, series };
      }
    }
  } catch (e) {
    if (!(e instanceof QueryError)) throw e;
    return { error: `${e.type}: ${e.message}`, series: [], notes: [] };
  }
}

interface Cells {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: readonly Histogram[];
}

function show({ values, present, histograms }: Cells, i: number): string {
  const value = values[i]!;
  return present[i] === 2 ? encodeHistogramJson(histograms[value]!) : formatSampleValue(value);
}
