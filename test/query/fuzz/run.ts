import type { Engine } from "../../../src/model/query.ts";
import type { Expr } from "../../../src/query/parse/ast.ts";
import { typeOf } from "../../../src/query/parse/check.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { type Answer, askPrometheus, askTocsin, type Question } from "./ask.ts";
import { difference, explanation, type Order } from "./compare.ts";
import { DATA_END, DATA_START } from "./dataset.ts";
import { makeGenerator } from "./generate.ts";
import { makeHistogramGenerator } from "./histogram-generate.ts";
import { makeRandom, type Random } from "./prng.ts";

const AT_ONCE = 4;

export interface Finding {
  readonly question: Question;
  readonly what: string;
}

/** Asks both; what differs, if anything. Also gives Prometheus's answer. */
export async function check(engine: Engine, url: string, q: Question): Promise<Checked> {
  const [want, got] = await Promise.all([askPrometheus(url, q), askTocsin(engine, q)]);
  const what = difference(want, got, orderOf(q, want), /stdvar|stddev/.test(q.query));
  if (what === undefined) return { want };
  const why = explanation(q, want, got);
  return why === undefined ? { want, what } : { want, why };
}

/** `what` differs, or `why` that is known. */
export interface Checked {
  readonly want: Answer;
  readonly what?: string;
  readonly why?: string;
}

function orderOf(q: Question, want: Answer): Order {
  if (q.range !== undefined) return "rows";
  // Prometheus puts series without the label anywhere.
  const by = /^sort_by_label(?:_desc)?\(.*, "(\w+)", "job"\)$/s.exec(q.query)?.[1];
  if (by !== undefined) return want.series.every((s) => s.labels.includes(`["${by}",`)) ? "rows" : "any";
  return /^(sort|sort_desc)\(/.test(q.query) ? "values" : "any";
}

export function makeQuestion(r: Random): Question {
  const g = makeGenerator(r);
  const depth = r.weighted([
    [2, 1],
    [4, 2],
    [3, 3],
    [1, 4],
  ]);
  const aligned = r.chance(0.4);
  const at = (from: number, to: number): number => {
    const t = r.int(from, to);
    return aligned ? Math.floor(t / 15_000) * 15_000 : t;
  };
  const lookback = r.chance(0.1) ? { lookback: r.pick([1000, 15_000, 60_000, 3_600_000]) } : {};
  if (r.chance(0.5)) {
    const query = r.weighted([
      [16, () => g.vector(depth)],
      [2, () => g.matrix(depth)],
      [1, () => g.scalar(depth)],
    ])();
    return { query, time: at(DATA_START - 60_000, DATA_END + 400_000), ...lookback };
  }
  const query = r.weighted([
    [16, () => g.vector(depth)],
    [1, () => g.scalar(depth)],
  ])();
  const time = at(DATA_START - 120_000, DATA_END);
  const step = r.pick([15_000, 60_000, 1000, 7_500, 300_000, 61_003]);
  const steps = r.int(0, 40);
  return { query, time, range: { end: time + steps * step + r.pick([0, 0, 1, step - 1]), step }, ...lookback };
}

/** A question about native histograms. */
export function makeHistogramQuestion(r: Random): Question {
  const g = makeHistogramGenerator(r);
  const depth = r.weighted([
    [3, 1],
    [4, 2],
    [2, 3],
  ]);
  const query = r.weighted([
    [5, () => g.histograms(depth)],
    [6, () => g.floats(depth)],
  ])();
  const time = r.int(DATA_START - 60_000, DATA_END + 200_000);
  if (r.chance(0.5)) return { query: r.chance(0.06) ? g.matrix() : query, time };
  const step = r.pick([15_000, 60_000, 7_500, 300_000, 61_003]);
  return { query, time, range: { end: time + r.int(0, 30) * step, step } };
}

/** Looks for the smallest part of a failing expression that fails by itself. */
export async function shrink(engine: Engine, url: string, finding: Finding): Promise<Finding> {
  let best = finding;
  const { query } = finding.question;
  for (const part of parts(parseExprOrNone(query))) {
    const type = typeOf(part);
    if (type === "string" || type === "none" || (type === "matrix" && finding.question.range !== undefined)) continue;
    const text = Buffer.from(query).subarray(part.pos.start, part.pos.end).toString();
    if (text.length >= best.question.query.length) continue;
    const question = { ...finding.question, query: text };
    const { what } = await check(engine, url, question);
    if (what !== undefined) best = { question, what };
  }
  return best;
}

function parseExprOrNone(query: string): Expr | undefined {
  try {
    return parseExpr(query);
  } catch {
    return undefined;
  }
}

function parts(e: Expr | undefined): Expr[] {
  if (e === undefined) return [];
  switch (e.kind) {
    case "matrixSelector":
      return [e.selector, e];
    case "subquery":
    case "paren":
    case "unary":
      return [...parts(e.expr), e];
    case "aggregate":
      return [...parts(e.param), ...parts(e.expr), e];
    case "binary":
      return [...parts(e.lhs), ...parts(e.rhs), e];
    case "call":
      return [...e.args.flatMap(parts), e];
    default:
      return [e];
  }
}

/** Asks both so many generated questions; what differs comes as small as it can be made. */
export async function askAll(
  engine: Engine,
  url: string,
  random: Random,
  cases: number,
  question: (r: Random) => Question,
) {
  const findings: Finding[] = [];
  const base = random.int(0, 2 ** 31);
  let next = 0;
  let explained = 0;
  let empty = 0;
  const work = async (): Promise<void> => {
    while (next < cases) {
      const asked = question(makeRandom(base + next++));
      const { want, what, why } = await check(engine, url, asked);
      if (want.error !== undefined || want.series.length === 0) empty++;
      if (why !== undefined) explained++;
      if (what !== undefined) findings.push(await shrink(engine, url, { question: asked, what }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { findings, explained, empty };
}
