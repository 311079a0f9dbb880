/**
 * Values of templates: integers are bigints, floats numbers, Go maps are Maps, structs plain objects whose functions are
 * methods. A field that a Map does not have is "", as for Go's map[string]string with missingkey=zero.
 */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | TemplateFunction
  | GoObject;

/** A struct; its functions are methods. */
export interface GoObject {
  readonly [field: string]: unknown;
  readonly [TYPE]?: string;
  readonly [INTEGER]?: bigint;
}

export type TemplateFunction = (...args: never[]) => Value;

/** Methods of a list or Map: they come before its entries, as in Go. `String` is how it prints. */
export const METHODS = Symbol("methods");

export type Methods = Readonly<Record<string, TemplateFunction>>;

/** What Go calls the type of an object (`time.Duration`). */
export const TYPE = Symbol("type");
/** The integer that an object is to Go: it compares with integers and prints as one with `%d`. */
export const INTEGER = Symbol("integer");
/** On a Map of values of any kind: a key that is not there is nil, where it is "" in a map of texts. */
export const ANY_VALUES = Symbol("any values");

/** The integer that a value is to Go, else the value. */
export function plainOf(v: Value): Value {
  const integer = typeof v === "object" && v !== null ? (v as { [INTEGER]?: bigint })[INTEGER] : undefined;
  return integer ?? v;
}

/** A Go map[string]any. */
export function anyMap(entries: Iterable<readonly [string, Value]>): ReadonlyMap<string, Value> {
  return Object.assign(new Map(entries), { [ANY_VALUES]: true });
}

/** What an entry of a map that has none reads as. */
export function missingIn(map: ReadonlyMap<string, Value>): Value {
  return ANY_VALUES in map ? null : "";
}

/** Adds methods to a list or Map. */
export function withMethods<V extends readonly Value[] | ReadonlyMap<string, Value>>(value: V, methods: Methods): V {
  return Object.assign(value, { [METHODS]: methods });
}

export function methodOf(v: Value, name: string): TemplateFunction | undefined {
  const methods = typeof v === "object" && v !== null ? (v as { [METHODS]?: Methods })[METHODS] : undefined;
  return methods !== undefined && Object.hasOwn(methods, name) ? methods[name] : undefined;
}

/** False for false, 0, nil, and what is empty. */
export function isTrue(v: Value): boolean {
  if (v === null || v === undefined || v === false || v === "" || v === 0n) return false;
  if (typeof v === "number") return v !== 0;
  if (plainOf(v) === 0n) return false;
  if (Array.isArray(v)) return v.length > 0;
  return v instanceof Map ? v.size > 0 : true;
}

export function isObject(v: Value): v is GoObject {
  return typeof v === "object" && v !== null && !Array.isArray(v) && !(v instanceof Map);
}
