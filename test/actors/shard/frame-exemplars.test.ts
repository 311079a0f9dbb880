/** Exemplars of series that share a hash. */
import { expect, test } from "vitest";
import { applyFrame, makeShardCore } from "../../../src/actors/shard/shard.core.ts";
import { selectExemplars } from "../../../src/storage/head/exemplars.ts";
import { createHead } from "../../../src/storage/head/head.ts";
import { addDefinition, addSample, encodeFrame, makeFrameBuilder } from "../../../src/streams/codec/frame-encode.ts";
import { writeExemplar } from "../../../src/streams/codec/frame-records.ts";
import { testSeries } from "./frames.ts";

const NOW = 1_700_000_000_000;

test("an exemplar belongs to the definition that it names", () => {
  const hash = { lo: 7, hi: 9 };
  const series = [testSeries("a", hash), testSeries("b", hash)];
  const b = makeFrameBuilder(16);
  for (const [d, s] of series.entries()) {
    addDefinition(b, s.hash, s.tenant, s.labels);
    addSample(b, s.hash, NOW, d);
    b.boundRows.push(d, d);
  }
  const of = (definition: number) => ({ low: hash.lo, high: hash.hi, definition });
  const none = { bytes: new Uint8Array(0), spans: [] };
  writeExemplar(b.exemplars, of(1), NOW, 0, 0x3ff00000, none);
  // Its hash alone names two series.
  writeExemplar(b.exemplars, of(-1), NOW, 0, 0, none);

  const core = makeShardCore(createHead({ outOfOrderWindowMs: 0, maxExemplars: 10 }), 10);
  applyFrame(core, encodeFrame(b));

  const found = selectExemplars(core.head, series[0]!.tenant, [], NOW, NOW);
  expect(found).toEqual([{ series: series[1]!.labels, exemplars: [{ labels: [], value: 1, ts: NOW }] }]);
  expect(core.counts).toMatchObject({ exemplars: 1, exemplarsRefused: 1 });
});
