/**
 * First contact with very many series: frames that define each series of 7 labels and bring one sample of it.
 * Prints microseconds of CPU a definition (the sample included): decoding alone, then into a shard whose definitions are
 * checked, then into one that replays its own log.
 *
 * Run: node_modules/.bin/node bench/storage/head-define.ts [series] [rounds]
 */
import { applyFrame, makeShardCore } from "../../src/actors/shard/shard.core.ts";
import { createHead, headStats } from "../../src/storage/head/head.ts";
import { decodeFrame, makeFrameScratch } from "../../src/streams/codec/frame-decode.ts";
import {
  addDefinition,
  addSample,
  clearFrame,
  encodeFrame,
  makeFrameBuilder,
} from "../../src/streams/codec/frame-encode.ts";
import { seriesHash } from "../../src/streams/codec/series-hash.ts";
import { labelsOf as scattered } from "../lib/numbered-series.ts";

const FRAME = 4000;
const series = Number(process.argv[2] ?? 500_000);
const rounds = Number(process.argv[3] ?? 2);

/** A fleet as a scraper sends it: hosts one behind another, of each its 500 series, of five sets of names. */
const fleet = (n: number): string[] => {
  const host = Math.floor(n / 500);
  const k = n % 500;
  return [
    ...["__name__", `node_metric_number_${k}_total`, "cluster", `c${host % 7}`],
    ...["env", host % 3 === 0 ? "staging" : "production", "instance", `host-${host}.example.net:9100`],
    ...["job", `node-${host % 50}`, ["kernel", "mode", "mountpoint", "path", "pool"][Math.floor(k / 100)] as string],
    ...[`v${k % 20}`, "rack", `r${host % 97}`],
  ];
};

function framesOf(labelsOf: (n: number) => string[]): Uint8Array[] {
  const builder = makeFrameBuilder(FRAME);
  const frames: Uint8Array[] = [];
  for (let from = 0; from < series; from += FRAME) {
    clearFrame(builder);
    for (let n = from; n < Math.min(series, from + FRAME); n++) {
      const labels = labelsOf(n);
      const hash = seriesHash("default", labels);
      addDefinition(builder, hash, "default", labels);
      addSample(builder, hash, 1.7e12, n);
    }
    frames.push(encodeFrame(builder).slice());
  }
  return frames;
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

for (const [name, labelsOf] of [
  ["fleet", fleet],
  ["scattered", scattered],
] as const) {
  const frames = framesOf(labelsOf);
  for (let round = 0; round < rounds; round++) {
    const scratch = makeFrameScratch();
    let start = cpuMs();
    for (const frame of frames) decodeFrame(frame, scratch);
    const figures = [`decoded ${((1000 * (cpuMs() - start)) / series).toFixed(2)}`];
    for (const [what, owned] of [
      ["checked", { partition: 0, partitions: 1 }],
      ["replayed", undefined],
    ] as const) {
      const head = createHead({ outOfOrderWindowMs: 3600_000 });
      const core = makeShardCore(head, 1000, owned);
      start = cpuMs();
      for (const frame of frames) applyFrame(core, frame);
      figures.push(`${what} ${((1000 * (cpuMs() - start)) / series).toFixed(2)}`);
      if (headStats(head).series !== series) throw new Error("not all series are there");
    }
    console.log(`${name.padEnd(10)} us of CPU a definition: ${figures.join(", ")}`);
  }
}
