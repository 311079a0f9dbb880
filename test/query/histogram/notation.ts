import {
  type Histogram,
  makeHistogram,
  RESET_GAUGE,
  RESET_NO,
  RESET_UNKNOWN,
  RESET_YES,
} from "../../../src/model/histogram.ts";

const HINTS = new Map([
  ["unknown", RESET_UNKNOWN],
  ["reset", RESET_YES],
  ["not_reset", RESET_NO],
  ["gauge", RESET_GAUGE],
]);

function readFloat(text: string): number {
  if (/^\+?inf$/i.test(text)) return Number.POSITIVE_INFINITY;
  if (/^-inf$/i.test(text)) return Number.NEGATIVE_INFINITY;
  return Number(text);
}

const readList = (text: string) =>
  text
    .slice(1, -1)
    .trim()
    .split(/\s+/)
    .filter((t) => t !== "")
    .map(readFloat);

/** Reads the notation of histograms in promqltest scripts, `{{schema:1 count:3 buckets:[1 2]}}`. Throws on a field unknown. */
export function readHistogram(text: string): Histogram {
  const h = makeHistogram();
  h.float = true;
  const body = /^\{\{(.*)\}\}$/s.exec(text.trim())?.[1];
  if (body === undefined) throw new Error(`no histogram: ${text}`);
  let offset = 0;
  let negativeOffset = 0;
  for (const [, name, value] of body.matchAll(/([a-z_]+):(\[[^\]]*\]|\S+)/g) as Iterable<[string, string, string]>) {
    if (name === "schema") h.schema = Number(value);
    else if (name === "count") h.count = readFloat(value);
    else if (name === "sum") h.sum = readFloat(value);
    else if (name === "z_bucket") h.zeroCount = readFloat(value);
    else if (name === "z_bucket_w") h.zeroThreshold = readFloat(value);
    else if (name === "offset") offset = Number(value);
    else if (name === "n_offset") negativeOffset = Number(value);
    else if (name === "buckets") h.positive = readList(value);
    else if (name === "n_buckets") h.negative = readList(value);
    else if (name === "custom_values") h.customBounds = readList(value);
    else if (name === "counter_reset_hint" && HINTS.has(value)) h.resetHint = HINTS.get(value) as number;
    else throw new Error(`unknown field ${name}:${value} in ${text}`);
  }
  if (h.positive.length > 0) h.positiveSpans = [offset, h.positive.length];
  if (h.negative.length > 0) h.negativeSpans = [negativeOffset, h.negative.length];
  return h;
}
