import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { makePostedDoor } from "../../../src/actors/alert/posted-door.ts";
import { posted } from "./fixtures.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const some = (count: number) => Array.from({ length: count }, (_, i) => posted({ alertname: `A${i}` }));

it("answers each sender once, and counts the alerts of those who are not told that they are on disk", async () => {
  const door = makePostedDoor({ waitMs: 5000, capacity: 10 });
  const written = door.come(some(4));
  const refusedByDisk = door.come(some(3));
  const late = door.come(some(2));
  // Ten may wait.
  expect(await door.come(some(5))).toContain("9 alerts wait already");
  expect(door.stats()).toEqual({ refused: 5, late: 0, unwritten: 0 });
  door.next()?.answer(Promise.resolve());
  expect(await written).toBeUndefined();
  door.next()?.answer(Promise.reject(new Error("ENOSPC")));
  expect(await refusedByDisk).toContain("ENOSPC");
  const slow = Promise.withResolvers<void>();
  door.next()?.answer(slow.promise);
  await vi.advanceTimersByTimeAsync(5000);
  expect(await late).toContain("not on disk after 5000 ms");
  slow.reject(new Error("EIO"));
  await vi.advanceTimersByTimeAsync(0);
  // It was answered before: it counts once.
  expect(door.stats()).toEqual({ refused: 5, late: 2, unwritten: 3 });
  expect(door.next()).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});

it("takes one batch that is larger than all that may wait", async () => {
  const door = makePostedDoor({ waitMs: 5000, capacity: 2 });
  const large = door.come(some(3));
  const batch = door.next();
  expect(batch?.alerts.length).toBe(3);
  batch?.answer(Promise.resolve());
  expect(await large).toBeUndefined();
  expect(door.stats()).toEqual({ refused: 0, late: 0, unwritten: 0 });
});
