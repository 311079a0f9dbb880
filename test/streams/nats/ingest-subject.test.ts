import { jetstream } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as legacy from "nats";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MalformedBody, TryLater } from "../../../src/model/ingest.ts";
import { formatLabels } from "../../../src/model/labels.ts";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { makeGateway } from "../../../src/streams/ingest/gateway.ts";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { consumePartition } from "../../../src/streams/nats/consume.ts";
import { type IngestReader, ingestSubjectChild, readIngestSubject } from "../../../src/streams/nats/ingest-subject.ts";
import { jetStreamPublisher } from "../../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { type Recorded, recordingIngest } from "./recording-ingest.ts";
import { startNatsServer, type TestNats } from "./with-nats-server.ts";

const good = { accepted: 2, rejected: [] };

describe("the ingest subject", { timeout: 90_000 }, () => {
  let nats: TestNats;
  let bus: Bus;
  let reader: IngestReader;
  const lines: string[] = [];
  beforeEach(async () => {
    nats = await startNatsServer();
    bus = await nats.bus({ partitions: 1 });
    lines.length = 0;
  });
  afterEach(async () => {
    await reader.close();
    await nats.stop();
  });

  const start = async (answer: (r: Recorded) => typeof good = () => good) => {
    const { ingest, recorded } = recordingIngest(answer);
    reader = await readIngestSubject(bus, ingest, { say: (_, line) => lines.push(line) });
    return recorded;
  };
  const publish = async (tenant: string, contentType: string, body: string) => {
    await bus.ready();
    const h = headers();
    if (contentType !== "") h.set("Content-Type", contentType);
    return await jetstream(bus.nc).publish(`tocsin.ingest.${tenant}`, body, { headers: h });
  };
  const left = async () => (await bus.jsm.streams.info("INGEST")).state.messages;

  it("takes each content type from the @nats-io client, under the subject's tenant, with the time it was stored", async () => {
    const recorded = await start();
    const before = Date.now();
    const ack = await publish("team-a", "application/x-protobuf", "snappy bytes");
    expect(ack).toMatchObject({ stream: "INGEST", seq: 1 });
    await publish("team-a", "text/plain; version=0.0.4", "up 1\n");
    await publish("eu.prod", "Application/JSON", "{}");
    await vi.waitFor(() => expect(reader.stats().messages).toBe(3));
    expect(recorded.map((r) => [r.kind, r.tenant, r.text])).toEqual([
      ["remoteWrite", "team-a", "snappy bytes"],
      ["exposition", "team-a", "up 1\n"],
      ["json", "eu.prod", "{}"],
    ]);
    for (const r of recorded.slice(1)) {
      expect(r.now).toBeGreaterThanOrEqual(before - 1);
      expect(r.now).toBeLessThanOrEqual(Date.now());
    }
    expect(reader.stats().samplesAccepted).toBe(6);
    await vi.waitFor(async () => expect(await left()).toBe(0));
  });

  it("takes what the legacy nats package publishes", async () => {
    const recorded = await start();
    const nc = await legacy.connect({ servers: nats.url });
    const h = legacy.headers();
    h.set("content-type", "text/plain");
    const ack = await nc.jetstream().publish("tocsin.ingest.default", "up 1\n", { headers: h, msgID: "agent-1" });
    expect(ack).toMatchObject({ stream: "INGEST", seq: 1, duplicate: false });
    await vi.waitFor(() => expect(recorded).toHaveLength(1));
    expect(recorded[0]).toMatchObject({ kind: "exposition", tenant: "default", text: "up 1\n" });
    await nc.close();
  });

  it("refuses what can never be taken, counts it, says it, and goes on with the others", async () => {
    const recorded = await start((r) => {
      if (r.text === "broken") throw new MalformedBody("bad_snappy", "offset 3: a copy reaches before the start");
      if (r.text === "crash") throw new TypeError("unforeseen");
      return good;
    });
    await publish("default", "", "no type");
    await publish("default", "image/png", "wrong type");
    await publish("default", "application/x-protobuf;proto=io.prometheus.write.v3.Request", "v3");
    await publish("a$b", "application/json", "{}");
    await publish("default", "application/x-protobuf", "broken");
    await publish("default", "application/x-protobuf;proto=io.prometheus.write.v2.Request", "fine");
    await vi.waitFor(() => expect(reader.stats().messages).toBe(1));
    await vi.waitFor(async () => expect(await left()).toBe(0));
    expect(recorded.map((r) => r.text)).toEqual(["broken", "fine"]);
    expect(reader.stats().messagesRefused).toEqual({ unsupported_content_type: 3, bad_tenant: 1, bad_snappy: 1 });
    expect(lines).toContainEqual(expect.stringMatching(/tocsin\.ingest\.default is refused: offset 3: a copy/));
  });

  it("puts off what the partitions do not take now, and loses none of it", async () => {
    let calls = 0;
    await start(() => {
      if (++calls === 1) throw new TryLater("stream_full", 503, 0.05, "full");
      return good;
    });
    await publish("default", "application/json", "{}");
    await vi.waitFor(() => expect(reader.stats().messages).toBe(1), { timeout: 5_000 });
    expect(calls).toBe(2);
    expect(reader.stats().messagesPutOff).toBe(1);
    await vi.waitFor(async () => expect(await left()).toBe(0));
  });

  it("finds what came while nobody read, also after a restart of the server", { timeout: 90_000 }, async () => {
    const recorded = await start();
    await publish("default", "application/json", "1");
    await vi.waitFor(() => expect(recorded).toHaveLength(1));
    await reader.close();
    await publish("default", "application/json", "2");
    await nats.kill();
    await nats.restart();
    const again = await start();
    await vi.waitFor(() => expect(again.map((r) => r.text)).toEqual(["2"]), { timeout: 10_000 });
    await nats.restart();
    await publish("default", "application/json", "3");
    await vi.waitFor(() => expect(again.map((r) => r.text)).toContain("3"), { timeout: 10_000 });
  });

  it("brings samples of every content type through the gateway into the partitions", { timeout: 90_000 }, async () => {
    const publisher = jetStreamPublisher(bus);
    const gateway = makeGateway({
      partitions: 1,
      publisher,
      limits: { maxDecodedBytes: 1 << 20, maxLabelNamesPerSeries: 9, maxLabelNameBytes: 99, maxLabelValueBytes: 99 },
      now: Date.now,
    });
    reader = await readIngestSubject(bus, gateway, { say: (_, line) => lines.push(line) });
    const t = Date.now();
    await publish("acme", "text/plain", 'temperature{room="a"} 21.5\nbad line here\n');
    await publish(
      "acme",
      "application/json",
      `{"series":[{"labels":{"__name__":"x"},"samples":[[${t},1],[${t + 1},2]]}]}`,
    );
    await publish("acme", "application/x-protobuf", "not snappy");
    await vi.waitFor(() => expect(reader.stats().messages + refusedMessages(reader)).toBe(3), { timeout: 5_000 });
    expect(refusedMessages(reader)).toBeGreaterThanOrEqual(1);

    const { created } = await streamIdentity(bus, 0);
    const feed = await consumePartition(bus, 0, { startSequence: 1, created });
    const got: string[] = [];
    while (got.length < reader.stats().samplesAccepted) {
      for (const payload of (await feed.next())?.payloads ?? []) {
        const { definitions, columns } = decodeFrame(payload);
        const names = new Map(
          definitions.map((d) => [`${d.hashHi}:${d.hashLo}`, `${d.tenant} ${formatLabels(d.labels)}`]),
        );
        for (let i = 0; i < columns.length; i++) {
          got.push(`${names.get(`${columns.hashHi[i]}:${columns.hashLo[i]}`)} ${columns.values[i]}`);
        }
      }
    }
    expect(got).toEqual(expect.arrayContaining(["acme x 1", "acme x 2"]));
    await feed.close();
    await gateway.close();
    publisher.close();
  });

  it("as a child of a supervisor waits for a server that cannot give it its consumer, and says so once", async () => {
    await bus.jsm.streams.delete("INGEST");
    const { ingest, recorded } = recordingIngest(() => good);
    const up = Promise.withResolvers<IngestReader>();
    const options = { say: (_: string, line: string) => void lines.push(line) };
    const child = Effect.runFork(Effect.scoped(ingestSubjectChild(bus, ingest, options, up.resolve)));
    const died = vi.fn();
    child.addObserver(died);
    await vi.waitFor(() => expect(lines).toHaveLength(1), { timeout: 5_000 });
    expect(lines[0]).toMatch(/^stream INGEST: .*: what agents publish is not read until that works$/);
    await nats.bus({ partitions: 1 });
    reader = await up.promise;
    await publish("a", "application/json", "{}");
    await vi.waitFor(() => expect(recorded).toHaveLength(1));
    expect(lines).toHaveLength(1);
    expect(died).not.toHaveBeenCalled();
    await Effect.runPromise(Fiber.interrupt(child));
  });

  it("as a child that waits can be stopped", async () => {
    reader = await readIngestSubject(bus, recordingIngest(() => good).ingest);
    await bus.jsm.streams.delete("INGEST");
    const options = { say: (_: string, line: string) => void lines.push(line) };
    const child = Effect.runFork(Effect.scoped(ingestSubjectChild(bus, recordingIngest(() => good).ingest, options)));
    await vi.waitFor(() => expect(lines).toHaveLength(1), { timeout: 5_000 });
    await Effect.runPromise(Fiber.interrupt(child));
  });
});

const refusedMessages = (reader: IngestReader) =>
  Object.values(reader.stats().messagesRefused).reduce((sum, n) => sum + n, 0);
