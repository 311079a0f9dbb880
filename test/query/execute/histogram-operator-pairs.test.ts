import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Histogram } from "../../../src/model/histogram.ts";
import { labelValue } from "../../../src/model/labels.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { isTrim, type OperatorNote, operateOnPair } from "../../../src/query/execute/histogram-operator.ts";
import { arithmetic, compare, isComparison } from "../../../src/query/functions/binary-op.ts";
import { readHistogram } from "../histogram/notation.ts";
import { load } from "../promqltest/load-series.ts";
import { localShard, makeMemorySource } from "../promqltest/memory-source.ts";
import { rangeRows } from "../promqltest/result-cells.ts";
import { readScript } from "../promqltest/script.ts";

/** Random rows against a plain model of matching by one label, step by step. */

const SAMPLES = [
  "stale",
  "2",
  "3",
  "{{count:1 sum:1 buckets:[1]}}",
  "{{count:3 sum:2 buckets:[1 2] counter_reset_hint:reset}}",
  "{{count:3 sum:2 buckets:[1 2] counter_reset_hint:not_reset}}",
  "{{schema:-53 count:3 sum:2 custom_values:[1 2] buckets:[1 2]}}",
  "{{schema:-53 count:2 sum:2 custom_values:[2 5] buckets:[1 1]}}",
];
const STEPS = 3;
const KEYS = 3;
const OPERATORS = ["+", "-", "*", "/", "atan2", "==", "!=", ">", "</", ">/"];

type Sample = Histogram | number | undefined;

function sampleOf(text: string): Sample {
  if (text === "stale") return undefined;
  return text.startsWith("{") ? readHistogram(text) : Number(text);
}

interface Case {
  readonly op: string;
  readonly bool: boolean;
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
  readonly grouping: "" | "group_left" | "group_right";
  /** Sample texts by key and step. */
  readonly a: readonly (readonly string[])[];
  readonly b: readonly (readonly string[])[];
}

const rows = fc.array(fc.array(fc.constantFrom(...SAMPLES), { minLength: STEPS, maxLength: STEPS }), {
  minLength: KEYS,
  maxLength: KEYS,
});
const fill = fc.option(fc.constantFrom(0, 7), { nil: undefined });
const anyCase: fc.Arbitrary<Case> = fc
  .record({
    op: fc.constantFrom(...OPERATORS),
    bool: fc.boolean(),
    fillLeft: fill,
    fillRight: fill,
    grouping: fc.constantFrom("", "group_left", "group_right"),
    a: rows,
    b: rows,
  })
  .map((c) => ({ ...c, bool: c.bool && isComparison(c.op) }));

interface Answer {
  readonly cells: Record<string, unknown>;
  readonly notes: Set<string>;
}

const shown = (v: Histogram | number): unknown => (typeof v === "number" ? v : { ...v, float: true });

/** One pair of samples: what becomes of it, and what is said. `matched`: it is a match for the "one" side. */
function pair(c: Case, x: Histogram | number, y: Histogram | number) {
  const { op, bool } = c;
  if (typeof x === "number" && typeof y === "number" && !isTrim(op)) {
    if (!isComparison(op)) return { matched: true, value: arithmetic(op, x, y) };
    const holds = compare(op, x, y);
    return { matched: true, value: bool ? Number(holds) : holds ? x : undefined };
  }
  const result = operateOnPair(op, x, y);
  if (result.kind === "none") return { matched: false, note: result.note };
  if (result.kind === "histogram") return { matched: true, value: result.histogram, note: result.note };
  return { matched: true, value: bool ? Number(result.holds) : result.holds ? x : undefined };
}

function model(c: Case): Answer {
  const cells: Answer["cells"] = {};
  const notes = new Set<string>();
  for (let s = 0; s < STEPS; s++) {
    const swapped = c.grouping === "group_right";
    const [many, one] = (swapped ? [c.b, c.a] : [c.a, c.b]).map((side) =>
      side.map((row) => sampleOf(row[s] as string)),
    );
    let last: OperatorNote | undefined;
    const matched = new Set<number>();
    const apply = (k: number, x: Sample, y: Sample): void => {
      if (x === undefined || y === undefined) return;
      const { matched: isMatch, value, note } = swapped ? pair(c, y, x) : pair(c, x, y);
      if (note !== undefined) last = note;
      if (isMatch) matched.add(k);
      if (value !== undefined) cells[`${k} ${s}`] = shown(value);
    };
    // The fills do not change sides with group_right: fill_left is for the side that there may be many of.
    for (let k = 0; k < KEYS; k++) apply(k, many?.[k], one?.[k] ?? c.fillRight);
    for (let k = 0; k < KEYS; k++) if (!matched.has(k)) apply(k, c.fillLeft, one?.[k]);
    if (last !== undefined) notes.add(`PromQL ${last.severity}: ${last.text} (1:1)`);
  }
  return { cells, notes };
}

async function ask(c: Case): Promise<Answer> {
  const sources = [makeMemorySource(), makeMemorySource()];
  const lines = (name: string, side: Case["a"]) => side.map((row, k) => `  ${name}{k="${k}"} ${row.join(" ")}\n`);
  const script = `load 1m\n${[...lines("a", c.a), ...lines("b", c.b)].join("")}`;
  for (const command of readScript(script)) if (command.kind === "load") load(sources, command, "sent");
  const engine = makeEngine({ shards: sources.map((source, p) => localShard(p, source)) });
  const fills = [
    c.fillLeft === undefined ? "" : `fill_left(${c.fillLeft})`,
    c.fillRight === undefined ? "" : `fill_right(${c.fillRight})`,
  ].join(" ");
  const query = `a ${c.op} ${c.bool ? "bool" : ""} on (k) ${c.grouping} ${fills} b`;
  const result = await engine.range({ tenant: "default", query, start: 0, end: (STEPS - 1) * 60_000, step: 60_000 });
  const cells: Answer["cells"] = {};
  for (const { labels, cells: row } of rangeRows(result).values()) {
    row.forEach((cell, s) => {
      if (cell !== undefined) cells[`${labelValue(labels, "k")} ${s}`] = shown(cell as Histogram | number);
    });
  }
  return { cells, notes: new Set([...result.warnings, ...result.infos]) };
}

describe("pairs of samples of two vectors", () => {
  test("are as in a model that goes step by step", async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async (c) => {
        expect(await ask(c)).toEqual(model(c));
      }),
      { numRuns: 300 },
    );
  });
});
