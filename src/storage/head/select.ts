/**
 * Series by matchers. Each matcher becomes, where that is cheap, the posting lists of the values that decide it: those that
 * satisfy it, or, when the absent label satisfies it, those that do not. The smallest union of lists that narrows gives the
 * candidates (or all series of the tenant); the other matchers filter them in order of cost, by searching the candidates in
 * their lists, by a bit set of their lists, or by looking at each candidate's own label.
 */
import { literalAlternatives, type StringTest } from "../../lib/regex.ts";
import { spend } from "../../lib/work-at-hand.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import { type Head, tenantList } from "./head.ts";
import { matchLists, remembersMatch } from "./match-values.ts";
import { copyList, findField, findList, hitList, listLength, markList } from "./postings.ts";
import { LAST_T_F64, ROW_SHIFT, SHAPE, VALUES } from "./series-table.ts";
import type { Shape } from "./shapes.ts";
import { findSymbol, passingText } from "./symbols.ts";
import { SLAB_MASK, SLAB_SHIFT } from "./word-pool.ts";

interface Test {
  readonly matcher: Matcher;
  readonly field: number;
  readonly name: number;
  readonly matches: StringTest;
  readonly matchesAbsent: boolean;
  /** Lists of the values that match; when the absent label matches: of those that do not. Undefined: not looked for yet. */
  lists: readonly number[] | undefined;
  /** Ids in the lists. */
  total: number;
}

const NONE = new Uint32Array(0);

/** Ids of the tenant's series that satisfy all matchers and have samples around [minT, maxT], ascending. */
export function selectSeries(
  head: Head,
  tenant: string,
  matchers: readonly Matcher[],
  minT: number,
  maxT: number,
): Uint32Array {
  const tenantSymbol = findSymbol(head.symbols, tenant);
  const everything = tenantSymbol < 0 ? -1 : tenantList(head, tenantSymbol);
  const tests: Test[] = [];
  let impossible = everything < 0;
  // All of them, so that a bad pattern is always an error.
  for (const m of matchers) {
    const test = prepare(head, tenantSymbol, m);
    if (test.field < 0) {
      // No series of the tenant has the label: all match, or none.
      if (!test.matchesAbsent) impossible = true;
    } else if (test.lists?.length !== 0) tests.push(test);
    else if (!test.matchesAbsent) impossible = true;
  }
  if (impossible) return NONE;
  const size = resolve(head, tests, listLength(head.postings, everything));
  let first: Test | undefined;
  for (const test of tests) {
    if (test.matchesAbsent || test.lists === undefined) continue;
    if (first === undefined || test.total < first.total) first = test;
  }
  let ids = size === 0 ? NONE : unionOf(head, first?.lists ?? [everything]);
  const rest = tests.filter((t) => t !== first).sort((a, b) => order(a) - order(b));
  for (const test of rest) {
    if (ids.length === 0) break;
    ids = filter(head, ids, test);
  }
  return inTime(head, ids, minT, maxT);
}

function prepare(head: Head, tenant: number, m: Matcher): Test {
  const { symbols } = head;
  const name = findSymbol(symbols, m.name);
  const field = name < 0 || tenant < 0 ? -1 : findField(head.postings, tenant, name);
  const matches = compileMatcher(m);
  const test: Test = {
    matcher: m,
    field,
    name,
    matches,
    matchesAbsent: matches(""),
    lists: undefined,
    total: 0,
  };
  if (field < 0) return test;
  const decisive = m.op === "=" || m.op === "!=" ? [m.value] : literalAlternatives(m.value);
  if (decisive === undefined || decisive.includes("")) return test;
  const lists: number[] = [];
  for (const text of decisive) {
    const value = findSymbol(symbols, text);
    const list = value < 0 ? -1 : findList(head.postings, field, value);
    if (list >= 0) lists.push(list);
  }
  setLists(head, test, lists);
  return test;
}

function setLists(head: Head, test: Test, lists: readonly number[]): void {
  test.lists = lists;
  test.total = 0;
  for (const list of lists) test.total += listLength(head.postings, list);
}

/** Testing a value costs about half as much as looking up a candidate's own. */
const VALUES_A_LOOK = 2;
const FEW_VALUES = 64;

/** Finds the lists of matchers where that costs less than looking at every candidate; returns the number of candidates. */
function resolve(head: Head, tests: readonly Test[], all: number): number {
  let size = all;
  for (const test of tests) if (test.lists !== undefined && !test.matchesAbsent) size = Math.min(size, test.total);
  const open = tests.filter((t) => t.lists === undefined);
  open.sort((a, b) => valuesOf(head, a) - valuesOf(head, b));
  for (const test of open) {
    const key = keyOf(test);
    const values = valuesOf(head, test);
    if (values > FEW_VALUES && values > size * VALUES_A_LOOK && !remembersMatch(head.matched, key)) continue;
    const { matches } = test;
    const wanted: StringTest = test.matchesAbsent ? (value) => !matches(value) : matches;
    setLists(head, test, matchLists(head.matched, head.postings, head.symbols, test.field, key, wanted));
    if (!test.matchesAbsent) size = Math.min(size, test.total);
  }
  return size;
}

function valuesOf(head: Head, test: Test): number {
  return head.postings.fieldLists[test.field] as number;
}

function keyOf({ field, matcher }: Test): string {
  return `${field}${matcher.op}${matcher.value}`;
}

/** Matchers with lists before those that have to be looked at, short lists first. */
function order(test: Test): number {
  return test.lists === undefined ? Number.POSITIVE_INFINITY : test.total;
}

/** The ids of disjoint lists, ascending. */
function unionOf(head: Head, lists: readonly number[]): Uint32Array {
  const { postings } = head;
  let total = 0;
  for (const list of lists) total += listLength(postings, list);
  if (total === 0) return NONE;
  const out = new Uint32Array(total);
  if (lists.length === 1 || total < head.series.count >>> 6) {
    let at = 0;
    for (const list of lists) at = copyList(postings, list, out, at);
    return lists.length === 1 ? out : out.sort();
  }
  const bits = bitsOf(head, lists);
  let at = 0;
  for (let w = 0; w < bits.length; w++) {
    for (let word = bits[w] as number; word !== 0; word &= word - 1) {
      out[at++] = (w << 5) + (31 - Math.clz32(word & -word));
    }
  }
  return out;
}

function bitsOf(head: Head, lists: readonly number[]): Uint32Array {
  const bits = new Uint32Array((head.series.count + 31) >>> 5);
  for (const list of lists) markList(head.postings, list, bits);
  return bits;
}

/** Rough costs in ns: looking at a candidate's own label, one id searched in a list, a block passed over, an id marked. */
const LOOK = 200;
const SEARCH = 15;
const BLOCK = 150;
const MARK = 4;

function filter(head: Head, ids: Uint32Array, test: Test): Uint32Array {
  const { lists } = test;
  const n = ids.length;
  const look = n * LOOK;
  if (lists === undefined) return filterByLook(head, ids, test);
  const search = lists.length * (n * SEARCH + BLOCK) + (test.total / 1000) * BLOCK;
  const mark = lists.length * BLOCK + test.total * MARK + (head.series.count >>> 5) + n * 2;
  if (look < search && look < mark) return filterByLook(head, ids, test);
  const hits = new Uint8Array(n);
  if (search <= mark) for (const list of lists) hitList(head.postings, list, ids, n, hits);
  else {
    const bits = bitsOf(head, lists);
    for (let i = 0; i < n; i++) {
      const id = ids[i] as number;
      if (((bits[id >>> 5] as number) & (1 << (id & 31))) !== 0) hits[i] = 1;
    }
  }
  const keep = test.matchesAbsent ? 0 : 1;
  let k = 0;
  for (let i = 0; i < n; i++) if (hits[i] === keep) ids[k++] = ids[i] as number;
  return ids.subarray(0, k);
}

function filterByLook(head: Head, ids: Uint32Array, test: Test): Uint32Array {
  const { rows } = head.series;
  const { slabs } = head.values;
  const verdicts = new Map<number, boolean>();
  const positions = new Int32Array(head.shapes.length).fill(-2);
  let k = 0;
  for (let i = 0; i < ids.length; i++) {
    if ((i & 1023) === 1023) spend(1024 * LOOK);
    const id = ids[i] as number;
    const row = id << ROW_SHIFT;
    const shape = rows[row + SHAPE] as number;
    let position = positions[shape] as number;
    if (position === -2) {
      position = (head.shapes[shape] as Shape).names.indexOf(test.name);
      positions[shape] = position;
    }
    let verdict: boolean | undefined;
    if (position < 0) verdict = test.matchesAbsent;
    else {
      const at = ((rows[row + VALUES] as number) >>> 0) + position;
      const value = (slabs[at >>> SLAB_SHIFT] as Int32Array)[at & SLAB_MASK] as number;
      verdict = verdicts.get(value);
      if (verdict === undefined) {
        verdict = test.matches(passingText(head.symbols, value));
        verdicts.set(value, verdict);
      }
    }
    if (verdict) ids[k++] = id;
  }
  return ids.subarray(0, k);
}

/** The values (symbols) that the tenant's series with samples around [minT, maxT] have for a label name. */
export function valuesInTime(head: Head, tenant: string, name: string, minT: number, maxT: number): number[] {
  const { postings, symbols } = head;
  const tenantSymbol = findSymbol(symbols, tenant);
  const nameSymbol = findSymbol(symbols, name);
  const field = tenantSymbol < 0 || nameSymbol < 0 ? -1 : findField(postings, tenantSymbol, nameSymbol);
  const values: number[] = [];
  if (field < 0) return values;
  let ids = new Uint32Array(64);
  for (let next = postings.fieldFirst[field] as number; next !== 0; next = postings.listNext[next - 1] as number) {
    const n = listLength(postings, next - 1);
    if (ids.length < n) ids = new Uint32Array(2 * n);
    copyList(postings, next - 1, ids, 0);
    for (let i = 0; i < n; i++) {
      if (!isInTime(head, ids[i] as number, minT, maxT)) continue;
      values.push(postings.listValue[next - 1] as number);
      break;
    }
  }
  return values;
}

/** Infinity as the oldest time: it has no samples, whatever its newest one was. */
function isInTime(head: Head, id: number, minT: number, maxT: number): boolean {
  const newest = head.series.times[(id << (ROW_SHIFT - 1)) + LAST_T_F64] as number;
  const oldest = head.series.firstT[id] as number;
  return newest >= minT && oldest <= maxT && oldest !== Number.POSITIVE_INFINITY;
}

function inTime(head: Head, ids: Uint32Array, minT: number, maxT: number): Uint32Array {
  let n = 0;
  for (let i = 0; i < ids.length; i++) if (isInTime(head, ids[i] as number, minT, maxT)) ids[n++] = ids[i] as number;
  return ids.subarray(0, n);
}
