// Publishing to and reading from partitions on a real nats-server that syncs before it acknowledges.
// Run: node bench/streams/bus.ts [frame bytes] [MiB] [frames in flight]
import { readFileSync } from "node:fs";
import { consumePartition } from "../../src/streams/nats/consume.ts";
import { jetStreamPublisher } from "../../src/streams/nats/publisher.ts";
import { streamIdentity } from "../../src/streams/nats/stream-identity.ts";
import { startNatsServer } from "../../test/streams/nats/with-nats-server.ts";

const [frameBytes = 128 << 10, mib = 512, inFlight = 8] = process.argv.slice(2).map(Number);
const PARTITIONS = 2;

const nats = await startNatsServer();
try {
  const bus = await nats.bus({ partitions: PARTITIONS, maxBytes: 2 ** 34 });
  const publisher = jetStreamPublisher(bus);
  const frame = new Uint8Array(frameBytes).map((_, i) => i * 7);
  const frames = Math.ceil((mib << 20) / frameBytes / PARTITIONS) * PARTITIONS;
  const megabytes = (frames * frameBytes) / 1e6;

  let next = 0;
  await measured("publish, acknowledged", megabytes, async () => {
    const worker = async () => {
      while (next < frames) {
        const i = next++;
        await publisher.publish(i % PARTITIONS, frame, `frame-${i}`);
      }
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
  });
  await measured("read, acknowledged", megabytes, async () => {
    const read = async (partition: number) => {
      const { created } = await streamIdentity(bus, partition);
      const feed = await consumePartition(bus, partition, { startSequence: 1, created });
      for (let n = 0; n < frames / PARTITIONS; ) {
        const batch = await feed.next();
        n += batch?.payloads.length ?? 0;
        feed.ack(batch?.sequences.at(-1) ?? 0);
      }
      await feed.close();
    };
    await Promise.all(Array.from({ length: PARTITIONS }, (_, p) => read(p)));
  });
} finally {
  await nats.stop();
}

async function measured(what: string, megabytes: number, work: () => Promise<void>): Promise<void> {
  const server = serverCpuSeconds();
  const client = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(client);
  const perGb = (cpuSeconds: number) => ((cpuSeconds / megabytes) * 1000).toFixed(2);
  console.log(
    `${what}: ${frameBytes} B frames, ${inFlight} in flight: ${(megabytes / seconds).toFixed(0)} MB/s; ` +
      `CPU-s per GB: server ${perGb(serverCpuSeconds() - server)}, client ${perGb((used.user + used.system) / 1e6)}`,
  );
}

function serverCpuSeconds(): number {
  const fields = readFileSync(`/proc/${nats.pid()}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
