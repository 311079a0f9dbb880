import type { Silence, SilenceDraft } from "../../actors/alert/silence.core.ts";
import { parseRecurrence } from "../../actors/alert/silence-recurrence.ts";
import { parseDuration } from "../../lib/duration.ts";
import { goQuote } from "../../lib/go-quote.ts";
import { findJsonError } from "../../lib/json-error.ts";
import type { PostedAlert } from "../../model/alerts.ts";
import { type Labels, labelsFromEntries } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";

/** Bodies of Alertmanager's API v2. */

/** A body that cannot be used, answered as Alertmanager answers: 400 for another shape, 422 for what is missing. */
export class BodyError extends Error {
  readonly status: 400 | 422;
  /** go-openapi's: 400 for what cannot be parsed, 601 wrong type, 602 missing, 612 too few. */
  readonly code: number;
  constructor(status: 400 | 422, code: number, message: string) {
    super(message);
    this.name = "BodyError";
    this.status = status;
    this.code = code;
  }
}

type Json = Readonly<Record<string, unknown>>;

function parseBody(name: string, body: Buffer | undefined): unknown {
  const text = body?.toString("utf8") ?? "";
  if (text === "") throw missing(name);
  try {
    return JSON.parse(text);
  } catch {
    const { offset, found } = findJsonError(text);
    throw unreadable(name, `${found} at character ${offset} is no JSON`);
  }
}

const unreadable = (name: string, reason: string) =>
  new BodyError(400, 400, `parsing ${name} body from "" failed, because ${reason}`);
const missing = (path: string) => new BodyError(422, 602, `${path} in body is required`);

/** What of posted alerts is good, and why the others are not, in Alertmanager's words. */
export interface PostedBatch {
  readonly alerts: readonly PostedAlert[];
  readonly problems: readonly string[];
}

/** Throws BodyError for what is no list of alerts. */
export function readAlerts(body: Buffer | undefined, now: number): PostedBatch {
  const json = parseBody("alerts", body) ?? [];
  if (!Array.isArray(json)) throw unreadable("alerts", `${kindOf(json)} is no list of alerts`);
  const alerts: PostedAlert[] = [];
  const problems: string[] = [];
  // Every alert's shape is checked before any is taken.
  const drafts = json.map((item, i) => readAlert(item, i));
  for (const draft of drafts) {
    const problem = problemOf(draft, now);
    if (problem === undefined) alerts.push(draft);
    else problems.push(problem);
  }
  return { alerts, problems };
}

function readAlert(item: unknown, i: number): PostedAlert {
  const fields = objectOf("alerts", item, `alert ${i}`);
  const time = (key: string) => readTime("alerts", fields[key], key);
  const startsAt = time("startsAt");
  const endsAt = time("endsAt");
  const annotations = textsOf(fields.annotations) ?? stringMap("alerts", fields.annotations, "annotations");
  const labels = textsOf(fields.labels) ?? stringMap("alerts", fields.labels, "labels");
  const url = optionalString("alerts", fields.generatorURL, "generatorURL");
  if (fields.labels === undefined || fields.labels === null) throw missing(`${i}.labels`);
  const knownUrl = oneOf(goodUrls, url);
  if (url !== "" && knownUrl === undefined && !isUri(url)) {
    throw new BodyError(422, 601, `${i}.generatorURL in body must be of type uri: ${goQuote(url)}`);
  }
  // Alertmanager's rule: an alert of which only the end is known begins with it.
  const begin = startsAt > 0 ? startsAt : endsAt;
  return {
    labels: labelsOf(labels),
    annotations,
    generatorUrl: knownUrl ?? remember(goodUrls, url),
    ...(begin > 0 ? { startsAt: begin } : {}),
    ...(endsAt > 0 ? { endsAt } : {}),
  };
}

/** The object itself where it holds nothing but well-formed texts, as nearly all do; it is not changed by anybody. */
function textsOf(json: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const fields = json as Json;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (typeof value !== "string" || !value.isWellFormed() || !name.isWellFormed()) return undefined;
  }
  return fields as Readonly<Record<string, string>>;
}

function labelsOf(texts: Readonly<Record<string, string>>): Labels {
  const names = Object.keys(texts);
  const out: string[] = [];
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const value = texts[name] as string;
    // Most senders have them in their order.
    if (value === "" || (i > 0 && name <= (names[i - 1] as string))) return labelsFromEntries(Object.entries(texts));
    out.push(name, oneOf(values, value) ?? remember(values, value));
  }
  return out;
}

/**
 * Texts that came lately, each once: of very many alerts most labels are the same few. What is not repeated goes when there are too
 * many.
 */
const values = new Map<string, string>();
/** Such of which is known that they are URLs. */
const goodUrls = new Map<string, string>();
const REMEMBERED = 10_000;
const LONGEST_REMEMBERED = 512;

function oneOf(known: ReadonlyMap<string, string>, text: string): string | undefined {
  return text.length > LONGEST_REMEMBERED ? undefined : known.get(text);
}

function remember(known: Map<string, string>, text: string): string {
  if (text.length > LONGEST_REMEMBERED) return text;
  if (known.size >= REMEMBERED) known.clear();
  known.set(text, text);
  return text;
}

function problemOf(alert: PostedAlert, now: number): string | undefined {
  const { startsAt = now, endsAt } = alert;
  if (endsAt !== undefined && endsAt < startsAt) return "start time must be before end time";
  for (let i = 0; i < alert.labels.length; i += 2) {
    if (alert.labels[i] === "") return 'invalid label set: invalid name ""';
  }
  if (alert.labels.length === 0) return "at least one label pair required";
  return "" in alert.annotations ? 'invalid annotations: invalid name ""' : undefined;
}

/**
 * A silence as it is posted. What a client that knows Alertmanager's fields only leaves out stays as it was.
 * @param before the silence that is changed, if there is one
 */
export function readSilence(
  body: Buffer | undefined,
  before: (id: string) => Silence | undefined,
  now: number,
): SilenceDraft {
  const json = parseBody("silence", body);
  const fields = json === null ? {} : objectOf("silence", json, "the silence");
  const startsAt = readTime("silence", fields.startsAt, "startsAt");
  let endsAt = readTime("silence", fields.endsAt, "endsAt");
  const text = (key: string) => optionalString("silence", fields[key], key);
  const id = text("id");
  const createdBy = text("createdBy");
  const comment = text("comment");
  const own = ownFields(fields, before(id));
  if (endsAt === 0 && own.untilResolved === true) endsAt = Math.max(startsAt, now) + UNTIL_RESOLVED_MS;
  const given = (key: string) => fields[key] !== undefined && fields[key] !== null;
  for (const key of ["comment", "createdBy"]) if (!given(key)) throw missing(key);
  if (endsAt === 0) throw missing("endsAt");
  const matchers = readMatchers(fields.matchers);
  if (!given("startsAt")) throw missing("startsAt");
  const annotations = stringMap("silence", fields.annotations, "annotations");
  return {
    id,
    matchers,
    startsAt,
    endsAt,
    createdBy,
    comment,
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...own,
  };
}

/** An until-resolved silence without an end has one all the same: alerts that never come must not be muted for ever. */
const UNTIL_RESOLVED_MS = 30 * 86_400_000;

function ownFields(
  fields: Json,
  before: Silence | undefined,
): Pick<SilenceDraft, "recurrence" | "untilResolved" | "noticeBeforeMs"> {
  const { recurrence, untilResolved, noticeBefore } = fields;
  if (untilResolved !== undefined && untilResolved !== null && typeof untilResolved !== "boolean") {
    throw unreadable("silence", `untilResolved is ${kindOf(untilResolved)}, not true or false`);
  }
  const until = untilResolved === undefined ? before?.untilResolved : untilResolved === true;
  const intervals =
    recurrence === undefined ? before?.recurrence : own("recurrence", () => parseRecurrence(recurrence));
  const notice =
    noticeBefore === undefined
      ? before?.noticeBeforeMs
      : own("noticeBefore", () => parseDuration(optionalString("silence", noticeBefore, "noticeBefore") || "0s"));
  return {
    ...(intervals !== undefined && intervals.length > 0 ? { recurrence: intervals } : {}),
    ...(until === true ? { untilResolved: true } : {}),
    ...(notice !== undefined && notice > 0 ? { noticeBeforeMs: notice } : {}),
  };
}

function own<A>(field: string, read: () => A): A {
  try {
    return read();
  } catch (e) {
    if (e instanceof BodyError) throw e;
    throw unreadable("silence", `${field}: ${(e as Error).message}`);
  }
}

function readMatchers(json: unknown): Matcher[] {
  if (json === undefined || json === null) throw missing("matchers");
  if (!Array.isArray(json)) throw unreadable("silence", `matchers is ${kindOf(json)}, not a list`);
  const rows = json.map((item, i) => objectOf("silence", item, `matcher ${i}`));
  if (rows.length === 0) throw new BodyError(422, 612, "matchers in body should have at least 1 items");
  return rows.map((fields, i) => {
    for (const key of ["isRegex", "name", "value"]) {
      if (fields[key] === undefined || fields[key] === null) throw missing(`matchers.${i}.${key}`);
    }
    const flag = (key: string, fallback: boolean) => {
      const value = fields[key] ?? fallback;
      if (typeof value !== "boolean") throw unreadable("silence", `${key} is ${kindOf(value)}, not true or false`);
      return value;
    };
    const regex = flag("isRegex", false);
    const equal = flag("isEqual", true);
    const text = (key: string) => optionalString("silence", fields[key], key);
    return { name: text("name"), op: equal ? (regex ? "=~" : "=") : regex ? "!~" : "!=", value: text("value") };
  });
}

function objectOf(body: string, json: unknown, what: string): Json {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw unreadable(body, `${what} is ${kindOf(json)}, not an object`);
  }
  return json as Json;
}

function optionalString(body: string, json: unknown, key: string): string {
  if (json === undefined || json === null) return "";
  if (typeof json !== "string") throw unreadable(body, `${key} is ${kindOf(json)}, not a string`);
  return json.toWellFormed();
}

function stringMap(body: string, json: unknown, key: string): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  if (json === undefined || json === null) return out;
  for (const [name, value] of Object.entries(objectOf(body, json, key))) {
    out[name.toWellFormed()] = optionalString(body, value, `${key}.${name}`);
  }
  return out;
}

function kindOf(json: unknown): string {
  if (json === null) return "null";
  if (Array.isArray(json)) return "a list";
  return typeof json === "object" ? "an object" : `a ${typeof json}`;
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)(?:T([01]\d|2[0-3]):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(Z|[+-]\d\d:\d\d)?)?$/;

/** A time as Alertmanager reads it, in Unix milliseconds; 0 when absent or Go's zero time, the earliest is 1. */
function readTime(body: string, json: unknown, key: string): number {
  const text = optionalString(body, json, key);
  if (text === "" || text === "0001-01-01T00:00:00Z" || text === "0001-01-01T00:00:00.000Z") return 0;
  const m = TIME.exec(text);
  if (m === null) throw unreadable(body, `${key} ${goQuote(text)} is no time as 2006-01-02T15:04:05Z`);
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone = "Z"] = m;
  const millis = fraction.slice(0, 3).padEnd(3, "0");
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millis}${zone}`);
  // Date.parse takes the 30th of February for the 1st of March.
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  if (Number.isNaN(ms) || Number(day) > days) throw unreadable(body, `${key} ${goQuote(text)} is out of range`);
  return Math.max(1, ms);
}

/** As Go's url.ParseRequestURI: with a scheme, or a path from the root. */
function isUri(text: string): boolean {
  return text.startsWith("/") || (/^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) && URL.canParse(text));
}
