import { BUILTIN_FUNCTIONS, queryEscape } from "../../../lib/gotemplate/builtins.ts";
import { goDuration } from "../../../lib/gotemplate/go-duration.ts";
import { checkZone } from "../../../lib/gotemplate/go-layout.ts";
import { goMatch, goReplaceAll } from "../../../lib/gotemplate/go-regexp.ts";
import { type TemplateTime, templateTime, timeOf } from "../../../lib/gotemplate/go-time.ts";
import { printValue, sprint } from "../../../lib/gotemplate/print.ts";
import { anyMap, type TemplateFunction, type Value } from "../../../lib/gotemplate/value.ts";
import { goLower, goTitle, goUpper, TEMPLATE_FUNCTIONS } from "../../rule/template-functions.ts";
import { safeText } from "./html-print.ts";

/** Alertmanager's template functions; those that need the time are made for it. */
export function notificationFunctions(now: number): Readonly<Record<string, TemplateFunction>> {
  return {
    ...FUNCTIONS,
    now: () => templateTime(now),
    since: (time: Value) => goDuration(BigInt(now - timeOf(time).atMs) * 1_000_000n),
  };
}

const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  toUpper: (text: Value) => goUpper(textOf(text)),
  toLower: (text: Value) => goLower(textOf(text)),
  title: (text: Value) => goTitle(textOf(text).toLowerCase()),
  trimSpace: (text: Value) => textOf(text).trim(),
  join: (separator: Value, list: Value) => listOf(list).map(printValue).join(textOf(separator)),
  match: (pattern: Value, text: Value) => goMatch(textOf(pattern), textOf(text)),
  reReplaceAll: (pattern: Value, replacement: Value, text: Value) =>
    goReplaceAll(textOf(pattern), textOf(replacement), textOf(text)),
  safeHtml: (text: Value) => safeText("html", textOf(text)),
  safeUrl: (text: Value) => safeText("url", textOf(text)),
  /** Go's own, but known as escaped where it stands in HTML. */
  html: (...args: Value[]) => safeText("html", String(BUILTIN_FUNCTIONS.html?.(...(args as never[])))),
  /** The same in a URL of HTML. */
  urlquery: (...args: Value[]) => safeText("query", queryEscape(sprint(args))),
  urlUnescape: (text: Value) => decodeURIComponent(textOf(text).replaceAll("+", " ")),
  stringSlice: (...texts: Value[]) => texts.map(textOf),
  list: (...values: Value[]) => values,
  append: (list: Value, ...values: Value[]) => [...(list === null ? [] : listOf(list)), ...values],
  dict: (...pairs: Value[]) => {
    if (pairs.length % 2 !== 0) throw new Error("dict requires an even number of arguments");
    const keys = pairs.filter((_, i) => i % 2 === 0);
    return anyMap(
      keys.map((key, i) => {
        if (typeof key !== "string") throw new Error("dict keys must be strings");
        return [key, pairs[2 * i + 1] as Value];
      }),
    );
  },
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

export const NOTIFICATION_FUNCTION_NAMES: readonly string[] = [...Object.keys(FUNCTIONS), "now", "since"];

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
  if (!Array.isArray(v)) throw new Error("wrong type for value; expected a list");
  return v as readonly Value[];
}
