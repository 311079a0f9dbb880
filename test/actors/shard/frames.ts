/** Frames for the tests, made by the real encoder from readable rows. */
import type { Labels } from "../../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import { addDefinition, addSample, encodeFrame, makeFrameBuilder } from "../../../src/streams/codec/frame-encode.ts";
import { seriesHash } from "../../../src/streams/codec/series-hash.ts";

export interface TestSeries {
  readonly tenant: string;
  readonly labels: Labels;
  readonly hash: { readonly lo: number; readonly hi: number };
}

/** `up{instance="<instance>"}`, or the labels given. */
export function testSeries(instance: string | Labels, hash?: TestSeries["hash"]): TestSeries {
  const labels = typeof instance === "string" ? ["__name__", "up", "instance", instance] : instance;
  return { tenant: DEFAULT_TENANT, labels, hash: hash ?? seriesHash(DEFAULT_TENANT, labels) };
}

export type Row = readonly [series: TestSeries, ts: number, value: number];

/** A frame with the definitions of `defined` and the rows; `bound` says for a row which definition (by number) it belongs to. */
export function frameOf(
  defined: readonly TestSeries[],
  rows: readonly Row[],
  bound: readonly (readonly [row: number, definition: number])[] = [],
): Uint8Array {
  const b = makeFrameBuilder(16);
  for (const s of defined) addDefinition(b, s.hash, s.tenant, s.labels);
  for (const [s, ts, value] of rows) addSample(b, s.hash, ts, value);
  b.boundRows.push(...bound.flat());
  return encodeFrame(b);
}
