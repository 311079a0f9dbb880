import { copyHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { type Labels, labelsKey, labelValue } from "../../../src/model/labels.ts";
import { compileMatcher, type Matcher } from "../../../src/model/matcher.ts";
import {
  type HistogramBytes,
  histogramRef,
  isHistogramAt,
  reserveSamples,
  type SampleBuffer,
  writeHistogramRef,
} from "../../../src/model/sample.ts";
import type { SeriesSource } from "../../../src/model/series-source.ts";
import type { ShardClient, ShardRequest, ShardResponses } from "../../../src/model/shard.ts";
import { runShardQuery } from "../../../src/query/execute/run-shard-query.ts";

/** A series source over plain arrays, for tests of the query engine: the simplest thing that keeps the contract. */
export interface MemorySource extends SeriesSource {
  /** Adds samples, bit by bit; an equal time replaces. Native histograms among the values refer to `histograms`. */
  add(
    labels: Labels,
    ts: readonly number[],
    values: Float64Array,
    startTs?: readonly number[],
    histograms?: HistogramBytes,
  ): void;
}

interface Stored {
  readonly labels: Labels;
  ts: number[];
  values: Float64Array;
  startTs: number[];
  readonly histograms: HistogramBytes;
}

export function makeMemorySource(): MemorySource {
  const series: Stored[] = [];
  const byKey = new Map<string, Stored>();
  const symbols: string[] = [];
  const symbolOf = new Map<string, number>();
  const intern = (text: string): number => {
    let s = symbolOf.get(text);
    if (s === undefined) {
      s = symbols.length;
      symbols.push(text);
      symbolOf.set(text, s);
    }
    return s;
  };
  const at = (id: number): Stored => series[id] as Stored;
  const select = (matchers: readonly Matcher[], minT: number, maxT: number): number[] => {
    const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
    const ids: number[] = [];
    series.forEach((s, id) => {
      if (!s.ts.some((t) => t >= minT && t <= maxT)) return;
      if (tests.every((m) => m.test(labelValue(s.labels, m.name)))) ids.push(id);
    });
    return ids;
  };
  return {
    add(labels, ts, values, startTs, histograms) {
      const key = labelsKey(labels);
      let s = byKey.get(key);
      if (s === undefined) {
        s = { labels, ts: [], values: new Float64Array(0), startTs: [], histograms: makeHistogramBytes() };
        byKey.set(key, s);
        series.push(s);
        for (const text of labels) intern(text);
      }
      const own = values.slice();
      if (histograms !== undefined) moveHistograms(new Uint32Array(own.buffer), histograms, s.histograms);
      mergeSamples(s, ts, own, startTs ?? ts.map(() => 0));
    },
    select: (_tenant, matchers, minT, maxT) => Uint32Array.from(select(matchers, minT, maxT)),
    labels: (id) => at(id).labels,
    symbol: (text) => symbolOf.get(text) ?? -1,
    text: (symbol) => symbols[symbol] as string,
    valueSymbol(id, nameSymbol) {
      const value = labelValue(at(id).labels, symbols[nameSymbol] as string);
      return value === "" ? -1 : intern(value);
    },
    read(id, minT, maxT, out: SampleBuffer) {
      const s = at(id);
      const words = new Uint32Array(s.values.buffer);
      reserveSamples(out, s.ts.length);
      delete out.startTs;
      delete out.histograms;
      if (s.startTs.some((t) => t !== 0)) out.startTs = new Float64Array(out.ts.length);
      let n = 0;
      for (let i = 0; i < s.ts.length; i++) {
        const t = s.ts[i] as number;
        if (t < minT || t > maxT) continue;
        out.ts[n] = t;
        out.words[2 * n] = words[2 * i] as number;
        out.words[2 * n + 1] = words[2 * i + 1] as number;
        if (out.startTs !== undefined) out.startTs[n] = s.startTs[i] as number;
        if (isHistogramAt(words, i)) {
          out.histograms ??= makeHistogramBytes();
          const ref = copyHistogram(s.histograms.bytes, histogramRef(words, i), out.histograms);
          writeHistogramRef(out.words, n, ref);
        }
        n++;
      }
      out.length = n;
    },
    labelNames(_tenant, matchers, minT, maxT) {
      const ids = select(matchers, minT, maxT);
      return [...new Set(ids.flatMap((id) => at(id).labels.filter((_, i) => i % 2 === 0)))].sort();
    },
    labelValues(_tenant, name, matchers, minT, maxT) {
      const values = select(matchers, minT, maxT).map((id) => labelValue(at(id).labels, name));
      return [...new Set(values.filter((v) => v !== ""))].sort();
    },
  };
}

/** Copies the histograms that `words` refer to, which refer to the copies then. */
function moveHistograms(words: Uint32Array, from: HistogramBytes, to: HistogramBytes): void {
  for (let i = 0; i < words.length / 2; i++) {
    if (isHistogramAt(words, i)) writeHistogramRef(words, i, copyHistogram(from.bytes, histogramRef(words, i), to));
  }
}

function mergeSamples(s: Stored, ts: readonly number[], values: Float64Array, startTs: readonly number[]): void {
  const oldWords = new Uint32Array(s.values.buffer);
  const newWords = new Uint32Array(values.slice().buffer);
  const all = new Map<number, { lo: number; hi: number; st: number }>();
  s.ts.forEach((t, i) => {
    all.set(t, { lo: oldWords[2 * i] as number, hi: oldWords[2 * i + 1] as number, st: s.startTs[i] as number });
  });
  ts.forEach((t, i) => {
    all.set(t, { lo: newWords[2 * i] as number, hi: newWords[2 * i + 1] as number, st: startTs[i] as number });
  });
  const times = [...all.keys()].sort((a, b) => a - b);
  s.ts = times;
  s.values = new Float64Array(times.length);
  const words = new Uint32Array(s.values.buffer);
  s.startTs = times.map((t, i) => {
    const { lo, hi, st } = all.get(t) as { lo: number; hi: number; st: number };
    words[2 * i] = lo;
    words[2 * i + 1] = hi;
    return st;
  });
}

/** Series spread over several sources by their labels, as partitions do. */
export function partitionOf(labels: Labels, partitions: number): number {
  let h = 0;
  for (const c of labelsKey(labels)) h = (Math.imul(h, 31) + (c.codePointAt(0) as number)) >>> 0;
  return h % partitions;
}

/** A shard in this process; requests and answers are cloned as a worker's would be. */
export function localShard(partition: number, source: SeriesSource): ShardClient {
  return {
    partition,
    async request<K extends ShardRequest["kind"]>(
      request: Extract<ShardRequest, { kind: K }>,
      signal?: AbortSignal,
    ): Promise<ShardResponses[K]> {
      const asked = structuredClone(request) as ShardRequest;
      await Promise.resolve();
      signal?.throwIfAborted();
      if (asked.kind !== "query") throw new Error(`not a query: ${asked.kind}`);
      const { result, transfer } = runShardQuery(source, asked.plan);
      return structuredClone(result, { transfer }) as ShardResponses[K];
    },
  };
}
