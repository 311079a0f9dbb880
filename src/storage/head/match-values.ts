/**
 * Which values of a label satisfy a test: the slow half of a regular expression over a label with very many values.
 *
 * Values are tested without making a string of each from its bytes: symbols that lie near one another are made one text,
 * of which each value is a part. What a pattern found over a large field is remembered; since lists are only added, a later
 * query looks at the newer ones alone.
 */
import type { StringTest } from "../../lib/regex.ts";
import { firstWordAt } from "../../lib/search.ts";
import { spend } from "../../lib/work-at-hand.ts";
import type { Postings } from "./postings.ts";
import { passingText, type Symbols } from "./symbols.ts";

/** What patterns found lately, oldest first. To be emptied when lists are renumbered. */
export interface MatchedValues {
  readonly found: Map<string, Found>;
  /** Numbers of lists remembered. */
  size: number;
}

interface Found {
  readonly lists: number[];
  /** Newest list + 1 that was looked at. */
  upTo: number;
}

/** Smaller fields are not worth remembering. */
const REMEMBERED_FIELD = 1000;
const MAX_FOUND = 200;
const MAX_SIZE = 1 << 20;

export function makeMatchedValues(): MatchedValues {
  return { found: new Map(), size: 0 };
}

/** Whether `matchLists` would only look at what came after the last time. */
export function remembersMatch(m: MatchedValues, key: string): boolean {
  return m.found.has(key);
}

/**
 * The lists of the field whose values satisfy the test, newest first or not, but in no promised order. `key` names the field
 * and the test among all of the head's. The result is valid until the next call.
 */
export function matchLists(
  m: MatchedValues,
  p: Postings,
  symbols: Symbols,
  field: number,
  key: string,
  test: StringTest,
): readonly number[] {
  const newest = p.fieldFirst[field] as number;
  const found = m.found.get(key);
  if (found !== undefined) {
    m.found.delete(key);
    m.found.set(key, found);
    if (found.upTo === newest) return found.lists;
    const before = found.lists.length;
    // The test may be called off in the middle.
    const newer: number[] = [];
    collectMatches(p, symbols, newest, found.upTo, test, newer);
    for (const list of newer) found.lists.push(list);
    found.upTo = newest;
    m.size += found.lists.length - before;
    forgetOld(m);
    return found.lists;
  }
  const lists: number[] = [];
  collectMatches(p, symbols, newest, 0, test, lists);
  if ((p.fieldLists[field] as number) >= REMEMBERED_FIELD) {
    m.found.set(key, { lists, upTo: newest });
    m.size += lists.length + 16;
    forgetOld(m);
  }
  return lists;
}

function forgetOld(m: MatchedValues): void {
  for (const [key, old] of m.found) {
    if (m.found.size <= MAX_FOUND && m.size <= MAX_SIZE) return;
    m.found.delete(key);
    m.size -= old.lists.length + 16;
  }
}

/** Bytes made a text at once. */
const WINDOW = 8192;
/** What a value costs at least. */
const TRY_NS = 100;
/** A window pays from this number of values in it on. */
const WORTH = 16;

/** Pushes the lists from `newest` down to, without it, `oldest` (both + 1) whose values pass. */
function collectMatches(
  p: Postings,
  s: Symbols,
  newest: number,
  oldest: number,
  test: StringTest,
  out: number[],
): void {
  const { listValue, listNext } = p;
  const { starts, bytes } = s;
  let text = "";
  let low = 0;
  let high = 0;
  let served = WORTH;
  let single = 0;
  for (let next = newest; next > oldest; next = listNext[next - 1] as number) {
    spend(TRY_NS);
    const symbol = listValue[next - 1] as number;
    const start = starts[symbol] as number;
    const end = starts[symbol + 1] as number;
    let passes: boolean;
    if (start >= low && end <= high) {
      served++;
      passes = test(text.substring(start - low, end - low));
    } else if (single > 0 || s.texts[symbol] !== undefined || end - start > WINDOW) {
      single--;
      passes = test(passingText(s, symbol));
    } else {
      // Lists are walked from the newest, so the older symbols before this one come next.
      if (served < WORTH) single = 64;
      served = 1;
      const from = starts[firstWordAt(starts, 0, symbol, end - WINDOW)] as number;
      text = bytes.toString("utf8", from, end);
      if (text.length === end - from) {
        low = from;
        high = end;
        passes = test(text.substring(start - low, end - low));
      } else {
        // Not ASCII: characters do not stand where their bytes do.
        low = 0;
        high = 0;
        single = 64;
        passes = test(passingText(s, symbol));
      }
    }
    if (passes) out.push(next - 1);
  }
}
