/** A supervised shard for the tests: its thread at hand, its phases and deaths awaitable. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as References from "effect/References";
import type { DeathNotice } from "../../../src/actors/runtime/death.ts";
import { oneForOne } from "../../../src/actors/runtime/supervisor.ts";
import { makeShardHost, type ShardHostOptions, type ShardStatus } from "../../../src/actors/shard/shard-host.ts";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";

export const INTENSITY = { max: Number.POSITIVE_INFINITY, withinMs: 60_000, baseMs: 5, capMs: 20 };

export function runShard(
  options: Omit<ShardHostOptions, "partition" | "say" | "outOfOrderWindowMs"> & Partial<ShardHostOptions>,
) {
  const lines: string[] = [];
  const deaths: DeathNotice[] = [];
  let thread: Worker | undefined;
  const host = makeShardHost({
    partition: 0,
    outOfOrderWindowMs: 3_600_000,
    say: (level, line) => lines.push(`${level} ${line}`),
    onThread: (t) => {
      thread = t;
    },
    ...options,
  });
  const tree = oneForOne("shards", [host.child], INTENSITY, (n) => deaths.push(n));
  const fiber = Effect.runFork(Effect.provideService(tree, References.MinimumLogLevel, "None"));
  /** Resolves when the status, now or later, satisfies the condition. */
  const until = (condition: (status: ShardStatus) => boolean) =>
    new Promise<void>((resolve) => {
      const check = (status: ShardStatus) => {
        if (!condition(status)) return;
        off();
        resolve();
      };
      const off = host.onStatus(check);
      check(host.status());
    });
  return {
    host,
    client: host.client,
    lines,
    deaths,
    until,
    ready: () => until((s) => s.phase === "ready"),
    /** Ends the thread at once, wherever it is. */
    kill: async () => {
      await thread?.terminate();
    },
    stop: () => Effect.runPromise(Fiber.interrupt(fiber)),
  };
}

/** Waits until the shard has everything up to this sequence on disk, through restarts. */
export async function consumed(shard: ReturnType<typeof runShard>, sequence: number): Promise<void> {
  while (true) {
    await shard.until((s) => s.phase !== "down" && s.phase !== "replaying");
    const stats = await shard.client.request<"stats">({ kind: "stats" }).catch(() => undefined);
    if (stats !== undefined && stats.consumedSequence >= sequence) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The stream's newest sequence. A request that went down with a server that was killed is made again. */
export async function newestSequence(bus: Bus, partition = 0): Promise<number> {
  for (;;) {
    const identity = await streamIdentity(bus, partition).catch(() => undefined);
    if (identity !== undefined) return identity.lastSequence;
  }
}

export async function withTempDir<A>(use: (dir: string) => Promise<A>): Promise<A> {
  const dir = await mkdtemp(join(tmpdir(), "tocsin-test-shard-"));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
