import { type Labels, labelsKey, METRIC_NAME } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { QueryError } from "../../model/query.ts";
import { DEFAULT_TENANT, writeStale } from "../../model/sample.ts";
import { makeEngine } from "../../query/engine.ts";
import { makeUnitTestShard } from "../rule/unit-test-shard.ts";
import { QueryFailed } from "./ask.ts";
import { pointsOf } from "./matrix-points.ts";
import type { DataSource, PointSeries, TickSeries, Ticks } from "./points.ts";
import { selectorsOf } from "./selectors.ts";

/** Raw samples, staleness markers among them; where they come from. */
export interface RawSource {
  raw(matchers: readonly Matcher[], start: number, end: number): Promise<readonly PointSeries[]>;
}

/**
 * Series that candidate recording rules make, in memory behind the query engine, with the stored series that expressions
 * select beside them. Stored series of a recorded name are hidden.
 */
export interface Overlay extends Pick<DataSource, "range"> {
  /** Takes in what a recording rule made; a series that ends gets its staleness marker. */
  record(series: readonly TickSeries[], ticks: Ticks): Promise<void>;
  /** Brings what the expression selects besides the recorded names. */
  prepare(query: string, start: number, end: number): Promise<void>;
}

/** Samples are brought for so long at a time. */
const RAW_SLICE_MS = 86_400_000;
const LIMITS = { maxSamples: 1e12, maxSeries: 1e9, maxMemoryBytes: 2 ** 40, maxPoints: 1e9, timeoutMs: 3_600_000 };

export function makeOverlay(recorded: ReadonlySet<string>, stored: RawSource): Overlay {
  const shard = makeUnitTestShard();
  const engine = makeEngine({ shards: [shard.client], ...LIMITS });
  const brought = new Set<string>();
  const prepared = new Set<string>();

  const append = async (labels: Labels, ts: Float64Array, values: Float64Array): Promise<void> => {
    const ref = shard.ingest.series(DEFAULT_TENANT, labels);
    await shard.ingest.append(new Array(ts.length).fill(ref), ts, values);
  };

  return {
    record: async (series, ticks) => {
      for (const { labels, ticks: at, values } of series) {
        const ends = at.reduce((n, k, i) => n + (endsAt(at, i, k, ticks) ? 1 : 0), 0);
        const ts = new Float64Array(at.length + ends);
        const out = new Float64Array(at.length + ends);
        const words = new Uint32Array(out.buffer);
        let n = 0;
        for (const [i, k] of at.entries()) {
          ts[n] = ticks.start + k * ticks.step;
          out[n++] = values[i] as number;
          if (!endsAt(at, i, k, ticks)) continue;
          ts[n] = ticks.start + (k + 1) * ticks.step;
          writeStale(words, n++);
        }
        await append(labels, ts, out);
      }
    },
    prepare: async (query, start, end) => {
      const wanted = selectorsOf(query);
      for (const matchers of wanted) {
        const name = matchers.find((m) => m.name === METRIC_NAME && m.op === "=")?.value;
        if (name !== undefined && recorded.has(name)) continue;
        const key = JSON.stringify(matchers);
        if (prepared.has(key)) continue;
        prepared.add(key);
        const fresh = new Map<string, boolean>();
        for (let from = start; from <= end; from += RAW_SLICE_MS) {
          const until = Math.min(end, from + RAW_SLICE_MS - 1);
          for (const { labels, ts, values } of await stored.raw(matchers, from, until)) {
            const id = labelsKey(labels);
            // What another selector has brought, or a rule makes, is there already.
            const take = fresh.get(id) ?? !(brought.has(id) || recorded.has(nameOf(labels)));
            fresh.set(id, take);
            if (take) await append(labels, ts, values);
          }
        }
        for (const id of fresh.keys()) brought.add(id);
      }
    },
    range: async ({ query, start, end, step }) => {
      try {
        const { matrix } = await engine.range({ tenant: DEFAULT_TENANT, query, start, end, step });
        return pointsOf(matrix);
      } catch (e) {
        if (e instanceof QueryError) throw new QueryFailed(e.message, e.type !== "bad_data");
        throw e;
      }
    },
  };
}

function endsAt(at: Int32Array, i: number, k: number, ticks: Ticks): boolean {
  return k + 1 < ticks.count && at[i + 1] !== k + 1;
}

function nameOf(labels: Labels): string {
  const i = labels.indexOf(METRIC_NAME);
  return i >= 0 && i % 2 === 0 ? (labels[i + 1] as string) : "";
}
