import { expect, test } from "vitest";
import { makeShardCore } from "../../../src/actors/shard/shard.core.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { headWalk } from "../../../src/storage/snapshot/head-parts.ts";

/** Paths and types of what a snapshot of a fresh shard holds. */
function layoutOf(value: object, path: string, skip: ReadonlySet<string>, out: string[]): string[] {
  for (const [name, v] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const at = path === "" ? name : `${path}.${name}`;
    if (skip.has(at)) continue;
    if (typeof v === "object" && v !== null && Object.getPrototypeOf(v) === Object.prototype) {
      layoutOf(v, at, skip, out);
    } else {
      out.push(`${at} ${typeof v === "object" && v !== null ? v.constructor.name : typeof v}`);
    }
  }
  return out;
}

/**
 * Snapshots are read by the programs that come after: one whose names or types differ is refused. Who changes this file's
 * snapshot (vitest -u) makes the data of an upgraded server unreadable, unless `loadSnapshot` is taught to read the old layout.
 */
test("what a snapshot holds has not changed", async () => {
  const head = createHead({ outOfOrderWindowMs: 1 });
  const { parked, metadata } = makeShardCore(head, 10);
  const { skip } = headWalk(head);
  const lines = layoutOf({ head, parked, metadata }, "", skip, []);
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("head-layout-1.txt");
});
