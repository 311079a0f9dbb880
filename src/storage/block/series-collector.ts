/**
 * The labels of a block that is being written, until all are known: strings get their numbers only when all have been seen. No
 * object a series: a series is its pairs in a list of words, a pair (field and value) is a number.
 */
import { doubled } from "../../lib/grow.ts";
import { compareLabels, type Labels } from "../../model/labels.ts";
import { internSymbol, makeSymbols, type Symbols } from "../head/symbols.ts";
import { type HashedText, hashText, makeHashedText, putHashed, type SeriesHash } from "./identity.ts";
import { makeWordList, pushWord, type WordList } from "./word-list.ts";

export interface CollectedTenant {
  readonly name: string;
  readonly symbol: number;
  seriesEnd: number;
  /** Fields of the tenant by the name's symbol, numbered through all tenants. */
  readonly fields: Map<number, number>;
}

export interface SeriesCollector {
  readonly symbols: Symbols;
  readonly tenants: CollectedTenant[];
  /** Name symbol of each field. */
  readonly fieldNames: number[];
  count: number;
  /** Of each series: number of labels, then its pairs. */
  readonly flat: WordList;
  pairCount: number;
  pairField: Uint32Array;
  pairValue: Uint32Array;
  /** Number of series that have the pair. */
  pairSeries: Uint32Array;
  /** Open addressing on (field, value): pair + 1. */
  slots: Uint32Array;
  /** Three words a series, and whether all are what the labels hash to. */
  readonly hashes: WordList;
  hashesFollow: boolean;
  labels: Labels;
  previous: number[];
  /** Where the text of each label of `labels` ends in `text`. */
  readonly textEnds: number[];
  readonly text: HashedText;
}

export function makeSeriesCollector(): SeriesCollector {
  return {
    symbols: makeSymbols(),
    tenants: [],
    fieldNames: [],
    count: 0,
    flat: makeWordList(),
    pairCount: 0,
    pairField: new Uint32Array(1024),
    pairValue: new Uint32Array(1024),
    pairSeries: new Uint32Array(1024),
    slots: new Uint32Array(2048),
    hashes: makeWordList(),
    hashesFollow: true,
    labels: [],
    previous: [],
    textEnds: [],
    text: makeHashedText(),
  };
}

/** Adds the next series. Throws when it is not behind the one before it. */
export function collectSeries(c: SeriesCollector, tenant: string, labels: Labels, hash: SeriesHash): void {
  let current = c.tenants.at(-1);
  if (current?.name !== tenant) {
    if (current !== undefined && current.name > tenant) throw new Error(`tenant ${tenant} comes after ${current.name}`);
    current = { name: tenant, symbol: internSymbol(c.symbols, tenant), seriesEnd: c.count, fields: new Map() };
    c.tenants.push(current);
    c.labels = [];
    c.previous.length = 0;
    startText(c, current.symbol);
  } else if (compareLabels(c.labels, labels) >= 0) {
    throw new Error(`series {${labels.join()}} comes after {${c.labels.join()}}`);
  }
  current.seriesEnd = ++c.count;
  pushWord(c.flat, labels.length / 2);
  let same = true;
  for (let i = 0, k = 0; i < labels.length; i += 2, k++) {
    const known = labels[i] === c.labels[i] && labels[i + 1] === c.labels[i + 1];
    const pair = known
      ? (c.previous[k] as number)
      : obtainPair(c, current, labels[i] as string, labels[i + 1] as string);
    if (same && !known) {
      same = false;
      c.text.length = c.textEnds[k] as number;
    }
    if (!same) putPairText(c, pair, k);
    c.previous[k] = pair;
    c.pairSeries[pair] = (c.pairSeries[pair] as number) + 1;
    pushWord(c.flat, pair);
  }
  if (same) c.text.length = c.textEnds[labels.length / 2] as number;
  c.labels = labels;
  c.previous.length = labels.length / 2;
  addHash(c, hash);
}

/** textEnds[0] is the end of the tenant, textEnds[k + 1] of label k. */
function startText(c: SeriesCollector, tenant: number): void {
  c.text.length = 0;
  putHashed(c.text, c.symbols.bytes, c.symbols.starts[tenant] as number, c.symbols.starts[tenant + 1] as number);
  c.textEnds[0] = c.text.length;
}

function putPairText(c: SeriesCollector, pair: number, k: number): void {
  const { bytes, starts } = c.symbols;
  const name = c.fieldNames[c.pairField[pair] as number] as number;
  const value = c.pairValue[pair] as number;
  putHashed(c.text, bytes, starts[name] as number, starts[name + 1] as number);
  putHashed(c.text, bytes, starts[value] as number, starts[value + 1] as number);
  c.textEnds[k + 1] = c.text.length;
}

const computed = new Uint32Array(3);

function addHash(c: SeriesCollector, { lo, hi, check }: SeriesHash): void {
  hashText(c.text, computed, 0);
  if (computed[0] !== lo || computed[1] !== hi || computed[2] !== check) c.hashesFollow = false;
  pushWord(c.hashes, lo);
  pushWord(c.hashes, hi);
  pushWord(c.hashes, check);
}

function obtainPair(c: SeriesCollector, tenant: CollectedTenant, name: string, value: string): number {
  const nameSymbol = internSymbol(c.symbols, name);
  let field = tenant.fields.get(nameSymbol);
  if (field === undefined) {
    field = c.fieldNames.length;
    c.fieldNames.push(nameSymbol);
    tenant.fields.set(nameSymbol, field);
  }
  const valueSymbol = internSymbol(c.symbols, value);
  const slot = pairSlot(c, field, valueSymbol);
  const found = c.slots[slot] as number;
  if (found !== 0) return found - 1;
  const pair = c.pairCount++;
  if (pair === c.pairField.length) {
    c.pairField = doubled(c.pairField);
    c.pairValue = doubled(c.pairValue);
    c.pairSeries = doubled(c.pairSeries);
  }
  c.slots[slot] = pair + 1;
  c.pairField[pair] = field;
  c.pairValue[pair] = valueSymbol;
  if (2 * c.pairCount > c.slots.length) {
    c.slots = new Uint32Array(2 * c.slots.length);
    for (let p = 0; p < c.pairCount; p++) {
      c.slots[pairSlot(c, c.pairField[p] as number, c.pairValue[p] as number)] = p + 1;
    }
  }
  return pair;
}

function pairSlot(c: SeriesCollector, field: number, value: number): number {
  const { slots, pairField, pairValue } = c;
  const mask = slots.length - 1;
  const h = Math.imul(value ^ Math.imul(field, 0x85ebca6b), 0x9e3779b1);
  for (let slot = (h ^ (h >>> 15)) & mask; ; slot = (slot + 1) & mask) {
    const pair = slots[slot] as number;
    if (pair === 0 || (pairValue[pair - 1] === value && pairField[pair - 1] === field)) return slot;
  }
}

/** The pair's number, of one that there is. */
export function pairNumber(c: SeriesCollector, field: number, value: number): number {
  return (c.slots[pairSlot(c, field, value)] as number) - 1;
}
