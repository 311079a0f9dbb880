import { expect } from "vitest";

/**
 * What Grafana's decoder of answers requires (grafana/grafana, pkg/promlib/converter/prom.go), written down as checks. It reads
 * JSON as a stream: a key's place and its type matter, and whatever is not read as expected is an error in the panel.
 */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Fields = { readonly [key: string]: Json };

/** What becomes of an answer: its result, decoded, and the notices on the panel. */
export interface Decoded {
  readonly resultType: string;
  readonly frames: readonly Frame[];
  /** `warnings`, then `infos`. */
  readonly notices: readonly string[];
}

export interface Frame {
  readonly labels: Readonly<Record<string, string>>;
  readonly times: readonly number[];
  /** Numbers; strings of a result of type string. */
  readonly values: readonly (number | string)[];
  /** Cells of heatmaps: one each bucket of a native histogram. */
  readonly cells?: readonly (readonly [layout: number, min: number, max: number, count: number])[];
}

/** ReadPrometheusStyleResult. Throws `Error("errorType: error")` where the answer is an error, as the panel shows it. */
export function decodeAnswer(text: string): Decoded {
  const answer = JSON.parse(text) as Fields;
  expect(Object.keys(answer)[0], "status comes first").toBe("status");
  if (answer.status === "error") {
    expect(typeof answer.errorType).toBe("string");
    expect(typeof answer.error).toBe("string");
    throw new Error(`${answer.errorType}: ${answer.error}`);
  }
  expect(answer.status).toBe("success");
  const notices = [...readNotices(answer.warnings), ...readNotices(answer.infos)];
  const { data } = answer;
  if (Array.isArray(data)) return { resultType: "exemplars", frames: (data as Json[]).map(readExemplars), notices };
  const keys = Object.keys(data as Fields);
  // "for some rare cases resultType is coming after the result": then it is read twice.
  expect(keys.slice(0, 2), "result is read by its type").toEqual(["resultType", "result"]);
  const { resultType, result } = data as Fields;
  return { resultType: String(resultType), frames: readResult(String(resultType), result as Json), notices };
}

/** readAnnotations: anything that is no array of strings is lost without a word. */
function readNotices(list: Json | undefined): string[] {
  if (list === undefined) return [];
  expect(Array.isArray(list)).toBe(true);
  for (const note of list as readonly Json[]) expect(typeof note).toBe("string");
  expect((list as readonly Json[]).length, "no empty list").toBeGreaterThan(0);
  return list as string[];
}

function readResult(type: string, result: Json): Frame[] {
  switch (type) {
    case "matrix":
    case "vector":
      expect(Array.isArray(result)).toBe(true);
      return (result as readonly Fields[]).map(readSeries);
    case "scalar": {
      const [t, v] = readPair(result);
      return [{ labels: {}, times: [t], values: [v] }];
    }
    case "string": {
      const [t, v] = result as [number, string];
      expect([typeof t, typeof v]).toEqual(["number", "string"]);
      return [{ labels: {}, times: [t], values: [v] }];
    }
    default:
      throw new Error(`unknown result type: ${type}`);
  }
}

/** readMatrixOrVectorMulti; other keys are skipped there, here there must be none. */
function readSeries(series: Fields): Frame {
  const labels = readLabels(series.metric);
  const times: number[] = [];
  const values: number[] = [];
  const cells: [number, number, number, number][] = [];
  let isHeatmap = false;
  for (const [key, value] of Object.entries(series)) {
    if (key === "metric") continue;
    if (key === "value" || key === "values") {
      for (const pair of key === "value" ? [value] : (value as readonly Json[])) {
        const [t, v] = readPair(pair);
        times.push(t);
        values.push(v);
      }
    } else if (key === "histogram" || key === "histograms") {
      isHeatmap = true;
      for (const pair of key === "histogram" ? [value] : (value as readonly Json[])) cells.push(...readHistogram(pair));
    } else throw new Error(`unknown key of a series: ${key}`);
  }
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  return isHeatmap ? { labels, times, values, cells } : { labels, times, values };
}

/** data.Labels: strings to strings. */
function readLabels(metric: Json | undefined): Record<string, string> {
  expect(metric !== null && typeof metric === "object" && !Array.isArray(metric)).toBe(true);
  for (const value of Object.values(metric as Fields)) expect(typeof value).toBe("string");
  return metric as Record<string, string>;
}

/** readTimeValuePair: a number and a string that strconv.ParseFloat takes. */
function readPair(pair: Json): [time: number, value: number] {
  expect(Array.isArray(pair)).toBe(true);
  const [t, v] = pair as readonly Json[];
  expect((pair as readonly Json[]).length).toBe(2);
  expect(typeof t).toBe("number");
  return [t as number, readFloat(v)];
}

function readFloat(text: Json | undefined): number {
  expect(typeof text).toBe("string");
  expect(text).toMatch(/^(NaN|[+-]Inf|-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?)$/);
  return Number((text as string).replace("Inf", "Infinity"));
}

/** readHistogram: [time, {count, sum, buckets: [[layout, min, max, count]]}], the layout an int8. */
function readHistogram(pair: Json): [number, number, number, number][] {
  const [t, h, ...rest] = pair as readonly Json[];
  expect(typeof t).toBe("number");
  expect(rest).toEqual([]);
  const { count, sum, buckets = [], ...others } = h as Fields;
  readFloat(count);
  readFloat(sum);
  expect(others).toEqual({});
  return (buckets as readonly Json[]).map((bucket) => {
    const [layout, min, max, n, ...rest] = bucket as readonly Json[];
    expect([0, 1, 2, 3]).toContain(layout);
    expect(rest).toEqual([]);
    return [layout as number, readFloat(min), readFloat(max), readFloat(n)];
  });
}

/** readLabelsOrExemplars: the series' labels first, as the values' field takes them; a key that is not known is an error notice. */
function readExemplars(entry: Json): Frame {
  expect(Object.keys(entry as Fields)).toEqual(["seriesLabels", "exemplars"]);
  const { seriesLabels, exemplars } = entry as Fields;
  const times: number[] = [];
  const values: number[] = [];
  for (const e of exemplars as readonly Fields[]) {
    const { labels, value, timestamp, ...others } = e;
    expect(others).toEqual({});
    readLabels(labels);
    values.push(readFloat(value));
    expect(typeof timestamp).toBe("number");
    times.push(timestamp as number);
  }
  return { labels: readLabels(seriesLabels), times, values };
}
