import { expect, it } from "vitest";
import { lateBus } from "../../../src/streams/nats/late-bus.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { samplesSubject } from "../../../src/streams/nats/subjects.ts";
import { withNatsServer } from "./with-nats-server.ts";

it("is a bus without a connection until its server comes, and then one that stores what waited", () =>
  withNatsServer(async (nats) => {
    await (await nats.bus({})).close();
    await nats.kill();
    const bus = lateBus(nats.url, "nobody there");
    expect(bus.connected()).toBe(false);
    expect(bus.waiting()).toBeDefined();
    expect(() => bus.nc).toThrow();
    const publisher = jetStreamPublisher(bus, { deadlineMs: 60_000 });
    const stored = publisher.publishTo(samplesSubject(0), new Uint8Array(8), "a");
    await nats.restart();
    await bus.ready();
    await stored;
    expect([bus.connected(), bus.waiting()]).toEqual([true, undefined]);
    publisher.close();
    await bus.close();
  }));

it("can be closed before its server has come", () =>
  withNatsServer(async (nats) => {
    await nats.kill();
    const bus = lateBus(nats.url, "nobody there");
    const waits = bus.ready();
    waits.catch(() => {});
    await bus.close();
    await expect(waits).rejects.toMatchObject({ code: "closed" });
  }));
