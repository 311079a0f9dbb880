/**
 * What series are made of, from the bytes of their strings: a frame's definitions come here without a JavaScript string being
 * made of anything that the head has already.
 */
import { EVERYTHING, obtainField, obtainList, type Postings } from "./postings.ts";
import { internBytes, isSymbol, type Symbols } from "./symbols.ts";

/** What many series share, so that a series stores one symbol a label: a tenant and the names of the labels. */
export interface Shape {
  readonly tenant: number;
  /** Symbols of the label names in label order, and the postings fields of (tenant, name). */
  readonly names: Int32Array;
  readonly fields: Int32Array;
  /** Postings list of all series of the tenant. */
  readonly everything: number;
}

/** What of a head shapes are made in. */
export interface ShapeTables {
  readonly shapes: Shape[];
  readonly shapesByKey: Map<string, number>;
  readonly symbols: Symbols;
  readonly postings: Postings;
}

/**
 * Strings one behind another, one byte between them: string k is bytes[at[k], at[k + 1] - 1). Well-formed UTF-8 in a plain
 * Uint8Array.
 */
export interface Texts {
  readonly bytes: Uint8Array;
  readonly at: Uint32Array;
}

/** Where a series' strings are among texts: the tenant is string `first`, behind it are names and values by turns. */
export interface SeriesText extends Texts {
  readonly first: number;
  readonly labels: number;
}

/**
 * Shapes seen lately by a hash of the names, whatever head they were of: what is found here is compared before it is believed.
 */
const hints = new Int32Array(1024);

/** The number of the series' shape, which is made when there is none yet. */
export function shapeOfText(head: ShapeTables, { bytes, at, first, labels }: SeriesText): number {
  let hash = labels;
  for (let k = first, left = labels; left >= 0; left--, k += left === labels - 1 ? 1 : 2) {
    const from = at[k] as number;
    const to = (at[k + 1] as number) - 1;
    hash = Math.imul(hash ^ ((to - from) << 8) ^ (bytes[to - 1] as number), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  const slot = hash & (hints.length - 1);
  const hint = hints[slot] as number;
  if (hint < head.shapes.length && isShape(head, hint, bytes, at, first, labels)) return hint;
  const shape = findShape(head, bytes, at, first, labels);
  hints[slot] = shape;
  return shape;
}

function isShape(
  head: ShapeTables,
  number: number,
  bytes: Uint8Array,
  at: Uint32Array,
  first: number,
  labels: number,
): boolean {
  const { tenant, names } = head.shapes[number] as Shape;
  const { symbols } = head;
  if (names.length !== labels) return false;
  if (!isSymbol(symbols, tenant, bytes, at[first] as number, (at[first + 1] as number) - 1)) return false;
  for (let i = 0, k = first + 1; i < labels; i++, k += 2) {
    if (!isSymbol(symbols, names[i] as number, bytes, at[k] as number, (at[k + 1] as number) - 1)) return false;
  }
  return true;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function findShape(head: ShapeTables, bytes: Uint8Array, at: Uint32Array, first: number, labels: number): number {
  const textAt = (k: number): string => decoder.decode(bytes.subarray(at[k], (at[k + 1] as number) - 1));
  // Lengths, so that no byte in a name can make two name sets look alike.
  const tenant = textAt(first);
  let key = `${tenant.length}:${tenant}`;
  for (let i = 0; i < labels; i++) {
    const name = textAt(first + 1 + 2 * i);
    key += `${name.length}:${name}`;
  }
  const known = head.shapesByKey.get(key);
  if (known !== undefined) return known;
  const { postings, symbols } = head;
  const intern = (k: number): number => internBytes(symbols, bytes, at[k] as number, (at[k + 1] as number) - 1);
  const tenantSymbol = intern(first);
  const names = new Int32Array(labels);
  const fields = new Int32Array(labels);
  for (let i = 0; i < labels; i++) {
    const name = intern(first + 1 + 2 * i);
    names[i] = name;
    fields[i] = obtainField(postings, tenantSymbol, name);
  }
  const everything = obtainList(postings, obtainField(postings, tenantSymbol, EVERYTHING), 0);
  const shape = head.shapes.push({ tenant: tenantSymbol, names, fields, everything }) - 1;
  head.shapesByKey.set(key, shape);
  return shape;
}

const encoder = new TextEncoder();
let spare: { bytes: Uint8Array; at: Uint32Array } = { bytes: new Uint8Array(1024), at: new Uint32Array(64) };

/** The texts of a series given as strings; valid until the next call. */
export function textOfSeries(tenant: string, labels: readonly string[]): SeriesText {
  let most = 3 * tenant.length + 1;
  for (let i = 0; i < labels.length; i++) most += 3 * (labels[i] as string).length + 1;
  if (spare.bytes.length < most || spare.at.length < labels.length + 2) {
    spare = { bytes: new Uint8Array(2 * most), at: new Uint32Array(2 * labels.length + 64) };
  }
  const { bytes, at } = spare;
  let end = encoder.encodeInto(tenant, bytes).written + 1;
  at[0] = 0;
  at[1] = end;
  for (let i = 0; i < labels.length; i++) {
    end += encoder.encodeInto(labels[i] as string, bytes.subarray(end)).written + 1;
    at[i + 2] = end;
  }
  return { bytes, at, first: 0, labels: labels.length >> 1 };
}
