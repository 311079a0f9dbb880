import { describe, expect, it } from "vitest";
import {
  deadlineOf,
  dueOf,
  onBeat,
  onPaged,
  onTime,
  onTry,
  startWatch,
  steadyClock,
  type WatchState,
} from "../../src/cli/watchdog-core.ts";

const TIMEOUT = 60_000;
const HOUR = 3_600_000;
const at = (state: WatchState, now: number) => onTime(state, now, TIMEOUT, () => "key");

describe("the watchdog's clock", () => {
  it("is set by nobody while it runs", () => {
    let monotonic = 5;
    const now = steadyClock(1_000_000, () => monotonic);
    expect(now()).toBe(1_000_000);
    monotonic += TIMEOUT + 0.4;
    expect(now()).toBe(1_000_000 + TIMEOUT);
  });

  it("that was set back between two starts delays no page", () => {
    const heard = onBeat(startWatch(undefined, 10 * HOUR), 10 * HOUR + 1);
    const back = startWatch(heard, 9 * HOUR);
    expect(deadlineOf(back, TIMEOUT)).toBe(9 * HOUR + TIMEOUT);
    expect(dueOf(at(back, 9 * HOUR + TIMEOUT))).toBe("trigger");
    // Nor when nothing was heard since the start before.
    const deaf = startWatch(startWatch(heard, 11 * HOUR), 9 * HOUR);
    expect(deadlineOf(deaf, TIMEOUT)).toBe(9 * HOUR + TIMEOUT);
  });

  it("that was set forward between two starts makes no page while heartbeats were heard", () => {
    const heard = onBeat(startWatch(undefined, HOUR), HOUR + 1);
    const forward = startWatch(heard, 100 * HOUR);
    expect(dueOf(at(forward, 100 * HOUR + TIMEOUT - 1))).toBeUndefined();
    expect(dueOf(at(forward, 100 * HOUR + TIMEOUT))).toBe("trigger");
  });
});

describe("an incident over starts", () => {
  it("is paged once however often the watchdog is started in it", () => {
    let state = at(startWatch(undefined, 0), TIMEOUT);
    state = onPaged(onTry(state), "key", "trigger");
    for (let i = 2; i < 6; i++) {
      state = at(startWatch(state, i * TIMEOUT), i * TIMEOUT + 1);
      expect(dueOf(state)).toBeUndefined();
    }
    state = onBeat(state, 7 * TIMEOUT);
    expect(dueOf(startWatch(state, 7 * TIMEOUT + 1))).toBe("resolve");
  });

  it("comes though every start is before the deadline", () => {
    let state = startWatch(undefined, HOUR);
    for (let t = 1; t < TIMEOUT; t += 10_000) state = at(startWatch(state, HOUR + t), HOUR + t);
    expect(dueOf(at(startWatch(state, HOUR + TIMEOUT), HOUR + TIMEOUT))).toBe("trigger");
  });
});
