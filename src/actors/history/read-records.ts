import type { AlertHistory, HistoryEvent } from "./alert-history.ts";

/** The streams, as src/streams/nats/read-history.ts reads them; it may not be imported from there by name alone. */
export type ReadStream = (request: {
  readonly stream: "alerts" | "notifications";
  readonly subjects: readonly string[];
  readonly from?: number;
  readonly around?: number;
  readonly lastOnly?: boolean;
  readonly limit: number;
  readonly patienceMs: number;
}) => Promise<{
  readonly messages: readonly { readonly subject: string; readonly time: number; readonly data: Uint8Array }[];
  readonly truncated: boolean;
  readonly begin: number | undefined;
}>;

/** Reads records of both kinds for one explanation, and remembers what could not be read. */
export interface Records {
  read(stream: "alerts" | "notifications", subjects: readonly string[], options?: ReadOptions): Promise<HistoryEvent[]>;
  begin(stream: "alerts" | "notifications"): number | null;
  readonly problems: Set<string>;
}

export interface ReadOptions {
  readonly from?: number;
  readonly patienceMs?: number;
  readonly lastOnly?: boolean;
}

const LIMIT = 3000;
/** All reads of one explanation together. */
const PATIENCE_MS = 800;
/** One that begins when that is over. */
const LEAST_MS = 250;
const decoder = new TextDecoder();

/** @param around Unix ms: of many records those around this time are read */
export function openRecords(history: AlertHistory, readStream: ReadStream, around: number): Records {
  const problems = new Set<string>();
  const until = performance.now() + PATIENCE_MS;
  const begins = new Map<string, number | null>();
  return {
    problems,
    begin: (stream) => begins.get(stream) ?? null,
    read: async (stream, subjects, { from, lastOnly, patienceMs = PATIENCE_MS } = {}) => {
      const left = Math.max(LEAST_MS, Math.min(patienceMs, until - performance.now()));
      const limits = { around, limit: LIMIT, patienceMs: left };
      const window = from === undefined ? {} : { from };
      const newest = lastOnly === undefined ? {} : { lastOnly };
      const out: HistoryEvent[] = [];
      try {
        const answer = await readStream({ stream, subjects, ...window, ...newest, ...limits });
        begins.set(stream, answer.begin ?? null);
        for (const m of answer.messages) out.push(...decoded(m));
        if (answer.truncated) problems.add(tooMany(answer.messages));
      } catch (e) {
        const why = e instanceof Error ? e.message : String(e);
        const since = new Date(history.since()).toISOString();
        problems.add(`the stream of ${stream} could not be read (${why}): only what this process keeps since ${since}`);
      }
      const known = new Set(out.map((x) => keyOf(x)));
      const fits = matching(subjects);
      const recent = history.recentBelow("tocsin.").filter((x) => fits(x.subject));
      for (const x of recent) if (!known.has(keyOf(x)) && x.time >= (from ?? 0)) out.push(x);
      return out.sort((a, b) => a.time - b.time);
    },
  };
}

function tooMany(read: readonly { readonly time: number }[]): string {
  const [first, last] = [read[0], read.at(-1)];
  const which =
    first === undefined || last === undefined
      ? "none was read in time"
      : `only those from ${new Date(first.time).toISOString()} to ${new Date(last.time).toISOString()} were read`;
  return `there are more records than can be read at once, so alerts may be missing here (${which}): give all labels of the alert, or a shorter window`;
}

function decoded(m: { readonly subject: string; readonly time: number; readonly data: Uint8Array }): HistoryEvent[] {
  try {
    const event = JSON.parse(decoder.decode(m.data)) as HistoryEvent["event"];
    if (typeof event !== "object" || event === null || Array.isArray(event)) return [];
    const said = typeof event.time === "string" ? Date.parse(event.time) : Number.NaN;
    return [{ subject: m.subject, time: Number.isNaN(said) ? m.time : said, event, from: "stream" }];
  } catch {
    // Whoever can publish can publish anything.
    return [];
  }
}

/** Events have their time in them, so what is in both is the same text. */
function keyOf({ subject, event }: HistoryEvent): string {
  return `${subject} ${JSON.stringify(event)}`;
}

/** Tests a subject against exact ones and such with `*`. */
function matching(subjects: readonly string[]): (subject: string) => boolean {
  const exact = new Set(subjects.filter((s) => !s.includes("*")));
  const patterns = subjects
    .filter((s) => s.includes("*"))
    .map(
      (s) =>
        new RegExp(
          `^${s
            .split(".")
            .map((part) => (part === "*" ? "[^.]+" : RegExp.escape(part)))
            .join("\\.")}$`,
        ),
    );
  return (subject) => exact.has(subject) || patterns.some((p) => p.test(subject));
}
