import { formatFloat, formatSampleValue } from "../../../src/lib/float-format.ts";
import { labelsToObject } from "../../../src/model/labels.ts";
import { type Engine, QueryError } from "../../../src/model/query.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";

/** A question for both engines; times in Unix ms, `end` and `step` for a range. */
export interface Question {
  readonly query: string;
  readonly time: number;
  readonly range?: { readonly end: number; readonly step: number };
  readonly lookback?: number;
}

/** An answer in the form of the API: values and times as Prometheus prints them. */
export interface Answer {
  readonly error?: string;
  readonly type?: string;
  readonly series: readonly { readonly labels: string; readonly points: readonly (readonly [number, string])[] }[];
  readonly notes: readonly string[];
}

const keyOf = (labels: Readonly<Record<string, string>>): string =>
  JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

interface Body {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?: {
    readonly resultType: string;
    readonly result:
      | [number, string]
      | { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[];
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
  const rows = result as Exclude<typeof result, [number, string]>;
  const series = rows.map(({ metric, value, values }) => ({
    labels: keyOf(metric),
    points: (values ?? [value!]).map(([t, v]) => [Math.round(t * 1000), v] as const),
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
          points.push([matrix.start + s * matrix.step, formatSampleValue(matrix.values[cell]!)]);
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
        const { labels, values, time } = result;
        const series = labels.map((l, i) => ({
          labels: keyOf(labelsToObject(l)),
          points: [[time, formatSampleValue(values[i]!)] as const],
        }));
        return { type, notes, series };
      }
      default: {
        const { labels, ts, values } = result;
        const series = labels.map((l, i) => ({
          labels: keyOf(labelsToObject(l)),
          points: Array.from(ts[i]!, (t, k) => [t, formatSampleValue(values[i]![k]!)] as const),
        }));
        return { type, notes, series };
      }
    }
  } catch (e) {
    if (!(e instanceof QueryError)) throw e;
    return { error: `${e.type}: ${e.message}`, series: [], notes: [] };
  }
}
