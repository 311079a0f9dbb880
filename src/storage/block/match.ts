/**
 * Series of a block by matchers. A small block has no posting lists: every series of the tenant is looked at. In a large one the
 * matcher with the fewest candidates gives them, and the others filter: by their lists, or by a look at each candidate's labels
 * where that is less work.
 */
import { literalAlternatives } from "../../lib/regex.ts";
import { spend } from "../../lib/work-at-hand.ts";
import { compileMatcher, type Matcher } from "../../model/matcher.ts";
import type { Block } from "./block.ts";
import { VALUE_COUNT } from "./index-tables.ts";
import type { LabelPart } from "./label-table.ts";
import { findField, findSymbol, findTenant, findValue, numberAt, passingText, type TenantRow } from "./lookup.ts";
import { countSeries, filterByLists, idsOfRows } from "./postings.ts";
import { sectionPart } from "./section.ts";
import { matchRows } from "./value-rows.ts";

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
  readonly rows: Uint32Array;
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

/**
 * Looking at a candidate's own label costs about as much as reading this many numbers of a list: next to the candidate before it;
 * where each is in memory of its own, which the processor waits for; when it is not in memory.
 */
const LOOK = 4;
const FAR_LOOK = 64;
const FAR = 16;
const LOOK_FROM_DISK = 1000;
/** Trying a value that is a string. */
const TRY = 16;
/** Of a candidate's label, at most. */
const LOOK_NS = 200;
/** Of a list only the groups around candidates are read. */
const GROUP = 128;

/** What was spent on lists of a block because the labels were not in memory. Once that would have paid for them, they are read. */
const spent = new WeakMap<Block, number>();

/** Whether looks cost less than `others` does. */
function looksPay(block: Block, ids: Uint32Array, others: number): boolean {
  const span = (ids.at(-1) as number) - (ids[0] as number);
  const looks = ids.length * LOOK + Math.min(ids.length, span / FAR) * FAR_LOOK;
  if (looks >= others) return false;
  const { table, slots } = block.labels;
  const probes = Math.min(ids.length, 16);
  let absent = 0;
  for (let i = 0; i < probes; i++) {
    const id = ids[Math.floor((i * ids.length) / probes)] as number;
    if (slots[id >>> table.shift] === undefined) absent++;
  }
  // Candidates next to one another share what is read.
  const spread = Math.min(ids.length, span / 2 ** table.shift + 1);
  const reading = (spread * LOOK_FROM_DISK * absent) / Math.max(probes, 1);
  if (looks + reading < others) return true;
  const before = spent.get(block) ?? 0;
  const pays = before > reading;
  spent.set(block, pays ? 0 : before + others - looks);
  return pays;
}

function costOfLists(block: Block, ids: Uint32Array, rows: Uint32Array): number {
  let cost = 0;
  for (const row of rows) {
    const count = numberAt(block.values, VALUE_COUNT, row);
    cost += Math.min(count, ids.length * GROUP) + count / GROUP;
  }
  return cost;
}

/** The candidates that have one of the values, or with `refused` none of them: by lists or by looks. */
function filterByRows(block: Block, ids: Uint32Array, test: Test, rows: Uint32Array, refused: boolean): Uint32Array {
  if (looksPay(block, ids, costOfLists(block, ids, rows))) return filterByLook(block, ids, test);
  return filterByLists(block, rows, ids, refused);
}

/** Rows of `=` and of patterns that are a few literals; undefined where all values would have to be tried. */
function rowsByLookup(
  block: Block,
  field: { readonly first: number; readonly end: number },
  test: Test,
): Uint32Array | undefined {
  const row = (symbol: number): number => (symbol < 0 ? -1 : findValue(block, field.first, field.end, symbol));
  if (test.equal !== undefined) return Uint32Array.from([row(test.equal)].filter((r) => r >= 0));
  if (test.matcher.op !== "=~") return undefined;
  const literals = literalAlternatives(test.matcher.value);
  if (literals === undefined || literals.length * TRY > field.end - field.first) return undefined;
  const rows = literals.map((text) => row(findSymbol(block, text))).filter((r) => r >= 0);
  return Uint32Array.from(rows).sort();
}

/** Rows of the field's values that the test accepts, or with `refused` refuses. */
function rowsByValue(block: Block, tenant: TenantRow, test: Test, refused: boolean): Uint32Array {
  const field = findField(block, tenant, test.name);
  return field === undefined ? NONE : matchRows(block, field, test.matcher, test.matches, refused);
}

function leastByValues(block: Block, tenant: TenantRow, tests: readonly Test[]): Accepted | undefined {
  let best: Accepted | undefined;
  for (const test of tests) {
    if (test.matchesAbsent) continue;
    const rows = rowsByValue(block, tenant, test, false);
    const series = countSeries(block, rows);
    if (best === undefined || series < best.series) best = { test, rows, series };
  }
  return best;
}

function filterByValues(block: Block, tenant: TenantRow, ids: Uint32Array, test: Test): Uint32Array {
  const field = findField(block, tenant, test.name);
  const values = field === undefined ? 0 : field.end - field.first;
  if (looksPay(block, ids, values * TRY)) return filterByLook(block, ids, test);
  const refused = test.matchesAbsent;
  const rows = rowsByValue(block, tenant, test, refused);
  return filterByRows(block, ids, test, rows, refused);
}

function filterByLook(block: Block, ids: Uint32Array, test: Test): Uint32Array {
  const { labels } = block;
  const { shift } = labels.table;
  const { name, equal } = test;
  const kept = new Uint32Array(ids.length);
  let n = 0;
  // Candidates come in order: neighbours are of one part, mostly of one shape, often of one value.
  let part: LabelPart | undefined;
  let partOf = -1;
  let shape = -1;
  let place = -1;
  const verdicts = new Map<number, boolean>();
  let last = -2;
  let verdict = false;
  for (let k = 0; k < ids.length; k++) {
    if ((k & 1023) === 1023) spend(1024 * LOOK_NS);
    const id = ids[k] as number;
    if (part === undefined || id >>> shift !== partOf) {
      partOf = id >>> shift;
      part = sectionPart(labels, partOf);
      shape = -1;
    }
    const i = id & labels.mask;
    if (part.shapeOf[i] !== shape) {
      shape = part.shapeOf[i] as number;
      place = (part.shapes[shape] as Uint32Array).indexOf(name);
    }
    const value = place < 0 ? -1 : (part.values[(part.starts[i] as number) + place] as number);
    if (value !== last) {
      last = value;
      verdict = equal === undefined ? verdictOn(block, test, value, verdicts) : value === equal;
    }
    if (verdict) kept[n++] = id;
  }
  return kept.subarray(0, n);
}

function verdictOn(block: Block, test: Test, value: number, verdicts: Map<number, boolean>): boolean {
  if (value < 0) return test.matchesAbsent;
  let verdict = verdicts.get(value);
  if (verdict === undefined) {
    verdict = test.matches(passingText(block, value));
    verdicts.set(value, verdict);
  }
  return verdict;
}
