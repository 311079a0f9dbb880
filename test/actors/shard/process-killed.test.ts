import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { connectBus } from "../../../src/streams/nats/bus.ts";
import { provisionStreams } from "../../../src/streams/nats/provision.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { freePort } from "../../support/free-port.ts";
import { newestSequence, withTempDir } from "./running-shard.ts";
import { expectOnceInWal, makeRandom, startLoad } from "./shard-load.ts";

const FIXTURE = fileURLToPath(new URL("./shard-process.fixture.ts", import.meta.url));
const FRAMES = 1_500;
const KILLS = 4;
const SEED = Number(process.env.TOCSIN_SEED ?? 7);

/** Starts the process; resolves when it has printed the phase. */
async function start(dir: string, port: number, phase: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [FIXTURE, dir, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (line === `phase ${phase}`) resolve();
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
  });
  return child;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exit = once(child, "exit");
  child.kill(signal);
  await exit;
}

/** Fault model: the whole process, its nats-server with it, is killed (SIGKILL) at any moment under load. */
test(`kill -9 of the process loses no acknowledged sample and doubles none, seed ${SEED}`, { timeout: 300_000 }, () =>
  withTempDir(async (dir) => {
    const random = makeRandom(SEED);
    const port = await freePort();
    let child = await start(dir, port, "connecting");
    const bus = await connectBus(`nats://127.0.0.1:${port}`, { waitMs: 20_000 });
    try {
      await provisionStreams(bus, { partitions: 1, maxAgeMs: 3_600_000, maxBytes: 1 << 30 });
      const publisher = jetStreamPublisher(bus, { deadlineMs: 60_000 });
      const load = startLoad(publisher, FRAMES);
      for (let k = 0; k < KILLS; k++) {
        await load.reached(Math.floor(((k + random()) * FRAMES) / KILLS));
        for (let turns = Math.floor(random() * 20); turns > 0; turns--) await new Promise(setImmediate);
        await end(child, "SIGKILL");
        child = await start(dir, port, "connecting");
      }
      await load.done;
      expect(load.acked.size).toBe(FRAMES);
      expect(await newestSequence(bus)).toBe(FRAMES);
      publisher.close();
    } finally {
      await bus.close();
      await end(child, "SIGTERM");
    }
    // A last start reads what its forerunners left; ready means that the stream's end was reached.
    child = await start(dir, port, "ready");
    await end(child, "SIGTERM");
    expect(child.exitCode).toBe(0);
    await expectOnceInWal(join(dir, "wal"), FRAMES);
    expect((await readdir(join(dir, "nats"))).length).toBeGreaterThan(0);
  }),
);
