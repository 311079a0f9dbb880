/**
 * The gateway's series cache: time to enter a series, the longest single step of that, the memory a series takes, and the
 * lookup of 2,000 series in the order of before (as senders do) and in a random one.
 *
 *     node bench/streams/series-cache.ts [series ...]
 */
import {
  cacheBytes,
  evictSome,
  insertSeries,
  lookupAll,
  makeSeriesCache,
} from "../../src/streams/ingest/series-cache.ts";

const PER_REQUEST = 2_000;
const ROUNDS = 1_000;

/** A different number for each, spread over 32 bits. */
function mixed(i: number, seed: number): number {
  let h = Math.imul(i ^ seed, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
  return (h ^ (h >>> 13)) >>> 0;
}

function nsEach(count: number, run: () => void): string {
  const cpu = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(cpu);
  return (((user + system) * 1000) / count).toFixed(1).padStart(7);
}

for (const series of process.argv.length > 2 ? process.argv.slice(2).map(Number) : [100_000, 1_000_000, 5_000_000]) {
  const cache = makeSeriesCache();
  const hashes = new Uint32Array(3 * series);
  for (let i = 0; i < series; i++) {
    hashes[3 * i] = mixed(i, 1);
    hashes[3 * i + 1] = mixed(i, 2);
    hashes[3 * i + 2] = mixed(i, 3);
  }
  let longest = 0;
  const enter = nsEach(series, () => {
    for (let from = 0; from < series; from += PER_REQUEST) {
      const start = performance.now();
      for (let i = from; i < Math.min(series, from + PER_REQUEST); i++) {
        const raw = { a: hashes[3 * i]!, b: hashes[3 * i + 1]!, c: hashes[3 * i + 2]! };
        insertSeries(cache, raw, mixed(i, 4), mixed(i, 5), mixed(i, 6), 0);
      }
      longest = Math.max(longest, performance.now() - start);
    }
  });
  const out = new Int32Array(PER_REQUEST);
  const lookups = (request: (r: number) => Uint32Array) => {
    for (let r = 0; r < ROUNDS; r++) lookupAll(cache, request(r), PER_REQUEST, out);
  };
  const requests = Math.floor(series / PER_REQUEST);
  const inOrder = (r: number) => {
    const at = 3 * PER_REQUEST * ((r * 7919) % requests);
    return hashes.subarray(at, at + 3 * PER_REQUEST);
  };
  const shuffled = Array.from({ length: 100 }, (_, r) => {
    const h = new Uint32Array(3 * PER_REQUEST);
    for (let k = 0; k < PER_REQUEST; k++) {
      const i = mixed(r * PER_REQUEST + k, 7) % series;
      h.set(hashes.subarray(3 * i, 3 * i + 3), 3 * k);
    }
    return h;
  });
  lookups(inOrder);
  const ordered = nsEach(ROUNDS * PER_REQUEST, () => lookups(inOrder));
  const random = nsEach(ROUNDS * PER_REQUEST, () => lookups((r) => shuffled[r % 100]!));
  const bytes = cacheBytes(cache) / series;
  const evict = nsEach(series, () => {
    while (evictSome(cache, 1, 10_000) > 0);
  });
  console.log(
    `${series.toLocaleString("en-US").padStart(10)} series: ${bytes.toFixed(1)} bytes each; enter ${enter} ns, longest request ${longest.toFixed(1)} ms; ` +
      `look up in order ${ordered} ns, at random ${random} ns; evict ${evict} ns`,
  );
}
