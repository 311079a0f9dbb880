/** What of a shard's state is not in its snapshots, and how much of its large arrays is in use. */
import type { Head } from "../head/head.ts";
import { ROW_WORDS } from "../head/series-table.ts";
import type { WalkOptions } from "./tree-write.ts";

/** Settings, and what is made again when it is asked for. */
const SKIPPED = [
  "head.exemplars.capacity",
  "parked.capacity",
  "head.options",
  "head.ids",
  "head.matched",
  "head.past",
  "head.symbols.texts",
  "head.symbols.cached",
];

/**
 * How to walk a state whose property `head` is a shard's head; `skip` names further paths that are left out.
 *
 * Arrays that grow with series are as large as they will ever be (capacity.ts), mostly never touched. Of those that are not
 * named here, everything is looked at, and what is 0 at their ends is not written.
 */
export function headWalk(head: Head, skip: readonly string[] = []): WalkOptions {
  const { series, symbols, postings } = head;
  const counts = new Map<string, number>();
  const count = (path: string, of: object, names: Record<string, number>): void => {
    for (const [name, used] of Object.entries(names)) if (name in of) counts.set(`${path}.${name}`, used);
  };
  const n = series.count;
  count("head.series", series, { rows: n * ROW_WORDS, firstT: n, followers: n, checks: n });
  count("head.symbols", symbols, { starts: symbols.count + 1, bytes: symbols.starts[symbols.count] as number });
  const l = postings.listCount;
  count("head.postings", postings, {
    ...{ listField: l, listValue: l, listNext: l, listLength: l, listHead: l, listTail: l },
    ...{ fieldFirst: postings.fieldCount, fieldLists: postings.fieldCount },
  });
  return { skip: new Set([...SKIPPED, ...skip]), used: (path) => counts.get(path) };
}
