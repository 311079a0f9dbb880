import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectBus } from "../../../src/streams/nats/bus.ts";
import { embeddedServerChild, startEmbeddedServer } from "../../../src/streams/nats/embedded-server.ts";
import { chooseListen, freePort, type ListenAddress } from "../../../src/streams/nats/listen-address.ts";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";

describe("the embedded server", { timeout: 90_000 }, () => {
  let dir: string;
  let listen: ListenAddress;
  const lines: string[] = [];
  const ends: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "tocsin-test-embedded-"));
    listen = { host: "127.0.0.1", port: await freePort() };
    lines.length = 0;
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    await rm(dir, { recursive: true, force: true });
  });
  const options = async () => {
    const { binary, version } = await obtainNatsServer();
    return { binary, version, dir, listen, say: (level: string, line: string) => lines.push(`${level} ${line}`) };
  };
  const start = async () => {
    const server = await startEmbeddedServer(await options());
    ends.push(() => server.stop());
    return server;
  };

  it("runs with JetStream that syncs before it acknowledges, and stops when told", async () => {
    const server = await start();
    expect(await readFile(join(dir, "nats-server.conf"), "utf8")).toContain("sync_interval: always");
    const bus = await connectBus(server.url);
    await bus.jsm.streams.add({ name: "T", subjects: ["t"] });
    await bus.close();
    await server.stop();
    expect(await server.ended).toBe("nats-server ended with status 0");
    expect(isAlive(server.pid)).toBe(false);
    expect(lines).toContainEqual(expect.stringMatching(/^info nats-server \S+ answers on nats:\/\/127\.0\.0\.1:\d+ /));
  });

  it("ends when its parent is killed with SIGKILL", async () => {
    const holder = holdServer(dir, listen.port);
    const pid = await holder.serverPid;
    expect(isAlive(pid)).toBe(true);
    holder.process.kill("SIGKILL");
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000, interval: 20 });
  });

  it("takes over from a server that was left behind in its folder", async () => {
    const holder = holdServer(dir, listen.port);
    const left = await holder.serverPid;
    // A stopped parent cannot end its server, and this one does not know of it.
    holder.process.kill("SIGSTOP");
    const server = await start();
    expect(isAlive(left)).toBe(false);
    expect(server.pid).not.toBe(left);
    expect(lines[0]).toBe(`warn ended a nats-server that an earlier process left behind (pid ${left})`);
    holder.process.kill("SIGKILL");
  });

  it("is not ended by a pid file that names somebody else", async () => {
    const other = spawn("sleep", ["60"]);
    await writeFile(join(dir, "nats-server.pid"), String(other.pid));
    await start();
    expect(isAlive(other.pid as number)).toBe(true);
    other.kill("SIGKILL");
  });

  it("fails with the server's own words when it cannot run", async () => {
    const taken = await occupy(listen.port);
    await expect(start()).rejects.toMatchObject({
      code: "server_failed",
      message: expect.stringMatching(/address already in use/),
    });
    taken.close();
    await expect(startEmbeddedServer({ ...(await options()), binary: "/nonexistent" })).rejects.toMatchObject({
      code: "server_failed",
    });
    await writeFile(join(dir, "file"), "");
    await expect(startEmbeddedServer({ ...(await options()), dir: join(dir, "file") })).rejects.toMatchObject({
      code: "server_failed",
      message: expect.stringMatching(/cannot prepare .*file for nats-server/),
    });
  });

  it("moves to a free port when the wanted one is taken", async () => {
    const taken = await occupy(listen.port);
    const chosen = await chooseListen(listen);
    expect(chosen).toMatchObject({ host: "127.0.0.1", taken: true });
    expect(chosen.port).not.toBe(listen.port);
    taken.close();
    await once(taken, "close");
    expect(await chooseListen(listen)).toEqual({ ...listen, taken: false });
  });

  it("as a supervised child fails when the server dies, and stops it when interrupted", async () => {
    const o = await options();
    const up = Promise.withResolvers<number>();
    const dying = Effect.runPromise(Effect.scoped(embeddedServerChild(o, { onUp: (s) => up.resolve(s.pid) })));
    process.kill(await up.promise, "SIGKILL");
    await expect(dying).rejects.toMatchObject({
      code: "server_failed",
      message: expect.stringMatching(/^nats-server was killed by SIGKILL/),
    });

    const again = Promise.withResolvers<number>();
    const fiber = Effect.runFork(Effect.scoped(embeddedServerChild(o, { onUp: (s) => again.resolve(s.pid) })));
    const pid = await again.promise;
    await Effect.runPromise(Fiber.interrupt(fiber));
    expect(isAlive(pid)).toBe(false);
  });

  const holdServer = (folder: string, port: number) => {
    const script = new URL("./server-holder.ts", import.meta.url).pathname;
    const holder = spawn(process.execPath, [script, folder, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
    ends.push(async () => holder.kill("SIGKILL"));
    const serverPid = once(holder.stdout, "data").then(([data]) => Number(String(data)));
    return { process: holder, serverPid };
  };
});

/** False for a zombie, too. */
function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}

async function occupy(port: number): Promise<Server> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}
