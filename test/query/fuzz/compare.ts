import type { Answer, Question } from "./ask.ts";

/** What of an answer's order is promised. */
export type Order = "any" | "rows" | "values";

/** How far apart two values may be, as a share of the greater one: sums are added up in another order. */
const TOLERANCE = 1e-9;
/** Of variances, where 3.5 loses digits. */
const LOOSE = 1e-6;

/**
 * What is known to differ between 3.5.3 and Tocsin, which follows later versions there or is meant to differ.
 * Left out by the generator for the same reason: info() and histogram_fraction() (reworked after 3.5), limit_ratio with a
 * share (which series, a hash decides that depends on the build), last_over_time over a subquery that drops names (3.5
 * brings them back), timestamp() of a selector with @ and offset (3.5 forgets the offset), parts of dates that no whole
 * number can tell (depends on the machine), k of topk that is NaN at steps without samples.
 */
interface Known {
  readonly why: string;
  readonly applies: (q: Question, want: Answer, got: Answer) => boolean;
}

const KNOWN: readonly Known[] = [
  {
    why: "later versions join the rows of a range query that have become equal, unless they meet at a step",
    applies: (q, want, got) => q.range !== undefined && isError(want, "same labelset") && got.error === undefined,
  },
  {
    why: "later versions check the k of topk also where there is nothing to choose from",
    applies: (_, want, got) => isError(got, "overflows int64") && want.error === undefined,
  },
  {
    why: "mad_over_time is NaN in later versions when one of the samples is",
    applies: (q, want, got) =>
      /mad_over_time\(.*odd/s.test(q.query) && want.error === undefined && got.error === undefined,
  },
  {
    why: "3.5 fails on a subquery in parentheses that has the same value at every step",
    applies: (_, want) => isError(want, "unexpected number of samples"),
  },
  {
    why: "later versions do not tell pairs apart that the comparison filters out when matches are ambiguous",
    applies: (q, want, got) =>
      isError(got, "multiple matches for labels") && want.error === undefined && /[=!<>]=?/.test(q.query),
  },
  {
    why: "the last digit of a transcendental function or a power differs between Go and JavaScript, and the rest of the query tells",
    applies: (q, want, got) =>
      want.error === undefined &&
      got.error === undefined &&
      /exp|ln|log|sin|cos|tan|\^|rad|deg|stdvar|stddev/.test(q.query) &&
      /%|floor|ceil|round|[=!<>]=? |changes|resets|ts_of|rate|increase|quantile|count_values/.test(q.query),
  },
];

const isError = (a: Answer, part: string): boolean => a.error?.includes(part) === true;

/** Why the answers may differ; undefined when nothing explains it. */
export function explanation(q: Question, want: Answer, got: Answer): string | undefined {
  return KNOWN.find((k) => k.applies(q, want, got))?.why;
}

/** Says the first thing in which the answers differ; undefined when they agree. */
export function difference(want: Answer, got: Answer, order: Order, loose: boolean): string | undefined {
  const tolerance = loose ? LOOSE : TOLERANCE;
  if (want.error !== undefined || got.error !== undefined) {
    const a = normalError(want.error);
    const b = normalError(got.error);
    return a === b ? undefined : `error\n  want ${want.error}\n  got  ${got.error}`;
  }
  if (want.type !== got.type) return `type: want ${want.type}, got ${got.type}`;
  const a = normalNotes(want.notes);
  const b = normalNotes(got.notes);
  if (a !== b) return `annotations\n  want ${a}\n  got  ${b}`;
  const theirs = new Map(want.series.map((s) => [s.labels, s.points]));
  const ours = new Map(got.series.map((s) => [s.labels, s.points]));
  if (ours.size !== got.series.length) return "the same labels twice";
  for (const [labels, points] of theirs) {
    const mine = ours.get(labels);
    if (mine === undefined) return `missing ${labels} = ${JSON.stringify(points.slice(0, 3))}`;
    const what = differentPoints(points, mine, tolerance);
    if (what !== undefined) return `${labels} ${what}`;
  }
  for (const [labels, points] of ours) {
    if (!theirs.has(labels)) return `superfluous ${labels} = ${JSON.stringify(points.slice(0, 3))}`;
  }
  return differentOrder(want, got, order);
}

function differentOrder(want: Answer, got: Answer, order: Order): string | undefined {
  const list = (a: Answer): string[] => a.series.map((s) => (order === "rows" ? s.labels : (s.points[0]?.[1] ?? "")));
  if (order === "any") return undefined;
  const a = list(want);
  const b = list(got);
  const at = a.findIndex((x, i) => (order === "rows" ? x !== b[i] : !near(x, b[i] ?? "", LOOSE)));
  return at < 0 ? undefined : `order: at ${at} want ${a[at]}, got ${b[at]}`;
}

type Points = Answer["series"][number]["points"];

function differentPoints(want: Points, got: Points, tolerance: number): string | undefined {
  for (let i = 0; i < Math.max(want.length, got.length); i++) {
    const a = want[i];
    const b = got[i];
    if (a === undefined || b === undefined || a[0] !== b[0] || !near(a[1], b[1], tolerance)) {
      return `point ${i} of ${want.length}/${got.length}: want ${JSON.stringify(a)}, got ${JSON.stringify(b)}`;
    }
  }
  return undefined;
}

function near(a: string, b: string, tolerance: number): boolean {
  if (a === b) return true;
  const x = Number(a.replace("Inf", "Infinity"));
  const y = Number(b.replace("Inf", "Infinity"));
  return Math.abs(x - y) <= tolerance * Math.max(Math.abs(x), Math.abs(y));
}

function normalNote(note: string): string {
  const rounded = note.replace(
    /got (-?[0-9.]+e?[+-]?[0-9]*)/,
    (_, v: string) => `got ${Number(Number(v).toPrecision(9))}`,
  );
  return rounded
    .replace(' for metric name ""', "")
    .replace(/, from buckets \S+ to \S+, with a max diff of .* to \S+(?= \()/, "");
}

/**
 * Versions after 3.5 leave out a metric name that is empty, warn of sort in range queries, and tell what buckets were made
 * monotonic.
 */
function normalNotes(notes: readonly string[]): string {
  const known = notes.filter((n) => !n.includes("sort is ineffective for range queries"));
  // Which ten are told is Prometheus's chance.
  const omitted = known.filter((n) => n.endsWith("annotations omitted"));
  if (omitted.length > 0) return omitted.sort().join();
  return [...new Set(known.map(normalNote))].sort().join("\n  ");
}

/** Which two of several series an error names depends on the order in which a hash map is walked. */
function normalError(error: string | undefined): string | undefined {
  return error
    ?.replace("Scalar value NaN overflows int64", "Parameter value is NaN")
    .replace(/(found duplicate series|multiple matches for labels).*/s, "$1");
}
