import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { provisionStreams, reservedBytes, wantedStreams } from "../../../src/streams/nats/provision.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { startNatsServer, type TestNats } from "./with-nats-server.ts";

const LIMITS = { partitions: 2, maxAgeMs: 3_600_000, maxBytes: 1 << 30 };

describe("provisioning", { timeout: 90_000 }, () => {
  let nats: TestNats;
  let bus: Bus;
  beforeAll(async () => {
    nats = await startNatsServer();
    bus = await nats.bus();
  });
  afterAll(() => nats.stop());

  const names = async () => {
    const found: string[] = [];
    for await (const s of bus.jsm.streams.list()) found.push(s.config.name);
    return found.sort();
  };

  it("makes what is missing, brings what exists to the wanted limits, and keeps its messages", async () => {
    await provisionStreams(bus, LIMITS);
    expect(await names()).toEqual(["ALERTS", "INGEST", "NOTIFICATIONS", "SAMPLES_0", "SAMPLES_1"]);
    await jetStreamPublisher(bus).publish(1, new Uint8Array(10), "kept");
    const before = await bus.jsm.streams.info("SAMPLES_1");
    await provisionStreams(bus, { ...LIMITS, maxAgeMs: 7_200_000, maxBytes: 1 << 29 });
    const after = await bus.jsm.streams.info("SAMPLES_1");
    expect(after.config).toMatchObject({
      max_bytes: 1 << 28,
      max_age: 7_200_000 * 1e6,
      discard: "new",
      retention: "limits",
      storage: "file",
      duplicate_window: 120e9,
    });
    expect(after.state.messages).toBe(1);
    expect(after.created).toBe(before.created);
  });

  it("changes nothing of streams that are as wanted", async () => {
    await provisionStreams(bus, LIMITS);
    const updates: string[] = [];
    const watched = { ...bus, jsm: { ...bus.jsm, streams: recordUpdates(bus, updates) } } as Bus;
    await provisionStreams(watched, LIMITS);
    expect(updates).toEqual([]);
  });

  it("takes an age of 0 as any age, and short ages", async () => {
    for (const maxAgeMs of [0, 5_000]) {
      await provisionStreams(bus, { ...LIMITS, maxAgeMs });
      expect((await bus.jsm.streams.info("SAMPLES_0")).config).toMatchObject({
        max_age: maxAgeMs * 1e6,
        duplicate_window: maxAgeMs === 0 ? 120e9 : 5e9,
      });
    }
  });

  it("says which stream cannot be had, and why", async () => {
    await expect(provisionStreams(bus, { ...LIMITS, maxBytes: 2 ** 42 })).rejects.toMatchObject({
      code: "provisioning",
      message: expect.stringMatching(/stream SAMPLES_0 cannot be provisioned .*lower it, or raise .*max_file_store/),
    });
    await bus.jsm.streams.delete("INGEST");
    await bus.jsm.streams.add({ name: "OTHERS", subjects: ["tocsin.ingest.x"] });
    await expect(provisionStreams(bus, LIMITS)).rejects.toMatchObject({
      code: "provisioning",
      message: expect.stringMatching(/stream INGEST .*another stream of this server has these subjects/),
    });
  });
});

it("reserves what the streams may hold", () => {
  const sum = wantedStreams(LIMITS).reduce((n, s) => n + (s.max_bytes ?? 0), 0);
  expect(reservedBytes(LIMITS)).toBe(sum);
  expect(sum).toBeGreaterThan(LIMITS.maxBytes);
});

/** The real stream API, with the names of what is added or updated written down. */
function recordUpdates(bus: Bus, updates: string[]): Bus["jsm"]["streams"] {
  return new Proxy(bus.jsm.streams, {
    get: (target, key) => {
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (key === "add" || key === "update") updates.push(String(key));
        return value.apply(target, args);
      };
    },
  });
}
