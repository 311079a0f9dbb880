import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { readMessages } from "./read-messages.ts";
import { startNatsServer, type TestNats } from "./with-nats-server.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("publishing to and consuming a partition", () => {
  let nats: TestNats;
  let bus: Bus;
  beforeAll(async () => {
    nats = await startNatsServer();
    bus = await nats.bus({ partitions: 3 });
  });
  afterAll(() => nats.stop());

  it("hands over what was acknowledged, in order, once, from the wanted sequence on", async () => {
    const publisher = jetStreamPublisher(bus);
    await Promise.all(Array.from({ length: 500 }, (_, i) => publisher.publish(0, bytes(`frame ${i}`), `p0-${i}`)));
    const { created } = await streamIdentity(bus, 0);
    const feed = await consumePartition(bus, 0, { startSequence: 101, created });
    const { seqs, texts } = await readMessages(feed, 400);
    expect(seqs).toEqual(Array.from({ length: 400 }, (_, i) => i + 101));
    expect(texts).toEqual(Array.from({ length: 400 }, (_, i) => `frame ${i + 100}`));
    expect(feed.pending()).toBe(0);
    await feed.close();
    expect(await feed.next()).toBeUndefined();
  });

  it("stores a message id once", async () => {
    const publisher = jetStreamPublisher(bus);
    await publisher.publish(1, bytes("a"), "same");
    await publisher.publish(1, bytes("a"), "same");
    expect((await streamIdentity(bus, 1)).lastSequence).toBe(1);
    expect(publisher.stats()).toMatchObject({ acknowledged: 2, duplicates: 1, failed: 0, inFlight: 0 });
  });

  it("waits for messages, frees what is purged, and shows the server how far the reader is", async () => {
    const publisher = jetStreamPublisher(bus);
    const { created } = await streamIdentity(bus, 2);
    const feed = await consumePartition(bus, 2, { startSequence: 1, created, purgeDelayMs: 0 });
    const first = feed.next();
    await publisher.publish(2, bytes("x"), "x1");
    expect((await first)?.sequences).toEqual([1]);
    await publisher.publish(2, bytes("y"), "y2");
    expect((await feed.next())?.sequences).toEqual([2]);
    feed.ack(1);
    await bus.nc.flush();
    const consumers = await bus.jsm.consumers.list("SAMPLES_2").next();
    expect(consumers.map((c) => c.ack_floor.stream_seq)).toEqual([1]);
    feed.purgeBelow(2);
    await vi.waitFor(async () =>
      expect(await streamIdentity(bus, 2)).toMatchObject({ firstSequence: 2, lastSequence: 2 }),
    );
    await feed.close();
    expect(await bus.jsm.consumers.list("SAMPLES_2").next()).toEqual([]);
  });
});
