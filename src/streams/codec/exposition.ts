import { isUtf8 } from "node:buffer";
import { asBuffer } from "../../lib/utf8.ts";
import { MalformedBody } from "../../model/ingest.ts";
import { DECIMAL_OK, DECIMAL_RANGE, type DecimalResult, parseDecimal, parseInteger } from "./decimal.ts";
import { unescapeText } from "./exposition-labels.ts";

/**
 * Prometheus's text exposition format 0.0.4, with the quoted UTF-8 names of 1.0.0
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * The parser walks the bytes once and hands out where a series stands instead of what it is: who has seen the same text
 * before needs no label of it. The text was checked, so `expositionLabels` never fails on a reported span.
 */
export interface ExpositionHandler {
  /**
   * One sample: its series is `bytes[start, end)` (`name`, `name{...}` or `{"name", ...}`).
   * `timestamp` is Unix milliseconds, NaN when the line has none. `line` counts from 1.
   */
  sample(start: number, end: number, value: number, timestamp: number, line: number): void;
  /** `# HELP`, unescaped. */
  help?(metric: string, text: string): void;
  /** `# TYPE`: counter, gauge, histogram, summary or untyped. */
  type?(metric: string, type: string): void;
}

/** The text breaks the format; `line` counts from 1. Samples of earlier lines have been reported by then. */
export class ExpositionError extends MalformedBody {
  readonly line: number;
  constructor(line: number, message: string) {
    super("malformed_exposition", `line ${line}: ${message}`);
    this.name = "ExpositionError";
    this.line = line;
  }
}

const TYPES: ReadonlySet<string> = new Set(["counter", "gauge", "histogram", "summary", "untyped"]);

// Classes of bytes: 1 may start a label name, 2 may start a metric name (also ':'), 4 may follow in a label name, 8 in a metric name.
const CLASS = new Uint8Array(256);
for (let c = 0; c < 128; c++) {
  const letter = (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95;
  if (letter) CLASS[c] = 1 | 2 | 4 | 8;
  else if (c === 58) CLASS[c] = 2 | 8;
  else if (c >= 48 && c <= 57) CLASS[c] = 4 | 8;
}

/** Parses a whole body; reports to `handler` in the order of the text. Throws `ExpositionError`. */
export function parseExposition(bytes: Uint8Array, handler: ExpositionHandler): void {
  const end = bytes.length;
  if (!isUtf8(bytes)) throw new ExpositionError(lineOfBadUtf8(bytes), "invalid UTF-8");
  const number: DecimalResult = { value: 0, status: 0 };
  let line = 1;
  let i = 0;
  while (i < end) {
    i = skipBlanks(bytes, i, end);
    if (i >= end) return;
    const c = bytes[i] as number;
    if (c === 10) {
      i++;
      line++;
      continue;
    }
    if (c === 13 && (i + 1 === end || bytes[i + 1] === 10)) {
      i++;
      continue;
    }
    if (c === 35) {
      i = parseComment(bytes, i, line, handler);
      continue;
    }
    const startLine = line;
    const start = i;
    i = skipSeries(bytes, start, line);
    const seriesEnd = i;
    // A quoted label value may span lines.
    for (let k = start; k < seriesEnd; k++) if (bytes[k] === 10) line++;

    i = skipBlanks(bytes, i, end);
    const valueStart = i;
    i = skipWord(bytes, i, end);
    if (i === valueStart) throw new ExpositionError(startLine, `no value after ${quote(bytes, start, seriesEnd)}`);
    parseDecimal(bytes, valueStart, i, number);
    if (number.status !== DECIMAL_OK) {
      const what = number.status === DECIMAL_RANGE ? "value out of range" : "invalid value";
      throw new ExpositionError(
        startLine,
        `${what} ${quote(bytes, valueStart, i)} of ${quote(bytes, start, seriesEnd)}`,
      );
    }
    let timestamp = Number.NaN;
    i = skipBlanks(bytes, i, end);
    if (!atLineEnd(bytes, i, end)) {
      const timeStart = i;
      i = skipWord(bytes, i, end);
      timestamp = parseInteger(bytes, timeStart, i);
      if (Number.isNaN(timestamp)) {
        throw new ExpositionError(
          startLine,
          `invalid timestamp ${quote(bytes, timeStart, i)} (Unix milliseconds expected)`,
        );
      }
      i = skipBlanks(bytes, i, end);
      if (!atLineEnd(bytes, i, end)) {
        throw new ExpositionError(
          startLine,
          `unexpected ${quote(bytes, i, skipWord(bytes, i, end))} after the timestamp`,
        );
      }
    }
    handler.sample(start, seriesEnd, number.value, timestamp, startLine);
  }
}

/** Checks the series that starts at `i` and returns the position after it. */
function skipSeries(bytes: Uint8Array, start: number, line: number): number {
  const end = bytes.length;
  let i = start;
  let named = false;
  if (((CLASS[bytes[i] as number] as number) & 2) !== 0) {
    named = true;
    i++;
    while (i < end && ((CLASS[bytes[i] as number] as number) & 8) !== 0) i++;
  }
  const afterName = i;
  const brace = skipBlanks(bytes, i, end);
  if (brace >= end || bytes[brace] !== 123) {
    if (named) return afterName;
    throw new ExpositionError(line, `expected a metric name, got ${quote(bytes, start, skipWord(bytes, start, end))}`);
  }
  i = skipBlanks(bytes, brace + 1, end);
  while (i < end && bytes[i] !== 125) {
    const nameStart = i;
    const quoted = bytes[i] === 34;
    if (quoted) i = skipQuoted(bytes, i, line);
    else if (((CLASS[bytes[i] as number] as number) & 1) !== 0) {
      i++;
      while (i < end && ((CLASS[bytes[i] as number] as number) & 4) !== 0) i++;
    } else {
      throw new ExpositionError(line, `expected a label name or "}", got ${quote(bytes, i, skipWord(bytes, i, end))}`);
    }
    const nameEnd = i;
    i = skipBlanks(bytes, i, end);
    if (i < end && bytes[i] === 61) {
      if (quoted && nameEnd - nameStart === 2) throw new ExpositionError(line, "empty label name");
      i = skipBlanks(bytes, i + 1, end);
      if (i >= end || bytes[i] !== 34) {
        throw new ExpositionError(line, `expected a quoted value of label ${quote(bytes, nameStart, nameEnd)}`);
      }
      i = skipQuoted(bytes, i, line);
    } else if (quoted && !named) {
      if (nameEnd - nameStart === 2) throw new ExpositionError(line, "empty metric name");
      named = true;
    } else {
      throw new ExpositionError(
        line,
        quoted
          ? `second metric name ${quote(bytes, nameStart, nameEnd)}`
          : `expected "=" after label ${quote(bytes, nameStart, nameEnd)}`,
      );
    }
    i = skipBlanks(bytes, i, end);
    if (i < end && bytes[i] === 44) i = skipBlanks(bytes, i + 1, end);
    else if (i < end && bytes[i] !== 125) {
      throw new ExpositionError(line, `expected "," or "}", got ${quote(bytes, i, skipWord(bytes, i, end))}`);
    }
  }
  if (i >= end) throw new ExpositionError(line, `label set of ${quote(bytes, start, afterName)} is not closed`);
  if (!named) throw new ExpositionError(line, "metric name is missing");
  return i + 1;
}

/** Returns the position after the closing quote of the string that opens at `i`. */
function skipQuoted(bytes: Uint8Array, start: number, line: number): number {
  const end = bytes.length;
  let i = start + 1;
  while (i < end) {
    const c = bytes[i] as number;
    if (c === 34) return i + 1;
    i += c === 92 ? 2 : 1;
  }
  throw new ExpositionError(line, "a quoted string is not closed");
}

/** Handles the comment that starts at `i` ('#'); returns the position of the line's end. */
function parseComment(bytes: Uint8Array, hash: number, line: number, handler: ExpositionHandler): number {
  let end = bytes.indexOf(10, hash);
  if (end < 0) end = bytes.length;
  const lineEnd = end;
  if (end > hash && bytes[end - 1] === 13) end--;
  let i = skipBlanks(bytes, hash + 1, end);
  const isHelp = startsWithWord(bytes, i, end, HELP);
  if (i === hash + 1 || !(isHelp || startsWithWord(bytes, i, end, TYPE))) return lineEnd;
  const keyword = isHelp ? "HELP" : "TYPE";
  i = skipBlanks(bytes, i + 4, end);
  const nameStart = i;
  let metric: string;
  if (i < end && bytes[i] === 34) {
    i = skipQuoted(bytes, i, line);
    if (i > end) throw new ExpositionError(line, "a quoted string is not closed");
    metric = unescapeText(asBuffer(bytes).toString("utf8", nameStart + 1, i - 1), true);
  } else {
    if (i < end && ((CLASS[bytes[i] as number] as number) & 2) !== 0) {
      while (i < end && ((CLASS[bytes[i] as number] as number) & 8) !== 0) i++;
    }
    metric = asBuffer(bytes).toString("latin1", nameStart, i);
  }
  const blank = i;
  i = skipBlanks(bytes, i, end);
  if (metric === "" || (i === blank && i < end))
    throw new ExpositionError(line, `invalid metric name after # ${keyword}`);
  const text = asBuffer(bytes).toString("utf8", i, end);
  if (isHelp) {
    handler.help?.(metric, unescapeText(text, false));
    return lineEnd;
  }
  const type = text.trimEnd();
  if (!TYPES.has(type)) throw new ExpositionError(line, `invalid metric type ${JSON.stringify(type)} of ${metric}`);
  handler.type?.(metric, type);
  return lineEnd;
}

const HELP = Uint8Array.from([72, 69, 76, 80]);
const TYPE = Uint8Array.from([84, 89, 80, 69]);

/** True when the word of four letters stands at `i` and a blank or the end follows. */
function startsWithWord(bytes: Uint8Array, i: number, end: number, word: Uint8Array): boolean {
  if (end - i < 4) return false;
  for (let k = 0; k < 4; k++) if (bytes[i + k] !== word[k]) return false;
  return i + 4 === end || bytes[i + 4] === 32 || bytes[i + 4] === 9;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && (bytes[i] === 32 || bytes[i] === 9)) i++;
  return i;
}

/** To the next blank or line end. */
function skipWord(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  for (; i < end; i++) {
    const c = bytes[i] as number;
    if (c === 32 || c === 9 || c === 10 || (c === 13 && (i + 1 === end || bytes[i + 1] === 10))) break;
  }
  return i;
}

function atLineEnd(bytes: Uint8Array, i: number, end: number): boolean {
  return i >= end || bytes[i] === 10 || (bytes[i] === 13 && (i + 1 === end || bytes[i + 1] === 10));
}

/** The bytes as a short quoted text for a message. */
function quote(bytes: Uint8Array, start: number, end: number): string {
  const text = asBuffer(bytes).toString("utf8", start, Math.min(end, start + 120));
  return JSON.stringify(end - start > 120 ? `${text}…` : text);
}

/** Line of the first byte that breaks UTF-8: a line feed never stands inside a character. */
function lineOfBadUtf8(bytes: Uint8Array): number {
  let line = 1;
  let start = 0;
  while (start < bytes.length) {
    let end = bytes.indexOf(10, start);
    if (end < 0) end = bytes.length;
    if (!isUtf8(bytes.subarray(start, end))) return line;
    line++;
    start = end + 1;
  }
  return line;
}
