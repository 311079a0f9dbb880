import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import type { ShardClient } from "../../../src/model/shard.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { type Gateway, makeGateway } from "../../../src/streams/ingest/gateway.ts";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { onLabelsRequest } from "../../../src/streams/nats/labels-request.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { startNatsServer, type TestNats } from "../../streams/nats/with-nats-server.ts";
import { freePort } from "../../support/free-port.ts";
import { consumed, runShard, withTempDir } from "./running-shard.ts";

const LIMITS = {
  maxDecodedBytes: 1 << 22,
  maxLabelNamesPerSeries: 64,
  maxLabelNameBytes: 1024,
  maxLabelValueBytes: 4096,
};
const T0 = 1_700_000_000_000;

let nats: TestNats;
let bus: Bus;
beforeAll(async () => {
  nats = await startNatsServer();
  bus = await nats.bus({ partitions: 1 });
}, 90_000);
afterAll(() => nats.stop());

const newGateway = () =>
  makeGateway({ partitions: 1, publisher: jetStreamPublisher(bus), limits: LIMITS, now: () => T0 + 60_000 });

/** One sample of each of 20 series. */
async function write(gateway: Gateway, ts: number, value: number): Promise<void> {
  const refs = Array.from({ length: 20 }, (_, i) =>
    gateway.series(DEFAULT_TENANT, labelsFromObject({ __name__: "jobs", n: String(i) })),
  );
  const result = await gateway.append(refs, new Float64Array(20).fill(ts), new Float64Array(20).fill(value));
  expect(result).toMatchObject({ accepted: 20, rejected: [] });
}

/** All samples as `value@time` in the order of time, the same for each series. */
async function samples(client: ShardClient): Promise<string> {
  const engine = makeEngine({ shards: [client] });
  const result = await engine.instant({ tenant: DEFAULT_TENANT, query: "jobs[1h]", time: T0 + 60_000 });
  if (result.type !== "matrix") throw new Error(result.type);
  const texts = result.ts.map((ts, r) => Array.from(ts, (t, i) => `${result.values[r]![i]}@${t - T0}`).join(" "));
  expect(new Set(texts).size).toBeLessThan(2);
  return `${texts.length} series: ${texts[0]}`;
}

describe("a shard behind a gateway", { timeout: 300_000 }, () => {
  test("that lost its memory gets the labels again; an emptied disk costs what was purged and no more", () =>
    withTempDir(async (dir) => {
      const walDir = join(dir, "wal");
      const gateway = newGateway();
      const off = onLabelsRequest(bus, (partition, wanted) => {
        gateway.markUnannounced(partition, wanted.unknown);
        gateway.markAmbiguous(partition, wanted.ambiguous);
      });
      let shard = runShard({ dir, busUrl: nats.url });
      await write(gateway, T0, 1);
      await write(gateway, T0 + 1_000, 2);
      await consumed(shard, 2);
      expect(await samples(shard.client)).toBe("20 series: 1@0 2@1000");
      await shard.stop();
      await rm(walDir, { recursive: true });
      await bus.jsm.streams.purge("SAMPLES_0", { seq: 3 });

      shard = runShard({ dir, busUrl: nats.url });
      await shard.ready();
      const asked = new Promise<void>((resolve) => {
        const done = onLabelsRequest(bus, () => {
          done();
          resolve();
        });
      });
      // The gateway believes that the shard knows the labels.
      await write(gateway, T0 + 2_000, 3);
      await asked;
      expect(await shard.client.request<"stats">({ kind: "stats" })).toMatchObject({
        samplesParked: 20,
        headSeries: 0,
      });
      await write(gateway, T0 + 3_000, 4);
      await consumed(shard, 4);
      expect(await samples(shard.client)).toBe("20 series: 3@2000 4@3000");
      const stats = await shard.client.request<"stats">({ kind: "stats" });
      expect(stats).toMatchObject({ samplesParked: 0, messagesMissed: 2 });
      off();
      await gateway.close();
      await shard.stop();

      // Without a bus it still answers from what it has, and stops without waiting for one.
      shard = runShard({ dir, busUrl: `nats://127.0.0.1:${await freePort()}` });
      await shard.until((s) => s.phase === "connecting");
      expect(await samples(shard.client)).toBe("20 series: 3@2000 4@3000");
      expect(await shard.client.request<"stats">({ kind: "stats" })).toMatchObject({ ready: false });
      await shard.stop();
      expect(shard.deaths).toEqual([]);
    }));
});
