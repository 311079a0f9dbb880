import { isMap, isScalar, isSeq, type Node } from "yaml";
import { nearest, readOpenMap, type YamlEntry } from "../../lib/yaml-reader.ts";
import { isNull, problem, type Source, warn } from "./source.ts";

/**
 * A documented schema of a YAML text: reads nodes into values, reports what is wrong with its place, and describes itself
 * for the reference page (../reference.ts).
 */
export interface Schema<T> {
  /** What a value looks like, for the reference page and for messages: "duration", "list of string". */
  readonly word: string;
  /** Keys, for an object. */
  readonly keys?: Keys;
  /** Schema of the elements, for a list or a map. */
  readonly element?: Schema<unknown>;
  /** The value; undefined after reporting what is wrong. The node is neither an alias nor null. */
  read(source: Source, node: Node): T | undefined;
}

export type Keys = Readonly<Record<string, Key>>;

/** One key of an object. */
export type Key = ValueKey | ForeignKey;

export interface ValueKey<T = unknown, N extends Need = Need> {
  readonly kind: "value";
  readonly schema: Schema<T>;
  readonly doc: string;
  readonly need: N;
  readonly fallback: T | undefined;
  /** The default as the reference page shows it. */
  readonly fallbackText: string;
}

export type Need = "required" | "optional" | "defaulted";

/** A key of Prometheus's schema that Tocsin knows but does not act on. */
export interface ForeignKey {
  readonly kind: "ignored" | "refused";
  readonly doc: string;
}

export function required<T>(schema: Schema<T>, doc: string): ValueKey<T, "required"> {
  return { kind: "value", schema, doc, need: "required", fallback: undefined, fallbackText: "" };
}

/** `fallbackText` says what happens without the key. */
export function optional<T>(schema: Schema<T>, doc: string, fallbackText = ""): ValueKey<T, "optional"> {
  return { kind: "value", schema, doc, need: "optional", fallback: undefined, fallbackText };
}

export function defaulted<T>(schema: Schema<T>, fallback: T, doc: string, text?: string): ValueKey<T, "defaulted"> {
  const fallbackText = text ?? (typeof fallback === "object" ? "" : String(fallback));
  return { kind: "value", schema, doc, need: "defaulted", fallback, fallbackText };
}

/** Accepted with a warning: leaving it out of account loses nothing that a user relies on for correctness. */
export function ignored(doc: string): ForeignKey {
  return { kind: "ignored", doc };
}

/** An error: without it the configuration would mean something else. */
export function refused(doc: string): ForeignKey {
  return { kind: "refused", doc };
}

type ReadKey<K> = K extends ValueKey<infer T, infer N> ? (N extends "optional" ? T | undefined : T) : never;
/** The value of an object schema: its keys as written in YAML. */
export type ReadKeys<K extends Keys> = {
  readonly [P in keyof K as K[P] extends ValueKey ? P : never]: ReadKey<K[P]>;
};

export interface ObjectSchema<K extends Keys> extends Schema<ReadKeys<K>> {
  readonly keys: K;
}

/**
 * An object with known keys. `check` sees well-formed values only and reports what does not fit together
 * (`placeOf(key)` is the node of a key's value, or the object's).
 */
export function object<K extends Keys>(
  word: string,
  keys: K,
  check?: (value: ReadKeys<K>, report: (key: (keyof K & string) | "", message: string) => void) => void,
): ObjectSchema<K> {
  return {
    word,
    keys,
    read(source, node) {
      if (!isMap(node)) {
        problem(
          source,
          node,
          `expected ${article(word)} (keys: ${Object.keys(keys).slice(0, 6).join(", ")}, ...), found ${found(node)}`,
        );
        return undefined;
      }
      const entries = readOpenMap(source.yaml, node, "it");
      const value: Record<string, unknown> = {};
      let ok = true;
      for (const entry of entries.values()) {
        if (Object.hasOwn(keys, entry.key)) continue;
        ok = false;
        problem(source, entry.keyNode, unknownKey(entry.key, word, keys));
      }
      for (const [name, key] of Object.entries(keys)) {
        if (!readKey(source, node, name, key, entries.get(name), value)) ok = false;
      }
      if (!ok) return undefined;
      const result = value as ReadKeys<K>;
      source.nodes.set(result, node);
      const before = source.problems.length;
      check?.(result, (key, message) =>
        problem(source, key === "" ? node : (entries.get(key)?.value ?? node), message),
      );
      return source.problems.length === before ? result : undefined;
    },
  };
}

function readKey(
  source: Source,
  parent: Node,
  name: string,
  key: Key,
  entry: YamlEntry | undefined,
  into: Record<string, unknown>,
): boolean {
  if (key.kind !== "value") {
    if (entry === undefined || isNull(entry.value)) return true;
    const text = `${name}: ${key.doc}`;
    if (key.kind === "ignored") warn(source, entry.keyNode, `ignored: ${text}`);
    else problem(source, entry.keyNode, `not supported: ${text}`);
    return key.kind === "ignored";
  }
  if (entry === undefined || isNull(entry.value)) {
    into[name] = key.fallback;
    if (key.need !== "required") return true;
    problem(source, entry?.keyNode ?? parent, `${name} is missing`);
    return false;
  }
  const read = key.schema.read(source, entry.value as Node);
  into[name] = read;
  return read !== undefined;
}

function unknownKey(key: string, word: string, keys: Keys): string {
  const near = nearest(key, Object.keys(keys));
  if (near !== undefined) return `unknown key ${JSON.stringify(key)} in ${word}, did you mean "${near}"?`;
  const owner = ownerOf(key, keys);
  if (owner !== undefined) return `unknown key ${JSON.stringify(key)} in ${word}, it belongs under "${owner}"`;
  return `unknown key ${JSON.stringify(key)} in ${word}`;
}

/** The path, below these keys, of an object that has the key: a likely case of wrong indentation. */
function ownerOf(key: string, keys: Keys): string | undefined {
  for (const [name, k] of Object.entries(keys)) {
    if (k.kind !== "value") continue;
    const inner = k.schema.keys ?? k.schema.element?.keys;
    if (inner === undefined) continue;
    if (Object.hasOwn(inner, key)) return name;
    const deeper = ownerOf(key, inner);
    if (deeper !== undefined) return `${name}.${deeper}`;
  }
  return undefined;
}

export function list<T>(element: Schema<T>): Schema<readonly T[]> {
  return {
    word: `list of ${element.word}`,
    element,
    read(source, node) {
      if (!isSeq(node)) {
        problem(source, node, `expected a list of ${element.word} (lines that start with "- "), found ${found(node)}`);
        return undefined;
      }
      const out: T[] = [];
      let ok = true;
      for (const item of node.items) {
        const itemNode = source.yaml.resolve(item as Node);
        if (itemNode === undefined || isNull(itemNode)) {
          problem(source, itemNode ?? node, `expected ${article(element.word)}, found nothing`);
          ok = false;
          continue;
        }
        const value = element.read(source, itemNode);
        if (value === undefined) ok = false;
        else out.push(value);
      }
      return ok ? out : undefined;
    },
  };
}

/** A map with free keys. `checkKey` answers what is wrong with a key, or undefined. */
export function map<T>(
  element: Schema<T>,
  checkKey: (key: string) => string | undefined = () => undefined,
): Schema<Readonly<Record<string, T>>> {
  return {
    word: `map of string to ${element.word}`,
    element,
    read(source, node) {
      if (!isMap(node)) {
        problem(source, node, `expected a map ("key: value" lines), found ${found(node)}`);
        return undefined;
      }
      const out: Record<string, T> = Object.create(null);
      let ok = true;
      for (const entry of readOpenMap(source.yaml, node, "it").values()) {
        const wrong = checkKey(entry.key);
        if (wrong !== undefined) {
          problem(source, entry.keyNode, wrong);
          ok = false;
          continue;
        }
        const value = entry.value === undefined ? undefined : element.read(source, entry.value);
        if (value === undefined) {
          ok = false;
          if (entry.value === undefined) problem(source, entry.keyNode, `${entry.key} has no value`);
        } else out[entry.key] = value;
      }
      return ok ? out : undefined;
    },
  };
}

export function found(node: Node): string {
  if (isMap(node)) return "a map";
  if (isSeq(node)) return "a list";
  if (isScalar(node)) return node.value === null ? "nothing" : JSON.stringify(node.source ?? node.value);
  return "something else";
}

export function article(word: string): string {
  return /^[aeiou]/i.test(word) ? `an ${word}` : `a ${word}`;
}
