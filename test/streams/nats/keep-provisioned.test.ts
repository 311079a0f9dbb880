import { describe, expect, it, vi } from "vitest";
import { keepProvisioned } from "../../../src/streams/nats/keep-provisioned.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { withNatsServer } from "./with-nats-server.ts";

const LIMITS = { partitions: 2, maxAgeMs: 3_600_000, maxBytes: 1 << 28 };

describe("keepProvisioned", { timeout: 90_000 }, () => {
  it("makes a deleted stream anew as soon as a publisher meets its absence, and says what that means", () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus(LIMITS);
      const lines: string[] = [];
      const keeper = keepProvisioned(bus, LIMITS, (level, line) => lines.push(`${level} ${line}`));
      const publisher = jetStreamPublisher(bus, { onNoStream: keeper.check });
      await bus.jsm.streams.delete("SAMPLES_1");
      await publisher.publish(1, new Uint8Array(8), "a");
      expect(lines).toEqual([expect.stringMatching(/^error stream SAMPLES_1 was gone and is made anew/)]);
      publisher.close();
      keeper.close();
    }));

  it("looks after a reconnect, and says nothing when all is there", () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus(LIMITS);
      const lines: string[] = [];
      const keeper = keepProvisioned(bus, LIMITS, (level, line) => lines.push(`${level} ${line}`));
      await nats.kill();
      await nats.restart();
      await bus.ready();
      const looked = vi.spyOn(bus.jsm.streams, "info");
      keeper.check();
      await vi.waitFor(() => expect(looked.mock.calls.map(([name]) => name)).toContain("NOTIFICATIONS"), 5_000);
      expect(lines).toEqual([]);
      keeper.close();
    }));
});
