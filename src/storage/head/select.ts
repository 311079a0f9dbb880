/**
 * Series by matchers. A matcher that the empty string does not satisfy narrows: its values' posting lists hold all candidates.
 * The cheapest such matcher gives the candidates (or all series of the tenant), each further matcher filters them, either
 * by a bit set made of its posting lists or by looking at each candidate's own label, whichever touches less.
 */
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import { type Head, seriesValue, tenantList } from "./head.ts";
import { copyList, findField, findList, markList } from "./postings.ts";
import { LAST_T_F64, ROW_SHIFT } from "./series-table.ts";
import { findSymbol, passingText } from "./symbols.ts";

interface Test {
  readonly field: number;
  readonly name: number;
  readonly matches: (value: string) => boolean;
  readonly matchesAbsent: boolean;
  /** For `=`: the value's list, -1 none. */
  readonly list: number | undefined;
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
  if (everything < 0) return NONE;
  const tests: Test[] = [];
  for (const m of matchers) {
    const test = prepare(head, tenantSymbol, m);
    if (test.field < 0) {
      // No series of the tenant has the label: all match, or none.
      if (!test.matchesAbsent) return NONE;
      continue;
    }
    if (test.list === -1 && !test.matchesAbsent) return NONE;
    tests.push(test);
  }
  const narrowing = tests.filter((t) => !t.matchesAbsent).sort((a, b) => cost(head, a) - cost(head, b));
  const first = narrowing[0];
  let ids = first === undefined ? listIds(head, [everything]) : listIds(head, matchingLists(head, first));
  for (const test of tests) {
    if (ids.length === 0) break;
    if (test !== first) ids = filter(head, ids, test);
  }
  return inTime(head, ids, minT, maxT);
}

function prepare(head: Head, tenant: number, m: Matcher): Test {
  const name = findSymbol(head.symbols, m.name);
  const field = name < 0 ? -1 : findField(head.postings, tenant, name);
  if (m.op === "=" && m.value !== "") {
    const value = field < 0 ? -1 : findSymbol(head.symbols, m.value);
    const list = value < 0 ? -1 : findList(head.postings, field, value);
    return { field, name, matches: (v) => v === m.value, matchesAbsent: false, list };
  }
  const matches = compileMatcher(m);
  return { field, name, matches, matchesAbsent: matches(""), list: undefined };
}

/** Rough number of things to look at to get a matcher's candidates. */
function cost(head: Head, test: Test): number {
  if (test.list !== undefined) return head.postings.listLength[test.list] as number;
  // Not known before the values are looked at: put behind any `=`.
  return 0x1_0000_0000 + (head.postings.fieldLists[test.field] as number);
}

/** The posting lists of the field's values that satisfy the matcher. */
function matchingLists(head: Head, test: Test): number[] {
  if (test.list !== undefined) return [test.list];
  const { postings, symbols } = head;
  const lists: number[] = [];
  for (let list = (postings.fieldFirst[test.field] as number) - 1; list >= 0; ) {
    if (test.matches(passingText(symbols, postings.listValue[list] as number))) lists.push(list);
    list = (postings.listNext[list] as number) - 1;
  }
  return lists;
}

/** The ids of disjoint lists, ascending. */
function listIds(head: Head, lists: readonly number[]): Uint32Array {
  const { postings } = head;
  let total = 0;
  for (const list of lists) total += postings.listLength[list] as number;
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

/** Looking at one candidate's own label costs about this many ids of a posting list. */
const LOOK = 16;

function filter(head: Head, ids: Uint32Array, test: Test): Uint32Array {
  const { postings, series } = head;
  const listed =
    test.list !== undefined
      ? (postings.listLength[test.list] as number)
      : (postings.fieldLists[test.field] as number) * LOOK + (series.count >>> 3);
  if (listed + (series.count >>> 6) > ids.length * LOOK) return filterByLook(head, ids, test);
  if (!test.matchesAbsent) {
    const bits = bitsOf(head, matchingLists(head, test));
    return ids.filter((id) => ((bits[id >>> 5] as number) & (1 << (id & 31))) !== 0);
  }
  // An absent label matches: take away the series whose value does not.
  const refused: Test = { ...test, matches: (v) => !test.matches(v) };
  const bits = bitsOf(head, matchingLists(head, refused));
  return ids.filter((id) => ((bits[id >>> 5] as number) & (1 << (id & 31))) === 0);
}

function filterByLook(head: Head, ids: Uint32Array, test: Test): Uint32Array {
  const verdicts = new Map<number, boolean>();
  return ids.filter((id) => {
    const value = seriesValue(head, id, test.name);
    if (value < 0) return test.matchesAbsent;
    let verdict = verdicts.get(value);
    if (verdict === undefined) {
      verdict = test.matches(passingText(head.symbols, value));
      verdicts.set(value, verdict);
    }
    return verdict;
  });
}

function inTime(head: Head, ids: Uint32Array, minT: number, maxT: number): Uint32Array {
  const { firstT, times } = head.series;
  let n = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    const newest = times[(id << (ROW_SHIFT - 1)) + LAST_T_F64] as number;
    if (newest >= minT && (firstT[id] as number) <= maxT) ids[n++] = id;
  }
  return ids.subarray(0, n);
}
