import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addDefinition, addSample, encodeFrame, makeFrameBuilder } from "../../src/streams/codec/frame-encode.ts";
import { partitionOf, seriesHash } from "../../src/streams/codec/series-hash.ts";
import { halt } from "../support/halt.ts";
import { killLeftOvers, processesOf, push, query, startTocsin, type Tocsin, tempDir, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const TWO_PARTITIONS = "agent: { enabled: false }\nstorage: { partitions: 2 }\n";

/** A folder of its own as a small disk, in a mount namespace that ends with the process; needs no root where users may have namespaces. */
const smallDisk = (dir: string) => {
  mkdirSync(dir, { recursive: true });
  return ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=48m tmpfs "$0" && exec "$@"', dir];
};
/** As `smallDisk`, but the disk is there until `end` is called, for one process after another. */
async function keptDisk(dir: string) {
  const [program = "", ...args] = smallDisk(dir);
  const holder = spawn(program, [...args, "sh", "-c", "echo mounted; exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  const pid = holder.pid as number;
  return {
    pid,
    /** Seen from outside of its namespace. */
    path: join("/proc", String(pid), "root", dir),
    wrapper: () => ["nsenter", "--preserve-credentials", "-U", "-m", "-t", String(pid)],
    end: () => holder.kill(),
  };
}
const canMount = spawnSync("unshare", ["-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]).status === 0;

describe.skipIf(!canMount)("on a disk that gets full (passed over where mounting is forbidden)", () => {
  const dir = tempDir();
  const streams = "max_size: 64MB";
  let disk: Awaited<ReturnType<typeof keptDisk>>;
  let tocsin: Tocsin;
  let stored: readonly number[];
  beforeAll(async () => {
    disk = await keptDisk(join(dir, "data"));
  });
  afterAll(() => disk?.end());
  const start = (wait: boolean) => startTocsin({ dir, config: TWO_PARTITIONS, streams, wrapper: disk.wrapper, wait });

  it("says so at once, takes samples again when there is space, loses nothing", async () => {
    tocsin = await start(true);
    const load = startPushing(tocsin);
    await until(() => load.acknowledged() > 20, "the load flows");
    fill(join(disk.path, "fill"));
    await until(() => load.refusals.some((r) => r.status === 503), "senders are refused");
    const refusal = load.refusals.find((r) => r.status === 503);
    expect(refusal?.text).toMatch(/no space left on device/);
    expect(tocsin.output()).toMatch(/nats-server cannot store .*no sample is taken until/);
    expect(await metric(tocsin, "tocsin_bus_storage_failed")).toBe(1);

    rmSync(join(disk.path, "fill"));
    const before = load.acknowledged();
    await until(() => load.acknowledged() > before + 20, "samples are taken again");
    await load.stop();
    expect(await metric(tocsin, "tocsin_bus_storage_failed")).toBe(0);
    // A refused sample may be there nevertheless; an acknowledged one must.
    await until(async () => missing(await storedNumbers(tocsin), load.numbers()) === 0, "nothing is lost");
    stored = load.numbers();
  });

  it("is started on it: answers from what it has, says so, and takes samples when there is space", async () => {
    // Seen is not yet on disk: what the bus alone has is not read on a full one.
    await until(async () => (await metric(tocsin, "tocsin_stream_lag_messages")) === 0, "it is in the shards' logs");
    fill(join(disk.path, "fill"));
    // As it ends when there is no space either.
    process.kill(tocsin.pid, "SIGKILL");
    await tocsin.ended;
    for (const pid of processesOf(dir)) if (pid !== disk.pid) process.kill(pid, "SIGKILL");

    const second = await start(false);
    const answers = () => storedNumbers(second).catch(() => new Set<number>());
    await until(async () => missing(await answers(), stored) === 0, "what is stored is served");
    const ready = await fetch(`${second.url}/-/ready`);
    expect({ status: ready.status, text: await ready.text() }).toEqual({
      status: 503,
      text: expect.stringMatching(/its disk is full: nothing is stored until there is space/),
    });
    expect(await metric(second, "tocsin_storage_disk_full")).toBe(1);
    expect(second.output()).not.toMatch(/died/);

    rmSync(join(disk.path, "fill"));
    const again = startPushing(second, 1_000_000);
    await until(() => again.acknowledged() > 20, "samples are taken again");
    await again.stop();
    await until(async () => missing(await storedNumbers(second), again.numbers()) === 0, "they are there");
    expect(await metric(second, "tocsin_storage_disk_full")).toBe(0);
    expect(await second.stop()).toBe(0);
  });
});

describe("when something under it fails, one after the other", () => {
  let tocsin: Tocsin;

  it("hostile messages on the bus harm nothing, are counted, and do not flood the log", async () => {
    tocsin = await startTocsin({ config: TWO_PARTITIONS });
    const good = series(1);
    expect((await push(tocsin.url, [good])).status).toBe(204);
    await withBus(tocsin, async (nc) => {
      const js = jetstream(nc);
      const future = foreignFrame(0);
      new DataView(future.buffer, future.byteOffset).setUint16(4, 99, true);
      const garbage = Array.from({ length: 300 }, (_, i) => new Uint8Array(i).fill(i));
      for (const frame of [...garbage, future, foreignFrame(1), wrongHash()])
        await js.publish("tocsin.samples.0", frame);
      const text = headers();
      text.set("Content-Type", "text/plain");
      await js.publish("tocsin.ingest.not-a-tenant!", "x 1\n", { headers: text });
      await js.publish(`tocsin.ingest.${"t".repeat(65)}`, "x 1\n", { headers: text });
      await js.publish("tocsin.ingest.default", new Uint8Array(7 << 20).fill(0x41), { headers: text });
      const protobuf = headers();
      protobuf.set("Content-Type", "application/x-protobuf");
      // Says that it holds 4 GiB.
      await js.publish("tocsin.ingest.default", new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f, 0]), {
        headers: protobuf,
      });
    });
    const refused = 'tocsin_shard_samples_rejected_total{partition="0",reason="bad_frame"}';
    await until(async () => (await metric(tocsin, refused)) === 303, "every bad frame is counted");
    await until(
      async () => (await sumOf(tocsin, "tocsin_ingest_subject_messages_refused_total")) === 4,
      "every bad message",
    );
    expect(
      tocsin
        .output()
        .split("\n")
        .filter((line) => line.includes("cannot be read")).length,
    ).toBeLessThan(10);

    expect(await query(tocsin.url, "hostile")).toEqual([]);
    expect((await push(tocsin.url, [series(2)])).status).toBe(204);
    await until(async () => missing(await storedNumbers(tocsin), [1, 2]) === 0, "good samples are taken");
    expect(tocsin.output()).not.toMatch(/died/);
  });

  it("nats-server comes back without its store: the loss is said, samples are taken again", async () => {
    const load = startPushing(tocsin, 1_000);
    await until(() => load.acknowledged() > 20, "the load flows");
    const nats = natsServerOf(tocsin);
    // Stopped, so that it cannot be started again before its store is gone.
    await halt(nats);
    rmSync(join(tocsin.dir, "data/nats/store"), { recursive: true });
    process.kill(nats, "SIGKILL");
    const before = load.acknowledged();
    await until(() => load.acknowledged() > before + 20, "samples are taken again");
    await load.stop();
    expect(tocsin.output()).toMatch(/stream SAMPLES_0 .*made anew/);
    const after = load.numbers().slice(before + 1);
    await until(async () => missing(await storedNumbers(tocsin), after) === 0, "what came after is there");
  });

  it("a shard's WAL is deleted while it is down: it says how much is gone, and goes on", async () => {
    const load = startPushing(tocsin, 100_000);
    await until(() => load.acknowledged() > 20, "the load flows");
    await load.stop();
    // What is still in the stream is read again; so the stream is emptied, as it is half a minute later.
    await withBus(tocsin, async (nc) => {
      const manager = await jetstream(nc).jetstreamManager();
      for (const name of ["SAMPLES_0", "SAMPLES_1"]) await manager.streams.purge(name);
    });
    expect(await tocsin.stop()).toBe(0);
    rmSync(join(tocsin.dir, "data/shards/0/wal"), { recursive: true });

    tocsin = await startTocsin({ dir: tocsin.dir, config: TWO_PARTITIONS });
    expect(tocsin.output()).toMatch(/shard 0: the WAL is empty, but stream SAMPLES_0 begins at message \d+/);
    expect(await metric(tocsin, 'tocsin_shard_messages_missed_total{partition="0"}')).toBeGreaterThan(0);
    expect(await metric(tocsin, 'tocsin_shard_messages_missed_total{partition="1"}')).toBe(0);
    const again = startPushing(tocsin, 1_000_000);
    await until(() => again.acknowledged() > 20, "it takes samples");
    await again.stop();
    await until(async () => missing(await storedNumbers(tocsin), again.numbers()) === 0, "they are there");
  });

  it("stops in time while nats-server is silent, and answers the senders that wait", async () => {
    const nats = natsServerOf(tocsin);
    await halt(nats);
    const waiting = [1, 2, 3].map((n) => push(tocsin.url, [series(n)]));
    await until(async () => (await metric(tocsin, "tocsin_gateway_frames_in_flight")) > 0, "they wait for the bus");
    expect(await tocsin.stop()).toBe(0);
    for (const answer of await Promise.all(waiting)) expect(answer.status).toBe(503);
    expect(processesOf(tocsin.dir)).toEqual([]);
  });
});

/** One sample; its value is its number. */
function series(n: number) {
  return { labels: { __name__: "fault", s: String(n % 7) }, samples: [[Date.now(), n] as const] };
}

/** Pushes one sample after the other, numbered, until it is stopped. */
function startPushing(tocsin: Tocsin, from = 0) {
  const numbers: number[] = [];
  const refusals: { status: number; text: string }[] = [];
  let stopped = false;
  const run = async () => {
    for (let n = from; !stopped; n++) {
      const answer = await push(tocsin.url, [series(n)]);
      if (answer.status === 204) numbers.push(n);
      else refusals.push(answer);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const done = run();
  return {
    numbers: () => numbers,
    acknowledged: () => numbers.length,
    refusals,
    stop: async () => {
      stopped = true;
      await done;
    },
  };
}

async function storedNumbers(tocsin: Tocsin): Promise<Set<number>> {
  const params = new URLSearchParams({ query: "fault[10m]" });
  const response = await fetch(`${tocsin.url}/api/v1/query?${params}`);
  const body = (await response.json()) as { data: { result: { values: [number, string][] }[] } };
  return new Set(body.data.result.flatMap((s) => s.values.map(([, value]) => Number(value))));
}

const missing = (stored: ReadonlySet<number>, wanted: readonly number[]) => wanted.filter((n) => !stored.has(n)).length;

/** The metric's first row that begins with the text. */
async function metric(tocsin: Tocsin, start: string): Promise<number> {
  const rows = (await (await fetch(`${tocsin.url}/metrics`)).text()).split("\n");
  return Number(
    rows
      .find((row) => row.startsWith(start))
      ?.split(" ")
      .at(-1),
  );
}

async function sumOf(tocsin: Tocsin, name: string): Promise<number> {
  const rows = (await (await fetch(`${tocsin.url}/metrics`)).text()).split("\n");
  return rows.filter((row) => row.startsWith(`${name}{`)).reduce((sum, row) => sum + Number(row.split(" ").at(-1)), 0);
}

/** Writes until nothing more fits. */
function fill(path: string): void {
  const file = openSync(path, "w");
  const piece = Buffer.alloc(1 << 20);
  try {
    for (;;) writeSync(file, piece);
  } catch (e) {
    expect((e as NodeJS.ErrnoException).code).toBe("ENOSPC");
  } finally {
    closeSync(file);
  }
}

async function withBus(tocsin: Tocsin, use: (nc: NatsConnection) => Promise<void>): Promise<void> {
  const servers = /answers on nats:\/\/([\d.:]+)/.exec(tocsin.output())?.[1];
  if (servers === undefined) throw new Error(`no bus address in the output: ${tocsin.output()}`);
  const nc = await connect({ servers });
  try {
    await use(nc);
  } finally {
    await nc.close();
  }
}

/** A well-formed frame with a series of this partition of two. */
function foreignFrame(partition: number): Uint8Array {
  for (let i = 0; ; i++) {
    const labels = ["__name__", "hostile", "i", String(i)];
    const hash = seriesHash("default", labels);
    if (partitionOf(hash.hi, 2) === partition) return frame(hash, labels);
  }
}

/** A well-formed frame that gives other labels to the hash of a series of partition 0. */
function wrongHash(): Uint8Array {
  for (let n = 0; n < 7; n++) {
    const hash = seriesHash("default", ["__name__", "fault", "s", String(n)]);
    if (partitionOf(hash.hi, 2) === 0) return frame(hash, ["__name__", "hostile"]);
  }
  throw new Error("no series of partition 0");
}

function frame(hash: { lo: number; hi: number }, labels: string[]): Uint8Array<ArrayBuffer> {
  const b = makeFrameBuilder(4);
  addDefinition(b, hash, "default", labels);
  addSample(b, hash, Date.now(), 666);
  return new Uint8Array(encodeFrame(b));
}

function natsServerOf(tocsin: Tocsin): number {
  const found = processesOf(tocsin.dir).find(
    (pid) => readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "nats-server",
  );
  if (found === undefined) throw new Error("no nats-server runs");
  return found;
}
