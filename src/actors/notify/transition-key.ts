import { createHash } from "node:crypto";
import type { ToldAlert } from "./webhook-payload.ts";

/**
 * What a group has to say, as a hash: which alerts fire and which have ended, each with its start. Two processes that see the
 * same alerts get the same; the order does not matter, and neither do annotations, which may hold a value of the moment.
 */
export function contentOf(alerts: readonly Pick<ToldAlert, "fingerprint" | "startsAt" | "endsAt">[]): string {
  const parts = alerts.map((a) => `${a.endsAt === 0 ? "firing" : "resolved"} ${a.fingerprint} ${a.startsAt}`);
  return hash(parts.sort());
}

/**
 * The key of one notification of one transition: the same for each attempt, after a crash and from a second process that tells the same.
 * @param timesTold how often this content was told before: a repetition that is meant has a key of its own
 */
export function transitionKey(
  groupKey: string,
  receiver: string,
  slot: string,
  content: string,
  timesTold: number,
): string {
  return hash([groupKey, receiver, slot, content, String(timesTold)]);
}

function hash(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}
