/** Test-side encoder of both versions of remote write, with all that a series may have; plain on purpose. */
import type { Histogram } from "../../../src/model/histogram.ts";
import { concat, labelBytes, lengthDelimited, varint } from "./write-request-bytes.ts";

export interface WireSample {
  readonly ts: number;
  readonly bits: readonly [low: number, high: number];
  readonly start?: number;
}
export interface WireHistogram {
  readonly ts: number;
  readonly h: Histogram;
  readonly start?: number;
}
export interface WireExemplar {
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
  readonly ts: number;
}
export interface WireMetadata {
  readonly type: number;
  readonly help: string;
  readonly unit: string;
}
export interface WireSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples?: readonly WireSample[];
  readonly histograms?: readonly WireHistogram[];
  readonly exemplars?: readonly WireExemplar[];
  /** Only of 2.0. */
  readonly metadata?: WireMetadata;
  readonly created?: number;
}

const text = (s: string) => new TextEncoder().encode(s);
const number = (field: number, value: bigint | number) => concat([varint(field << 3), varint(value)]);
const zigzag = (n: number) => (n < 0 ? -2n * BigInt(n) - 1n : 2n * BigInt(n));
const double = (value: number) => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return bytes;
};
const float = (field: number, value: number) => concat([varint((field << 3) | 1), double(value)]);
const bits = (field: number, [low, high]: readonly [number, number]) => {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, low, true);
  view.setUint32(4, high, true);
  return concat([varint((field << 3) | 1), bytes]);
};

export function histogramBytes({ h, ts, start }: WireHistogram): Uint8Array {
  const spans = (field: number, list: readonly number[]) =>
    Array.from({ length: list.length / 2 }, (_, i) =>
      lengthDelimited(field, concat([number(1, zigzag(list[2 * i]!)), number(2, list[2 * i + 1]!)])),
    );
  const counts = (field: number, list: readonly number[]) =>
    h.float
      ? lengthDelimited(field + 1, concat(list.map(double)))
      : lengthDelimited(field, concat(list.map((n, i) => varint(zigzag(n - (list[i - 1] ?? 0))))));
  return concat([
    h.float ? float(2, h.count) : number(1, h.count),
    h.stale ? bits(3, [2, 0x7ff00000]) : float(3, h.sum),
    number(4, zigzag(h.schema)),
    float(5, h.zeroThreshold),
    h.float ? float(7, h.zeroCount) : number(6, h.zeroCount),
    ...spans(8, h.negativeSpans),
    counts(9, h.negative),
    ...spans(11, h.positiveSpans),
    counts(12, h.positive),
    number(14, h.resetHint),
    number(15, ts),
    lengthDelimited(16, concat(h.customBounds.map(double))),
    ...(start === undefined ? [] : [number(17, start)]),
  ]);
}

export function request1(series: readonly WireSeries[], metadata: readonly (WireMetadata & { family: string })[] = []) {
  const labelsOf = (list: WireSeries["labels"]) => list.map(([n, v]) => lengthDelimited(1, labelBytes(n, v)));
  return concat([
    ...series.map((s) =>
      lengthDelimited(
        1,
        concat([
          ...labelsOf(s.labels),
          ...(s.samples ?? []).map((x) => lengthDelimited(2, concat([bits(1, x.bits), number(2, x.ts)]))),
          ...(s.exemplars ?? []).map((e) =>
            lengthDelimited(3, concat([...labelsOf(e.labels), float(2, e.value), number(3, e.ts)])),
          ),
          ...(s.histograms ?? []).map((h) => lengthDelimited(4, histogramBytes({ h: h.h, ts: h.ts }))),
        ]),
      ),
    ),
    ...metadata.map((m) =>
      lengthDelimited(
        3,
        concat([
          number(1, m.type),
          lengthDelimited(2, text(m.family)),
          lengthDelimited(4, text(m.help)),
          lengthDelimited(5, text(m.unit)),
        ]),
      ),
    ),
  ]);
}

export function request2(series: readonly WireSeries[], symbolsLast = false): Uint8Array {
  const symbols = [""];
  const ref = (s: string) => {
    const at = symbols.indexOf(s);
    return at >= 0 ? at : symbols.push(s) - 1;
  };
  const refs = (list: WireSeries["labels"]) => lengthDelimited(1, concat(list.flat().map((s) => varint(ref(s)))));
  const body = series.map((s) =>
    lengthDelimited(
      5,
      concat([
        refs(s.labels),
        ...(s.samples ?? []).map((x) =>
          lengthDelimited(
            2,
            concat([bits(1, x.bits), number(2, x.ts), ...(x.start === undefined ? [] : [number(3, x.start)])]),
          ),
        ),
        ...(s.histograms ?? []).map((h) => lengthDelimited(3, histogramBytes(h))),
        ...(s.exemplars ?? []).map((e) =>
          lengthDelimited(4, concat([refs(e.labels), float(2, e.value), number(3, e.ts)])),
        ),
        ...(s.metadata === undefined
          ? []
          : [
              lengthDelimited(
                5,
                concat([number(1, s.metadata.type), number(3, ref(s.metadata.help)), number(4, ref(s.metadata.unit))]),
              ),
            ]),
        ...(s.created === undefined ? [] : [number(6, s.created)]),
      ]),
    ),
  );
  const table = symbols.map((s) => lengthDelimited(4, text(s)));
  return concat(symbolsLast ? [...body, ...table] : [...table, ...body]);
}
