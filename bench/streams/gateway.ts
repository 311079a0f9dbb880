/**
 * The gateway's own cost: snappy, scan, hash, cache and frames, with a publisher that answers at once; with the kernel and
 * without. 100,000 series, 2,000 one-sample series a request, nine labels, 235 bytes a series.
 *
 *     node bench/streams/gateway.ts [series] [requests]
 */
import { compress } from "snappyjs";
import { makeArena } from "../../src/streams/codec/byte-arena.ts";
import { loadKernel } from "../../src/streams/codec/kernel/kernel.ts";
import { makeWriteReader } from "../../src/streams/codec/kernel/write-reader.ts";
import { decodeSnappy } from "../../src/streams/codec/snappy.ts";
import { makeGateway } from "../../src/streams/ingest/gateway.ts";
import { writeRequestBytes } from "../../test/streams/support/write-request-bytes.ts";

const SERIES = Number(process.argv[2] ?? 100_000);
const REQUESTS = Number(process.argv[3] ?? 3_000);
const PER_REQUEST = 2_000;
const START = Date.UTC(2026, 0, 1);

function request(first: number, ts: number): Uint8Array {
  const series = Array.from({ length: PER_REQUEST }, (_, k) => {
    const i = first + k;
    const labels = {
      __name__: "http_requests_total",
      cluster: "eu-central-1",
      env: "production",
      instance: `10.${(i >> 12) & 255}.${(i >> 6) & 63}.${i & 63}:9100`,
      job: "api-server",
      method: ["GET", "POST", "PUT"][i % 3] as string,
      path: `/api/v1/resource/${i % 97}`,
      pod: `api-server-${(i * 2654435761) % 4294967296}`,
      status: ["200", "404", "500"][i % 3] as string,
    };
    return { labels: Object.entries(labels), samples: [{ ts, value: i * 1.5 }] };
  });
  return writeRequestBytes(series);
}

const plain = Array.from({ length: SERIES / PER_REQUEST }, (_, r) => request(r * PER_REQUEST, START));
const packed = plain.map((p) => new Uint8Array(compress(p)));
const decodedBytes = plain.reduce((n, p) => n + p.length, 0) / plain.length;
const packedBytes = packed.reduce((n, p) => n + p.length, 0) / packed.length;

/** CPU time is the mean; `quick` is the fastest twentieth of the requests, which other processes disturbed least. */
async function measure(name: string, bytes: number, step: (r: number) => unknown): Promise<void> {
  for (let r = 0; r < 2 * packed.length; r++) await step(r % packed.length);
  const times = new Float64Array(REQUESTS);
  const cpu = process.cpuUsage();
  for (let r = 0; r < REQUESTS; r++) {
    const start = performance.now();
    const done = step(r % packed.length);
    times[r] = performance.now() - start;
    await done;
  }
  const { user, system } = process.cpuUsage(cpu);
  const quick = times.sort()[Math.floor(REQUESTS / 20)] as number;
  const cells = [
    name.padEnd(32),
    `${(((user + system) * 1000) / REQUESTS / PER_REQUEST).toFixed(0).padStart(5)} ns CPU a sample`,
    `quick: ${((quick * 1e6) / PER_REQUEST).toFixed(0).padStart(4)} ns`,
    `${(PER_REQUEST / quick / 1000).toFixed(2).padStart(5)} M samples/s`,
    `${(bytes / quick / 1e6).toFixed(2)} GB/s`,
  ];
  console.log(cells.join("  "));
}

console.log(
  `${SERIES} series, ${PER_REQUEST} a request of ${packedBytes.toFixed(0)} bytes, ${decodedBytes.toFixed(0)} decoded`,
);
const arena = makeArena(1 << 20);
await measure("snappy", decodedBytes, (r) => decodeSnappy(packed[r] as Uint8Array, arena, 32 << 20));

const seeds = { a: 1, b: 2, c: 3 };
const { kernel, problem } = loadKernel();
if (problem !== undefined) console.log(problem);

for (const [name, used] of [
  ["TypeScript", undefined],
  ["kernel", kernel],
] as const) {
  const reader = makeWriteReader(used, 32 << 20);
  await measure(`${name}: snappy, scan, hash`, decodedBytes, (r) => reader.read(packed[r] as Uint8Array, seeds));
}

for (const [name, used] of [
  ["TypeScript", undefined],
  ["kernel", kernel],
] as const) {
  let frameBytes = 0;
  let frames = 0;
  const gateway = makeGateway({
    partitions: 2,
    publisher: {
      publish: async (_p, frame) => {
        frameBytes += frame.length;
        return { sequence: ++frames, stream: undefined };
      },
    },
    limits: {
      maxDecodedBytes: 32 << 20,
      maxLabelNamesPerSeries: 64,
      maxLabelNameBytes: 1024,
      maxLabelValueBytes: 4096,
    },
    now: () => START + 60_000,
    kernel: used,
  });
  await measure(`${name}: gateway, one sender`, decodedBytes, (r) => {
    return gateway.remoteWrite("default", packed[r] as Uint8Array);
  });
  const before = { frames, frameBytes };
  let waiting: Promise<unknown>[] = [];
  await measure(`${name}: gateway, 8 senders`, decodedBytes, (r) => {
    waiting.push(gateway.remoteWrite("default", packed[r] as Uint8Array));
    if (waiting.length < 8) return;
    const all = Promise.all(waiting);
    waiting = [];
    return all;
  });
  const n = frames - before.frames;
  console.log(`frames of ${((frameBytes - before.frameBytes) / n / 1024).toFixed(0)} KiB`);
}
