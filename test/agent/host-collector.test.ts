import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { afterEach, beforeEach, describe } from "vitest";
import { makeHostCollector } from "../../src/agent/host-collector.ts";
import { TryLater } from "../../src/model/ingest.ts";
import { type RecordingIngest, recordingIngest } from "../streams/outbox/recording-ingest.ts";

let dir: string;
let ingest: RecordingIngest;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tocsin-agent-"));
  mkdirSync(join(dir, "proc"));
  ingest = recordingIngest();
});
afterEach(() => rmSync(dir, { recursive: true }));

const diskstats = (...devices: string[]) =>
  writeFileSync(join(dir, "proc/diskstats"), devices.map((d) => `8 0 ${d} 1 2 3 4 5 6 7 8 9 10 11\n`).join(""));

const collector = () =>
  makeHostCollector({
    ingest,
    intervalMs: 5000,
    instance: "web-1:9090",
    labels: { dc: "eu" },
    host: { proc: join(dir, "proc"), sys: join(dir, "sys"), root: dir },
  });

const round = (n: number) => Effect.promise(() => ingest.until(() => ingest.appends >= n));
const io = (device: string) =>
  ingest.of(`node_disk_io_now{dc="eu", device="${device}", instance="web-1:9090", job="node"}`);

describe("the host collector", () => {
  it.effect("collects at once and then at every tick, and marks a disk that is pulled out as stale", () =>
    Effect.gen(function* () {
      diskstats("sda", "sdb");
      yield* Effect.forkChild(Effect.scoped(collector().run));
      yield* round(1);
      diskstats("sda");
      yield* TestClock.adjust("5 seconds");
      yield* round(2);
      yield* TestClock.adjust("5 seconds");
      yield* round(3);
      assert.deepStrictEqual(
        io("sda").map(([, v]) => v),
        [9, 9, 9],
      );
      assert.deepStrictEqual(
        io("sdb").map(([, v]) => v),
        [9, "stale"],
      );
      const times = io("sda").map(([t]) => t);
      assert.strictEqual((times[2] ?? 0) - (times[1] ?? 0), 5000);
      assert.deepStrictEqual(
        ingest.of('up{dc="eu", instance="web-1:9090", job="node"}').map(([, v]) => v),
        [1, 1, 1],
      );
    }),
  );

  it.effect("loses nothing while the bus is down", () =>
    Effect.gen(function* () {
      diskstats("sda");
      ingest.refuse = new TryLater("bus_unavailable", 503, 1, "down");
      const made = collector();
      yield* Effect.forkChild(Effect.scoped(made.run));
      yield* Effect.promise(() => ingest.until(() => ingest.refusals > 0));
      for (let i = 1; i <= 6; i++) {
        const before = made.stats().waiting;
        yield* TestClock.adjust("5 seconds");
        while (made.stats().waiting <= before) yield* Effect.promise(() => new Promise((r) => setImmediate(r)));
      }
      ingest.refuse = undefined;
      yield* TestClock.adjust("10 seconds");
      yield* round(7);
      assert.isAtLeast(io("sda").length, 7);
      assert.strictEqual(made.stats().dropped, 0);
    }),
  );
});
