import type { BinaryExpr, Expr } from "../../query/parse/ast.ts";
import { formatExpr } from "../../query/parse/format.ts";
import { parseExpr } from "../../query/parse/parse.ts";
import { askTicks } from "./ask.ts";
import type { Answers, DataSource, TickSeries, Ticks } from "./points.ts";

/** An expression at all times of a group. */
export interface Question {
  readonly query: string;
  readonly ticks: Ticks;
  /** Ticks in one range query. */
  readonly slice: number;
}

/**
 * Answers that more than one rule needs. A candidate and what is configured often differ in a threshold, a `for` or a label:
 * `E > 5` holds all that `E > 6` does, so that the one with the lowest threshold is asked, and the others are parts of it.
 */
export interface SharedAnswers {
  /** Rejects as `askTicks`. */
  ask(question: Question): Promise<Answers>;
}

interface Family {
  /** Of the question that holds all others. */
  query: string;
  level: number;
  /** Questions that are still to come. */
  left: number;
  answers: Promise<Answers> | undefined;
}

interface Split {
  /** The same for questions that differ in the level only. */
  readonly base: string;
  readonly op: string;
  readonly level: number;
}

/** At most so many points are held for rules to come, about 250 MB. */
export const MAX_HELD_POINTS = 16_000_000;

/**
 * @param questions all that will be asked; others are asked by themselves
 * @param maxPoints what may be held for later; what is more is asked again
 */
export function shareAnswers(
  source: Pick<DataSource, "range">,
  questions: readonly Question[],
  maxPoints = MAX_HELD_POINTS,
): SharedAnswers {
  const families = new Map<string, Family>();
  for (const question of questions) {
    const { query } = question;
    const { level, op, ...split } = splitLevel(query);
    const key = keyOf(question, { level, op, ...split });
    const known = families.get(key);
    if (known === undefined) families.set(key, { query, level, left: 1, answers: undefined });
    else {
      known.left++;
      if (op.startsWith(">") ? level < known.level : level > known.level) Object.assign(known, { query, level });
    }
  }
  let held = 0;
  return {
    ask: async (question) => {
      const { query, ticks, slice } = question;
      const split = splitLevel(query);
      const key = keyOf(question, split);
      const family = families.get(key);
      if (family === undefined) return askTicks(source, query, ticks, slice);
      if (--family.left <= 0) families.delete(key);
      if (family.answers === undefined && family.left <= 0) return askTicks(source, query, ticks, slice);
      const isFirst = family.answers === undefined;
      family.answers ??= askTicks(source, family.query, ticks, slice);
      const answers = await family.answers;
      const points = answers.series.reduce((n, s) => n + s.ticks.length, 0);
      if (isFirst) held += points;
      if (held > maxPoints && families.get(key) === family) families.delete(key);
      if (families.get(key) !== family && family.answers !== undefined) {
        family.answers = undefined;
        held -= points;
      }
      return family.query === query ? answers : above(answers, split);
    },
  };
}

function keyOf({ ticks, slice }: Question, { base, op }: Split): string {
  return [ticks.start, ticks.step, ticks.count, slice, op, base].join(" ");
}

const MIRRORED: Readonly<Record<string, string>> = { ">": "<", ">=": "<=", "<": ">", "<=": ">=" };

/** What an expression compares with which number; the whole expression as `base` where it does not, or cannot be parsed. */
export function splitLevel(query: string): Split {
  const whole = { base: query, op: "", level: 0 };
  let expr: Expr;
  try {
    expr = bare(parseExpr(query));
  } catch {
    return whole;
  }
  if (expr.kind !== "binary" || expr.returnBool || MIRRORED[expr.op] === undefined) return whole;
  const { lhs, rhs, op } = expr as BinaryExpr;
  const [left, right] = [constant(lhs), constant(rhs)];
  if (right !== undefined && left === undefined) return { base: formatExpr(bare(lhs)), op, level: right };
  if (left !== undefined && right === undefined) {
    return { base: formatExpr(bare(rhs)), op: MIRRORED[op] as string, level: left };
  }
  return whole;
}

function bare(expr: Expr): Expr {
  return expr.kind === "paren" || expr.kind === "stepInvariant" ? bare(expr.expr) : expr;
}

/** The number that is written there; undefined for anything else. */
function constant(of: Expr): number | undefined {
  const expr = bare(of);
  if (expr.kind === "number") return Number.isNaN(expr.value) ? undefined : expr.value;
  if (expr.kind !== "unary") return undefined;
  const inner = constant(expr.expr);
  return inner === undefined ? undefined : expr.op === "-" ? -inner : inner;
}

/** The points that the comparison leaves. */
function above({ series, failed, error }: Answers, { op, level }: Split): Answers {
  const out: TickSeries[] = [];
  for (const { labels, ticks, values } of series) {
    const kept: number[] = [];
    for (let i = 0; i < values.length; i++) if (holds(values[i] as number, op, level)) kept.push(i);
    if (kept.length === 0) continue;
    out.push({
      labels,
      ticks: Int32Array.from(kept, (i) => ticks[i] as number),
      values: Float64Array.from(kept, (i) => values[i] as number),
    });
  }
  return { series: out, failed, error };
}

function holds(value: number, op: string, level: number): boolean {
  switch (op) {
    case ">":
      return value > level;
    case ">=":
      return value >= level;
    case "<":
      return value < level;
    default:
      return value <= level;
  }
}
