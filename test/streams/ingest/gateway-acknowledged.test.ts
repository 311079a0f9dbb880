import { expect, it } from "vitest";
import type { Stored } from "../../../src/streams/ingest/partition-queue.ts";
import { one, setup, write } from "./gateway-setup.ts";

it("tells where each frame is before the writer hears that its samples are durable", async () => {
  const told: { partition: number; where: Stored }[] = [];
  const { gateway, bus } = setup({
    onAcknowledged: (partition, where) => {
      told.push({ partition, where });
    },
  });
  bus.open();
  for (let round = 1; round <= 3; round++) {
    const series = Array.from({ length: 20 }, (_, i) => one({ __name__: "m", i: String(i) }, round));
    await gateway.remoteWrite("t", write(series));
    // One frame a partition and round; told by the time that the writer's promise resolves.
    expect(told).toHaveLength(3 * round);
  }
  expect(told).toHaveLength(bus.stored.length);
  for (const partition of [0, 1, 2]) {
    const sequences = told.filter((t) => t.partition === partition).map((t) => t.where.sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(new Set(sequences).size).toBe(3);
  }
});
