/**
 * What was lost where a log is damaged. Each segment says which sequences were in the log before it; so what the damaged
 * part before it held is known exactly. For damage in the last segment it is not: then it is at most what is missing between
 * the records beside it.
 */
import { RECORD_HEADER } from "./format.ts";
import type { LogState } from "./log-state.ts";
import { makeSequenceSet, type SequenceRange, type SequenceSet } from "./sequence-set.ts";

/** A place in the log where durable records are gone. */
export interface WalDamage {
  /** Path of the segment. */
  readonly segment: string;
  /** 0 and 0 for a segment that is missing or cannot be opened. */
  readonly offset: number;
  readonly bytes: number;
  readonly problem: string;
  /** Records may have lain there that delete series: they have no sequence, so that nothing else tells of them. */
  readonly mayHoldDeletions: boolean;
  /** Path of the copy of the segment, undefined when there is none. */
  readonly quarantined: string | undefined;
  /** Identity of the stream that `lost` belongs to. */
  readonly epoch: string | undefined;
  /**
   * Messages that were in the log and are not any more, ascending; those that came again later in the log are not listed. The
   * stream may still have them. None when nothing is missing (any more).
   */
  readonly lost: readonly SequenceRange[];
  /** True when `lost` is just what is gone; false when it is all that may be. */
  readonly exact: boolean;
  /** What `timeOf` said of the records before and behind. */
  readonly timeBefore: number | undefined;
  readonly timeBehind: number | undefined;
}

export interface FoundDamage {
  readonly segment: string;
  readonly offset: number;
  readonly bytes: number;
  readonly problem: string;
  readonly mayHoldDeletions: boolean;
  /** May be set until the end. */
  quarantined: string | undefined;
}

export interface Losses {
  /** Durable records are gone here. */
  found(damage: FoundDamage, state: LogState): void;
  /** A record that is there; called after it was replayed. `backlog`: it is of that lane, whose sequences ascend by themselves. */
  record(seq: number, backlog: boolean): void;
  /** Sequences start again. */
  newEpoch(): void;
  /** The log says what was in it before here. */
  stated(said: LogState, state: LogState, segment: string): void;
  /** All there is, when the whole log was read. */
  end(state: LogState): WalDamage[];
}

/** Damage that is no part of a file: a segment that is not there, or what a later one says. */
export const NOWHERE = { offset: 0, bytes: 0, mayHoldDeletions: true, quarantined: undefined } as const;

interface Open {
  readonly damage: FoundDamage;
  epoch: LogState;
  /** Of each lane: the record before, and the one behind. */
  readonly before: readonly (number | undefined)[];
  readonly behind: (number | undefined)[];
  readonly timeBefore: number | undefined;
  timeBehind: number | undefined;
  lost: SequenceRange[];
  exact: boolean;
}

export function trackLosses(timeOf: (() => number | undefined) | undefined): Losses {
  const all: Open[] = [];
  /** Not yet told by a later segment what was lost; with no record behind yet. */
  let untold: Open[] = [];
  let bare: Open[] = [];
  const last: (number | undefined)[] = [undefined, undefined];
  /** What was lost of this epoch, by what the log said so far: later segments say it again. */
  let told = makeSequenceSet();
  let toldOf = 0;
  const found = (damage: FoundDamage, state: LogState): Open => {
    const timeBefore = last.every((seq) => seq === undefined) ? undefined : timeOf?.();
    const open: Open = {
      ...{
        damage,
        epoch: state,
        before: last.slice(),
        behind: [undefined, undefined],
        timeBefore,
        timeBehind: undefined,
      },
      ...{ lost: [], exact: false },
    };
    all.push(open);
    untold.push(open);
    bare.push(open);
    return open;
  };
  return {
    found: (damage, state) => void found(damage, state),
    record: (seq, backlog) => {
      if (seq === 0) return;
      const lane = backlog ? 1 : 0;
      last[lane] = seq;
      for (const open of untold) open.behind[lane] ??= seq;
      if (bare.length === 0) return;
      const time = timeOf?.();
      for (const open of bare) open.timeBehind = time;
      bare = [];
    },
    newEpoch: () => void last.fill(undefined),
    stated: (said, state, segment) => {
      const sameEpoch = said.ordinal === state.ordinal;
      if (said.ordinal !== toldOf) told = makeSequenceSet(said.base);
      toldOf = said.ordinal;
      const known = told.clone();
      if (sameEpoch) known.addAll(state.applied);
      const missing = said.applied.without(known);
      for (const { from, to } of missing) told.addRange(from, to);
      if (missing.length > 0 && untold.length === 0) {
        const problem = "the log says here that it held records which are not there";
        found({ segment, ...NOWHERE, problem }, state);
      }
      for (const range of missing) {
        const open = untold.find((o) => LANES.some((lane) => lies(range, o, lane))) ?? untold.at(-1);
        open?.lost.push(range);
      }
      for (const open of untold) {
        // The first epoch is all that there was.
        open.exact = sameEpoch || (state.ordinal === 0 && said.ordinal === 1);
        open.epoch = said;
      }
      untold = [];
    },
    end: (state) => {
      for (const open of untold) {
        if (open.epoch.ordinal === state.ordinal) open.lost = atMost(open, state.applied);
      }
      return all.map(({ damage, epoch, lost, exact, timeBefore, timeBehind }) => {
        const still = epoch.ordinal === state.ordinal ? stillMissing(lost, state.applied) : lost;
        return { ...damage, epoch: epoch.epoch, lost: still, exact, timeBefore, timeBehind };
      });
    },
  };
}

const LANES = [0, 1] as const;

function lies(range: SequenceRange, { before, behind }: Open, lane: 0 | 1): boolean {
  if (before[lane] === undefined && behind[lane] === undefined) return false;
  return (before[lane] ?? 0) < range.from && (behind[lane] ?? Number.POSITIVE_INFINITY) > range.to;
}

/** What is missing between the records beside the damage, lane by lane, and no more than its bytes could hold. */
function atMost({ damage, before, behind }: Open, applied: SequenceSet): SequenceRange[] {
  const most = damage.bytes === 0 ? Number.POSITIVE_INFINITY : Math.ceil(damage.bytes / RECORD_HEADER);
  const possible = makeSequenceSet();
  for (const lane of LANES) {
    const [a, b] = [before[lane], behind[lane]];
    if (a === undefined && b === undefined) continue;
    const from = a ?? Math.max(0, (b as number) - most - 1);
    const to = Math.min((b ?? applied.last() + 1) - 1, a === undefined ? Number.POSITIVE_INFINITY : a + most);
    possible.addRange(from + 1, Math.max(from, to));
  }
  return possible.without(applied);
}

function stillMissing(lost: readonly SequenceRange[], applied: SequenceSet): SequenceRange[] {
  const set = makeSequenceSet();
  for (const { from, to } of lost) set.addRange(from, to);
  return set.without(applied);
}
