import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { often } from "../../support/often.ts";
import { freshFolder, type WebhookServer, webhookServer } from "./fixtures.ts";

// Fault model: the process is killed (SIGKILL) at any moment and started again; the disk keeps what was synced. The seed
// decides the moments.
const seed = Number(process.env.SEED ?? 20_261_122);

let hook: WebhookServer;
let folder: string;
let child: ChildProcess;

beforeEach(async () => {
  hook = await webhookServer();
  folder = freshFolder();
});
afterEach(async () => {
  await kill();
  await hook.close();
});

const program = resolve(import.meta.dirname, "crash-program.ts");
const start = () => {
  child = spawn(process.execPath, [program, folder, hook.url], { stdio: ["ignore", "ignore", "inherit"] });
};
const kill = async () => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await gone;
};
const active = (...hosts: string[]) => writeFileSync(join(folder, "active"), hosts.join("\n"));
/** What has been told of one alert, in order. */
const told = (alertname: string, host: string) =>
  hook.received
    .filter(({ body }) => body.groupLabels.alertname === alertname && body.groupLabels.host === host)
    .map(({ body }) => body.status);
/** Since when the alert Held has been active, by the rule group's state on disk; 0 when it is not. */
const heldSince = (): number => {
  const state = join(folder, "alerting/rules");
  const names = readdirSync(state).filter((name) => !name.startsWith("."));
  const base = names.find((name) => name.endsWith(".json"));
  const text = base === undefined ? '{"generation":0,"rules":[]}' : readFileSync(join(state, base), "utf8");
  const { generation, rules } = JSON.parse(text) as {
    generation: number;
    rules: { identity: string; instances: { activeAt: number }[] }[];
  };
  let since = rules.find((r) => r.identity.includes("Held"))?.instances[0]?.activeAt ?? 0;
  // Behind the base, what has changed: a line an instance. Held is the second rule of its group.
  const log = names.find((name) => name.endsWith(`.${generation}.log`));
  const lines = log === undefined ? [] : readFileSync(join(state, log), "utf8").trim().split("\n");
  for (const line of lines) {
    const { rule, now } = JSON.parse(line) as { rule: number; now?: { activeAt: number } };
    if (rule === 1) since = now?.activeAt ?? 0;
  }
  return since;
};
const until = async (condition: () => boolean) => {
  while (!condition()) await sleep(10);
};

describe("a process that is killed", () => {
  it("keeps pending clocks, firing alerts and what was told", { timeout: 300_000 }, async () => {
    active("a");
    start();
    await until(() => told("Now", "a").length === 1 && told("Kept", "a").length === 1);
    await sleep(800);
    await kill(); // Held is pending
    const activeAt = heldSince();
    start();
    await until(() => told("Held", "a").length === 1);
    // The clock of `for` went on through the restart: it did not begin again.
    expect(activeAt).toBeGreaterThan(0);
    expect(heldSince()).toBe(activeAt);
    expect([told("Now", "a"), told("Kept", "a"), told("Held", "a")]).toEqual([["firing"], ["firing"], ["firing"]]);
    await sleep(300);
    await kill();
    active(); // it ends while nobody looks
    start();
    await until(() => ["Now", "Kept", "Held"].every((name) => told(name, "a").length === 2));
    expect([told("Now", "a"), told("Kept", "a"), told("Held", "a")]).toEqual([
      ["firing", "resolved"],
      ["firing", "resolved"],
      ["firing", "resolved"],
    ]);
    await sleep(300);
    await kill();
    start();
    await sleep(1500);
    expect(hook.received.length).toBe(6);
  });

  it(`tells the beginning and the end of every alert, killed at random moments (SEED=${seed})`, {
    timeout: 300_000,
  }, async () => {
    let state = seed;
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const hosts = ["a", "b", "c"].slice(0, often(1, 3));
    active();
    start();
    let kills = 0;
    for (const host of hosts) {
      active(host);
      for (let i = 0; i < 2; i++) {
        await sleep(random() * 900);
        await kill();
        kills++;
        start();
      }
      await until(() => told("Now", host).includes("firing"));
      active();
      await sleep(random() * 900);
      await kill();
      kills++;
      start();
      await until(() => told("Now", host).includes("resolved"));
    }
    await sleep(700);
    for (const host of hosts) {
      const said = told("Now", host);
      // In order, and said again only when a kill fell between the telling and its being written down.
      expect(said.join(" ")).toMatch(/^(firing ?)+(resolved ?)+$/);
      expect(said.length).toBeLessThanOrEqual(2 + kills);
    }
    const repeats =
      hook.received.length - new Set(hook.received.map((r) => JSON.stringify([r.body.groupKey, r.body.status]))).size;
    expect(repeats).toBeLessThanOrEqual(2);
  });
});
