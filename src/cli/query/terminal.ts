import type { WriteStream } from "node:tty";
import { isPrintable } from "../../lib/go-quote.ts";

/** What text is laid out for. */
export interface Screen {
  /** Columns; infinite where the output is no terminal. */
  readonly width: number;
  readonly color: boolean;
}

/** The screen of a stream: NO_COLOR and FORCE_COLOR are followed; COLUMNS or `width` tell the width where it is no terminal. */
export function screenOf(
  stream: Pick<WriteStream, "isTTY" | "columns">,
  env: Readonly<Record<string, string | undefined>>,
  width?: number,
): Screen {
  const forced = (env.FORCE_COLOR ?? "") !== "" && env.FORCE_COLOR !== "0";
  const color = (env.NO_COLOR ?? "") === "" && (forced || (stream.isTTY === true && env.TERM !== "dumb"));
  const told = Number.parseInt(env.COLUMNS ?? "", 10);
  const columns = width ?? (stream.isTTY === true ? stream.columns : undefined) ?? (told > 0 ? told : undefined);
  return { width: columns ?? Number.POSITIVE_INFINITY, color };
}

const BRIGHT = {
  brightRed: 91,
  brightGreen: 92,
  brightYellow: 93,
  brightBlue: 94,
  brightMagenta: 95,
  brightCyan: 96,
} as const;
const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, ...BRIGHT } as const;
export type Style = keyof typeof STYLES;

export function paint(screen: Screen, style: Style, text: string): string {
  return screen.color && text !== "" ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}

/** Colours of lines in a chart, in the order in which they are given out. */
export const LINE_STYLES: readonly Style[] = [
  ...(["cyan", "yellow", "magenta", "green", "blue", "red"] as const),
  ...(["brightCyan", "brightYellow", "brightMagenta", "brightGreen", "brightBlue", "brightRed"] as const),
];

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

function widthOf(char: string): number {
  if (char < "\u0300") return 1;
  if (NO_WIDTH.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** Columns that a text without escape sequences takes. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += widthOf(char);
  return width;
}

/** Cut to a width, with `…` where something is missing. */
export function clip(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let out = "";
  let used = 1;
  for (const char of text) {
    used += widthOf(char);
    if (used > width) break;
    out += char;
  }
  return width < 1 ? "" : `${out}…`;
}

/** Cut or filled up with spaces to a width. */
export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const clipped = clip(text, width);
  const space = " ".repeat(Math.max(0, width - displayWidth(clipped)));
  return align === "left" ? clipped + space : space + clipped;
}

/** Data as text that cannot steer the terminal: control and other invisible characters are shown as escapes, line ends too. */
export function visible(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  let out = "";
  for (const char of text.toWellFormed()) {
    const code = char.codePointAt(0) as number;
    if (isPrintable(code)) out += char;
    else if (char === "\n") out += "\\n";
    else if (char === "\t") out += "\\t";
    else out += `\\u${code < 0x10000 ? code.toString(16).padStart(4, "0") : `{${code.toString(16)}}`}`;
  }
  return out;
}

/** A long text over several lines, broken at spaces where there are some; later lines are indented. */
export function wrap(text: string, width: number, indent = ""): string[] {
  if (displayWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  const room = Math.max(width, indent.length + 2);
  for (const word of text.split(/(?<= )/)) {
    for (const piece of displayWidth(word) > room - indent.length ? [...word] : [word]) {
      if (displayWidth((line + piece).trimEnd()) > room && line.trim() !== "") {
        lines.push(line.trimEnd());
        line = indent;
      }
      line += piece;
    }
  }
  return [...lines, line.trimEnd()];
}
