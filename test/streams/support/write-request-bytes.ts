/** Test-side encoder of remote write 1.0, plain on purpose: the scanner under test is checked against it. */

export interface TestSample {
  readonly ts: bigint | number;
  readonly value?: number;
  /** Exact bits instead of a value: low and high word. */
  readonly bits?: readonly [number, number];
}
export interface TestSeries {
  readonly labels: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  readonly samples: readonly TestSample[];
  /** Encoded native histograms, any bytes. */
  readonly histograms?: readonly Uint8Array[];
  readonly exemplars?: readonly Uint8Array[];
}

export const concat = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

export function varint(value: bigint | number): Uint8Array {
  let v = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  for (; v >= 0x80n; v >>= 7n) out.push(Number(v & 0x7fn) | 0x80);
  out.push(Number(v));
  return Uint8Array.from(out);
}

export function lengthDelimited(field: number, body: Uint8Array): Uint8Array {
  return concat([varint((field << 3) | 2), varint(body.length), body]);
}

const text = (s: string | Uint8Array) => (typeof s === "string" ? new TextEncoder().encode(s) : s);

export function labelBytes(name: string | Uint8Array, value: string | Uint8Array): Uint8Array {
  return concat([lengthDelimited(1, text(name)), lengthDelimited(2, text(value))]);
}

export function sampleBytes(s: TestSample): Uint8Array {
  const value = new Uint8Array(9);
  value[0] = 0x09;
  const view = new DataView(value.buffer);
  if (s.bits === undefined) view.setFloat64(1, s.value ?? 0, true);
  else {
    view.setUint32(1, s.bits[0], true);
    view.setUint32(5, s.bits[1], true);
  }
  return concat([value, Uint8Array.from([0x10]), varint(s.ts)]);
}

export function seriesBytes(s: TestSeries): Uint8Array {
  return concat([
    ...s.labels.map(([n, v]) => lengthDelimited(1, labelBytes(n, v))),
    ...s.samples.map((x) => lengthDelimited(2, sampleBytes(x))),
    ...(s.exemplars ?? []).map((e) => lengthDelimited(3, e)),
    ...(s.histograms ?? []).map((h) => lengthDelimited(4, h)),
  ]);
}

export function writeRequestBytes(series: readonly TestSeries[]): Uint8Array {
  return concat(series.map((s) => lengthDelimited(1, seriesBytes(s))));
}
