/** Where the NATS layer reports what a person should know: one line, no newline. Wired to the process's log by main. */
export type Say = (level: "debug" | "info" | "warn" | "error", line: string) => void;

export const saySilently: Say = () => {};

const SAY_AGAIN_MS = 10_000;

/**
 * For what others can cause as often as they like: a line is said at most once in 10 s for each reason, with how many there
 * were.
 */
export function sayEachReasonSometimes(
  level: Parameters<Say>[0],
  say: Say,
  now: () => number = () => performance.now(),
): (reason: string, line: string) => void {
  const saidAt = new Map<string, { at: number; since: number }>();
  return (reason, line) => {
    const last = saidAt.get(reason);
    if (last !== undefined && now() - last.at < SAY_AGAIN_MS) {
      last.since++;
      return;
    }
    saidAt.set(reason, { at: now(), since: 0 });
    say(level, last !== undefined && last.since > 0 ? `${line} (and ${last.since} like it before)` : line);
  };
}
