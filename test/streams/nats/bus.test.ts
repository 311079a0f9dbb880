import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { connectBus, parseBusUrl } from "../../../src/streams/nats/bus.ts";
import { freePort } from "../../../src/streams/nats/listen-address.ts";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";
import { withNatsServer } from "./with-nats-server.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A nats-server as somebody else runs it. */
async function foreignServer(conf: string, port: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "tocsin-test-foreign-"));
  await writeFile(join(dir, "conf"), `listen: 127.0.0.1:${port}\n${conf.replaceAll("DIR", dir)}`);
  const { binary } = await obtainNatsServer();
  const server = spawn(binary, ["-c", join(dir, "conf")], { stdio: ["ignore", "ignore", "pipe"] });
  ends.push(async () => {
    if (server.kill("SIGKILL")) await once(server, "exit");
    await rm(dir, { recursive: true, force: true });
  });
  await new Promise<void>((ready, failed) => {
    let words = "";
    server.once("exit", () => failed(new Error(words)));
    server.stderr.on("data", (chunk) => {
      words += chunk;
      if (words.includes("Server is ready")) ready();
    });
  });
}

describe("connectBus", { timeout: 90_000 }, () => {
  it("gives up on a server that is not there, naming it, and says meanwhile that it waits", async () => {
    const url = `nats://127.0.0.1:${await freePort()}`;
    const lines: string[] = [];
    await expect(connectBus(url, { waitMs: 300, say: (_, line) => lines.push(line) })).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining(url),
    });
    expect(lines).toEqual([expect.stringMatching(/^no NATS server answers at nats:.*: waiting for it$/)]);
  });

  it("leaves no timer behind when it is closed, so that a process can end", () =>
    withNatsServer(async (nats) => {
      const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
      const before = timers();
      const bus = await connectBus(nats.url);
      await bus.close();
      await new Promise(setImmediate);
      expect(timers()).toBeLessThanOrEqual(before);
    }));

  it("waits for one that comes later", async () => {
    const port = await freePort();
    const waiting = Promise.withResolvers<void>();
    const connecting = connectBus(`nats://127.0.0.1:${port}`, { say: () => waiting.resolve() });
    await waiting.promise;
    await foreignServer("jetstream { store_dir: DIR }", port);
    const bus = await connecting;
    expect(bus.connected()).toBe(true);
    await bus.close();
  });

  it("refuses a server without JetStream, and says what to do", async () => {
    const port = await freePort();
    await foreignServer("", port);
    await expect(connectBus(`127.0.0.1:${port}`)).rejects.toMatchObject({
      code: "no_jetstream",
      message: expect.stringMatching(/runs without JetStream.*start it with -js/),
    });
  });

  it("refuses an account without JetStream", async () => {
    const port = await freePort();
    await foreignServer(
      "jetstream { store_dir: DIR }\naccounts { A { jetstream: disabled, users: [{user: a, password: p}] } }",
      port,
    );
    await expect(connectBus(`nats://a:p@127.0.0.1:${port}`)).rejects.toMatchObject({ code: "no_jetstream" });
  });

  it("uses the credentials of the URL and does not show them", async () => {
    const port = await freePort();
    await foreignServer("jetstream { store_dir: DIR }\nauthorization { user: a, password: 'p@ss' }", port);
    const bus = await connectBus(`nats://a:p%40ss@127.0.0.1:${port}`);
    expect(bus.url).toBe(`nats://127.0.0.1:${port}`);
    await bus.close();
    await expect(connectBus(`nats://a:wrong@127.0.0.1:${port}`)).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.not.stringContaining("wrong"),
    });
  });

  it("notices that the server is gone and back", () =>
    withNatsServer(async (nats) => {
      const bus = await nats.bus();
      const back = new Promise<void>((resolve) => bus.onReconnect(resolve));
      await nats.kill();
      await nats.restart();
      await back;
      await bus.ready();
      expect(bus.connected()).toBe(true);
      await bus.close();
      expect(bus.connected()).toBe(false);
      await expect(bus.ready()).rejects.toMatchObject({ code: "closed" });
    }));
});

describe("parseBusUrl", () => {
  it("takes several servers, schemes and tokens", () => {
    expect(parseBusUrl("a:1, nats://b")).toEqual({
      shown: "nats://a:1,nats://b:4222",
      connection: { servers: ["a:1", "b:4222"] },
    });
    expect(parseBusUrl("tls://secret@[::1]:5").connection).toEqual({ servers: ["[::1]:5"], token: "secret", tls: {} });
  });
  it.each(["http://a:1", "", "nats://", "nats://u:pw@a:x"])("refuses %j without showing a password", (url) => {
    expect(() => parseBusUrl(url)).toThrow(/is not a NATS URL/);
    expect(() => parseBusUrl(url)).not.toThrow(/pw/);
  });
});
