import { compress } from "snappyjs";
import { expect, test } from "vitest";
import { makeGateway } from "../../../src/streams/ingest/gateway.ts";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { withNatsServer } from "../nats/with-nats-server.ts";
import { replay } from "../support/memory-bus.ts";
import { writeRequestBytes } from "../support/write-request-bytes.ts";

const NOW = 1.75e12;
const PARTITIONS = 2;
const LIMITS = {
  maxDecodedBytes: 1 << 24,
  maxLabelNamesPerSeries: 10,
  maxLabelNameBytes: 100,
  maxLabelValueBytes: 200,
};

test("over a real bus that is killed under load, what was acknowledged is in the streams once, with its labels", async () => {
  await withNatsServer(async (nats) => {
    const bus = await nats.bus({ partitions: PARTITIONS });
    const publisher = jetStreamPublisher(bus);
    const gateway = makeGateway({
      partitions: PARTITIONS,
      publisher,
      limits: LIMITS,
      now: () => NOW,
      maxFrameBytes: 4096,
    });
    const request = (n: number) => {
      const series = Array.from({ length: 50 }, (_, i) => ({
        labels: [
          ["__name__", "m"],
          ["i", `${i}`],
        ] as const,
        samples: [{ ts: NOW, value: n * 50 + i }],
      }));
      return new Uint8Array(compress(writeRequestBytes(series)));
    };
    const acknowledged: number[] = [];
    let next = 0;
    const sender = async (until: number) => {
      while (next < until) {
        const n = next++;
        const { accepted, rejected } = await gateway.remoteWrite("default", request(n));
        expect([accepted, rejected]).toEqual([50, []]);
        acknowledged.push(n);
      }
    };
    const load = Promise.all([sender(400), sender(400), sender(400), sender(400)]);
    while (acknowledged.length < 50) await new Promise((resolve) => setImmediate(resolve));
    await nats.kill();
    await nats.restart();
    await load;
    await gateway.close();

    const stored: { partition: number; frame: Uint8Array; msgId: string }[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const { created, lastSequence } = await streamIdentity(bus, partition);
      const feed = await consumePartition(bus, partition, { startSequence: 1, created });
      for (let seen = 0; seen < lastSequence; ) {
        const batch = await feed.next();
        if (batch === undefined) throw new Error("the feed ended early");
        for (const frame of batch.payloads) stored.push({ partition, frame: frame.slice(), msgId: "" });
        seen += batch.payloads.length;
      }
      await feed.close();
    }
    const values = replay(stored).map((s) => {
      const value = new Float64Array(Uint32Array.from(s.bits).buffer)[0]!;
      expect(s.labels).toEqual(["__name__", "m", "i", `${value % 50}`]);
      return value;
    });
    expect(acknowledged).toHaveLength(400);
    expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 400 * 50 }, (_, i) => i));
    publisher.close();
  });
}, 120_000);
