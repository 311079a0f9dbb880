import { describe, expect, it } from "vitest";
import type { ShardStatus } from "../../src/actors/shard/shard-host.ts";
import { makeShardTrouble } from "../../src/cli/shard-trouble.ts";

function world() {
  const shard = (partition: number): { -readonly [K in keyof ShardStatus]: ShardStatus[K] } => ({
    partition,
    phase: "replaying",
    detail: "reading",
    starts: 1,
  });
  const w = { now: 0, bus: true, shards: [shard(0), shard(1)] as const };
  const trouble = makeShardTrouble(() => w.now);
  const look = () => trouble.look(w.shards, w.bus);
  return { w, look, isWell: trouble.isWell };
}

describe("trouble with shards", () => {
  it("a long start is none, and is not well either", () => {
    const { w, look, isWell } = world();
    expect([look(), isWell()]).toEqual([undefined, false]);
    w.shards[0].phase = w.shards[1].phase = "ready";
    expect([look(), isWell()]).toEqual([undefined, true]);
  });

  it("one that was ready, or that is started again, and is not", () => {
    const { w, look, isWell } = world();
    Object.assign(w.shards[0], { phase: "ready" });
    Object.assign(w.shards[1], { phase: "down", detail: "died", starts: 2 });
    expect([look(), isWell()]).toEqual(["Shard 1: died.", false]);
    Object.assign(w.shards[1], { phase: "ready" });
    expect([look(), isWell()]).toEqual([undefined, true]);
    Object.assign(w.shards[0], { phase: "catching-up", detail: "its disk is full" });
    expect(look()).toBe("Shard 0: its disk is full.");
    // Without the bus none is ready, and nobody can tell that one is well.
    w.bus = false;
    expect([look(), isWell()]).toEqual([undefined, false]);
  });

  it("one that dies again and again, also while it is ready in between, until it has lasted", () => {
    const { w, look, isWell } = world();
    w.shards[0].phase = w.shards[1].phase = "ready";
    look();
    for (let k = 1; k <= 2; k++) {
      w.now += 20_000;
      w.shards[1].starts++;
      expect(look()).toBeUndefined();
    }
    w.now += 20_000;
    w.shards[1].starts++;
    expect([look(), isWell()]).toEqual([expect.stringContaining("Shard 1 dies again and again"), false]);
    w.now += 5 * 60_000;
    expect([look(), isWell()]).toEqual([undefined, true]);
  });
});
