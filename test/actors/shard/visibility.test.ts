import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FEW, FEW_REACH_MS, MAX_WAIT_MS, makeVisibility, REACH_MS } from "../../../src/actors/shard/visibility.ts";
import { setVisible, type VisibleCell } from "../../../src/actors/shard/visible-cell.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function setup(partitions = 1) {
  const clock = { now: 1_000 };
  const visibility = makeVisibility({ partitions, now: () => clock.now });
  const ack = (sequence: number, partition = 0, stream: string | undefined = "aaaaaaaa") =>
    visibility.acknowledged(partition, { sequence, stream });
  return { clock, ack, wait: visibility.wait, cell: (p = 0) => visibility.cells[p] as VisibleCell };
}

/** Whether a promise is settled after all that a turn of the event loop brings. */
async function settled(promise: Promise<unknown> | undefined): Promise<boolean> {
  let done = false;
  void promise?.then(() => {
    done = true;
  });
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
  return done;
}

describe("a query", () => {
  test("waits for nothing when nothing was written, or all of it is there", () => {
    const { ack, wait, cell } = setup(2);
    expect(wait()).toBeUndefined();
    setVisible(cell(0), 7);
    ack(7);
    ack(6);
    expect(wait()).toBeUndefined();
  });

  test("waits until the shard has what was acknowledged before it came, whatever is acknowledged meanwhile", async () => {
    const { ack, wait, cell } = setup();
    ack(7);
    const first = wait();
    ack(8);
    const second = wait();
    setVisible(cell(), 6);
    expect(await settled(first)).toBe(false);
    setVisible(cell(), 7);
    await first;
    expect(await settled(second)).toBe(false);
    setVisible(cell(), 9);
    await second;
    expect(vi.getTimerCount()).toBe(0);
    expect(wait()).toBeUndefined();
  });

  test("waits for every partition that is behind", async () => {
    const { ack, wait, cell } = setup(3);
    ack(1, 0);
    ack(1, 2);
    const waited = wait();
    setVisible(cell(2), 1);
    expect(await settled(waited)).toBe(false);
    setVisible(cell(0), 1);
    await waited;
  });

  test("goes on without it after a bounded time, and leaves nothing behind", async () => {
    const { ack, wait, cell } = setup();
    ack(1);
    const waited = wait();
    vi.advanceTimersByTime(MAX_WAIT_MS - 1);
    expect(await settled(waited)).toBe(false);
    vi.advanceTimersByTime(1);
    await waited;
    expect(vi.getTimerCount()).toBe(0);
    // Somebody who comes later is woken all the same.
    const later = wait();
    setVisible(cell(), 1);
    await later;
  });

  test.each([
    ["a few messages", FEW, FEW_REACH_MS],
    ["more", FEW + 1, REACH_MS],
  ])("does not wait for a shard that is behind by %s for too long", (_, messages, reach) => {
    const { clock, ack, wait, cell } = setup();
    for (let i = 1; i <= messages; i++) ack(i);
    clock.now += reach;
    expect(wait()).toBeInstanceOf(Promise);
    clock.now += 1;
    expect(wait()).toBeUndefined();
    // Neither for what is new: the shard reads in order.
    ack(messages + 1);
    expect(wait()).toBeUndefined();
    setVisible(cell(), messages);
    expect(wait()).toBeInstanceOf(Promise);
  });

  test("does not wait under an ingest that the shard follows from afar, and waits again when it has caught up", async () => {
    const { clock, ack, wait, cell } = setup();
    let sequence = 0;
    const behind = 4 * REACH_MS;
    for (let ms = 0; ms < 1_000; ms++) {
      clock.now++;
      for (let i = 0; i < 5; i++) ack(++sequence);
      setVisible(cell(), Math.max(0, sequence - 5 * behind));
      if (ms > REACH_MS + 6) expect(wait()).toBeUndefined();
    }
    setVisible(cell(), sequence - 5);
    const near = wait();
    expect(near).toBeInstanceOf(Promise);
    setVisible(cell(), sequence);
    await near;
  });

  test("a stream that was made anew counts from 1: what the old one had is not waited for", async () => {
    const { ack, wait, cell } = setup();
    ack(1_000);
    setVisible(cell(), 1_000);
    ack(3, 0, "bbbbbbbb");
    setVisible(cell(), 0);
    const waited = wait();
    expect(waited).toBeInstanceOf(Promise);
    setVisible(cell(), 3);
    await waited;
    expect(wait()).toBeUndefined();
  });
});

test("an acknowledgement of a partition that there is not, and one without a stream, are taken", () => {
  const { ack, wait } = setup();
  ack(1, 9);
  expect(wait()).toBeUndefined();
  ack(1, 0, undefined);
  expect(wait()).toBeInstanceOf(Promise);
});
