import { QueryError } from "../../model/query.ts";
import { parseExpr, parseSelector } from "../../query/parse/parse.ts";
import { formatCaret, placeOf, placeOfNote } from "./caret.ts";
import type { Answer, Server } from "./client.ts";
import { ServerError } from "./client.ts";
import { paint, type Screen, screenOf, visible, wrap } from "./terminal.ts";
import { parseSpan, UsageError } from "./times.ts";

/** Options that every command has, as they were typed. */
export interface CommonOptions {
  readonly url: string;
  readonly tenant?: string;
  readonly timeout?: string;
  readonly output: string;
  readonly width?: string;
}

/** What a command works with; tests bring their own. */
export interface Io {
  readonly out: Screen;
  readonly err: Screen;
  readonly write: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** The terminal, or whatever the output goes to. */
export function processIo(width: string | undefined): Io {
  const columns = width === undefined ? undefined : wholeNumber(width, "--width", 20);
  return {
    out: screenOf(process.stdout, process.env, columns),
    err: screenOf(process.stderr, process.env, columns),
    write: (text) => void process.stdout.write(text),
    complain: (text) => void process.stderr.write(text),
    now: Date.now,
  };
}

export function serverOf(options: CommonOptions): Server {
  return {
    url: options.url,
    ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
    ...(options.timeout === undefined ? {} : { timeoutMs: parseSpan(options.timeout, "--timeout") }),
  };
}

/** A whole number of at least `least`. Throws `UsageError`. */
export function wholeNumber(text: string, option: string, least: number): number {
  const n = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (n >= least) return n;
  throw new UsageError(`${option}: ${JSON.stringify(text)} is no whole number of at least ${least}`);
}

export function writeLines(io: Io, lines: readonly string[]): void {
  if (lines.length > 0) io.write(`${lines.join("\n")}\n`);
}

/** Warnings and infos of an answer, each with the place in the query that it names. */
export function tellNotes(io: Io, { warnings, infos }: Pick<Answer<unknown>, "warnings" | "infos">, query = ""): void {
  const tell = (kind: "warning" | "info", note: string): void => {
    const place = placeOfNote(note);
    const lines = wrap(`${kind}: ${visible(note.replace(/^PromQL (warning|info): /, ""))}`, io.err.width, "  ");
    lines[0] = (lines[0] as string).replace(
      `${kind}:`,
      paint(io.err, kind === "warning" ? "yellow" : "blue", `${kind}:`),
    );
    if (place !== undefined) lines.push(...formatCaret(query, place, io.err));
    io.complain(`${lines.join("\n")}\n`);
  };
  for (const note of warnings) tell("warning", note);
  for (const note of infos) tell("info", note);
}

/**
 * Says what went wrong, with a caret under the place in the query where there is one (`texts`: the query, or selectors). Returns the exit code: 2 when what was
 * asked is wrong (options, PromQL), 1 when the server could not answer it. Throws what is neither.
 */
export function tellError(io: Io, error: unknown, texts: readonly string[] = []): number {
  const isKnown = error instanceof UsageError || error instanceof ServerError || error instanceof QueryError;
  if (!isKnown) throw error;
  const query = texts.length > 1 ? texts.find((text) => !isSelector(text)) : texts[0];
  const found = query === undefined ? undefined : placeIn(error, query);
  const kind = error instanceof ServerError && error.type !== "" ? KINDS[error.type] : undefined;
  const message = found?.text ?? error.message;
  const label = found === undefined ? "error:" : "parse error:";
  const lines = wrap(`${label} ${visible(kind === undefined ? message : `${kind}: ${message}`)}`, io.err.width, "  ");
  lines[0] = (lines[0] as string).replace(label, paint(io.err, "red", label));
  if (found !== undefined && query !== undefined) lines.push(...formatCaret(query, found.place, io.err));
  if (error instanceof ServerError && error.hint !== undefined)
    lines.push(...wrap(`hint: ${error.hint}`, io.err.width, "  "));
  io.complain(`${lines.join("\n")}\n`);
  return error instanceof ServerError && error.type !== "bad_data" ? 1 : 2;
}

/** Which of several selectors the server means it does not say. */
function isSelector(text: string): boolean {
  try {
    parseSelector(text);
    return true;
  } catch (e) {
    if (e instanceof QueryError) return false;
    throw e;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  timeout: "took too long",
  execution: "cannot be evaluated",
  unavailable: "not now",
  internal: "a fault of the server",
};

/** Where the error is; a server that tells no place is helped out by the parser here. */
function placeIn(error: Error, query: string) {
  const told = placeOf(error.message);
  if (told !== undefined || !(error instanceof ServerError) || error.type !== "bad_data") return told;
  if (!/parse error/.test(error.message)) return undefined;
  try {
    parseExpr(query);
  } catch (e) {
    if (e instanceof QueryError) return placeOf(e.message);
  }
  return undefined;
}
