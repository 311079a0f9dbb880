import type { Disk } from "../../lib/disk.ts";
import type { Intent } from "./ledger.ts";
import { openLineLog } from "./line-log.ts";

/**
 * Notifications that could not be told, on disk, until they are told after all or a person removes them.
 *
 * Invariants:
 * - One letter for each key: a notification that fails again is counted in its letter.
 * - At most `maxLetters` letters; the oldest go and are counted.
 * - `add` resolves when the letter is on disk; it is listed at once, whether or not the disk takes it.
 */
export interface DeadLetters {
  add(intent: Intent, reason: string, now: number): Promise<void>;
  /** A notification to this group, receiver and slot has arrived: older ones about it are overtaken. Rejects with the disk's error. */
  arrived(intent: Pick<Intent, "groupKey" | "receiver" | "slot">): Promise<void>;
  remove(keys: Iterable<string>): Promise<void>;
  /** The oldest first. */
  list(): readonly DeadLetter[];
  /** The alerts whose beginning was to be told to this slot and may have been, undefined when there are none. */
  maybeTold(groupKey: string, receiver: string, slot: string): readonly string[] | undefined;
  readonly damagedLines: number;
  stats(): DeadLetterStats;
  close(): Promise<void>;
}

export interface DeadLetter {
  readonly intent: Intent;
  readonly reason: string;
  /** When it failed first and last, Unix ms. */
  readonly since: number;
  readonly last: number;
  readonly failures: number;
}

export interface DeadLetterStats {
  readonly waiting: number;
  /** Notifications that became letters. */
  readonly added: number;
  /** Letters given up because there were too many. */
  readonly dropped: number;
}

type Line = ({ readonly type: "letter" } & DeadLetter) | { readonly type: "gone"; readonly keys: readonly string[] };

const MAX_LETTERS = 10_000;

/** Rejects with the disk's error. */
export async function openDeadLetters(disk: Disk, path: string, maxLetters = MAX_LETTERS): Promise<DeadLetters> {
  const letters = new Map<string, DeadLetter>();
  /** Keys of the letters of each slot. */
  const slots = new Map<string, Set<string>>();
  let added = 0;
  let dropped = 0;
  const put = (letter: DeadLetter) => {
    const { key } = letter.intent;
    letters.delete(key);
    letters.set(key, letter);
    const slot = slotOf(letter.intent);
    slots.set(slot, (slots.get(slot) ?? new Set()).add(key));
  };
  const drop = (key: string): boolean => {
    const letter = letters.get(key);
    if (letter === undefined) return false;
    letters.delete(key);
    const slot = slotOf(letter.intent);
    const keys = slots.get(slot);
    keys?.delete(key);
    if (keys?.size === 0) slots.delete(slot);
    return true;
  };
  const apply = (line: Line): boolean => {
    if (line.type === "letter") {
      const { type: _, ...letter } = line;
      put(letter);
    } else if (line.type === "gone") for (const key of line.keys) drop(key);
    else return false;
    return true;
  };
  const live = (): Line[] => [...letters.values()].map((letter) => ({ type: "letter", ...letter }));
  const { log, damagedLines } = await openLineLog({ disk, path, apply: (line) => apply(line as Line), live });

  const remove = async (keys: Iterable<string>) => {
    const gone = [...keys].filter(drop);
    if (gone.length === 0) return;
    log.push({ type: "gone", keys: gone } satisfies Line);
    await log.sync();
  };
  return {
    damagedLines,
    add: async (intent, reason, now) => {
      const before = letters.get(intent.key);
      if (before === undefined) added++;
      const failures = (before?.failures ?? 0) + 1;
      const letter = { intent, reason, since: before?.since ?? now, last: now, failures };
      put(letter);
      log.push({ type: "letter", ...letter } satisfies Line);
      if (letters.size > maxLetters) {
        dropped++;
        const oldest = letters.keys().next().value as string;
        drop(oldest);
        log.push({ type: "gone", keys: [oldest] } satisfies Line);
      }
      await log.sync();
    },
    arrived: (intent) => remove([...(slots.get(slotOf(intent)) ?? [])]),
    remove,
    list: () => [...letters.values()],
    maybeTold: (groupKey, receiver, slot) => {
      const keys = [...(slots.get(slotOf({ groupKey, receiver, slot })) ?? [])];
      const firing = keys.flatMap((key) => letters.get(key)?.intent.firing ?? []);
      return firing.length === 0 ? undefined : firing;
    },
    stats: () => ({ waiting: letters.size, added, dropped }),
    close: () => log.close(),
  };
}

function slotOf({ groupKey, receiver, slot }: Pick<Intent, "groupKey" | "receiver" | "slot">): string {
  return JSON.stringify([groupKey, receiver, slot]);
}
