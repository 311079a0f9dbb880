/** Which retention rules a block was written under, and how many of their ages it was beyond then: it is thinned once for each. */
import type { Block } from "../block/block.ts";
import { BlockError } from "../block/block-error.ts";
import { blockSource } from "../block/block-source.ts";
import type { BlockMeta } from "../block/meta.ts";
import type { OpenBlock } from "./block-set.ts";
import type { RetentionRules, SeriesRetention } from "./retention-rules.ts";
import type { StorageState } from "./storage-state.ts";

type Thinned = StorageState["thinned"];

/** Blocks at most whose index is looked into, between two chances for others, for series that are too old. */
const LOOKED_INTO = 8;

/** Whether a block has passed an age since it was written or looked into. */
export function mayHaveTooOld(
  { state }: { readonly state: StorageState },
  { id, maxT }: BlockMeta,
  rules: RetentionRules,
  now: number,
): boolean {
  return rules.key !== "" && rules.passed(maxT, now) > thinnedFor(state.thinned, id, rules);
}

/**
 * The first of the next few blocks that has series which are too old, undefined when none has. Of those before it the state says so,
 * with its next writing.
 */
export function firstToThin(
  storage: { state: StorageState },
  blocks: readonly OpenBlock[],
  rules: RetentionRules,
  now: number,
): BlockMeta | undefined {
  for (const { block } of blocks.slice(0, LOOKED_INTO)) {
    const { id, maxT } = block.meta;
    const passed = rules.passed(maxT, now);
    const tooOld = rules.tooOld(thinnedFor(storage.state.thinned, id, rules), passed);
    if (tooOld === "all" || hasSeriesOf(block, tooOld)) return block.meta;
    storage.state = noteThinned(storage.state, [id], passed, rules.key);
  }
  return undefined;
}

/** Of how many ages everything that is too old has left the block. */
function thinnedFor(thinned: Thinned, id: string, { key }: RetentionRules): number {
  const [, passed, under] = /^(\d+):(.*)$/su.exec(thinned[id] ?? "") ?? [];
  return under === key ? Number(passed) : 0;
}

/** The state once blocks hold nothing that is beyond so many ages of the rules. */
export function noteThinned(state: StorageState, ids: readonly string[], passed: number, key: string): StorageState {
  if (key === "") return state;
  return { ...state, thinned: { ...state.thinned, ...Object.fromEntries(ids.map((id) => [id, `${passed}:${key}`])) } };
}

/** Whether a block has series that one of the rules speaks of; true also when it cannot be read. Reads its index, not its data. */
function hasSeriesOf(block: Block, rules: readonly SeriesRetention[]): boolean {
  const source = blockSource(block);
  const { minT, maxT } = block.meta;
  try {
    return rules.some(({ tenant, matchers }) =>
      (tenant === undefined ? source.tenants() : [tenant]).some(
        (name) => source.select(name, matchers, minT, maxT).length > 0,
      ),
    );
  } catch (error) {
    if (error instanceof BlockError) return true;
    throw error;
  }
}
