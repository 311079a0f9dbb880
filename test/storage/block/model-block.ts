import * as fc from "fast-check";
import type { Disk } from "../../../src/lib/disk.ts";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, histogramSize, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { compareLabels, type Labels, labelsFromObject } from "../../../src/model/labels.ts";
import {
  histogramRef,
  isHistogramAt,
  isHistogramWord,
  makeSampleBuffer,
  type SampleBuffer,
  writeHistogramRef,
} from "../../../src/model/sample.ts";
import type { SeriesHash } from "../../../src/storage/block/identity.ts";
import { hashText, makeHashedText, putHashed } from "../../../src/storage/block/identity.ts";
import type { BlockMeta } from "../../../src/storage/block/meta.ts";
import { type BlockOptions, makeBlockWriter } from "../../../src/storage/block/writer.ts";

/** A series as the tests think of it: samples by time, each a text of its value's bits, histogram and start. */
export interface ModelSample {
  readonly t: number;
  /** Low and high word, or the count of a histogram. */
  readonly v: readonly [number, number] | { readonly count: number };
  readonly start: number;
}

export interface ModelSeries {
  readonly tenant: string;
  readonly labels: Labels;
  readonly samples: readonly ModelSample[];
}

export function hashOf(tenant: string, labels: Labels): SeriesHash {
  const text = makeHashedText();
  for (const s of [tenant, ...labels]) {
    const bytes = new TextEncoder().encode(s);
    putHashed(text, bytes, 0, bytes.length);
  }
  const out = new Uint32Array(3);
  hashText(text, out, 0);
  return { lo: out[0] as number, hi: out[1] as number, check: out[2] as number };
}

export function bufferOf(samples: readonly ModelSample[]): SampleBuffer {
  const buffer = makeSampleBuffer(Math.max(1, samples.length));
  buffer.length = samples.length;
  if (samples.some((s) => s.start !== 0)) buffer.startTs = new Float64Array(buffer.ts.length);
  if (samples.some((s) => "count" in s.v)) buffer.histograms = makeHistogramBytes();
  samples.forEach((s, i) => {
    buffer.ts[i] = s.t;
    if (buffer.startTs !== undefined) buffer.startTs[i] = s.start;
    if ("count" in s.v) {
      const h = makeHistogram();
      h.count = s.v.count;
      h.zeroCount = s.v.count;
      h.sum = s.v.count / 2;
      writeHistogramRef(
        buffer.words,
        i,
        encodeHistogram(h, buffer.histograms as NonNullable<SampleBuffer["histograms"]>),
      );
    } else [buffer.words[2 * i], buffer.words[2 * i + 1]] = s.v;
  });
  return buffer;
}

/** What a sample is, as a text. */
export function textsOf(buffer: SampleBuffer): string[] {
  return Array.from({ length: buffer.length }, (_, i) => {
    const start = buffer.startTs?.[i] ?? 0;
    let value = `${buffer.words[2 * i + 1]}:${buffer.words[2 * i]}`;
    if (isHistogramAt(buffer.words, i) && buffer.histograms !== undefined) {
      const at = histogramRef(buffer.words, i);
      const { bytes } = buffer.histograms;
      value = Buffer.from(bytes.subarray(at, at + histogramSize(bytes, at))).toString("hex");
    }
    return `${buffer.ts[i]} ${value} ${start}`;
  });
}

export const compareSeries = (a: ModelSeries, b: ModelSeries): number =>
  a.tenant === b.tenant ? compareLabels(a.labels, b.labels) : a.tenant < b.tenant ? -1 : 1;

export const baseOptions: BlockOptions = {
  tier: "raw",
  level: 1,
  sources: [],
  effort: "fast",
  rangeStart: 0,
  rangeEnd: 7_200_000,
};

export async function writeModel(
  disk: Disk,
  dir: string,
  series: readonly ModelSeries[],
  options: Partial<BlockOptions> = {},
  hash = hashOf,
): Promise<BlockMeta | undefined> {
  const writer = await makeBlockWriter(disk, dir, { ...baseOptions, ...options });
  for (const s of series) await writer.addRaw(s.tenant, s.labels, hash(s.tenant, s.labels), bufferOf(s.samples));
  return writer.finish();
}

export const names = ["a", "b", "job", "λ", "__name__"];
export const values = ["", "x", "y", "xy", "10.0.0.1:9100", "naïve ☃ 𝄞", "\uffff", "x\uffff", "z".repeat(300)];
export const labelSets = fc
  .dictionary(fc.constantFrom(...names), fc.constantFrom(...values), { maxKeys: 4 })
  .map(labelsFromObject);

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const bits = fc.oneof(
  fc.double().map((d): [number, number] => {
    const words = new Uint32Array(new Float64Array([d]).buffer);
    return [words[0] as number, words[1] as number];
  }),
  fc.constantFrom<[number, number]>([2, 0x7ff0_0000], [0, 0], [0, 0x8000_0000], [0, 0x7ff8_0000], [1, 0xfff8_0000]),
  fc.tuple(word, word).filter(([, hi]) => !isHistogramWord(hi)),
);

export const sampleLists = (maxT: number): fc.Arbitrary<ModelSample[]> =>
  fc
    .record({
      times: fc.uniqueArray(
        fc.oneof(
          fc.integer({ min: 0, max: maxT }),
          fc.nat(40).map((n) => Math.min(n * 15_000, maxT)),
        ),
        {
          minLength: 1,
          maxLength: 12,
        },
      ),
      kind: fc.constantFrom("floats", "histograms", "mixed"),
      values: fc.array(bits, { minLength: 12, maxLength: 12 }),
      start: fc.constantFrom(0, 0, 77, 1.7e12),
    })
    .map(({ times, kind, values: v, start }) =>
      times
        .sort((a, b) => a - b)
        .map((t, i) => ({
          t,
          v:
            kind === "histograms" || (kind === "mixed" && i % 2 === 1) ? { count: i } : (v[i % 12] as [number, number]),
          start: i % 3 === 2 ? 0 : start,
        })),
    );

export const blocks = (maxT: number, tenants = ["default", "other"]): fc.Arbitrary<ModelSeries[]> =>
  fc
    .array(fc.record({ tenant: fc.constantFrom(...tenants), labels: labelSets, samples: sampleLists(maxT) }), {
      maxLength: 40,
    })
    .map((all) => {
      const sorted = [...all].sort(compareSeries);
      return sorted.filter((s, i) => i === 0 || compareSeries(sorted[i - 1] as ModelSeries, s) !== 0);
    });
