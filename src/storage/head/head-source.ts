import type { Matcher } from "../../model/matcher.ts";
import type { SeriesSource } from "../../model/series-source.ts";
import { estimateChunks } from "./estimate.ts";
import { type Head, seriesLabels, seriesValue } from "./head.ts";
import { readSeries } from "./read.ts";
import { selectSeries, valuesInTime } from "./select.ts";
import { LAST_T_F64, ROW_SHIFT, SHAPE } from "./series-table.ts";
import type { Shape } from "./shapes.ts";
import { companionOf } from "./start-times.ts";
import { findSymbol, symbolText } from "./symbols.ts";

/** The head as what queries read from. Selecting throws `RegexError` (src/lib/regex.ts) for a bad pattern. */
export function headSource(head: Head): SeriesSource {
  const select = (tenant: string, matchers: readonly Matcher[], minT: number, maxT: number) =>
    selectSeries(head, tenant, matchers, minT, maxT);
  return {
    select,
    labels: (id) => seriesLabels(head, id),
    symbol: (text) => findSymbol(head.symbols, text),
    text: (symbol) => symbolText(head.symbols, symbol),
    valueSymbol: (id, name) => seriesValue(head, id, name),
    read: (id, minT, maxT, out) => readSeries(head, id, minT, maxT, out),
    estimate: (ids, minT, maxT, spent) => estimateChunks(head, ids, minT, maxT, spent),
    labelNames: (tenant, matchers, minT, maxT) => {
      const shapes = new Uint8Array(head.shapes.length);
      for (const id of select(tenant, matchers, minT, maxT)) {
        shapes[head.series.rows[(id << ROW_SHIFT) + SHAPE] as number] = 1;
      }
      const names = new Set<number>();
      for (let s = 0; s < shapes.length; s++) {
        if (shapes[s] === 1) for (const name of (head.shapes[s] as Shape).names) names.add(name);
      }
      return texts(head, names);
    },
    labelValues: (tenant, name, matchers, minT, maxT) => {
      if (matchers.length === 0) return texts(head, new Set(valuesInTime(head, tenant, name, minT, maxT)));
      const symbol = findSymbol(head.symbols, name);
      const values = new Set<number>();
      if (symbol < 0) return [];
      for (const id of select(tenant, matchers, minT, maxT)) {
        const value = seriesValue(head, id, symbol);
        if (value >= 0) values.add(value);
      }
      return texts(head, values);
    },
  };
}

/** Time of a series' newest sample, Unix ms; -Infinity: it has none; NaN: samples have start times. */
export function newestTime(head: Head, id: number): number {
  if (head.starts.count > 0 && companionOf(head.starts, id) >= 0) return Number.NaN;
  return head.series.times[(id << (ROW_SHIFT - 1)) + LAST_T_F64] as number;
}

function texts(head: Head, symbols: ReadonlySet<number>): string[] {
  return [...symbols].map((s) => symbolText(head.symbols, s)).sort();
}
