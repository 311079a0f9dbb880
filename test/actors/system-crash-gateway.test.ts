import { jetstream } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ChildSpec, KEEP_TRYING, oneForOne } from "../../src/actors/runtime/supervisor.ts";
import { labelRequestsChild } from "../../src/actors/shard/label-requests.actor.ts";
import { superviseBus } from "../../src/actors/system.ts";
import type { Bus } from "../../src/streams/nats/bus.ts";
import { connectBus } from "../../src/streams/nats/bus.ts";
import { embeddedServerChild } from "../../src/streams/nats/embedded-server.ts";
import { type IngestReader, ingestSubjectChild } from "../../src/streams/nats/ingest-subject.ts";
import { sendLabelsRequest } from "../../src/streams/nats/labels-request.ts";
import { obtainNatsServer } from "../../src/streams/nats/obtain-server.ts";
import { provisionStreams } from "../../src/streams/nats/provision.ts";
import { INGEST_STREAM, ingestSubject } from "../../src/streams/nats/subjects.ts";
import { recordingIngest } from "../streams/nats/recording-ingest.ts";
import { startNatsServer, type TestNats } from "../streams/nats/with-nats-server.ts";
import { freePort } from "../support/free-port.ts";
import { type DeathWatch, defect, failsOnce, until, watchDeaths } from "./crash-watch.ts";
import { withTempDir } from "./shard/running-shard.ts";

const soon = (condition: () => boolean) => Effect.runPromise(until(condition));
const GOOD = { accepted: 1, rejected: [] };
const LIMITS = { partitions: 1, maxAgeMs: 3_600_000, maxBytes: 1 << 28 };

describe("the gateway's children", { timeout: 300_000 }, () => {
  let nats: TestNats;
  let bus: Bus;
  let watch: DeathWatch;
  const stops: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    nats = await startNatsServer();
    bus = await nats.bus(LIMITS);
    watch = watchDeaths();
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
    await nats.stop();
  });

  const start = (...children: ChildSpec[]) => {
    const tree = oneForOne("gateway", children, KEEP_TRYING, watch.onDeath);
    const fiber = Effect.runFork(Effect.provide(tree, watch.log));
    stops.push(() => Effect.runPromise(Fiber.interrupt(fiber)));
  };
  const ingestSubjectOf = (ingest: Parameters<typeof ingestSubjectChild>[1], onUp: (r: IngestReader) => void) =>
    ({ id: "ingest-subject", restart: "permanent", run: ingestSubjectChild(bus, ingest, {}, onUp) }) as const;
  const publish = (text: string) => {
    const h = headers();
    h.set("Content-Type", "text/plain");
    return jetstream(bus.nc).publish(ingestSubject("default"), text, { headers: h });
  };

  it("label-requests: a listener that throws dies alone, and hears the next request", async () => {
    const heard: [number, number[]][] = [];
    const listener = failsOnce((partition: number, wanted: { unknown: Uint32Array }) => {
      heard.push([partition, [...wanted.unknown]]);
    });
    const readers: IngestReader[] = [];
    const { ingest, recorded } = recordingIngest(() => GOOD);
    start(
      { id: "label-requests", restart: "permanent", run: labelRequestsChild(bus, listener) },
      ingestSubjectOf(ingest, (r) => readers.push(r)),
    );
    await soon(() => readers.length === 1);
    const ask = () => sendLabelsRequest(bus, 3, { unknown: Uint32Array.of(1, 2), ambiguous: Uint32Array.of() });
    ask();
    await soon(() => watch.notices.length === 1);
    const reason = `TypeError: ${defect().message}`;
    expect(watch.notices).toMatchObject([
      { supervisor: "gateway", child: "label-requests", reason, action: "restart" },
    ]);
    // A shard asks again for as long as samples wait.
    const asking = setInterval(ask, 50);
    await soon(() => heard.length > 0);
    clearInterval(asking);
    expect(heard[0]).toEqual([3, [1, 2]]);
    await publish("a 1\n");
    await soon(() => recorded.length === 1);
    expect(readers).toHaveLength(1);
    expect(bus.nc.isClosed()).toBe(false);
    expect(await watch.counted()).toEqual({ "gateway/label-requests": 1 });
  });

  it("ingest-subject: a gateway that throws kills nothing, the message comes again", async () => {
    const { ingest, recorded } = recordingIngest(failsOnce(() => GOOD));
    let reader: IngestReader | undefined;
    start(ingestSubjectOf(ingest, (r) => (reader = r)));
    await soon(() => reader !== undefined);
    await publish("a 1\n");
    await soon(() => reader?.stats().messages === 1);
    expect(recorded).toHaveLength(2);
    expect(reader?.stats()).toMatchObject({ messagesPutOff: 1, messagesRefused: {} });
    expect(watch.notices).toEqual([]);
  });

  it("ingest-subject: that dies goes on with what was not acknowledged", async () => {
    const { ingest, recorded } = recordingIngest(() => GOOD);
    const readers: IngestReader[] = [];
    start(ingestSubjectOf(ingest, (r) => readers.push(r)));
    await soon(() => readers.length === 1);
    await publish("a 1\n");
    await soon(() => recorded.length === 1);
    // The server has its acknowledgement, which follows.
    const unacknowledged = async () => (await bus.jsm.consumers.info(INGEST_STREAM, "gateway")).num_ack_pending;
    while ((await unacknowledged()) > 0) await new Promise(setImmediate);
    // Its consumer is deleted under its feet: reading cannot go on.
    await bus.jsm.consumers.delete(INGEST_STREAM, "gateway");
    await publish("b 2\n");
    await soon(() => watch.notices.length === 1);
    expect(watch.notices).toMatchObject([{ supervisor: "gateway", child: "ingest-subject", action: "restart" }]);
    await soon(() => recorded.some((r) => r.text === "b 2\n"));
    expect(readers).toHaveLength(2);
    expect(recorded.map((r) => r.text)).toEqual(["a 1\n", "b 2\n"]);
  });
});

describe("the bus that dies", { timeout: 300_000 }, () => {
  it("is started again on its port with its data; what was acknowledged is there, clients come back", () =>
    withTempDir(async (dir) => {
      const watch = watchDeaths();
      const program = await obtainNatsServer();
      const listen = { host: "127.0.0.1", port: await freePort() };
      const pids: number[] = [];
      const child = embeddedServerChild({ ...program, dir, listen }, { onUp: (server) => pids.push(server.pid) });
      const fiber = Effect.runFork(Effect.provide(Effect.scoped(superviseBus(child, watch.onDeath)), watch.log));
      await soon(() => pids.length === 1);
      const bus = await connectBus(`nats://127.0.0.1:${listen.port}`, { waitMs: 10_000 });
      await provisionStreams(bus, LIMITS);
      await jetstream(bus.nc).publish(ingestSubject("default"), "kept");
      process.kill(pids[0] as number, "SIGKILL");
      await soon(() => pids.length === 2);
      await bus.ready();
      const { messages } = (await bus.jsm.streams.info(INGEST_STREAM)).state;
      expect(messages).toBe(1);
      expect(watch.notices).toMatchObject([{ supervisor: "tocsin", child: "bus", kind: "failure", action: "restart" }]);
      expect(watch.lines[0]).toMatch(/^tocsin\/bus died \(.*was killed by SIGKILL.*\); restarting in/);
      expect(await watch.counted()).toEqual({ "tocsin/bus": 1 });
      await bus.close();
      await Effect.runPromise(Fiber.interrupt(fiber));
    }));
});
