import type { TraceJson } from "./answer.ts";
import { formatCount } from "./answer.ts";
import { type Column, formatTable } from "./table.ts";
import type { Screen } from "./terminal.ts";

const COLUMNS: readonly Column[] = [
  { title: "trace" },
  { title: "ms", align: "right", whole: true },
  { title: "%", align: "right", whole: true },
  { title: "", style: "dim" },
];

/** Where the time of a query went as an indented table; shares are of the whole. */
export function formatTrace(trace: TraceJson, screen: Screen): string[] {
  const rows: string[][] = [];
  const walk = (span: TraceJson, first: string, rest: string): void => {
    const share = trace.ms > 0 ? ((100 * span.ms) / trace.ms).toFixed(1) : "";
    const notes = Object.entries(span.about ?? {}).flatMap(([name, value]) => noteOf(name, value));
    if (span.parallel === true && (span.children?.length ?? 0) > 1) notes.unshift("at the same time");
    rows.push([first + span.name, span.ms.toFixed(3), share, notes.join(", ")]);
    span.children?.forEach((child, i, all) => {
      const isLast = i === all.length - 1;
      walk(child, `${rest}${isLast ? "└─ " : "├─ "}`, `${rest}${isLast ? "   " : "│  "}`);
    });
  };
  walk(trace, "", "");
  return formatTable(COLUMNS, rows, screen);
}

/** `bytesRead` of JSON is `bytes read` here; counts of nothing are left out, except of what one looks for. */
function noteOf(name: string, value: string | number): string[] {
  if (typeof value === "string") return [`${name} ${value}`];
  if (value === 0 && !ALWAYS.has(name)) return [];
  return [`${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)} ${formatCount(value)}`];
}

const ALWAYS: ReadonlySet<string> = new Set(["series", "samples", "rows"]);
