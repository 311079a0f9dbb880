import { queryEscape } from "../../../lib/gotemplate/builtins.ts";
import type { Print } from "../../../lib/gotemplate/evaluate.ts";
import { printValue } from "../../../lib/gotemplate/print.ts";
import type { Value } from "../../../lib/gotemplate/value.ts";

/** A text that a template has vouched for: as HTML, as a URL, or as escaped for a query. */
export function safeText(safe: "html" | "url" | "query", text: string): Value {
  return { safe, toText: () => text };
}

/** Where in an HTML document a value stands. */
interface Place {
  in: "text" | "tag" | "value" | "comment" | "script";
  /** Of the tag, then of the attribute: what has been read of it. */
  name: string;
  tag: string;
  quote: '"' | "'" | "";
  /** Of the attribute's value so far. */
  value: string;
}

const URL_ATTRIBUTES: ReadonlySet<string> = new Set(
  "action background cite data formaction href poster src".split(" "),
);

/**
 * Writes values into HTML so that they stay text: escaped by where they stand, as Go's html/template does for text,
 * attributes and URLs. Values inside a script become JSON texts. One printer serves one execution.
 */
export function htmlPrinter(): Print {
  const place: Place = { in: "text", name: "", tag: "", quote: "", value: "" };
  let seen = 0;
  return (value, before) => {
    for (; seen < before.length; seen++) for (const c of before[seen] as string) advance(place, c);
    return escapeAt(place, value);
  };
}

function escapeAt(place: Place, value: Value): string {
  if (value === null) return "";
  const safe = (value as { safe?: string }).safe;
  const text = printValue(value);
  if (place.in === "script") return place.tag === "style" ? styleText(text) : scriptText(text);
  if (place.in === "comment") return "";
  if (place.in === "text") return safe === "html" ? text : escapeHtml(text);
  if (place.in === "value" && URL_ATTRIBUTES.has(place.name)) return escapeAttribute(place, urlPart(place, text, safe));
  if (place.in === "value" && place.name.startsWith("on")) return escapeAttribute(place, scriptText(text));
  return escapeAttribute(place, text);
}

function scriptText(text: string): string {
  return JSON.stringify(text).replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** A value of a style sheet is a plain word or measure, or it is left out by Go's mark for that. */
function styleText(text: string): string {
  return /^[\w .#%-]*$/.test(text) ? text : "ZgotmplZ";
}

function escapeAttribute(place: Place, text: string): string {
  const escaped = escapeHtml(text);
  return place.quote === "" ? escaped.replace(/[\s=`]/g, (c) => `&#${c.charCodeAt(0)};`) : escaped;
}

function urlPart(place: Place, text: string, safe: string | undefined): string {
  if (/[?#]/.test(place.value)) return safe === "query" ? text : safe === "url" ? normalized(text) : percent(text);
  if (place.value === "" && safe !== "url") {
    const scheme = /^([^/?#]*?):/.exec(text)?.[1]?.toLowerCase();
    if (scheme !== undefined && !["http", "https", "mailto"].includes(scheme)) return "#ZgotmplZ";
  }
  return normalized(text);
}

/** Escapes what may not stand in a URL and leaves its structure. */
function normalized(text: string): string {
  return text.replace(/[^A-Za-z0-9!#$&*+,/:;=?@[\]\-._~%]|%(?![0-9A-Fa-f]{2})/gu, percent);
}

function percent(text: string): string {
  return queryEscape(text)
    .replaceAll("+", "%20")
    .replace(/%../g, (byte) => byte.toLowerCase());
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"'+\0]/g, (c) => ENTITIES[c] as string);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
  "+": "&#43;",
  "\0": "\uFFFD",
};

function advance(p: Place, c: string): void {
  switch (p.in) {
    case "text":
      if (c === "<") Object.assign(p, { in: "tag", tag: "", name: "" });
      return;
    case "tag":
      advanceTag(p, c);
      return;
    case "value":
      if (p.quote !== "" && c === p.quote) Object.assign(p, { in: "tag", name: " " });
      else if (p.quote === "" && (/\s/.test(c) || c === ">")) endUnquoted(p, c);
      else if (p.quote === "" && p.value === "" && (c === '"' || c === "'")) p.quote = c;
      else p.value += c;
      return;
    case "comment":
      p.value = `${p.value}${c}`.slice(-3);
      if (p.value === "-->") p.in = "text";
      return;
    default:
      p.value = `${p.value}${c}`.slice(-9).toLowerCase();
      if (p.value.endsWith(`</${p.tag}>`)) p.in = "text";
  }
}

function endUnquoted(p: Place, c: string): void {
  Object.assign(p, { in: "tag", name: " " });
  if (c === ">") advanceTag(p, c);
}

/** Inside `<…>`: `name` is the tag's until the first space, then the attribute's. */
function advanceTag(p: Place, c: string): void {
  if (c === ">") {
    const raw = /^(script|style)$/.test(p.tag);
    Object.assign(p, { in: raw ? "script" : "text", value: "" });
  } else if (/\s/.test(c)) {
    if (p.name !== "" && p.tag === "") p.tag = p.name.toLowerCase();
    p.name = " ";
  } else if (c === "=") Object.assign(p, { in: "value", name: p.name.trim().toLowerCase(), quote: "", value: "" });
  else {
    p.name += c;
    if (!p.name.startsWith(" ")) p.tag = p.name.toLowerCase();
    if (p.name === "!--") Object.assign(p, { in: "comment", value: "" });
  }
}
