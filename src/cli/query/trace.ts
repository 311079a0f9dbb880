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
    const notes = Object.entries(span.about ?? {}).map(([name, value]) => {
      return `${name} ${typeof value === "number" ? formatCount(value) : value}`;
    });
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
