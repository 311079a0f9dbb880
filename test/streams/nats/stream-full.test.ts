import { expect, it, vi } from "vitest";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { readMessages } from "./read-messages.ts";
import { withNatsServer } from "./with-nats-server.ts";

it("a full stream refuses, keeps what it has, and takes again when it was read", { timeout: 90_000 }, () =>
  withNatsServer(async (nats) => {
    // 16 MiB is the least that a stream gets.
    const bus = await nats.bus({ partitions: 1, maxBytes: 1 });
    const publisher = jetStreamPublisher(bus);
    const frame = new Uint8Array(4 << 20);
    let taken = 0;
    const fill = async () => {
      for (;;) await publisher.publish(0, frame, `fill-${taken}`).then(() => taken++);
    };
    await expect(fill()).rejects.toMatchObject({ name: "TryLater", reason: "stream_full", status: 503 });
    expect(taken).toBe(3);

    const { created } = await streamIdentity(bus, 0);
    const feed = await consumePartition(bus, 0, { startSequence: 1, created });
    expect((await readMessages(feed, 3)).seqs).toEqual([1, 2, 3]);
    // Well before the usual delay, because the stream fills up.
    feed.purgeBelow(3);
    await vi.waitFor(() => publisher.publish(0, frame, "again"), { timeout: 5_000 });
    expect((await readMessages(feed, 1)).seqs).toEqual([4]);
  }),
);
