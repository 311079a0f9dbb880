import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { connectBus } from "../../../src/streams/nats/bus.ts";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { freePort } from "../../../src/streams/nats/listen-address.ts";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";
import { provisionStreams } from "../../../src/streams/nats/provision.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { connectWriter } from "../../../src/streams/sdk/writer.ts";

/** The permissions that docs/nats.md names. */
const PUBLISH = ["tocsin.samples.*", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*"];
const SUBSCRIBE = ["tocsin.labels.*", "_INBOX.>"];

/** A server with accounts, and what stops it. */
async function startServer(port: number, dir: string): Promise<() => Promise<void>> {
  const { binary } = await obtainNatsServer();
  const config = `
listen: "127.0.0.1:${port}"
max_payload: 8388608
jetstream { store_dir: ${JSON.stringify(join(dir, "js"))} }
authorization {
  users = [
    { user: tocsin, password: "s3cret:/" }
    { user: agent, password: agent, permissions: {
      publish: ${JSON.stringify(PUBLISH)}
      subscribe: ${JSON.stringify(SUBSCRIBE)}
    } }
  ]
}`;
  await writeFile(join(dir, "nats.conf"), config);
  const child = spawn(binary, ["-c", join(dir, "nats.conf")], { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise<void>((done, reject) => {
    child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}`)));
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      if (text.includes("Server is ready")) done();
    });
  });
  return () =>
    new Promise((done) => {
      child.removeAllListeners("exit");
      child.once("exit", () => done());
      child.kill("SIGKILL");
    });
}

it("on a server with accounts a writer needs the permissions that the page names, a reader its password", async () => {
  const dir = await mkdtemp(join(tmpdir(), "tocsin-test-accounts-"));
  const port = await freePort();
  const stop = await startServer(port, dir);
  try {
    const bus = await connectBus(`nats://tocsin:${encodeURIComponent("s3cret:/")}@127.0.0.1:${port}`);
    await provisionStreams(bus, { partitions: 2, maxAgeMs: 3_600_000, maxBytes: 1 << 28 });
    const writer = await connectWriter({ url: `nats://agent:agent@127.0.0.1:${port}`, giveUpMs: 5_000 });
    const series = Uint32Array.from({ length: 20 }, (_, i) => writer.series({ __name__: "m", i: String(i) }));
    await writer.append(series, 1_700_000_000_000, new Float64Array(20));
    await writer.append(series, 1_700_000_000_001, new Float64Array(20));
    await writer.close();
    let messages = 0;
    for (const p of [0, 1]) {
      const { created, lastSequence } = await streamIdentity(bus, p);
      const feed = await consumePartition(bus, p, { startSequence: 1, endSequence: lastSequence, created });
      for await (const batch of feed) messages += batch.payloads.length;
      await feed.close();
    }
    expect(messages).toBe(4);
    // It can do no more than write.
    const agent = await connectBus(`nats://agent:agent@127.0.0.1:${port}`);
    await expect(agent.jsm.streams.purge("SAMPLES_0")).rejects.toThrow();
    await agent.close();
    await bus.close();
  } finally {
    await stop();
    await rm(dir, { recursive: true, force: true });
  }
});
