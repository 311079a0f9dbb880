import { expect, test } from "vitest";
import { applyFrame, makeShardCore } from "../../../src/actors/shard/shard.core.ts";
import { IDLE_MS } from "../../../src/storage/engine/idle-series.ts";
import { cutHead, openStorage } from "../../../src/storage/engine/shard-storage.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { frameOf, testSeries } from "../../actors/shard/frames.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

const W = 2 * 3600_000;

test("a series leaves the head only when nothing has come for it for longer than its senders remember it", async () => {
  let now = 10 * W;
  const head = createHead({ outOfOrderWindowMs: 100 * W });
  const core = makeShardCore(head, 0);
  const storage = await openStorage({
    disk: makeSimDisk(),
    dir: "/shard",
    head,
    ages: { raw: 0, "1m": 0, "1h": 0 },
    rules: [],
    cacheBytes: 0,
    now: () => now,
    say: () => undefined,
  });
  const [busy, gone] = [testSeries("busy"), testSeries("gone")];
  applyFrame(
    core,
    frameOf(
      [busy, gone],
      [
        [busy, W, 1],
        [gone, W, 1],
      ],
    ),
  );
  const cut = async (after: number) => {
    now += after;
    await cutHead(storage, Math.floor(now / W) * W, async () => undefined);
    return head.series.count;
  };
  expect(await cut(0)).toBe(2);
  // An old sample without labels, for a series that has nothing in the head: its sender announced it and has not been silent.
  applyFrame(core, frameOf([], [[busy, W + 1, 2]]));
  expect(await cut(IDLE_MS)).toBe(1);
  applyFrame(core, frameOf([], [[busy, W + 2, 3]]));
  expect(core.parked.length).toBe(0);
  // Cuts that follow fast do not count as time.
  expect(await cut(1)).toBe(1);
  applyFrame(core, frameOf([], [[busy, W + 3, 3]]));
  expect(core.parked.length).toBe(0);
});
