import { isDeepStrictEqual } from "node:util";
import type { DeadLetters } from "../notify/dead-letters.ts";
import type { Ledger } from "../notify/ledger.ts";
import type { AlertmanagerConfig } from "./alertmanager-config.ts";
import type { AlertGroup } from "./group.core.ts";

/** When a group whose alerts still fired was told last; undefined when it was not, or all had ended. */
export function lastTold(
  ledger: Ledger,
  config: AlertmanagerConfig,
  group: AlertGroup,
  now: number,
): number | undefined {
  const receiver = config.receivers.find((r) => r.name === group.route.receiver);
  let last: number | undefined;
  for (const { name } of receiver?.integrations ?? []) {
    const entry = ledger.entryOf(group.key, group.route.receiver, name, now);
    if (entry !== undefined && entry.firing.length > 0) last = Math.max(last ?? 0, entry.time);
  }
  return last;
}

/**
 * When a group's flush began whose notification failed, for receivers that another configuration leaves as they are: it makes
 * nothing better for them, so that their groups go on trying in their rhythm. One that was changed is tried at once.
 */
export function lastFailed(
  letters: DeadLetters,
  before: AlertmanagerConfig,
  now: AlertmanagerConfig,
): (group: AlertGroup) => number | undefined {
  const receiverIn = (config: AlertmanagerConfig, name: string) => config.receivers.find((r) => r.name === name);
  const same = new Map<string, boolean>();
  const failed = new Map<string, number>();
  for (const { intent } of letters.list()) {
    const { receiver, groupKey, slot, integration, time } = intent;
    if (slot !== integration) continue;
    const isSame = same.get(receiver) ?? isDeepStrictEqual(receiverIn(before, receiver), receiverIn(now, receiver));
    same.set(receiver, isSame);
    const key = JSON.stringify([receiver, groupKey]);
    if (isSame) failed.set(key, Math.max(failed.get(key) ?? 0, time));
  }
  return ({ route, key }: AlertGroup) => failed.get(JSON.stringify([route.receiver, key]));
}

/** Of two times, the later one that is known. */
export function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
