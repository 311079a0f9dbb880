import { createHash, type Hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { isMap, isScalar, isSeq, type Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import {
  nearest,
  readBoolean,
  readInteger,
  readList,
  readOpenMap,
  readParsed,
  readString,
  report,
  type YamlEntry,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import { checkTemplate, type TemplateSet } from "../notify/template/render.ts";
import type { Payload } from "./integration-config.ts";

/** What the readers of one Alertmanager configuration share. */
export interface LoadContext {
  readonly r: YamlReader;
  /** Paths are relative to it. */
  readonly folder: string;
  /** What texts may call. */
  readonly templates: TemplateSet;
  /** Of every file that was read, so that a change in one is a change of the configuration. */
  readonly hash: Hash;
  /** Absolute paths of the files named by `<key>_file`, those that cannot be read included. */
  readonly secretFiles: Set<string>;
  /** Where secrets stand in the text. */
  readonly secrets: { readonly from: number; readonly to: number }[];
}

export function makeLoadContext(r: YamlReader, folder: string): LoadContext {
  return { r, folder, templates: new Map(), hash: createHash("sha256"), secretFiles: new Set(), secrets: [] };
}

/**
 * The keys of one mapping, each read by what it is. A key is known by being read: `done` reports the others. Every reader
 * gives `fallback` where the key is absent or its value is wrong (which is reported).
 */
export interface Fields {
  readonly node: Node | undefined;
  has(key: string): boolean;
  nodeOf(key: string): Node | undefined;
  string(key: string, fallback?: string): string;
  template(key: string, fallback?: string): string;
  boolean(key: string, fallback: boolean): boolean;
  integer(key: string, fallback: number): number;
  /** In milliseconds. */
  duration(key: string, fallback: number): number;
  oneOf<const T extends string>(key: string, allowed: readonly T[], fallback: T): T;
  /** The text of `key`, or what the file named by `<key>_file` holds; masked where the configuration is shown. */
  secret(key: string, fallback?: string): string;
  /** As `secret`, http or https only; a text that is a template is not looked into. */
  secretUrl(key: string, fallback?: string): string;
  url(key: string, fallback?: string): string;
  strings(key: string): readonly string[];
  stringMap(key: string): Readonly<Record<string, string>>;
  templateMap(key: string): Readonly<Record<string, string>>;
  payload(key: string): Payload | undefined;
  list<T>(key: string, what: string, read: (fields: Fields) => T): readonly T[];
  /** A mapping below; undefined when the key is absent. */
  inner<T>(key: string, what: string, read: (fields: Fields) => T): T | undefined;
  problem(key: string | undefined, message: string): void;
  /** Every key, for a mapping whose keys are free; they count as known. */
  keys(): readonly string[];
  /** The items of a list. */
  nodesOf(key: string): readonly Node[];
  /** As `secret`, but nothing that must be hidden. */
  text(key: string): string;
  done(): void;
}

export function openFields(c: LoadContext, node: Node | undefined, what: string): Fields {
  const { r } = c;
  const entries = readOpenMap(r, node, what);
  const asked = new Set<string>();
  const entry = (key: string): YamlEntry | undefined => {
    asked.add(key);
    return entries.get(key);
  };
  const valueAt = (key: string) => entry(key)?.value;
  const problem = (key: string | undefined, message: string) =>
    report(
      r,
      (key === undefined ? undefined : (entries.get(key)?.value ?? entries.get(key)?.keyNode)) ?? node,
      message,
    );
  const templated = (at: Node | undefined, name: string, text: string): string => {
    const wrong = checkTemplate(text, c.templates);
    if (wrong !== undefined) report(r, at, `${name}: ${wrong}`);
    return text;
  };
  const mapOf = (key: string, check: (at: Node | undefined, name: string, text: string) => string) => {
    const out: Record<string, string> = Object.create(null);
    for (const item of readOpenMap(r, valueAt(key), key).values())
      out[item.key] = check(item.value, `${key}.${item.key}`, readString(r, item.value, item.key) ?? "");
    return out;
  };
  const textOrFile = (key: string, plainAt: (at: Node | undefined) => void, fallback: string): string => {
    const plain = entry(key);
    const file = entry(`${key}_file`);
    if (plain?.value !== undefined && file?.value !== undefined)
      report(r, file.keyNode, `at most one of ${key} & ${key}_file must be configured`);
    if (file?.value !== undefined) return readSecretFile(c, file.value, readString(r, file.value, key) ?? "");
    plainAt(plain?.value);
    return readString(r, plain?.value, key) ?? fallback;
  };
  const fields: Fields = {
    node,
    has: (key) => valueAt(key) !== undefined,
    nodeOf: valueAt,
    string: (key, fallback = "") => readString(r, valueAt(key), key) ?? fallback,
    template: (key, fallback = "") => {
      const text = readString(r, valueAt(key), key);
      return text === undefined ? fallback : templated(valueAt(key), key, text);
    },
    boolean: (key, fallback) => readBoolean(r, valueAt(key), key) ?? fallback,
    integer: (key, fallback) => readInteger(r, valueAt(key), key) ?? fallback,
    duration: (key, fallback) => readParsed(r, valueAt(key), key, parseDuration) ?? fallback,
    oneOf: <const T extends string>(key: string, allowed: readonly T[], fallback: T): T => {
      const text = readString(r, valueAt(key), key);
      const found = allowed.find((a) => a === text);
      if (text !== undefined && found === undefined)
        problem(
          key,
          `${key} must be one of ${allowed.map((a) => JSON.stringify(a)).join(", ")}, not ${JSON.stringify(text)}`,
        );
      return found ?? fallback;
    },
    secret: (key, fallback = "") => textOrFile(key, (at) => markSecret(c, at), fallback),
    secretUrl: (key, fallback = "") => {
      const text = fields.secret(key, fallback);
      const at = entries.has(key) ? key : `${key}_file`;
      if (text.includes("{{")) return templated(valueAt(at), key, text);
      if (text !== "" && text !== MASKED) checkUrl(text, (message) => problem(at, message));
      return text;
    },
    url: (key, fallback = "") => {
      const text = fields.string(key, fallback);
      if (entries.has(key)) checkUrl(text, (message) => problem(key, message));
      return text;
    },
    strings: (key) => readList(r, valueAt(key), key).map((n) => readString(r, n, key) ?? ""),
    stringMap: (key) => mapOf(key, (_, __, text) => text),
    templateMap: (key) => mapOf(key, templated),
    payload: (key) => {
      const at = valueAt(key);
      return at === undefined ? undefined : readPayload(c, at, key, templated);
    },
    list: (key, name, read) => readList(r, valueAt(key), key).map((n) => readFields(c, n, name, read)),
    inner: (key, name, read) => {
      const at = valueAt(key);
      return at === undefined ? undefined : readFields(c, at, name, read);
    },
    problem,
    keys: () => [...entries.keys()],
    nodesOf: (key) => readList(r, valueAt(key), key),
    text: (key) => textOrFile(key, () => {}, ""),
    done: () => {
      for (const { key, keyNode } of entries.values()) {
        if (asked.has(key)) continue;
        const near = nearest(key, [...asked]);
        const hint = near === undefined ? "" : `, did you mean ${JSON.stringify(near)}?`;
        report(r, keyNode, `unknown key ${JSON.stringify(key)} in ${what}${hint}`);
      }
    },
  };
  return fields;
}

/** Reads a mapping and reports the keys that `read` did not ask for. */
export function readFields<T>(c: LoadContext, node: Node | undefined, what: string, read: (fields: Fields) => T): T {
  const fields = openFields(c, node, what);
  const value = read(fields);
  fields.done();
  return value;
}

/** What a masked secret reads as, for a configuration that was shown and is checked again. */
const MASKED = "<secret>";

function checkUrl(text: string, problem: (message: string) => void): void {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    problem(`unsupported URL ${JSON.stringify(text)}: it must begin with http:// or https://`);
}

function markSecret(c: LoadContext, node: Node | undefined): void {
  if (isScalar(node) && node.range && node.value !== "" && node.value !== null)
    c.secrets.push({ from: node.range[0], to: node.range[1] });
}

/** Marks every scalar below as a secret. */
export function markSecrets(c: LoadContext, nodes: readonly Node[]): void {
  for (const node of nodes) markSecret(c, node);
}

export function readSecretFile(c: LoadContext, node: Node | undefined, path: string): string {
  const file = resolve(c.folder, path);
  c.secretFiles.add(file);
  try {
    const text = readFileSync(file, "utf8").trim();
    c.hash.update(`${path}\0${text}\0`);
    return text;
  } catch (error) {
    report(c.r, node, `cannot be read: ${(error as Error).message}`);
    return "";
  }
}

function readPayload(
  c: LoadContext,
  node: Node,
  what: string,
  check: (at: Node | undefined, name: string, text: string) => string,
): Payload {
  const at = c.r.resolve(node);
  if (isSeq(at)) return (at.items as Node[]).map((item) => readPayload(c, item, what, check));
  if (isMap(at)) {
    const out: Record<string, Payload> = Object.create(null);
    for (const { key, value } of readOpenMap(c.r, at, what).values())
      out[check(value, what, key)] = value === undefined ? null : readPayload(c, value, what, check);
    return out;
  }
  if (!isScalar(at)) return null;
  if (typeof at.value === "string") return check(at, what, at.value);
  return typeof at.value === "number" || typeof at.value === "boolean" ? at.value : null;
}

/** The text with its secrets replaced, for what is shown. */
export function maskText(text: string, secrets: LoadContext["secrets"]): string {
  let out = "";
  let at = 0;
  for (const { from, to } of [...secrets].sort((a, b) => a.from - b.from)) {
    if (from < at) continue;
    // A block scalar (| or >) ends with the line feed that the next key needs.
    out += `${text.slice(at, from)}${MASKED}${text.slice(from, to).endsWith("\n") ? "\n" : ""}`;
    at = to;
  }
  return out + text.slice(at);
}
