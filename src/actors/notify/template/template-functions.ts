import { queryEscape } from "../../../lib/gotemplate/builtins.ts";
import { goMatch, goReplaceAll } from "../../../lib/gotemplate/go-regexp.ts";
import { printValue, sprint } from "../../../lib/gotemplate/print.ts";
import type { TemplateFunction, Value } from "../../../lib/gotemplate/value.ts";
import { TEMPLATE_FUNCTIONS } from "../../rule/template-functions.ts";
import { checkZone } from "./go-layout.ts";
import { safeText } from "./html-print.ts";
import { goDuration, type TemplateTime, templateTime, timeOf } from "./template-time.ts";

/** Alertmanager's template functions; those that need the time are made for it. */
export function notificationFunctions(now: number): Readonly<Record<string, TemplateFunction>> {
  return { ...FUNCTIONS, since: (time: Value) => goDuration((now - timeOf(time).atMs) / 1000) };
}

const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  toUpper: (text: Value) => textOf(text).toUpperCase(),
  toLower: (text: Value) => textOf(text).toLowerCase(),
  title: (text: Value) =>
    textOf(text)
      .toLowerCase()
      .replace(/(^|[^\p{L}\p{Nd}_'’])(\p{Ll})/gu, (_, before: string, letter: string) => before + letter.toUpperCase()),
  trimSpace: (text: Value) => textOf(text).trim(),
  join: (separator: Value, list: Value) => listOf(list).map(printValue).join(textOf(separator)),
  match: (pattern: Value, text: Value) => goMatch(textOf(pattern), textOf(text)),
  reReplaceAll: (pattern: Value, replacement: Value, text: Value) =>
    goReplaceAll(textOf(pattern), textOf(replacement), textOf(text)),
  safeHtml: (text: Value) => safeText("html", textOf(text)),
  safeUrl: (text: Value) => safeText("url", textOf(text)),
  /** Go's own, but known as escaped where it stands in a URL of HTML. */
  urlquery: (...args: Value[]) => safeText("query", queryEscape(sprint(args))),
  urlUnescape: (text: Value) => decodeURIComponent(textOf(text).replaceAll("+", " ")),
  stringSlice: (...texts: Value[]) => texts,
  date: (layout: Value, time: Value) => {
    const at = timeOf(time) as TemplateTime & { Format: (layout: Value) => Value };
    return at.Format(layout);
  },
  tz: (zone: Value, time: Value) => {
    checkZone(textOf(zone));
    return templateTime(timeOf(time).atMs, textOf(zone));
  },
  humanizeDuration: (v: Value) => {
    const seconds = (v as { Seconds?: () => number } | null)?.Seconds;
    return TEMPLATE_FUNCTIONS.humanizeDuration?.((seconds === undefined ? v : seconds()) as never) ?? "";
  },
  toJson: (v: Value) => goJson(v),
};

export const NOTIFICATION_FUNCTION_NAMES: readonly string[] = [...Object.keys(FUNCTIONS), "since"];

/** As Go's json.Marshal: keys of maps in order, `<`, `>` and `&` escaped. */
export function goJson(value: unknown): string {
  const text = JSON.stringify(value, (_, v: unknown) => {
    if (v instanceof Map) return Object.fromEntries([...v].sort(([a], [b]) => (a < b ? -1 : 1)));
    return typeof v === "bigint" ? Number(v) : v;
  });
  return (text ?? "null").replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function textOf(v: Value): string {
  if (typeof v === "string") return v;
  const own = (v as { toText?: () => string } | null)?.toText;
  if (own !== undefined) return own();
  throw new Error(`wrong type for value; expected string; got ${printValue(v)}`);
}

function listOf(v: Value): readonly Value[] {
  if (!Array.isArray(v)) throw new Error("wrong type for value; expected []string");
  return v as readonly Value[];
}
