import { describe, expect, it } from "vitest";
import { makeInputs } from "../../../src/actors/rule/inputs.ts";

/** Streams and shards whose progress the test decides; time goes on only by waiting. */
function world(partitions: number) {
  const w = {
    now: 0,
    ends: new Array<number>(partitions).fill(0),
    seen: new Array<number>(partitions).fill(0),
    asked: 0,
    busDown: false,
    waits: [] as number[],
    /** What happens while somebody waits for a partition. */
    meanwhile: (_partition: number): void => undefined,
    lacks: ["", ""] as ("" | "shard_missing" | "bus_lagging")[],
    hold: undefined as Promise<void> | undefined,
  };
  const complete = makeInputs({
    partitions,
    lastSequence: async (p) => {
      w.asked++;
      await w.hold;
      if (w.busDown) throw new Error("no answer");
      return w.ends[p] as number;
    },
    lacks: (p) => w.lacks[p] ?? "",
    visibleUpTo: (p) => w.seen[p] as number,
    change: async (p, ms) => {
      w.waits.push(ms);
      const before = w.seen[p];
      w.meanwhile(p);
      if (w.seen[p] === before) w.now += ms;
    },
    now: () => w.now,
  });
  return { w, complete };
}

describe("completeness of inputs", () => {
  it("waits for nothing where the shards have all", async () => {
    const { w, complete } = world(2);
    w.ends = [7, 0];
    w.seen = [7, 3];
    expect(await complete(5000)).toBe("");
    expect(w.waits).toEqual([]);
  });

  it("waits until each shard has read what was published before the question", async () => {
    const { w, complete } = world(2);
    w.ends = [7, 9];
    w.seen = [7, 4];
    w.meanwhile = (p) => void w.seen.splice(p, 1, (w.seen[p] as number) + 1);
    expect(await complete(5000)).toBe("");
    expect(w.waits.length).toBe(5);
    expect(w.seen[1]).toBe(9);
  });

  it("does not wait for a shard that does not answer, and tells it from one that reads a backlog", async () => {
    const { w, complete } = world(2);
    w.ends = [7, 7];
    w.seen = [0, 7];
    w.lacks = ["shard_missing", "bus_lagging"];
    expect(await complete(5000)).toBe("shard_missing");
    expect(w.waits).toEqual([]);
    w.seen = [7, 7];
    w.lacks = ["", "bus_lagging"];
    expect(await complete(5000)).toBe("bus_lagging");
    w.lacks = ["", ""];
    expect(await complete(5000)).toBe("");
  });

  it("gives up after the bound and says why, then does not wait long for what stands still, until it moves", async () => {
    const { w, complete } = world(1);
    w.ends = [7];
    expect(await complete(5000)).toBe("bus_lagging");
    expect(w.now).toBe(5000);
    expect(await complete(5000)).toBe("bus_lagging");
    expect(w.now).toBeLessThanOrEqual(5100);
    w.seen = [6];
    w.meanwhile = () => void w.seen.splice(0, 1, 7);
    expect(await complete(5000)).toBe("");
  });

  it("tells a bus that does not answer from one that lags", async () => {
    const { w, complete } = world(1);
    w.busDown = true;
    expect(await complete(5000)).toBe("bus_down");
    w.busDown = false;
    expect(await complete(5000)).toBe("");
  });

  it("asks the bus once for many that come while it is asked, and after they came", async () => {
    const { w, complete } = world(1);
    let release = (): void => undefined;
    w.hold = new Promise((resolve) => {
      release = resolve;
    });
    const first = complete(5000);
    const others = Array.from({ length: 50 }, () => complete(5000));
    release();
    expect(await Promise.all([first, ...others])).toEqual(new Array(51).fill(""));
    expect(w.asked).toBe(2);
  });
});
