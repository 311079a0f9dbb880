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
    why: "later versions warn of counter resets that conflict",
    applies: (_, want, got) => {
      const known = got.notes.filter((n) => !n.includes("conflicting counter resets"));
      return known.length < got.notes.length && difference(want, { ...got, notes: known }, "any", false) === undefined;
    },
  },
  {
    why: "later versions leave out the sum or difference of histograms whose counter resets conflict",
    applies: (_, want, got) =>
      want.error === undefined &&
      got.notes.some((n) => /conflicting counter resets during histogram (addition|subtraction)/.test(n)),
  },
  {
    why: "later versions compare gauges that are read without buckets by their counts alone",
    applies: (q) => /histogram_(sum|count|avg)\(/.test(q.query) && /irate.*nh_gauge/.test(q.query),
  },
  {
    why: "what is said of two places of a query, later versions say of the first",
    applies: (_, want, got) =>
      String(want.notes) !== String(got.notes) &&
      difference({ ...want, notes: withoutPlaces(want) }, { ...got, notes: withoutPlaces(got) }, "any", true) ===
        undefined,
  },
  {
    why: "later versions take differences of histograms, and histograms below zero, for gauges",
    applies: (q, want, got) =>
      q.query.includes("-") &&
      difference({ ...want, notes: withoutKinds(want) }, { ...got, notes: withoutKinds(got) }, "any", true) ===
        undefined,
  },
  {
    why: "3.5 changes the buckets of histograms that it goes on using",
    applies: (_, want, got) => want.series.some(losesBuckets) && !got.series.some(losesBuckets),
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
  if (a.startsWith("{") && b.startsWith("{")) return nearHistograms(JSON.parse(a), JSON.parse(b), tolerance);
  const x = Number(a.replace("Inf", "Infinity"));
  const y = Number(b.replace("Inf", "Infinity"));
  return Math.abs(x - y) <= tolerance * Math.max(Math.abs(x), Math.abs(y));
}

interface ApiHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [inclusive: number, lower: string, upper: string, count: string])[];
}

const withoutPlaces = ({ notes }: Answer): string[] => notes.map((n) => n.replace(/ \(\d+:\d+\)$/, ""));

const withoutKinds = ({ notes }: Answer): string[] =>
  notes.filter((n) => !/this native histogram metric is not a (gauge|counter)/.test(n));

/** Whether the buckets of one of the histograms do not add up to its count. */
function losesBuckets({ points }: Answer["series"][number]): boolean {
  return points.some(([, v]) => {
    if (!v.startsWith("{")) return false;
    const { count, buckets = [] } = JSON.parse(v) as ApiHistogram;
    const sum = buckets.reduce((all, [, , , n]) => all + Number(n), 0);
    const most = buckets.reduce((all, [, , , n]) => Math.max(all, Math.abs(Number(n))), Math.abs(Number(count)));
    return Math.abs(sum - Number(count)) > LOOSE * most;
  });
}

/** Buckets that only rounding has populated are none. */
function nearHistograms(a: ApiHistogram, b: ApiHistogram, tolerance: number): boolean {
  const least = tolerance * Math.abs(Number(a.count));
  const populated = (h: ApiHistogram) => (h.buckets ?? []).filter(([, , , n]) => Math.abs(Number(n)) > least);
  const [x, y] = [populated(a), populated(b)];
  const sameBuckets = x.every(([inclusive, lower, upper, n], i) => {
    const other = y[i];
    if (other === undefined || inclusive !== other[0]) return false;
    return near(lower, other[1], tolerance) && near(upper, other[2], tolerance) && near(n, other[3], tolerance);
  });
  return near(a.count, b.count, tolerance) && near(a.sum, b.sum, tolerance) && x.length === y.length && sameBuckets;
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
