/** The agent of native.ts: a process that publishes frames. Arguments: URL, series, rounds, time of the last round, interval. */
import { connectWriter } from "../src/streams/sdk/writer.ts";
import { fleetSeries, fleetValue } from "./lib/fleet.ts";

const [url = "", ...numbers] = process.argv.slice(2);
const [count = 0, rounds = 0, end = 0, intervalMs = 0] = numbers.map(Number);
/** Series of an append: what an agent has collected in a moment. */
const COLUMN = 2_000;

const writer = await connectWriter({ url });
const handles = Uint32Array.from({ length: count }, (_, i) => writer.series(Object.fromEntries(fleetSeries(i))));

const values = new Float64Array(COLUMN);
async function round(number: number): Promise<void> {
  const ts = end - (rounds - number) * intervalMs;
  for (let from = 0; from < count; from += COLUMN) {
    const column = handles.subarray(from, from + COLUMN);
    for (let i = 0; i < column.length; i++) values[i] = fleetValue(from + i, number);
    await writer.ready();
    writer.append(column, ts, values.subarray(0, column.length)).catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  }
}

await round(0);
await writer.flush();
process.send?.("warm");
await new Promise((resolve) => process.once("message", resolve));
const before = process.cpuUsage();
const start = performance.now();
for (let number = 1; number <= rounds; number++) await round(number);
await writer.flush();
const seconds = (performance.now() - start) / 1_000;
const { user, system } = process.cpuUsage(before);
process.send?.({ seconds, cpuSeconds: (user + system) / 1e6, ...writer.stats() });
await new Promise((resolve) => process.once("message", resolve));
await writer.close();
process.disconnect();
