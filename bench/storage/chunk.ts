/**
 * The chunk code alone, in cache: encode and decode, samples/s of one core and bytes a sample, for several kinds of series.
 *
 * Run: node_modules/.bin/node bench/storage/chunk.ts
 */
import { makeSampleBuffer } from "../../src/model/sample.ts";
import { decodeChunk } from "../../src/storage/chunk/decode.ts";
import { chunkWordsBound, writeChunk } from "../../src/storage/chunk/write.ts";

const SAMPLES = 120;
const CHUNKS = 64;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let seed = 1;
const random = (): number => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return seed / 2 ** 32;
};
let level = 0;
const walk = (): number => {
  level += random() * 10 - 5;
  return Math.round(level * 100) / 100;
};
const kinds: Record<string, { value: (i: number) => number; jitter: number }> = {
  constant: { value: () => 42, jitter: 0 },
  counter: { value: (i) => i * 37, jitter: 0 },
  "counter, jitter 3 ms": { value: (i) => i * 37, jitter: 3 },
  "gauge, 2 decimals": { value: walk, jitter: 3 },
  "random double": { value: random, jitter: 3 },
};

for (const [name, kind] of Object.entries(kinds)) {
  const ts = new Float64Array(CHUNKS * SAMPLES);
  const values = new Float64Array(CHUNKS * SAMPLES);
  for (let i = 0; i < ts.length; i++) {
    ts[i] = 1.7e12 + (i % SAMPLES) * 10_000 + Math.floor(random() * kind.jitter);
    values[i] = kind.value(i);
  }
  const words = new Uint32Array(values.buffer);
  const size = chunkWordsBound(SAMPLES) + 1;
  const arena = new Int32Array(CHUNKS * size);
  const out = makeSampleBuffer(SAMPLES);
  let used = 0;
  const encode = (): void => {
    used = 0;
    for (let c = 0; c < CHUNKS; c++) used += writeChunk(ts, words, c * SAMPLES, (c + 1) * SAMPLES, arena, c * size);
  };
  const decode = (): void => {
    for (let c = 0; c < CHUNKS; c++) {
      out.length = 0;
      decodeChunk(arena, c * size, SAMPLES, out);
    }
  };
  const rate = (work: () => void): number => {
    let best = 0;
    for (let round = 0; round < 5; round++) {
      const start = cpuMs();
      let runs = 0;
      while (cpuMs() - start < 60) {
        for (let k = 0; k < 5; k++) work();
        runs += 5;
      }
      best = Math.max(best, (runs * CHUNKS * SAMPLES) / (cpuMs() - start) / 1000);
    }
    return best;
  };
  const e = rate(encode);
  const d = rate(decode);
  console.log(
    `${name.padEnd(22)} encode ${e.toFixed(0).padStart(4)} M/s  decode ${d.toFixed(0).padStart(4)} M/s  ` +
      `${((used * 4) / CHUNKS / SAMPLES).toFixed(2)} bytes a sample`,
  );
}
