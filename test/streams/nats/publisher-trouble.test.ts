import { describe, expect, it } from "vitest";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { halt } from "../../support/halt.ts";
import { withNatsServer } from "./with-nats-server.ts";

describe("a publisher on a bus that stores nothing", { timeout: 90_000 }, () => {
  it("gives up at once what is in flight and what comes, with the reason, until it is over", () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus({});
      let trouble: string | undefined;
      const publisher = jetStreamPublisher(bus, { trouble: () => trouble });
      await halt(nats.pid());
      const inFlight = publisher.publish(0, new Uint8Array(8), "a");
      trouble = "no space left on device";
      const refusal = { name: "TryLater", reason: "bus_unavailable", status: 503 };
      await expect(inFlight).rejects.toMatchObject({ ...refusal, message: expect.stringContaining(trouble) });
      await expect(publisher.publish(0, new Uint8Array(8), "b")).rejects.toMatchObject(refusal);
      expect(publisher.stats()).toMatchObject({ failed: 2, inFlight: 0 });
      process.kill(nats.pid(), "SIGCONT");
      trouble = undefined;
      await publisher.publish(0, new Uint8Array(8), "c");
      publisher.close();
    }));

  it("hurries when the process is about to end", () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus({});
      const publisher = jetStreamPublisher(bus, { deadlineMs: 3_600_000 });
      await halt(nats.pid());
      const before = publisher.publish(0, new Uint8Array(8), "a");
      publisher.hurry(50);
      const after = publisher.publish(0, new Uint8Array(8), "b");
      await expect(before).rejects.toMatchObject({ reason: "bus_unavailable" });
      await expect(after).rejects.toMatchObject({ reason: "bus_unavailable" });
      process.kill(nats.pid(), "SIGCONT");
      publisher.close();
    }));
});
