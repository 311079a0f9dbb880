import { setTimeout as sleep } from "node:timers/promises";
import { QueryFailed } from "../../actors/backtest/ask.ts";
import type { RawSource } from "../../actors/backtest/overlay.ts";
import type { DataSource, PointSeries } from "../../actors/backtest/points.ts";
import { type Labels, labelsFromObject } from "../../model/labels.ts";
import { type InstantResult, QueryError } from "../../model/query.ts";
import type { MatrixSeries, Metric, QueryData, VectorSeries } from "../query/answer.ts";
import { type Answer, ask, type Server, ServerError } from "../query/client.ts";
import { remoteRead } from "./remote-read.ts";

export interface HttpSource extends DataSource, RawSource {
  /** For templates that ask. */
  instant(request: { readonly query: string; readonly time: number }): Promise<InstantResult>;
  /** What the server said to its answers, each once. */
  readonly warnings: ReadonlySet<string>;
}

/** A server that is busy or starts is asked again so often, in this distance. */
const TRIES = 20;
const RETRY_MS = 500;

/** The server's data over its HTTP API. What is no fault of a single query rejects with `ServerError`. */
export function makeHttpSource(server: Server): HttpSource {
  const warnings = new Set<string>();
  const askQuery = async (path: string, params: readonly (readonly [string, string])[]): Promise<QueryData> => {
    for (let tries = 1; ; tries++) {
      try {
        const answer: Answer<QueryData> = await ask<QueryData>(server, path, params);
        for (const warning of answer.warnings) warnings.add(warning);
        return answer.data;
      } catch (e) {
        if (!(e instanceof ServerError) || e.type === "") throw e;
        if (e.type !== "unavailable") throw new QueryFailed(e.message, isDivisible(e));
        if (tries === TRIES) throw e;
        await sleep(RETRY_MS);
      }
    }
  };
  return {
    warnings,
    range: async ({ query, start, end, step }) => {
      const times = [start, end, step].map((ms) => String(ms / 1000)) as [string, string, string];
      const data = await askQuery("/api/v1/query_range", [
        ["query", query],
        ["start", times[0]],
        ["end", times[1]],
        ["step", times[2]],
        ["nocache", "1"],
      ]);
      if (data.resultType !== "matrix") {
        throw new QueryFailed(`a range query was answered with a ${data.resultType}`, false);
      }
      return data.result.map(pointSeries);
    },
    instant: async ({ query, time }) => {
      try {
        const data = await askQuery("/api/v1/query", [
          ["query", query],
          ["time", String(time / 1000)],
        ]);
        return instantResult(data, time);
      } catch (e) {
        if (e instanceof QueryFailed) throw new QueryError("execution", e.message);
        throw e;
      }
    },
    raw: (matchers, start, end) => remoteRead(server, matchers, start, end),
  };
}

/** A limit on points is told as bad data. */
function isDivisible({ type, message }: ServerError): boolean {
  return type !== "bad_data" || /limits\./.test(message);
}

function pointSeries({ metric, values = [], histograms = [] }: MatrixSeries): PointSeries {
  const count = values.length + histograms.length;
  const out = { labels: labelsOf(metric), ts: new Float64Array(count), values: new Float64Array(count) };
  let h = 0;
  let n = 0;
  for (const [seconds, text] of values) {
    for (; h < histograms.length && (histograms[h]?.[0] as number) < seconds; h++) {
      out.ts[n++] = Math.round((histograms[h]?.[0] as number) * 1000);
    }
    out.ts[n] = Math.round(seconds * 1000);
    out.values[n++] = parseValue(text);
  }
  for (; h < histograms.length; h++) out.ts[n++] = Math.round((histograms[h]?.[0] as number) * 1000);
  return out;
}

function instantResult(data: QueryData, time: number): InstantResult {
  const noted = { warnings: [], infos: [], partial: false };
  if (data.resultType === "scalar") return { ...noted, type: "scalar", time, value: parseValue(data.result[1]) };
  if (data.resultType === "string") return { ...noted, type: "string", time, value: data.result[1] };
  if (data.resultType === "matrix") throw new QueryError("execution", "the result is a matrix");
  const rows = (data.result as readonly VectorSeries[]).filter((row) => row.value !== undefined);
  return {
    ...noted,
    type: "vector",
    time,
    labels: rows.map((row) => labelsOf(row.metric)),
    values: Float64Array.from(rows, (row) => parseValue(row.value?.[1] ?? "NaN")),
    present: new Uint8Array(rows.length).fill(1),
    histograms: [],
  };
}

function labelsOf(metric: Metric): Labels {
  return labelsFromObject(metric);
}

function parseValue(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return Number(text);
}
