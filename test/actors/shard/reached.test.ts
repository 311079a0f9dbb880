import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { makeReachedWaiters } from "../../../src/actors/shard/reached.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setup(stream: string | undefined = "aaaaaaaa") {
  const state = { stream, taken: 10 };
  const waiters = makeReachedWaiters(() => ({ stream: state.stream, has: (s) => s <= state.taken }));
  return { state, waiters };
}

test("what is there is answered at once, what comes when it comes", async () => {
  const { state, waiters } = setup();
  expect(await waiters.wait({ sequence: 10, stream: "aaaaaaaa", timeoutMs: 0 })).toBe("reached");
  const later = [11, 12].map((sequence) => waiters.wait({ sequence, stream: undefined, timeoutMs: 1_000 }));
  state.taken = 11;
  waiters.look();
  expect(await later[0]).toBe("reached");
  state.taken = 12;
  waiters.look();
  expect(await later[1]).toBe("reached");
  expect(vi.getTimerCount()).toBe(0);
});

test("a wait ends when its time is over, and when the shard stops", async () => {
  const { waiters } = setup();
  const first = waiters.wait({ sequence: 11, stream: "aaaaaaaa", timeoutMs: 1_000 });
  vi.advanceTimersByTime(1_000);
  expect(await first).toBe("too_late");
  const second = waiters.wait({ sequence: 11, stream: "aaaaaaaa", timeoutMs: 1_000 });
  waiters.close();
  expect(await second).toBe("too_late");
  expect(vi.getTimerCount()).toBe(0);
});

test("before the shard has seen its stream it waits; of another stream nothing will come", async () => {
  const { state, waiters } = setup(undefined);
  const asked = ["aaaaaaaa", "bbbbbbbb"].map((stream) => waiters.wait({ sequence: 3, stream, timeoutMs: 1_000 }));
  waiters.look();
  state.stream = "aaaaaaaa";
  waiters.look();
  expect(await Promise.all(asked)).toEqual(["reached", "other_stream"]);
});
