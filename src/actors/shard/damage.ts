/** What a person reads of a damaged WAL. */
import type { WalDamage } from "../../storage/wal/losses.ts";

/** One line: where, what, what is lost at most, and where the damaged segment was kept. */
export function describeDamage(damage: WalDamage): string {
  const { segment, offset, bytes, problem, quarantined, lost, exact, timeBefore, timeBehind } = damage;
  const where = bytes === 0 ? `WAL ${segment}` : `WAL ${segment}: ${bytes} bytes at ${offset}`;
  const ranges = lost.map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`)).join(", ");
  const one = lost.length === 1 && lost[0]?.from === lost[0]?.to;
  const what =
    lost.length === 0
      ? "no message is missing"
      : `${exact ? "" : "at most "}${one ? `message ${ranges} is` : `messages ${ranges} are`} missing, to be read again if the stream still has them`;
  const when =
    timeBefore === undefined || timeBehind === undefined
      ? ""
      : ` (of ${new Date(timeBefore).toISOString()} to ${new Date(timeBehind).toISOString()})`;
  const kept = quarantined === undefined ? "" : `; the segment was copied to ${quarantined}`;
  return `${where} cannot be read (${problem}): ${what}${when}${kept}`;
}
