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
  | { readonly [field: string]: unknown };

export type TemplateFunction = (...args: never[]) => Value;

/** Methods of a list or Map: they come before its entries, as in Go. `String` is how it prints. */
export const METHODS = Symbol("methods");

export type Methods = Readonly<Record<string, TemplateFunction>>;

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
  if (Array.isArray(v)) return v.length > 0;
  return v instanceof Map ? v.size > 0 : true;
}

export function isObject(v: Value): v is { readonly [field: string]: unknown } {
  return typeof v === "object" && v !== null && !Array.isArray(v) && !(v instanceof Map);
}
