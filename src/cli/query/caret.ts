import { clip, displayWidth, paint, type Screen, visible } from "./terminal.ts";

/** A place in a query: lines from 1, columns in UTF-8 bytes from 1, as Prometheus tells it. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The place that an error message of the parser names, and the message without it. */
export function placeOf(message: string): { readonly place: Place; readonly text: string } | undefined {
  const m = /(?:^|[\s:])(\d{1,6}):(\d{1,7}): parse error: (.*)$/s.exec(message);
  return m === null ? undefined : { place: { line: Number(m[1]), column: Number(m[2]) }, text: m[3] as string };
}

/** The place at the end of a warning: `... for metric name "x" (1:6)`. */
export function placeOfNote(note: string): Place | undefined {
  const m = /\((\d{1,6}):(\d{1,7})\)$/.exec(note);
  return m === null ? undefined : { line: Number(m[1]), column: Number(m[2]) };
}

/**
 * The line of the query with a caret under the place, as two lines that are no wider than the screen: of a long line only the
 * surroundings are shown. Nothing where the query has no such place.
 */
export function formatCaret(query: string, { line, column }: Place, screen: Screen, indent = "  "): string[] {
  const text = query.split("\n")[line - 1];
  if (text === undefined || column < 1 || column > Buffer.byteLength(text) + 1) return [];
  const before = visible(
    Buffer.from(text)
      .subarray(0, column - 1)
      .toString("utf8"),
  );
  const rest = visible(
    Buffer.from(text)
      .subarray(column - 1)
      .toString("utf8"),
  );
  const room = Math.max(1, screen.width - indent.length - 1);
  // Keeps as much of what stands before as leaves a third of the room to what follows.
  const wanted = Math.min(displayWidth(rest), Math.floor(room / 3));
  const left = clipLeft(before, Math.max(0, room - wanted));
  const at = displayWidth(left);
  const shown = left + clip(rest, Math.max(0, room - at));
  return [indent + shown, indent + " ".repeat(at) + paint(screen, "red", "^")];
}

/** Cut at the beginning. */
function clipLeft(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const chars = [...text];
  while (chars.length > 0 && displayWidth(chars.join("")) + 1 > width) chars.shift();
  return width < 1 ? "" : `…${chars.join("")}`;
}
