import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../lib/sim-disk.ts";
import { freshFolder, type WebhookServer, webhookServer } from "./fixtures.ts";

// A real process, killed with SIGKILL at random moments and started again on the same folder. The receiver remembers keys
// (Idempotency-Key). PROCESS_KILLS says how often; the seed decides the moments.
const kills = Number(process.env.PROCESS_KILLS ?? 3);
const seed = Number(process.env.SEED ?? 20_261_122);
const program = resolve(import.meta.dirname, "crash-program.ts");

let hook: WebhookServer;
let child: ChildProcess | undefined;
const kill = async () => {
  const it = child;
  if (it === undefined || it.exitCode !== null || it.signalCode !== null) return;
  const gone = new Promise((done) => it.once("exit", done));
  it.kill("SIGKILL");
  await gone;
};
afterEach(async () => {
  await kill();
  await hook.close();
});

describe("the process of rules and notifications", () => {
  it(`loses no page and repeats none over ${kills} kills (SEED=${seed})`, { timeout: 900_000 }, async () => {
    const random = seededRandom(seed);
    hook = await webhookServer();
    const folder = freshFolder();
    const active = (...hosts: string[]) => writeFileSync(join(folder, "active"), hosts.join("\n"));
    const start = () => {
      child = spawn(process.execPath, [program, folder, hook.url], { stdio: ["ignore", "ignore", "inherit"] });
    };
    /** What the receiver acts upon: each key once. */
    const heard = () => {
      const keys = new Set<unknown>();
      return hook.received.filter(({ headers }) => {
        const key = headers["idempotency-key"];
        const isNew = !keys.has(key);
        keys.add(key);
        return isNew;
      });
    };
    const told = (alertname: string, host: string) =>
      heard()
        .filter(({ body }) => body.groupLabels.alertname === alertname && body.groupLabels.host === host)
        .map(({ body }) => body.status);
    const until = async (condition: () => boolean) => {
      while (!condition()) await sleep(10);
    };
    active();
    start();
    let done = 0;
    const killOnce = async () => {
      await sleep(random() ** 2 * 1500);
      await kill();
      done++;
      start();
    };
    for (let host = 0; done < kills; host++) {
      const name = `h${host}`;
      active(name);
      for (let i = random() < 0.5 ? 1 : 2; i > 0; i--) await killOnce();
      await until(() => told("Now", name).length === 1);
      active();
      if (done < kills) await killOnce();
      await until(() => told("Now", name).length === 2);
      expect(told("Now", name)).toEqual(["firing", "resolved"]);
    }
    await sleep(1000);
    const contents = heard().map(({ body }) => JSON.stringify([body.groupKey, body.status]));
    expect(contents.length - new Set(contents).size).toBe(0);
    if (process.env.VERBOSE) console.log({ kills: done, requests: hook.received.length, heard: heard().length });
  });
});
