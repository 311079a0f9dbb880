/**
 * Series of a block by matchers. A small block has no posting lists: every series of the tenant is looked at. In a large one the
 * matcher with the fewest candidates gives them, and the others filter: by their lists, or by a look at each candidate's labels
 * where that is less work.
 */
import { literalAlternatives, literalPrefix } from "../../lib/regex.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import type { Block } from "./block.ts";
import { VALUE_COUNT, VALUE_SYMBOL } from "./index-tables.ts";
import {
  findField,
  findSymbol,
  findTenant,
  findValue,
  numberAt,
  passingText,
  rowFrom,
  seriesValue,
  symbolFrom,
  type TenantRow,
} from "./lookup.ts";
import { filterByRow, idsOfRows } from "./postings.ts";
import { sectionPart } from "./section.ts";
import { passingStringAt, type StringPart } from "./string-table.ts";

interface Test {
  readonly matcher: Matcher;
  readonly name: number;
  readonly matches: (value: string) => boolean;
  readonly matchesAbsent: boolean;
  /** Symbol for `=`. */
  readonly equal: number | undefined;
}

const NONE = new Uint32Array(0);

/**
 * Numbers of the tenant's series that satisfy every matcher, at any time and though deleted, ascending. Throws `RegexError` for a
 * bad pattern, `BlockError` for a damaged index.
 */
export function matchSeries(block: Block, tenantName: string, matchers: readonly Matcher[]): Uint32Array {
  const prepared = matchers.map((m) => prepare(block, m));
  const tenant = findTenant(block, tenantName);
  if (tenant === undefined) return NONE;
  const tests: Test[] = [];
  for (const test of prepared) {
    // No series has the label, or none the value: all match, or none.
    if (test.name < 0 || test.equal === -1) {
      if (!test.matchesAbsent) return NONE;
      if (test.name < 0) continue;
    }
    tests.push(test);
  }
  if (block.values.table.items === 0) return scan(block, tenant, tests);
  return search(block, tenant, tests);
}

function prepare(block: Block, m: Matcher): Test {
  const name = findSymbol(block, m.name);
  if (m.op === "=" && m.value !== "") {
    const equal = name < 0 ? -1 : findSymbol(block, m.value);
    return { matcher: m, name, matches: (v) => v === m.value, matchesAbsent: false, equal };
  }
  const matches = compileMatcher(m);
  return { matcher: m, name, matches, matchesAbsent: matches(""), equal: undefined };
}

function scan(block: Block, tenant: TenantRow, tests: readonly Test[]): Uint32Array {
  let ids = Uint32Array.from(
    { length: tenant.endSeries - tenant.firstSeries },
    (_, i) => tenant.firstSeries + i,
  ) as Uint32Array;
  for (const test of tests) ids = filterByLook(block, ids, test);
  return ids;
}

/** Rows of the values table that a test accepts, and how many series they have. */
interface Accepted {
  readonly test: Test;
  readonly rows: readonly number[];
  readonly series: number;
}

function search(block: Block, tenant: TenantRow, tests: readonly Test[]): Uint32Array {
  const narrow: Accepted[] = [];
  const others: Test[] = [];
  for (const test of tests) {
    const field = findField(block, tenant, test.name);
    if (field === undefined) {
      if (!test.matchesAbsent) return NONE;
      continue;
    }
    const rows = test.matchesAbsent ? undefined : rowsByLookup(block, field, test);
    if (rows === undefined) {
      others.push(test);
      continue;
    }
    const series = countSeries(block, rows);
    if (series === 0) return NONE;
    narrow.push({ test, rows, series });
  }
  narrow.sort((a, b) => a.series - b.series);
  const first = narrow.shift();
  let ids: Uint32Array;
  if (first !== undefined) ids = idsOfRows(block, first.rows);
  else {
    // Regular expressions only: the one with the fewest series, once their values have been looked through.
    const best = leastByValues(block, tenant, others);
    if (best === undefined) return scan(block, tenant, others);
    others.splice(others.indexOf(best.test), 1);
    ids = idsOfRows(block, best.rows);
  }
  for (const { test, rows } of narrow) {
    if (ids.length === 0) return ids;
    ids = filterByRows(block, ids, test, rows, false);
  }
  for (const test of others) {
    if (ids.length === 0) return ids;
    ids = filterByValues(block, tenant, ids, test);
  }
  return ids;
}

/** Looking at a candidate's own label costs about as much as reading this many numbers of a list; when it is not in memory. */
const LOOK = 16;
const LOOK_FROM_DISK = 1000;
/** Of so few lists only the groups around candidates are read. */
const FEW_LISTS = 8;
const GROUP = 128;

function costOfLooks(block: Block, ids: Uint32Array): number {
  const { table, slots } = block.labels;
  const probes = Math.min(ids.length, 16);
  let absent = 0;
  for (let i = 0; i < probes; i++) {
    const id = ids[Math.floor((i * ids.length) / probes)] as number;
    if (slots[id >>> table.shift] === undefined) absent++;
  }
  // Candidates next to one another share what is read.
  const spread = Math.min(ids.length, ((ids.at(-1) as number) - (ids[0] as number)) / 2 ** table.shift + 1);
  return ids.length * LOOK + (spread * LOOK_FROM_DISK * absent) / Math.max(probes, 1);
}

function costOfLists(block: Block, ids: Uint32Array, rows: readonly number[]): number {
  let cost = 0;
  for (const row of rows) {
    const count = numberAt(block.values, VALUE_COUNT, row);
    cost += rows.length <= FEW_LISTS ? Math.min(count, ids.length * GROUP) + count / GROUP : count;
  }
  return cost;
}

/** The candidates that have one of the values, or with `refused` none of them: by lists or by looks. */
function filterByRows(
  block: Block,
  ids: Uint32Array,
  test: Test,
  rows: readonly number[],
  refused: boolean,
): Uint32Array {
  if (costOfLists(block, ids, rows) > costOfLooks(block, ids)) return filterByLook(block, ids, test);
  const found = rows.length <= FEW_LISTS ? rows.map((row) => filterByRow(block, row, ids)) : [idsOfRows(block, rows)];
  if (refused) return found.reduce(subtract, ids);
  if (found.length === 1)
    return rows.length === 1 ? (found[0] as Uint32Array) : intersect(ids, found[0] as Uint32Array);
  const kept = new Uint32Array(found.reduce((n, some) => n + some.length, 0));
  let at = 0;
  for (const some of found) {
    kept.set(some, at);
    at += some.length;
  }
  return kept.sort();
}

/** Rows of `=` and of patterns that are a few literals; undefined where all values would have to be tried. */
function rowsByLookup(
  block: Block,
  field: { readonly first: number; readonly end: number },
  test: Test,
): number[] | undefined {
  const row = (symbol: number): number => (symbol < 0 ? -1 : findValue(block, field.first, field.end, symbol));
  if (test.equal !== undefined) return [row(test.equal)].filter((r) => r >= 0);
  if (test.matcher.op !== "=~") return undefined;
  const literals = literalAlternatives(test.matcher.value);
  if (literals === undefined || literals.length * LOOK > field.end - field.first) return undefined;
  const rows = literals.map((text) => row(findSymbol(block, text))).filter((r) => r >= 0);
  return rows.sort((a, b) => a - b);
}

/** Rows of the field's values that the predicate accepts. Values are tried in order, each once. */
function rowsByValue(block: Block, tenant: TenantRow, test: Test, accepts: (value: string) => boolean): number[] {
  const field = findField(block, tenant, test.name);
  if (field === undefined) return [];
  const { values } = block;
  const prefix = test.matcher.op === "=~" && accepts === test.matches ? literalPrefix(test.matcher.value) : "";
  const first =
    prefix === "" ? field.first : rowFrom(values, VALUE_SYMBOL, field.first, field.end, symbolFrom(block, prefix));
  const end = prefix === "" ? field.end : endOfPrefix(block, first, field.end, prefix);
  const rows: number[] = [];
  const { symbols } = block;
  // Values ascend, so many in a row are of the same part of the symbols.
  let partOf = -1;
  let strings: StringPart | undefined;
  for (let row = first; row < end; ) {
    const column = sectionPart(values, row >>> values.table.shift)[VALUE_SYMBOL] as Float64Array;
    const stop = Math.min(end, ((row >>> values.table.shift) + 1) * (values.mask + 1));
    for (; row < stop; row++) {
      const symbol = column[(row & values.mask) + 1] as number;
      if (strings === undefined || symbol >>> symbols.table.shift !== partOf) {
        partOf = symbol >>> symbols.table.shift;
        strings = sectionPart(symbols, partOf);
      }
      if (accepts(passingStringAt(strings, symbol & symbols.mask))) rows.push(row);
    }
  }
  return rows;
}

/** The first of the rows [first, end), none of them before the prefix, whose value does not begin with it. */
function endOfPrefix(block: Block, first: number, end: number, prefix: string): number {
  let low = first;
  let high = end;
  while (low < high) {
    const mid = Math.floor((low + high) / 2);
    if (passingText(block, numberAt(block.values, VALUE_SYMBOL, mid)).startsWith(prefix)) low = mid + 1;
    else high = mid;
  }
  return low;
}

function countSeries(block: Block, rows: readonly number[]): number {
  let series = 0;
  for (const row of rows) series += numberAt(block.values, VALUE_COUNT, row);
  return series;
}

function leastByValues(block: Block, tenant: TenantRow, tests: readonly Test[]): Accepted | undefined {
  let best: Accepted | undefined;
  for (const test of tests) {
    if (test.matchesAbsent) continue;
    const rows = rowsByValue(block, tenant, test, test.matches);
    const series = countSeries(block, rows);
    if (best === undefined || series < best.series) best = { test, rows, series };
  }
  return best;
}

function filterByValues(block: Block, tenant: TenantRow, ids: Uint32Array, test: Test): Uint32Array {
  const field = findField(block, tenant, test.name);
  const values = field === undefined ? 0 : field.end - field.first;
  if (costOfLooks(block, ids) <= values * LOOK) return filterByLook(block, ids, test);
  const refused = test.matchesAbsent;
  const rows = rowsByValue(block, tenant, test, refused ? (v) => !test.matches(v) : test.matches);
  return filterByRows(block, ids, test, rows, refused);
}

function filterByLook(block: Block, ids: Uint32Array, test: Test): Uint32Array {
  const { equal } = test;
  if (equal !== undefined) return ids.filter((id) => seriesValue(block, id, test.name) === equal);
  const verdicts = new Map<number, boolean>();
  let last = -2;
  let lastVerdict = false;
  return ids.filter((id) => {
    const value = seriesValue(block, id, test.name);
    if (value === last) return lastVerdict;
    let verdict = verdicts.get(value);
    if (verdict === undefined) {
      verdict = value < 0 ? test.matchesAbsent : test.matches(passingText(block, value));
      verdicts.set(value, verdict);
    }
    last = value;
    lastVerdict = verdict;
    return verdict;
  });
}

function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const out = new Uint32Array(Math.min(a.length, b.length));
  let n = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [x, y] = [a[i] as number, b[j] as number];
    if (x === y) out[n++] = x;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return out.subarray(0, n);
}

function subtract(a: Uint32Array, b: Uint32Array): Uint32Array {
  let j = 0;
  return a.filter((id) => {
    while (j < b.length && (b[j] as number) < id) j++;
    return b[j] !== id;
  });
}
