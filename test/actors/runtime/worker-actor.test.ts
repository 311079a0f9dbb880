import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as References from "effect/References";
import { afterEach, describe, expect, test } from "vitest";
import type { DeathNotice } from "../../../src/actors/runtime/death.ts";
import { makeMailbox } from "../../../src/actors/runtime/mailbox.ts";
import { type ChildSpec, KEEP_TRYING, oneForOne } from "../../../src/actors/runtime/supervisor.ts";
import { workerActor } from "../../../src/actors/runtime/worker-actor.ts";

type Message = { kind: string; bytes?: Uint8Array };

/** A supervised echo worker whose messages and deaths can be awaited. */
function startEcho(options: { graceMs?: number; onDeath?: () => void } = {}) {
  const mailbox = makeMailbox<Message>("echo", { capacity: 16, overflow: "fail" });
  const received: unknown[] = [];
  const deaths: DeathNotice[] = [];
  let wake: (() => void) | undefined;
  const poke = () => {
    wake?.();
    wake = undefined;
  };
  const spec: ChildSpec = {
    id: "echo",
    restart: "permanent",
    run: workerActor<Message>({
      name: "echo",
      url: new URL("./echo.worker.ts", import.meta.url),
      mailbox,
      workerData: { n: 1 },
      resourceLimits: { maxOldGenerationSizeMb: 32 },
      transfer: (m) => (m.bytes === undefined ? [] : [m.bytes.buffer as ArrayBuffer]),
      stop: { message: { kind: "stop" }, graceMs: options.graceMs ?? 5_000 },
      onMessage: (m) => {
        received.push(m);
        poke();
      },
    }),
  };
  const fiber = Effect.runFork(
    oneForOne("top", [spec], { ...KEEP_TRYING, baseMs: 1 }, (n) => {
      deaths.push(n);
      poke();
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
  );
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { mailbox, received, deaths, until, stop: () => Effect.runPromise(Fiber.interrupt(fiber)) };
}

let running: ReturnType<typeof startEcho> | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

describe("an actor in a worker thread", () => {
  test("gets its mailbox, its data and transferred buffers, and answers", async () => {
    running = startEcho();
    const bytes = new Uint8Array([1, 2, 3]);
    running.mailbox.offer({ kind: "a", bytes });
    await running.until(() => running!.received.length === 2);
    expect(running.received).toEqual([{ hello: { n: 1 } }, { echo: { kind: "a", bytes: new Uint8Array([1, 2, 3]) } }]);
    expect(bytes.byteLength).toBe(0);
  });

  test.each([
    ["throw", /worker echo ended with code 1: Error: worker threw/],
    ["reject", /worker echo ended with code 1: Error: worker rejected/],
    ["exit", /worker echo ended with code 3$/],
    ["memory", /ERR_WORKER_OUT_OF_MEMORY|out of memory|memory limit/],
  ])("is started again after it died of %s", async (kind, reason) => {
    running = startEcho();
    running.mailbox.offer({ kind });
    await running.until(() => running!.deaths.length === 1);
    expect(running.deaths[0]!.reason).toMatch(reason);
    running.mailbox.offer({ kind: "b" });
    await running.until(() => running!.received.some((m) => JSON.stringify(m) === '{"echo":{"kind":"b"}}'));
    expect(running.received.filter((m) => JSON.stringify(m).includes("hello"))).toHaveLength(2);
  });

  test("dies of a message that cannot be carried to it, whose sender hears nothing of that, and is back", async () => {
    running = startEcho();
    await running.until(() => running!.received.length === 1);
    const message = { kind: "a", bytes: (() => {}) as unknown as Uint8Array };
    expect(running.mailbox.offer(message)).toBe(true);
    await running.until(() => running!.deaths.length === 1);
    expect(running.deaths[0]!.reason).toMatch(/could not be cloned|transfer/i);
    running.mailbox.offer({ kind: "b" });
    await running.until(() => running!.received.some((m) => JSON.stringify(m) === '{"echo":{"kind":"b"}}'));
  });

  test("ends by itself when it is asked to stop", async () => {
    running = startEcho();
    await running.until(() => running!.received.length === 1);
    const { stop, received, deaths } = running;
    running = undefined;
    await stop();
    expect(received.at(-1)).toEqual({ stopped: true });
    expect(deaths).toEqual([]);
  });

  test("is terminated when it does not stop in time", async () => {
    running = startEcho({ graceMs: 50 });
    await running.until(() => running!.received.length === 1);
    running.mailbox.offer({ kind: "hang" });
    const { stop } = running;
    running = undefined;
    await stop();
  });
});
