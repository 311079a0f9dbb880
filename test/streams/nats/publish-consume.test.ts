import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { readMessages } from "./read-messages.ts";
import { startNatsServer, type TestNats } from "./with-nats-server.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("publishing to and consuming a partition", { timeout: 90_000 }, () => {
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

  it("never holds more than its bound for a slow reader, and loses nothing of a backlog beyond it", async () => {
    const publisher = jetStreamPublisher(bus);
    const { created, lastSequence } = await streamIdentity(bus, 2);
    const frame = new Uint8Array(1 << 20);
    const count = 80;
    for (let i = 0; i < count; i += 4) {
      await Promise.all([0, 1, 2, 3].map((k) => publisher.publish(2, frame, `slow-${i + k}`)));
    }
    const reading = await nats.bus();
    const feed = await consumePartition(reading, 2, {
      startSequence: lastSequence + 1,
      created,
      maxBatchBytes: 1 << 20,
    });
    let read = 0;
    for (let i = 0; i < count; i++) {
      const batch = await feed.next();
      expect(batch?.sequences).toEqual([lastSequence + 1 + i]);
      read += batch?.bytes ?? 0;
      // What the server has sent, of messages of 1 MiB.
      const [consumer] = await bus.jsm.consumers.list("SAMPLES_2").next();
      expect(((consumer?.delivered.consumer_seq ?? 0) << 20) - read).toBeLessThanOrEqual(33 << 20);
    }
    expect(feed.pending()).toBe(0);
    await feed.close();
  });

  it("has the server answer three requests at a time, also when they were answered in full", async () => {
    const publisher = jetStreamPublisher(bus);
    const { created, lastSequence } = await streamIdentity(bus, 0);
    const count = 2_500;
    for (let i = 0; i < count; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, k) => publisher.publish(0, bytes("m"), `many-${i + k}`)));
    }
    const feed = await consumePartition(bus, 0, { startSequence: lastSequence + 1, created });
    await readMessages(feed, count);
    await bus.nc.flush();
    await vi.waitFor(async () => {
      const [consumer] = await bus.jsm.consumers.list("SAMPLES_0").next();
      expect(consumer?.num_waiting).toBe(3);
    });
    await feed.close();
  });

  it("goes on when an operator deletes its consumer on the server", async () => {
    const publisher = jetStreamPublisher(bus);
    const { created, lastSequence } = await streamIdentity(bus, 0);
    const feed = await consumePartition(bus, 0, { startSequence: lastSequence + 1, created });
    await publisher.publish(0, bytes("before"), "before");
    expect((await feed.next())?.sequences).toEqual([lastSequence + 1]);
    for (const c of await bus.jsm.consumers.list("SAMPLES_0").next())
      await bus.jsm.consumers.delete("SAMPLES_0", c.name);
    await publisher.publish(0, bytes("after"), "after");
    expect((await feed.next())?.sequences).toEqual([lastSequence + 2]);
    await feed.close();
  });

  it("says how many messages were gone before they were read", async () => {
    const publisher = jetStreamPublisher(bus);
    const { created, lastSequence } = await streamIdentity(bus, 1);
    for (let i = 0; i < 5; i++) await publisher.publish(1, bytes(`${i}`), `gone-${i}`);
    await bus.jsm.streams.deleteMessage("SAMPLES_1", lastSequence + 1);
    await bus.jsm.streams.deleteMessage("SAMPLES_1", lastSequence + 2);
    await bus.jsm.streams.deleteMessage("SAMPLES_1", lastSequence + 4);
    const feed = await consumePartition(bus, 1, { startSequence: lastSequence + 1, created });
    let skipped = 0;
    const seqs: number[] = [];
    while (seqs.length < 2) {
      const batch = await feed.next();
      skipped += batch?.skipped ?? 0;
      seqs.push(...(batch?.sequences ?? []));
    }
    expect(seqs).toEqual([lastSequence + 3, lastSequence + 5]);
    expect(skipped).toBe(3);
    await feed.close();
  });
});
