import uPlot from "uplot";
import type { Series } from "./api.ts";

/** A palette that people with colour blindness can tell apart (Okabe and Ito), readable on light and dark. */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8f7a00", "#7a5cc2"];

const BINARY_STEPS = Array.from({ length: 60 }, (_, i) => 2 ** i);

export interface ChartSpec {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly series: readonly Series[];
  readonly label: (metric: Readonly<Record<string, string>>) => string;
  readonly format: (value: number) => string;
  /** Filled and one on top of the other. */
  readonly stacked?: boolean;
  /** Bytes: the axis steps by powers of two. */
  readonly binary?: boolean;
  readonly height: number;
  /** Lower bound of the value axis; free where not given. */
  readonly min?: number;
}

/** A chart in a box that follows the box's width; `draw` replaces what it shows. */
export function makeChart(box: HTMLElement): { draw(spec: ChartSpec): void; clear(): void } {
  let plot: uPlot | undefined;
  let shape = "";
  const width = () => Math.max(200, Math.floor(box.clientWidth));
  new ResizeObserver(() => {
    if (plot !== undefined && plot.width !== width()) plot.setSize({ width: width(), height: plot.height });
  }).observe(box);
  const clear = () => {
    plot?.destroy();
    plot = undefined;
    shape = "";
  };
  return {
    clear,
    draw(spec) {
      const data = columns(spec);
      const labels = spec.series.map((s) => spec.label(s.metric));
      const next = JSON.stringify([
        labels,
        spec.series.map(lonePoint),
        spec.end - spec.start,
        spec.stacked === true,
        spec.height,
        matchMedia("(prefers-color-scheme: dark)").matches,
      ]);
      if (plot !== undefined && next === shape) {
        plot.setData(data, false);
        plot.setScale("x", { min: spec.start, max: spec.end });
        return;
      }
      clear();
      shape = next;
      box.replaceChildren();
      plot = new uPlot(options(spec, labels, width()), data, box);
    },
  };
}

/** One column of times on the step grid and one a series, null where there is no value. */
function columns(spec: ChartSpec): uPlot.AlignedData {
  const n = Math.floor((spec.end - spec.start) / spec.step + 1e-6) + 1;
  const times = Array.from({ length: n }, (_, i) => spec.start + i * spec.step);
  const rows = spec.series.map((s) => {
    const row: (number | null)[] = new Array(n).fill(null);
    for (const [t, v] of s.values) {
      const i = Math.round((t - spec.start) / spec.step);
      const value = Number(v.replace("Inf", "Infinity"));
      if (i >= 0 && i < n && Number.isFinite(value)) row[i] = value;
    }
    return row;
  });
  if (spec.stacked === true) {
    for (let r = 1; r < rows.length; r++) {
      const below = rows[r - 1]!;
      rows[r] = rows[r]!.map((v, i) => (v === null ? below[i]! : v + (below[i] ?? 0)));
    }
  }
  return [times, ...rows] as uPlot.AlignedData;
}

function options(spec: ChartSpec, labels: readonly string[], width: number): uPlot.Options {
  const css = getComputedStyle(document.documentElement);
  const ink = css.getPropertyValue("--soft");
  const line = css.getPropertyValue("--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width,
    height: spec.height,
    cursor: { focus: { prox: 24 }, y: false },
    focus: { alpha: 0.35 },
    scales: {
      x: { time: true, min: spec.start, max: spec.end },
      y: { range: (_u, low, high) => bounds(low, high, spec.min) },
    },
    axes: [
      { ...axis, values: (_u, ticks) => ticks.map((t) => clock(t, spec.end - spec.start)) },
      {
        ...axis,
        size: 76,
        values: (_u, ticks) => ticks.map((t) => spec.format(t)),
        ...(spec.binary === true ? { incrs: BINARY_STEPS } : {}),
      },
    ],
    series: [
      {},
      ...labels.map((label, i) => {
        const colour = COLOURS[i % COLOURS.length]!;
        const value = (_u: uPlot, v: number | null, _s: number, at: number | null) => {
          if (v === null) return "–";
          // A stacked line is drawn at the sum; the legend tells the series' own value.
          const below = spec.stacked === true && i > 0 && at !== null ? (_u.data[i]?.[at] ?? 0) : 0;
          return spec.format(v - below);
        };
        return {
          label,
          stroke: colour,
          width: 1.5,
          spanGaps: false,
          // A lone point makes no line.
          points: { show: lonePoint(spec.series[i]!) },
          value,
          ...(spec.stacked === true ? { fill: `${colour}59` } : {}),
        };
      }),
    ],
    ...(spec.stacked === true
      ? { bands: labels.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number] })) }
      : {}),
  };
}

const DAY = 86_400;

/** A time on the axis, local, 24 hours; with the date where a day is not enough to tell. */
function clock(seconds: number, range: number): string {
  const date = new Date(seconds * 1000);
  const pad = (n: number) => String(n).padStart(2, "0");
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  if (range > DAY) return `${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${time}`;
  return range < 600 ? `${time}:${pad(date.getSeconds())}` : time;
}

function lonePoint(series: Series): boolean {
  return series.values.length === 1;
}

function bounds(low: number | null, high: number | null, min: number | undefined): [number, number] {
  if (low === null || high === null) return [0, 1];
  const from = min ?? low;
  const pad = (high - from) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [min ?? from - pad, high + pad];
}
