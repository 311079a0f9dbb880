import type { Answer } from "./ask.ts";

/** What of an answer's order is promised. */
export type Order = "any" | "rows" | "values";

/** How far apart two values may be, as a share of the greater one: sums are added up in another order. */
const TOLERANCE = 1e-9;

/** Says the first thing in which the answers differ; undefined when they agree. */
export function difference(want: Answer, got: Answer, order: Order): string | undefined {
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
    const what = differentPoints(points, mine);
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
  const at = a.findIndex((x, i) => (order === "rows" ? x !== b[i] : !near(x, b[i] ?? "")));
  return at < 0 ? undefined : `order: at ${at} want ${a[at]}, got ${b[at]}`;
}

type Points = Answer["series"][number]["points"];

function differentPoints(want: Points, got: Points): string | undefined {
  for (let i = 0; i < Math.max(want.length, got.length); i++) {
    const a = want[i];
    const b = got[i];
    if (a === undefined || b === undefined || a[0] !== b[0] || !near(a[1], b[1])) {
      return `point ${i} of ${want.length}/${got.length}: want ${JSON.stringify(a)}, got ${JSON.stringify(b)}`;
    }
  }
  return undefined;
}

export function near(a: string, b: string): boolean {
  if (a === b) return true;
  const x = Number(a.replace("Inf", "Infinity"));
  const y = Number(b.replace("Inf", "Infinity"));
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y));
}

function normalNote(note: string): string {
  const rounded = note.replace(
    /got (-?[0-9.]+e?[+-]?[0-9]*)/,
    (_, v: string) => `got ${Number(Number(v).toPrecision(9))}`,
  );
  return rounded.replace(' for metric name ""', "");
}

/** Versions after 3.5 leave out a metric name that is empty, and warn of sort in range queries. */
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
