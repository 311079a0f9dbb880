/** Reading a tree (tree-write.ts), and putting what it holds in the place of what a fresh state has. */
import { readF64 } from "../../lib/bytes.ts";
import { type Cursor, readVarint } from "../../lib/varint.ts";
import { propertiesOf, TAG } from "./tree-write.ts";
import { isView, VIEW_KINDS, type View, viewKind } from "./views.ts";

/**
 * The value whose bytes begin at the cursor; `memory` is what its views name. Throws RangeError or VarintError for bytes that
 * are no tree.
 */
export function readTree(bytes: Uint8Array, cursor: Cursor, memory: readonly ArrayBuffer[]): unknown {
  const seen: object[] = [];
  const string = (): string => {
    const length = readVarint(bytes, cursor);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + cursor.at, length).toString("utf8");
    cursor.at += length;
    return text;
  };
  const note = <T extends object>(value: T): T => {
    seen.push(value);
    return value;
  };
  const view = (small: boolean): View => {
    const kind = VIEW_KINDS[bytes[cursor.at++] as number];
    if (kind === undefined) throw new RangeError("a kind of array that is not known");
    if (!small) {
      const buffer = memory[readVarint(bytes, cursor)];
      if (buffer === undefined) throw new RangeError("an array in memory that is not there");
      const offset = readVarint(bytes, cursor);
      return kind.make(buffer, offset, readVarint(bytes, cursor));
    }
    const length = readVarint(bytes, cursor);
    const size = length * kind.size;
    if (cursor.at + size > bytes.length) throw new RangeError("an array is cut short");
    const buffer = new ArrayBuffer(size);
    new Uint8Array(buffer).set(bytes.subarray(cursor.at, cursor.at + size));
    cursor.at += size;
    return kind.make(buffer, 0, length);
  };
  const value = (): unknown => {
    const tag = bytes[cursor.at++];
    switch (tag) {
      case TAG.undefined:
        return undefined;
      case TAG.null:
        return null;
      case TAG.false:
        return false;
      case TAG.true:
        return true;
      case TAG.integer:
        return readVarint(bytes, cursor);
      case TAG.negative:
        return -readVarint(bytes, cursor);
      case TAG.float:
        cursor.at += 8;
        return readF64(bytes, cursor.at - 8);
      case TAG.string:
        return string();
      case TAG.array: {
        const length = readVarint(bytes, cursor);
        const out: unknown[] = note([]);
        for (let i = 0; i < length; i++) {
          if (bytes[cursor.at] === TAG.hole) cursor.at++;
          else out[i] = value();
        }
        out.length = length;
        return out;
      }
      case TAG.object: {
        const count = readVarint(bytes, cursor);
        const out: Record<string, unknown> = note({});
        for (let i = 0; i < count; i++) {
          const name = string();
          out[name] = value();
        }
        return out;
      }
      case TAG.map: {
        const count = readVarint(bytes, cursor);
        const out = note(new Map<unknown, unknown>());
        for (let i = 0; i < count; i++) {
          const key = value();
          out.set(key, value());
        }
        return out;
      }
      case TAG.set: {
        const count = readVarint(bytes, cursor);
        const out = note(new Set<unknown>());
        for (let i = 0; i < count; i++) out.add(value());
        return out;
      }
      case TAG.view:
        return note(view(false));
      case TAG.smallView:
        return note(view(true));
      case TAG.reference: {
        const target = seen[readVarint(bytes, cursor)];
        if (target === undefined) throw new RangeError("a reference to nothing");
        return target;
      }
      default:
        throw new RangeError(`byte ${cursor.at - 1} of the tree is no tag`);
    }
  };
  return value();
}

/** What a fresh state has at a path, and what was read, do not fit. */
export class LayoutMismatch extends Error {}

/**
 * Puts what was read in the place of what the fresh state has. Objects, arrays and Maps of the fresh state stay the same
 * ones, so that whoever refers to them sees the new content. What is skipped stays as it is. Throws `LayoutMismatch`, before
 * anything is changed, when names or types differ.
 */
export function graft(fresh: object, read: object, skip: ReadonlySet<string>): void {
  const places = new Map<object, object>();
  const plan = (into: object, from: object, path: string): void => {
    if (places.has(from)) return;
    places.set(from, into);
    const old = new Map(propertiesOf(into, path, skip));
    const next = Object.entries(from);
    for (const [name] of next) if (!old.has(name)) throw new LayoutMismatch(`there is no ${path}.${name} any more`);
    if (next.length < old.size) {
      const names = new Set(next.map(([name]) => name));
      throw new LayoutMismatch(`it has no ${[...old.keys()].filter((n) => !names.has(n)).map((n) => `${path}.${n}`)}`);
    }
    for (const [name, value] of next) {
      const at = path === "" ? name : `${path}.${name}`;
      const there = old.get(name);
      if (kindOf(there) !== kindOf(value) && there !== undefined && value !== undefined) {
        throw new LayoutMismatch(`${at} was ${kindOf(value)} and is ${kindOf(there)} now`);
      }
      if (isPlainObject(there) && isPlainObject(value)) plan(there, value, at);
      else if (Array.isArray(there) && Array.isArray(value)) places.set(value, there);
      else if (there instanceof Map && value instanceof Map) places.set(value, there);
      else if (there instanceof Set && value instanceof Set) places.set(value, there);
    }
  };
  const mended = new Set<object>();
  /** What takes the read value's place, filled; so do all values in it. */
  const settled = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || isView(value)) return value;
    const place = places.get(value) ?? value;
    if (mended.has(value)) return place;
    mended.add(value);
    if (Array.isArray(value) && Array.isArray(place)) {
      // From the start on: an array whose length is set first is slower for ever.
      if (place !== value) place.length = 0;
      for (let i = 0; i < value.length; i++) if (i in value) place[i] = settled(value[i]);
      place.length = value.length;
    } else if (value instanceof Map && place instanceof Map) {
      const entries = [...value];
      place.clear();
      for (const [k, v] of entries) place.set(settled(k), settled(v));
    } else if (value instanceof Set && place instanceof Set) {
      const members = [...value];
      place.clear();
      for (const v of members) place.add(settled(v));
    } else {
      for (const [name, v] of Object.entries(value)) (place as Record<string, unknown>)[name] = settled(v);
    }
    return place;
  };
  plan(fresh, read, "");
  settled(read);
}

const isPlainObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function kindOf(value: unknown): string {
  if (isView(value)) return (VIEW_KINDS[viewKind(value)] as { name: string }).name;
  if (typeof value !== "object" || value === null) return typeof value;
  return value.constructor.name;
}
