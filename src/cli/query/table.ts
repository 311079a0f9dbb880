import { clip, displayWidth, pad, paint, type Screen, type Style, visible } from "./terminal.ts";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** What must be whole is never cut: the table is told as records rather. */
  readonly whole?: boolean;
  readonly style?: Style;
}

const GAP = 2;
/** A column that can be cut keeps this much. */
const NARROWEST = 6;

/**
 * Lines of a table, none wider than the screen: the widest columns are cut first. Where even that does not do, each row
 * becomes a record of `title value` lines.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  screen: Screen,
  indent = "",
): string[] {
  const cells = rows.map((row) => row.map(visible));
  const titles = columns.map((c) => visible(c.title));
  const natural = columns.map((_, c) => {
    return cells.reduce((w, row) => Math.max(w, displayWidth(row[c] ?? "")), displayWidth(titles[c] as string));
  });
  const room = screen.width - indent.length - GAP * (columns.length - 1);
  const widths = shrink(natural, columns, room);
  if (widths === undefined) return formatRecords(titles, cells, screen);
  const line = (row: readonly string[], style: (column: Column) => Style | undefined): string => {
    const fitted = columns.map((column, c) => {
      const text = pad(row[c] ?? "", widths[c] as number, column.align);
      const how = style(column);
      return how === undefined ? text : paint(screen, how, text);
    });
    // Padding at the end is nothing that anyone sees.
    const last = columns.length - 1;
    if (columns[last]?.align !== "right" && style(columns[last] as Column) === undefined) {
      fitted[last] = (fitted[last] as string).trimEnd();
    }
    return (indent + fitted.join(" ".repeat(GAP))).trimEnd();
  };
  const head = titles.every((t) => t === "") ? [] : [line(titles, () => "bold")];
  return [...head, ...cells.map((row) => line(row, (column) => column.style))];
}

/** Widths that fit together into the room; undefined where there are none. */
function shrink(natural: readonly number[], columns: readonly Column[], room: number): number[] | undefined {
  const widths = [...natural];
  let over = widths.reduce((sum, w) => sum + w, 0) - room;
  while (over > 0) {
    let widest = -1;
    columns.forEach((column, c) => {
      if (column.whole !== true && (widest < 0 || (widths[c] as number) > (widths[widest] as number))) widest = c;
    });
    if (widest < 0 || (widths[widest] as number) <= NARROWEST) return undefined;
    // Down to the next widest at most, then in turn.
    const others = widths.filter((w, c) => columns[c]?.whole !== true && w < (widths[widest] as number));
    const floor = Math.max(NARROWEST, ...others);
    const cut = Math.max(1, Math.min(over, (widths[widest] as number) - floor));
    widths[widest] = (widths[widest] as number) - cut;
    over -= cut;
  }
  return widths;
}

function formatRecords(titles: readonly string[], cells: readonly (readonly string[])[], screen: Screen): string[] {
  const out: string[] = [];
  for (const [i, row] of cells.entries()) {
    if (i > 0) out.push("");
    titles.forEach((title, c) => {
      const cell = row[c] ?? "";
      if (cell !== "") out.push(clip(title === "" ? cell : `${title} ${cell}`, screen.width));
    });
  }
  return out;
}
