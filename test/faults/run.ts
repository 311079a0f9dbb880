/**
 * `npm run test:faults`: the tests of faults, many more of each than `npm test` runs, from a seed of its own each time.
 *
 *   npm run test:faults                    about half an hour
 *   npm run test:faults -- --times 10      ten times as many of everything
 *   npm run test:faults -- --seed 7        from this seed
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { times: { type: "string", default: "1" }, seed: { type: "string" } },
});
const times = Number(values.times);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6));
if (!(times > 0) || !Number.isInteger(seed)) throw new Error("--times takes a positive number, --seed a whole one");
const many = (n: number): string => String(Math.ceil(n * times));

/** How many of each; the tests name the variables. */
const env = {
  TOCSIN_SEED: String(seed),
  TOCSIN_WORLDS: many(2000),
  TOCSIN_SCHEDULES: many(20_000),
  TOCSIN_FLIPS: many(150),
  TOCSIN_KILLS: many(20),
  TOCSIN_ROUNDS: many(25),
};
const FILES = [
  "test/faults/",
  "test/storage/snapshot/power-cut",
  "test/storage/wal/",
  "test/storage/engine/tiers",
  "test/actors/shard/",
  "test/streams/nats/server-killed",
  "test/e2e/faults",
  "test/e2e/kill",
  "test/e2e/overload",
];

const shown = Object.entries(env).map(([name, value]) => `${name}=${value}`);
process.stdout.write(`${shown.join(" ")}\n`);
const vitest = join(import.meta.dirname, "../../node_modules/vitest/vitest.mjs");
const child = spawn(process.execPath, [vitest, "run", ...FILES], {
  stdio: "inherit",
  env: { ...process.env, ...env },
});
child.once("exit", (code) => {
  process.exitCode = code ?? 1;
});
