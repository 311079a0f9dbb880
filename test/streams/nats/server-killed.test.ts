import { describe, expect, it } from "vitest";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { withNatsServer } from "./with-nats-server.ts";

const KILLS = 3;
const FRAMES = 3_000;
const IN_FLIGHT = 32;

describe("kill -9 of nats-server under load", () => {
  it("loses no acknowledged frame, fails none, hands each over once", { timeout: 60_000 }, () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus({ partitions: 1 });
      const publisher = jetStreamPublisher(bus);
      const { created } = await streamIdentity(bus, 0);
      const feed = await consumePartition(bus, 0, { startSequence: 1, created });

      const got: string[] = [];
      let lastSequence = 0;
      const reading = (async () => {
        for await (const batch of feed) {
          expect(batch.skipped).toBe(0);
          for (const s of batch.sequences) {
            expect(s).toBe(lastSequence + 1);
            lastSequence = s;
          }
          for (const p of batch.payloads) got.push(Buffer.from(p.subarray(0, 8)).toString("latin1").trim());
          feed.ack(lastSequence);
          if (got.length >= FRAMES && new Set(got).size >= FRAMES) break;
        }
      })();

      let next = 0;
      let acknowledged = 0;
      let kills = 0;
      let killing: Promise<void> = Promise.resolve();
      const publishSome = async () => {
        while (next < FRAMES) {
          const id = next++;
          const frame = Buffer.alloc(8_192, 32);
          frame.write(String(id), "latin1");
          await publisher.publish(0, frame, `frame-${id}`);
          acknowledged++;
          if (kills < KILLS && acknowledged >= ((kills + 1) * FRAMES) / (KILLS + 1)) {
            kills++;
            killing = nats.kill().then(() => nats.restart());
          }
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, publishSome));
      await killing;
      await reading;

      expect(kills).toBe(KILLS);
      expect(acknowledged).toBe(FRAMES);
      // A frame whose acknowledgement was lost with the server is recognised by its id.
      expect(got.length).toBe(FRAMES);
      expect(new Set(got).size).toBe(FRAMES);
      expect(publisher.stats().retried).toBeGreaterThan(0);
      expect(publisher.stats().failed).toBe(0);
    }),
  );

  it("keeps waiting publishes, and gives up at the deadline with what to say to the sender", { timeout: 90_000 }, () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus({ partitions: 1 });
      const patient = jetStreamPublisher(bus);
      const hasty = jetStreamPublisher(bus, { deadlineMs: 200 });
      await nats.kill();
      const waiting = patient.publish(0, new Uint8Array([1]), "waiting");
      await expect(hasty.publish(0, new Uint8Array([2]), "hasty")).rejects.toMatchObject({
        name: "TryLater",
        reason: "bus_unavailable",
        status: 503,
        message: expect.stringContaining(nats.url),
      });
      await nats.restart();
      await waiting;
      expect((await streamIdentity(bus, 0)).lastSequence).toBe(1);
    }),
  );

  it("does not hang on to a stream that was deleted and made anew", { timeout: 90_000 }, () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus({ partitions: 1 });
      const publisher = jetStreamPublisher(bus);
      const { created } = await streamIdentity(bus, 0);
      const feed = await consumePartition(bus, 0, { startSequence: 1, created });
      await publisher.publish(0, new Uint8Array([1]), "1");
      expect((await feed.next())?.sequences).toEqual([1]);
      const replaced = expect(feed.next()).rejects.toMatchObject({ code: "stream_replaced" });
      const config = (await bus.jsm.streams.info("SAMPLES_0")).config;
      await bus.jsm.streams.delete("SAMPLES_0");
      await bus.jsm.streams.add(config);
      await replaced;
      await feed.close();
      await expect(consumePartition(bus, 0, { startSequence: 2, created })).rejects.toMatchObject({
        code: "stream_replaced",
      });
    }),
  );
});
