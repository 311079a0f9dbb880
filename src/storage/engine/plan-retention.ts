/** Which blocks of a tier have had their time. Pure. */

export interface RetainedBlock {
  readonly id: string;
  /** Newest sample, Unix ms. */
  readonly maxT: number;
  readonly bytes: number;
  /** Whether it may go: raw data stays until its rollup exists. */
  readonly droppable: boolean;
  /** Whether it is beyond the age of some series, and was written before it was. */
  readonly hasTooOld: boolean;
}

export interface RetentionOptions {
  readonly now: number;
  /** 0 keeps for ever. */
  readonly maxAgeMs: number;
  /** 0: no bound. */
  readonly maxBytes: number;
  /** Longest age that a rule by matcher gives to some series (0: for ever); undefined when there are no rules. */
  readonly longestRuleMs: number | undefined;
}

export interface RetentionPlan {
  /** To be removed whole: by age, and the oldest ones by size. */
  readonly expired: readonly string[];
  readonly oversize: readonly string[];
  /** Beyond the age of some series but not of all: to be rewritten with the series that stay. */
  readonly thin: readonly string[];
}

export function planRetention(blocks: readonly RetainedBlock[], options: RetentionOptions): RetentionPlan {
  const { now, maxAgeMs, maxBytes, longestRuleMs } = options;
  const expired: string[] = [];
  const thin: string[] = [];
  let bytes = 0;
  const kept: RetainedBlock[] = [];
  for (const block of blocks) {
    const old = maxAgeMs > 0 && block.maxT < now - maxAgeMs;
    const keptByRule = longestRuleMs === 0 || (longestRuleMs !== undefined && block.maxT >= now - longestRuleMs);
    if (old && block.droppable && !keptByRule) {
      expired.push(block.id);
      continue;
    }
    if (block.hasTooOld && block.droppable) thin.push(block.id);
    bytes += block.bytes;
    kept.push(block);
  }
  const oversize: string[] = [];
  if (maxBytes > 0) {
    for (const block of kept.sort((a, b) => a.maxT - b.maxT)) {
      if (bytes <= maxBytes) break;
      if (!block.droppable) continue;
      oversize.push(block.id);
      bytes -= block.bytes;
    }
  }
  return { expired, oversize, thin: thin.filter((id) => !oversize.includes(id)) };
}
