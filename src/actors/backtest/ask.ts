import { type Labels, labelsKey } from "../../model/labels.ts";
import type { Answers, DataSource, TickSeries, Ticks } from "./points.ts";

/** A query that was answered with an error. */
export class QueryFailed extends Error {
  /** A shorter range may have an answer: a limit, or a fault at some of its times. */
  readonly divisible: boolean;
  constructor(message: string, divisible: boolean) {
    super(message);
    this.name = "QueryFailed";
    this.divisible = divisible;
  }
}

/** Times at which one rule may fail before the rest of the stretch is given up. */
const MAX_FAILURES = 1000;

interface Growing {
  readonly labels: Labels;
  readonly ticks: Int32Array[];
  readonly values: Float64Array[];
}

/**
 * Asks an expression at all ticks, some thousands in one range query. Where that fails it is asked for shorter ranges, down
 * to the single ticks at which the server would have failed too. Rejects with what is no `QueryFailed`.
 */
export async function askTicks(
  source: Pick<DataSource, "range">,
  query: string,
  ticks: Ticks,
  sliceTicks: number,
): Promise<Answers> {
  const found = new Map<string, Growing>();
  let failed: Uint8Array | undefined;
  let error = "";
  let failures = 0;
  let slice = sliceTicks;
  const ask = async (from: number, to: number): Promise<void> => {
    try {
      const start = ticks.start + from * ticks.step;
      const end = ticks.start + (to - 1) * ticks.step;
      const series = await source.range({ query, start, end, step: ticks.step });
      for (const { labels, ts, values } of series) {
        const key = labelsKey(labels);
        const known = found.get(key) ?? { labels, ticks: [], values: [] };
        found.set(key, known);
        known.ticks.push(Int32Array.from(ts, (t) => Math.round((t - ticks.start) / ticks.step)));
        known.values.push(values);
      }
    } catch (e) {
      if (!(e instanceof QueryFailed)) throw e;
      error ||= e.message;
      failures++;
      if (to - from > 1 && e.divisible && failures < MAX_FAILURES) {
        const middle = (from + to) >> 1;
        slice = Math.max(1, Math.min(slice, middle - from));
        await ask(from, middle);
        await ask(middle, to);
        return;
      }
      failed ??= new Uint8Array(ticks.count);
      failed.fill(1, from, to);
    }
  };
  for (let from = 0; from < ticks.count; ) {
    const to = Math.min(ticks.count, from + slice);
    await ask(from, to);
    from = to;
  }
  // What was answered in parts in the end has not failed.
  return { series: [...found.values()].map(joined), failed, error: failed === undefined ? "" : error };
}

function joined({ labels, ticks, values }: Growing): TickSeries {
  if (ticks.length === 1) return { labels, ticks: ticks[0] as Int32Array, values: values[0] as Float64Array };
  const length = ticks.reduce((n, part) => n + part.length, 0);
  const out = { labels, ticks: new Int32Array(length), values: new Float64Array(length) };
  let at = 0;
  for (const [i, part] of ticks.entries()) {
    out.ticks.set(part, at);
    out.values.set(values[i] as Float64Array, at);
    at += part.length;
  }
  return out;
}
