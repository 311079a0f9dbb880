/**
 * Seeded lives of a shard (world.ts). TOCSIN_WORLDS sets how many, TOCSIN_SEED the first seed; a failure names its seed, and with
 * TOCSIN_TRACE=1 prints what happened before it.
 */
import { describe, test } from "vitest";
import { runWorld } from "./world.ts";

const WORLDS = Number(process.env.TOCSIN_WORLDS ?? 12);
const FIRST = Number(process.env.TOCSIN_SEED ?? 1);
const BATCH = 6;

describe(`lives of a shard's storage, ${WORLDS} from seed ${FIRST}`, () => {
  const batches = Array.from({ length: Math.ceil(WORLDS / BATCH) }, (_, i) => FIRST + i * BATCH);
  test.each(batches)("seeds from %i on", { timeout: 300_000 }, async (first) => {
    for (let seed = first; seed < Math.min(first + BATCH, FIRST + WORLDS); seed++) {
      const lines: string[] = [];
      try {
        await runWorld({ seed, lives: 4, steps: 60, trace: (line) => lines.push(line) });
      } catch (error) {
        const trace = process.env.TOCSIN_TRACE === undefined ? "" : `\n${lines.join("\n")}`;
        throw new Error(`TOCSIN_SEED=${seed} TOCSIN_WORLDS=1 shows it: ${String(error)}${trace}`, { cause: error });
      }
    }
  });
});
