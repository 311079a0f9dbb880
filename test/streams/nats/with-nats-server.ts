import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bus, connectBus } from "../../../src/streams/nats/bus.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../../src/streams/nats/embedded-server.ts";
import { freePort } from "../../../src/streams/nats/listen-address.ts";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";
import { provisionStreams, type StreamLimits } from "../../../src/streams/nats/provision.ts";

/** A real nats-server with JetStream, in a temporary directory, on a free port of the loopback. */
export interface TestNats {
  readonly url: string;
  /** Its data; removed by stop(). */
  readonly dir: string;
  /** The running server's process id. */
  pid(): number;
  /** A connection, closed by stop() at the latest; with limits, the streams are made too. */
  bus(limits?: Partial<StreamLimits>): Promise<Bus>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again after kill() (or stops and starts it), on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server. Prefer withNatsServer, which also stops it. */
export async function startNatsServer(): Promise<TestNats> {
  const { binary, version } = await obtainNatsServer();
  const dir = await mkdtemp(join(tmpdir(), "tocsin-test-nats-"));
  const listen = { host: "127.0.0.1", port: await freePort() };
  const start = () => startEmbeddedServer({ binary, version, dir, listen });
  let server: EmbeddedServer = await start();
  const buses: Bus[] = [];
  return {
    url: server.url,
    dir,
    pid: () => server.pid,
    bus: async (limits) => {
      const bus = await connectBus(server.url, { waitMs: 10_000 });
      buses.push(bus);
      if (limits !== undefined) {
        await provisionStreams(bus, { partitions: 1, maxAgeMs: 3_600_000, maxBytes: 1 << 30, ...limits });
      }
      return bus;
    },
    kill: async () => {
      process.kill(server.pid, "SIGKILL");
      await server.ended;
    },
    restart: async () => {
      await server.stop();
      server = await start();
    },
    stop: async () => {
      await Promise.all(buses.map((b) => b.close()));
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Runs a test with a server of its own. */
export async function withNatsServer<A>(test: (nats: TestNats) => Promise<A>): Promise<A> {
  const nats = await startNatsServer();
  try {
    return await test(nats);
  } finally {
    await nats.stop();
  }
}
