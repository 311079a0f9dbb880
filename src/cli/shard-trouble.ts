import type { ShardStatus } from "../actors/shard/shard-host.ts";

/** Looks at the shards now and then, and knows what is wrong with them. */
export interface ShardTrouble {
  /** What is wrong, in words; undefined when nothing is known to be. */
  look(shards: readonly ShardStatus[], busIsThere: boolean): string | undefined;
  /** Whether, at the last look, all was well: no shard is down, and none was so again and again. */
  isWell(): boolean;
}

/** One that is started again so often within the window dies again and again, though it may be ready at the moment. */
const OFTEN = 3;
const WINDOW_MS = 5 * 60_000;

/** @param now milliseconds that never go back */
export function makeShardTrouble(now: () => number): ShardTrouble {
  const wasReady = new Set<number>();
  const startsOf = new Map<number, number>();
  /** When each was started again, the newest OFTEN of them. */
  const again = new Map<number, number[]>();
  let well = false;

  const restarts = ({ partition, starts }: ShardStatus): number => {
    const times = again.get(partition) ?? [];
    for (let more = starts - Math.max(1, startsOf.get(partition) ?? 0); more > 0; more--) times.push(now());
    startsOf.set(partition, starts);
    const recent = times.slice(-OFTEN).filter((at) => now() - at < WINDOW_MS);
    again.set(partition, recent);
    return recent.length;
  };

  return {
    look: (shards, busIsThere) => {
      const told: string[] = [];
      well = true;
      for (const shard of shards) {
        const { partition, phase, detail, starts } = shard;
        const often = restarts(shard) >= OFTEN;
        if (phase === "ready") wasReady.add(partition);
        if (phase !== "ready" || often) well = false;
        // A long start is none of it; without the bus no shard is ready.
        const isDown = phase !== "ready" && (wasReady.has(partition) || starts > 1) && busIsThere;
        if (isDown) told.push(`Shard ${partition}: ${detail}.`);
        else if (often) told.push(`Shard ${partition} dies again and again: it was started ${starts} times.`);
      }
      return told.length === 0 ? undefined : told.join(" ");
    },
    isWell: () => well,
  };
}
