/**
 * Where a shard's time goes while it works on one plan. Nothing of this runs, and no clock is read, unless the plan asks for it:
 * then the plan's work is given a source that takes the time of what it is asked.
 */
import type { ReadCounts, SeriesSource } from "../../model/series-source.ts";
import type { ShardTrace } from "../plan/shard-plan.ts";

/** Milliseconds on the clock that all threads of a process share; only differences mean anything. */
export function sharedClock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

export interface ShardTracer {
  /** What the plan is to be run over. */
  readonly source: SeriesSource;
  /** The rows are there: from now on the answer is packed. */
  packs(): void;
  /** The answer is ready. */
  end(): ShardTrace;
}

export function traceShard(source: SeriesSource, clock: () => number = sharedClock): ShardTracer {
  const before = source.readCounts?.();
  const spent = { index: 0, decode: 0 };
  let series = 0;
  let selected: number | undefined;
  let packing: number | undefined;

  const timed =
    <A extends unknown[], R>(part: "index" | "decode", work: (...args: A) => R) =>
    (...args: A): R => {
      const from = clock();
      try {
        return work.apply(source, args);
      } finally {
        spent[part] += clock() - from;
      }
    };
  const select = timed("index", source.select);
  const { rollups, view } = source;
  const started = clock();
  return {
    source: {
      ...source,
      select: (...asked) => {
        selected ??= clock();
        const ids = select(...asked);
        series += ids.length;
        return ids;
      },
      labels: timed("index", source.labels),
      symbol: timed("index", source.symbol),
      text: timed("index", source.text),
      valueSymbol: timed("index", source.valueSymbol),
      read: timed("decode", source.read),
      ...(view === undefined ? {} : { view: timed("decode", view) }),
      ...(rollups === undefined ? {} : { rollups: { ...rollups, read: timed("decode", rollups.read) } }),
    },
    packs: () => {
      packing = clock();
    },
    end: () => {
      const ended = clock();
      const after = source.readCounts?.();
      return {
        started,
        ended,
        plan: (selected ?? ended) - started,
        ...spent,
        encode: ended - (packing ?? ended),
        series,
        ...(before === undefined || after === undefined ? {} : { reads: since(before, after) }),
      };
    },
  };
}

function since(before: ReadCounts, after: ReadCounts): ReadCounts {
  return {
    bytesRead: after.bytesRead - before.bytesRead,
    cacheHits: after.cacheHits - before.cacheHits,
    cacheMisses: after.cacheMisses - before.cacheMisses,
    ...(after.decodedSeries === undefined ? {} : { decodedSeries: after.decodedSeries - (before.decodedSeries ?? 0) }),
  };
}
