import { type Axis, timeTicks, valueAxis } from "./axis.ts";
import { clip, LINE_STYLES, pad, paint, type Screen } from "./terminal.ts";
import type { Unit } from "./unit.ts";

/** Points by time, Unix ms ascending; values are finite. */
export interface ChartLine {
  readonly times: readonly number[];
  readonly values: readonly number[];
}

export interface ChartFrame {
  readonly start: number;
  readonly end: number;
  /** Points further apart are not joined. */
  readonly gapMs: number;
  readonly rows: number;
  readonly unit: Unit;
}

/** As many lines can be told from one another. */
export const MAX_LINES = LINE_STYLES.length;
const DEFAULT_WIDTH = 100;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** What stands for a line in the legend: a dash of its colour, without colours the letter that it is drawn with. */
export function lineMark(i: number, screen: Screen): string {
  if (!screen.color) return LETTERS[i % LETTERS.length] as string;
  return paint(screen, LINE_STYLES[i % LINE_STYLES.length] as (typeof LINE_STYLES)[number], "━");
}

/**
 * Lines over time, no line of text wider than the screen (100 columns where it has no end). Drawn in Braille dots, two by four
 * a character; several lines without colours in letters, one a line.
 */
export function formatChart(lines: readonly ChartLine[], frame: ChartFrame, screen: Screen): string[] {
  const { start, end, rows } = frame;
  const width = Number.isFinite(screen.width) ? screen.width : DEFAULT_WIDTH;
  const axis = axisOf(lines, frame);
  const gutter = Math.min(Math.max(...axis.ticks.map((t) => t.label.length)), Math.max(0, width - 8));
  const columns = Math.max(1, width - gutter - 2);
  const useLetters = !screen.color && lines.length > 1;
  const canvas = makeCanvas(columns, rows, useLetters);
  lines.forEach((line, i) => {
    drawLine(canvas, line, i, axis, frame);
  });
  const labels = new Map(axis.ticks.map((t) => [rowOf(canvas, axis, t.at), t.label]));
  const body = Array.from({ length: rows }, (_, row) => {
    const label = labels.get(row);
    const scale = `${pad(label ?? "", gutter, "right")} ${label === undefined ? "│" : "┤"}`;
    return paint(screen, "dim", scale) + canvasRow(canvas, row, screen);
  });
  return [...body.map((line) => line.trimEnd()), ...timeAxis(start, end, gutter, columns, screen)];
}

function axisOf(lines: readonly ChartLine[], { rows, unit }: ChartFrame): Axis {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const { values } of lines) {
    for (const v of values) {
      if (v < min) min = v;
      if (v > max) max = v;
    }
  }
  return min > max ? valueAxis(0, 1, rows, unit) : valueAxis(min, max, rows, unit);
}

/** Dots of a character: two columns by four rows in Braille, one in letters. */
interface Canvas {
  readonly columns: number;
  readonly dotsX: number;
  readonly dotsY: number;
  /** Bits of Braille dots a character; in letters 1. */
  readonly dots: Uint8Array;
  /** The line that drew there last. */
  readonly owner: Int16Array;
  readonly letters: boolean;
}

function makeCanvas(columns: number, rows: number, letters: boolean): Canvas {
  const owner = new Int16Array(columns * rows).fill(-1);
  const [x, y] = letters ? [1, 1] : [2, 4];
  return { columns, dotsX: columns * x, dotsY: rows * y, dots: new Uint8Array(columns * rows), owner, letters };
}

/** Bits of U+2800: dots 1 2 3 7 on the left, 4 5 6 8 on the right. */
const BRAILLE = [0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80];

function setDot(canvas: Canvas, x: number, y: number, line: number): void {
  const [cellX, cellY] = canvas.letters ? [x, y] : [x >> 1, y >> 2];
  const cell = cellY * canvas.columns + cellX;
  canvas.dots[cell] = canvas.letters ? 1 : (canvas.dots[cell] as number) | (BRAILLE[(x & 1) * 4 + (y & 3)] as number);
  canvas.owner[cell] = line;
}

function dotY(canvas: Canvas, axis: Axis, v: number): number {
  // No number would never meet the end of its segment.
  const share = Math.min(1, Math.max(0, (v - axis.min) / (axis.max - axis.min))) || 0;
  return canvas.dotsY - 1 - Math.round(share * (canvas.dotsY - 1));
}

function rowOf(canvas: Canvas, axis: Axis, v: number): number {
  const y = dotY(canvas, axis, v);
  return canvas.letters ? y : y >> 2;
}

function drawLine(canvas: Canvas, { times, values }: ChartLine, line: number, axis: Axis, frame: ChartFrame): void {
  const span = Math.max(1, frame.end - frame.start);
  let [lastX, lastY] = [-1, -1];
  for (let i = 0; i < times.length; i++) {
    const t = times[i] as number;
    const share = Math.min(1, Math.max(0, (t - frame.start) / span));
    const x = Math.round(share * (canvas.dotsX - 1));
    const y = dotY(canvas, axis, values[i] as number);
    if (i > 0 && t - (times[i - 1] as number) <= frame.gapMs) drawSegment(canvas, lastX, lastY, x, y, line);
    else setDot(canvas, x, y, line);
    [lastX, lastY] = [x, y];
  }
}

/** Bresenham's line between two dots. */
function drawSegment(canvas: Canvas, fromX: number, fromY: number, toX: number, toY: number, line: number): void {
  const [dx, dy] = [Math.abs(toX - fromX), -Math.abs(toY - fromY)];
  const [stepX, stepY] = [Math.sign(toX - fromX), Math.sign(toY - fromY)];
  let [x, y, error] = [fromX, fromY, dx + dy];
  for (;;) {
    setDot(canvas, x, y, line);
    if (x === toX && y === toY) return;
    const twice = 2 * error;
    if (twice >= dy) {
      error += dy;
      x += stepX;
    }
    if (twice <= dx) {
      error += dx;
      y += stepY;
    }
  }
}

/** One row of characters; neighbours of one colour share its escape sequence. */
function canvasRow(canvas: Canvas, row: number, screen: Screen): string {
  let out = "";
  let run = "";
  let runOwner = -1;
  const flush = (): void => {
    out += runOwner < 0 ? run : paint(screen, LINE_STYLES[runOwner % LINE_STYLES.length] ?? "cyan", run);
    run = "";
  };
  for (let c = 0; c < canvas.columns; c++) {
    const cell = row * canvas.columns + c;
    const owner = canvas.owner[cell] as number;
    if (owner !== runOwner) flush();
    runOwner = owner;
    if (owner < 0) run += " ";
    else
      run += canvas.letters
        ? (LETTERS[owner % LETTERS.length] as string)
        : String.fromCharCode(0x2800 + (canvas.dots[cell] as number));
  }
  flush();
  return out;
}

function timeAxis(start: number, end: number, gutter: number, columns: number, screen: Screen): string[] {
  const rule = Array.from({ length: columns }, () => "─");
  let labels = "";
  const left = gutter + 2;
  for (const { at, label } of timeTicks(start, end, columns)) {
    const x = Math.round((Math.max(0, at - start) / Math.max(1, end - start)) * (columns - 1));
    rule[x] = "┬";
    const from = Math.min(left + x - (label.length >> 1), left + columns - label.length);
    // A label that has no room is left out; its tick stays.
    if (from > labels.length || (labels === "" && from >= 0)) labels = `${labels.padEnd(from)}${label}`;
  }
  const lines = [`${" ".repeat(gutter + 1)}└${rule.join("")}`, clip(labels, left + columns)];
  return lines.map((line) => paint(screen, "dim", line));
}
