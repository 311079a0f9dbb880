import { type Labels, labelValue, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { compileMatcher, type Matcher, matchesEmpty } from "../../model/matcher.ts";
import { QueryError } from "../../model/query.ts";
import type { Call, Expr, VectorSelector } from "../parse/ast.ts";
import type { Grid } from "../plan/grid.ts";
import type { Selection } from "../plan/shard-plan.ts";
import { unwrap } from "../plan/step-invariant.ts";
import { fetchRows } from "./dispatch.ts";
import { formatMetric } from "./format-metric.ts";
import { holdBytes, release, replaced, SET_BYTES } from "./memory.ts";
import { due, overEach, overRows, ROW_WORK, turn } from "./pace.ts";
import { atOf } from "./plan-fragment.ts";
import type { QueryContext } from "./query-context.ts";
import { emptyVector, PRESENT_HISTOGRAM, SAME_LABELSET, type Vector } from "./vector.ts";

/**
 * info(vector, selector): adds labels of info series (target_info unless the selector names others) to the series that
 * have the same identifying labels. Which info series belongs to a series may change from step to step; the one with the
 * newest sample wins.
 */
const IDENTIFYING = ["instance", "job"] as const;
const TARGET_INFO: Matcher = { name: METRIC_NAME, op: "=", value: "target_info" };
const ANY_INFO: Matcher = { name: METRIC_NAME, op: "=~", value: ".+_info" };

export async function evaluateInfo(ctx: QueryContext, call: Call, grid: Grid): Promise<Vector> {
  const [inner, selector] = call.args as [Expr, Expr?];
  const base = await ctx.evaluator.vector(ctx, inner, grid);
  const { nameMatchers, dataMatchers } = infoMatchers(selector);
  const nameTests = nameMatchers.map(compileMatcher);
  // Info series themselves pass through as they are.
  const passes = base.labels.map((l) => nameTests.every((test) => test(labelValue(l, METRIC_NAME))));
  const identity = identifyingMatchers(base.labels.filter((_, r) => passes[r] !== true));
  let info = emptyVector(grid.steps);
  if (identity.length > 0) {
    const matchers = [...nameMatchers, ...dataMatchers, ...identity];
    const time = referenceTime(ctx, inner);
    const fetch = (output: "value" | "timestamp"): Promise<Vector> =>
      fetchRows(
        ctx,
        { grid, select: { matchers, ...time, lookback: ctx.lookback, output }, maps: [] },
        { pos: call.pos },
      );
    info = await fetch("value");
    await checkFloats(ctx, info);
    // The times are needed only where several info series could belong to a series.
    if (await isContested(ctx, info)) {
      release(ctx, info);
      info = await fetch("timestamp");
    }
  }
  return replaced(ctx, [base, info], await addInfoLabels(ctx, base, passes, info, dataMatchers));
}

/** What info series have to match, by the second argument of info(). */
function infoMatchers(selector: Expr | undefined) {
  const given = selector === undefined ? [TARGET_INFO] : (unwrap(selector) as VectorSelector).matchers;
  const nameMatchers = infoNameMatchers(given.filter((m) => m.name === METRIC_NAME));
  return { nameMatchers, dataMatchers: given.filter((m) => m.name !== METRIC_NAME) };
}

/** What info() reads at most: it takes those alone that have the identity of a series of its first argument. */
export function infoSelection(ctx: QueryContext, call: Call): Selection {
  const [inner, selector] = call.args as [Expr, Expr?];
  const { nameMatchers, dataMatchers } = infoMatchers(selector);
  const matchers = [...nameMatchers, ...dataMatchers];
  return { matchers, ...referenceTime(ctx, inner), lookback: ctx.lookback, output: "value" };
}

/** What an info series is called: target_info unless the selector says so; with exclusions only, any name in _info. */
function infoNameMatchers(given: readonly Matcher[]): readonly Matcher[] {
  if (given.length === 0) return [TARGET_INFO];
  return given.some((m) => m.op === "=" || m.op === "=~") ? given : [ANY_INFO, ...given];
}

/** One matcher an identifying label: any of the values that the series have. */
function identifyingMatchers(series: readonly Labels[]): Matcher[] {
  const out: Matcher[] = [];
  for (const name of IDENTIFYING) {
    const values = new Set(series.map((l) => labelValue(l, name)).filter((v) => v !== ""));
    if (values.size === 0) continue;
    const pattern = [...values].map((v) => v.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&")).join("|");
    out.push({ name, op: "=~", value: pattern });
  }
  return out;
}

/** The time modifiers under which the expression's first selector reads, together: info series are read at the same time. */
function referenceTime(ctx: QueryContext, expr: Expr): { at?: number; offset: number } {
  let at: number | undefined;
  let offset = 0;
  const visit = (e: Expr): boolean => {
    if (e.kind === "subquery" || e.kind === "vectorSelector") {
      const own = atOf(ctx, e.at);
      const before = { at, offset };
      if (own !== undefined) {
        at = own;
        offset = 0;
      }
      offset += e.offset;
      if (e.kind === "vectorSelector" || visit(e.expr)) return true;
      ({ at, offset } = before);
      return false;
    }
    return children(e).some(visit);
  };
  visit(expr);
  return at === undefined ? { offset } : { at, offset };
}

function children(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case "matrixSelector":
      return [e.selector];
    case "paren":
    case "unary":
    case "stepInvariant":
    case "aggregate":
      return [e.expr];
    case "binary":
      return [e.lhs, e.rhs];
    case "call":
      return e.args;
    default:
      return [];
  }
}

/** Throws `QueryError` ("execution") when an info series has a native histogram. */
async function checkFloats(ctx: QueryContext, { labels, steps, present }: Vector): Promise<void> {
  if (ctx.histograms.length === 0) return;
  await overRows(ctx, labels.length, steps, (r, from, to) => {
    if (!present.subarray(r * steps + from, r * steps + to).includes(PRESENT_HISTOGRAM)) return;
    const text = `this should be an info metric, with float samples: ${formatMetric(labels[r] as Labels)}`;
    throw new QueryError("execution", text);
  });
}

/** Whether several info series have the same metric name and identity, be it at different steps. */
async function isContested(ctx: QueryContext, { labels }: Vector): Promise<boolean> {
  const seen = new Set<string>();
  await overEach(ctx, labels.length, ROW_WORK, (r) => {
    const set = labels[r] as Labels;
    seen.add(signature(labelValue(set, METRIC_NAME), set));
  });
  return seen.size < labels.length;
}

/** The info series of one metric name and identity at each step, -1 where there is none. */
async function ownersBySignature(
  ctx: QueryContext,
  info: Vector,
): Promise<{ names: string[]; owners: Map<string, Int32Array> }> {
  const { steps } = info;
  const names = new Set<string>();
  const owners = new Map<string, Int32Array>();
  await overRows(ctx, info.labels.length, steps, (r, from, to) => {
    const labels = info.labels[r] as Labels;
    const name = labelValue(labels, METRIC_NAME);
    names.add(name);
    const key = signature(name, labels);
    let owner = owners.get(key);
    if (owner === undefined) {
      owner = new Int32Array(steps).fill(-1);
      owners.set(key, owner);
    }
    for (let s = from; s < to; s++) {
      if (info.present[r * steps + s] === 0) continue;
      const other = owner[s] as number;
      const mine = info.values[r * steps + s] as number;
      const theirs = other < 0 ? Number.NEGATIVE_INFINITY : (info.values[other * steps + s] as number);
      if (mine === theirs) {
        const ms = Math.round(mine * 1000);
        const a = formatMetric(info.labels[other] as Labels);
        const b = formatMetric(labels);
        const text = `found duplicate series for info metric: existing ${a} @ ${ms}, new ${b} @ ${ms}`;
        throw new QueryError("execution", text);
      }
      if (mine > theirs) owner[s] = r;
    }
  });
  return { names: [...names], owners };
}

function signature(name: string, labels: Labels): string {
  return [name, ...IDENTIFYING.map((l) => labelValue(labels, l))].join("\u0000");
}

async function addInfoLabels(
  ctx: QueryContext,
  base: Vector,
  passes: readonly boolean[],
  info: Vector,
  dataMatchers: readonly Matcher[],
): Promise<Vector> {
  const { steps } = base;
  const { names, owners } = await ownersBySignature(ctx, info);
  const wanted = new Set(dataMatchers.map((m) => m.name));
  const emptyAllowed = dataMatchers.every(matchesEmpty);
  const labels: Labels[] = [];
  const drop: number[] = [];
  const byKey = new Map<string, number>();
  // Steps [from, to) of row `r` of the input go to `row`.
  const runs: { row: number; r: number; from: number; to: number }[] = [];
  const rowOf = (set: Labels, dropName: number): number => {
    const key = set.join("\u0000");
    let row = byKey.get(key);
    if (row === undefined) {
      row = labels.length;
      holdBytes(ctx, SET_BYTES + 12 * set.length + key.length);
      labels.push(set);
      drop.push(dropName);
      byKey.set(key, row);
    }
    return row;
  };
  for (let r = 0; r < base.labels.length; r++) {
    const set = base.labels[r] as Labels;
    const dropName = base.dropName[r] as number;
    const columns = passes[r] === true ? [] : names.map((n) => owners.get(signature(n, set)));
    const found: number[] = columns.map(() => -2);
    const ownerAt = (c: Int32Array | undefined, s: number): number => (c === undefined ? -1 : (c[s] as number));
    let run: (typeof runs)[number] | undefined;
    for (let s = 0; s < steps; s++) {
      if (due(ctx, columns.length + (s === 0 ? ROW_WORK : 0))) await turn(ctx);
      if (base.present[r * steps + s] === 0) continue;
      let same = run !== undefined;
      for (let c = 0; c < columns.length; c++) if (found[c] !== ownerAt(columns[c], s)) same = false;
      if (same && run !== undefined) {
        run.to = s + 1;
        continue;
      }
      for (let c = 0; c < columns.length; c++) found[c] = ownerAt(columns[c], s);
      const sources = found.filter((i) => i >= 0).map((i) => info.labels[i] as Labels);
      let row = -1;
      if (passes[r] === true) row = rowOf(set, dropName);
      else if (sources.length > 0) row = rowOf(enriched(set, sources, wanted), dropName);
      else if (emptyAllowed) row = rowOf(set, dropName);
      run = { row, r, from: s, to: s + 1 };
      runs.push(run);
    }
  }
  const values = new Float64Array(labels.length * steps);
  const present = new Uint8Array(labels.length * steps);
  for (const { row, r, from, to } of runs) {
    for (let s = from; s < to && row >= 0; s++) {
      if (base.present[r * steps + s] === 0) continue;
      if (present[row * steps + s] !== 0) throw new QueryError("execution", SAME_LABELSET);
      values[row * steps + s] = base.values[r * steps + s] as number;
      present[row * steps + s] = base.present[r * steps + s] as number;
    }
    if (due(ctx, to - from)) await turn(ctx);
  }
  return { steps, labels, dropName: Uint8Array.from(drop), values, present };
}

/** The labels with the data labels of the info series; own labels stay. Two info series must not disagree. */
function enriched(base: Labels, sources: readonly Labels[], wanted: ReadonlySet<string>): Labels {
  const added = new Map<string, string>();
  for (const source of sources) {
    for (let i = 0; i < source.length; i += 2) {
      const name = source[i] as string;
      const value = source[i + 1] as string;
      if (name === METRIC_NAME || (wanted.size > 0 && !wanted.has(name))) continue;
      const other = added.get(name);
      if (other !== undefined && other !== value) throw new QueryError("execution", `conflicting label: ${name}`);
      if (labelValue(base, name) === "") added.set(name, value);
    }
  }
  let out = base;
  for (const [name, value] of added) out = withLabel(out, name, value);
  return out;
}
