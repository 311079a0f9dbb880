import { expect, test } from "vitest";
import { applyFrame, makeShardCore } from "../../../src/actors/shard/shard.core.ts";
import { makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import {
  addDefinition,
  addSample,
  appendHistogramRow,
  encodeFrame,
  makeFrameBuilder,
  setRowStart,
} from "../../../src/streams/codec/frame-encode.ts";
import { FrameError } from "../../../src/streams/codec/frame-layout.ts";
import { METRIC_TYPES, writeExemplar, writeMetadata } from "../../../src/streams/codec/frame-records.ts";
import { testSeries } from "./frames.ts";

/** One of everything that a frame can hold. */
function everything(): Uint8Array {
  const b = makeFrameBuilder(16);
  const [a, h] = [testSeries("a"), testSeries("h")];
  for (const s of [a, h]) addDefinition(b, s.hash, s.tenant, s.labels);
  addSample(b, a.hash, 1_000, 1);
  setRowStart(b, b.samples, 500);
  addSample(b, a.hash, 2_000, 2);
  b.boundRows.push(1, 0);
  const bytes = makeHistogramBytes();
  const histogram = Object.assign(makeHistogram(), { count: 3, sum: 2, zeroCount: 3 });
  const at = encodeHistogram(histogram, bytes);
  appendHistogramRow(b, h.hash.lo, h.hash.hi, 3_000, bytes.bytes.subarray(0, bytes.length), at);
  const label = Buffer.from("idx");
  const named = { low: a.hash.lo, high: a.hash.hi, definition: -1 };
  writeExemplar(b.exemplars, named, 1_500, 0, 0x3ff00000, { bytes: label, spans: [0, 2, 2, 3] });
  const texts = ["default", "up", "help", "unit"].map((s) => Buffer.from(s));
  writeMetadata(b.metadata, METRIC_TYPES.length - 1, texts);
  return encodeFrame(b);
}

// Whoever may publish to the bus can send anything: what ended the shard would end it again at each start, since it is in its log.
test("a frame that is broken at any byte is refused, or taken and can be read; nothing else", () => {
  const frame = everything();
  const buffer = makeSampleBuffer(16);
  let refused = 0;
  let taken = 0;
  for (const owned of [undefined, { partition: 0, partitions: 1 }]) {
    for (let at = 0; at < frame.length; at++) {
      const head = createHead({ outOfOrderWindowMs: 3_600_000, maxExemplars: 16 });
      const core = makeShardCore(head, 100, owned);
      for (const byte of [0, 1, 0x7f, 0x80, 0xff, (frame[at] as number) ^ 1, (frame[at] as number) ^ 0x40]) {
        const broken = Uint8Array.from(frame);
        broken[at] = byte;
        for (const mode of ["live", "backlog"] as const) {
          try {
            applyFrame(core, broken, mode, 1);
            taken++;
          } catch (error) {
            expect(error, `byte ${at} is ${byte}`).toBeInstanceOf(FrameError);
            refused++;
          }
        }
      }
      const source = headSource(head);
      for (const id of source.select("default", [], -Infinity, Infinity)) {
        source.labels(id);
        source.read(id, -Infinity, Infinity, buffer);
      }
      // And a good frame is taken.
      applyFrame(core, frame, "live", 2);
      expect(source.select("default", [], -Infinity, Infinity).length).toBeGreaterThanOrEqual(2);
    }
  }
  expect(refused).toBeGreaterThan(1_000);
  expect(taken).toBeGreaterThan(1_000);
});
