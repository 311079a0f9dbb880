/**
 * The state of a shard as a row of bytes: a walk over plain objects, arrays, Maps, Sets, numbers and strings, typed arrays. So
 * what is added to those structures is in the snapshot without anything being done for it; what must not be is named by path.
 *
 * Small typed arrays are in the tree itself; the memory of the others is only named, for it is written from where it is.
 */

import { writeF64 } from "../../lib/bytes.ts";
import { grownBytes } from "../../lib/grow.ts";
import { varintLength, writeVarint } from "../../lib/varint.ts";
import { bytesOf, isView, VIEW_KINDS, type View, viewKind } from "./views.ts";

export const TAG = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  integer: 4,
  negative: 5,
  float: 6,
  string: 7,
  array: 8,
  object: 9,
  map: 10,
  set: 11,
  view: 12,
  reference: 13,
  smallView: 14,
  hole: 15,
} as const;

/** Memory that the tree names: bytes [from, to) of an ArrayBuffer, of which `used` from its start may be other than 0. */
export interface NamedMemory {
  readonly buffer: ArrayBufferLike;
  from: number;
  to: number;
  used: number;
}

export interface WalkOptions {
  /** Paths of properties that are left out, as "head.ids". */
  readonly skip: ReadonlySet<string>;
  /** How many elements of the typed array at a path are in use: the others need not be kept. Undefined: all. */
  readonly used: (path: string) => number | undefined;
}

/** Typed arrays of at most so many bytes are in the tree. */
const SMALL = 16 << 10;

export interface Tree {
  readonly bytes: Uint8Array;
  readonly memory: readonly NamedMemory[];
}

/** Throws TypeError for what cannot be in a snapshot (functions, class instances other than the named ones). */
export function writeTree(state: object, options: WalkOptions): Tree {
  const memory = collectMemory(state, options);
  const names = new Map<ArrayBufferLike, number>();
  const large = memory.filter((m) => m.views > 1 || m.to - m.from > SMALL);
  large.forEach((m, i) => {
    names.set(m.buffer, i);
  });
  const out: Sink = { bytes: new Uint8Array(1 << 16), length: 0 };
  const seen = new Map<object, number>();
  const put = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null) {
      putPlain(out, value, path);
      return;
    }
    const before = seen.get(value);
    if (before !== undefined) {
      putTagged(out, TAG.reference, before);
      return;
    }
    seen.set(value, seen.size);
    if (isView(value)) {
      putView(out, value, names.get(value.buffer), large);
    } else if (Array.isArray(value)) {
      putTagged(out, TAG.array, value.length);
      for (let i = 0; i < value.length; i++) {
        if (i in value) put(value[i], `${path}[]`);
        else putByte(out, TAG.hole);
      }
    } else if (value instanceof Map) {
      putTagged(out, TAG.map, value.size);
      for (const [k, v] of value) {
        put(k, `${path}{}`);
        put(v, `${path}{}`);
      }
    } else if (value instanceof Set) {
      putTagged(out, TAG.set, value.size);
      for (const v of value) put(v, `${path}{}`);
    } else {
      const properties = propertiesOf(value, path, options.skip);
      putTagged(out, TAG.object, properties.length);
      for (const [name, v] of properties) {
        putString(out, name);
        put(v, join(path, name));
      }
    }
  };
  put(state, "");
  return { bytes: out.bytes.subarray(0, out.length), memory: large };
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/** What of an object is kept. Throws TypeError for instances of classes. */
export function propertiesOf(value: object, path: string, skip: ReadonlySet<string>): [string, unknown][] {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`${path}: a ${value.constructor.name} cannot be in a snapshot`);
  }
  return Object.entries(value).filter(([name]) => !skip.has(join(path, name)));
}

/** Which parts of which memory the state's typed arrays show. */
function collectMemory(state: object, { skip, used }: WalkOptions): (NamedMemory & { views: number })[] {
  const all = new Map<ArrayBufferLike, NamedMemory & { views: number }>();
  const seen = new Set<object>();
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (isView(value)) {
      const size = (VIEW_KINDS[viewKind(value)] as { size: number }).size;
      const end = value.byteOffset + Math.min(value.byteLength, (used(path) ?? Number.POSITIVE_INFINITY) * size);
      const known = all.get(value.buffer);
      if (known === undefined) {
        const from = value.byteOffset & ~7;
        all.set(value.buffer, {
          ...{ buffer: value.buffer, from, to: value.byteOffset + value.byteLength },
          ...{ used: end, views: 1 },
        });
      } else {
        known.from = Math.min(known.from, value.byteOffset & ~7);
        known.to = Math.max(known.to, value.byteOffset + value.byteLength);
        // Of several views of one memory the one whose use is known tells.
        known.used = used(path) === undefined ? known.used : end;
        known.views++;
      }
    } else if (Array.isArray(value)) {
      for (const v of value) visit(v, `${path}[]`);
    } else if (value instanceof Map) {
      for (const [k, v] of value) {
        visit(k, `${path}{}`);
        visit(v, `${path}{}`);
      }
    } else if (value instanceof Set) {
      for (const v of value) visit(v, `${path}{}`);
    } else {
      for (const [name, v] of propertiesOf(value, path, skip)) visit(v, join(path, name));
    }
  };
  visit(state, "");
  return [...all.values()];
}

export interface Sink {
  bytes: Uint8Array;
  length: number;
}

export function reserve(out: Sink, more: number): void {
  if (out.length + more <= out.bytes.length) return;
  out.bytes = grownBytes(out.bytes, out.length, out.length + more);
}

function putByte(out: Sink, byte: number): void {
  reserve(out, 1);
  out.bytes[out.length++] = byte;
}

export function putVarint(out: Sink, value: number): void {
  reserve(out, varintLength(value));
  out.length = writeVarint(out.bytes, out.length, value);
}

function putTagged(out: Sink, tag: number, value: number): void {
  putByte(out, tag);
  putVarint(out, value);
}

function putString(out: Sink, text: string): void {
  const length = Buffer.byteLength(text);
  putVarint(out, length);
  reserve(out, length);
  Buffer.from(out.bytes.buffer, out.bytes.byteOffset).write(text, out.length, "utf8");
  out.length += length;
}

function putPlain(out: Sink, value: unknown, path: string): void {
  if (value === undefined) putByte(out, TAG.undefined);
  else if (value === null) putByte(out, TAG.null);
  else if (value === false) putByte(out, TAG.false);
  else if (value === true) putByte(out, TAG.true);
  else if (typeof value === "string") {
    putByte(out, TAG.string);
    putString(out, value);
  } else if (typeof value === "number") putNumber(out, value);
  else throw new TypeError(`${path}: a ${typeof value} cannot be in a snapshot`);
}

function putNumber(out: Sink, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    if (value >= 0) putTagged(out, TAG.integer, value);
    else putTagged(out, TAG.negative, -value);
    return;
  }
  putByte(out, TAG.float);
  reserve(out, 8);
  writeF64(out.bytes, out.length, value);
  out.length += 8;
}

function putView(out: Sink, view: View, name: number | undefined, memory: readonly NamedMemory[]): void {
  const kind = viewKind(view);
  const { size } = VIEW_KINDS[kind] as { size: number };
  if (name === undefined) {
    putByte(out, TAG.smallView);
    putByte(out, kind);
    putVarint(out, view.byteLength / size);
    reserve(out, view.byteLength);
    out.bytes.set(bytesOf(view), out.length);
    out.length += view.byteLength;
    return;
  }
  putByte(out, TAG.view);
  putByte(out, kind);
  putVarint(out, name);
  putVarint(out, view.byteOffset - (memory[name] as NamedMemory).from);
  putVarint(out, view.byteLength / size);
}
