/**
 * Remote write 1.0 bodies for load: protobuf by hand (prometheus/prompb WriteRequest) into one growing buffer, then snappy.
 */
import { compress } from "snappyjs";

export interface BodySeries {
  /** Sorted name, value pairs, `__name__` included. */
  readonly labels: readonly (readonly [string, string])[];
  readonly ts: readonly number[];
  readonly values: readonly number[];
}

let out = Buffer.alloc(1 << 20);
let at = 0;

function reserve(n: number): void {
  if (at + n <= out.length) return;
  const bigger = Buffer.alloc(Math.max(out.length * 2, at + n));
  out.copy(bigger, 0, 0, at);
  out = bigger;
}

function varint(v: number): void {
  while (v >= 0x80) {
    out[at++] = (v % 128) | 0x80;
    v = Math.floor(v / 128);
  }
  out[at++] = v;
}

function varintSize(v: number): number {
  let n = 1;
  while (v >= 0x80) {
    v = Math.floor(v / 128);
    n++;
  }
  return n;
}

/** The labels of a series, encoded once and used in every round. */
export function encodeLabels(labels: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of labels) {
    const n = Buffer.from(name);
    const v = Buffer.from(value);
    const size = 1 + varintSize(n.length) + n.length + 1 + varintSize(v.length) + v.length;
    parts.push(
      Buffer.concat([Buffer.from([0x0a]), varintBytes(size), Buffer.from([0x0a]), varintBytes(n.length), n]),
      Buffer.concat([Buffer.from([0x12]), varintBytes(v.length), v]),
    );
  }
  return Buffer.concat(parts);
}

function varintBytes(v: number): Buffer {
  const bytes: number[] = [];
  while (v >= 0x80) {
    bytes.push((v % 128) | 0x80);
    v = Math.floor(v / 128);
  }
  bytes.push(v);
  return Buffer.from(bytes);
}

/** One WriteRequest, not compressed: series i has its labels and samples (ts in Unix ms). */
export function encodeRequest(
  labels: readonly Buffer[],
  samples: (i: number) => { readonly ts: ArrayLike<number>; readonly values: ArrayLike<number> },
): Buffer {
  at = 0;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    const { ts, values } = samples(i);
    let size = label.length;
    for (let k = 0; k < ts.length; k++) size += 2 + 9 + 1 + varintSize(ts[k]!);
    reserve(size + 16);
    out[at++] = 0x0a;
    varint(size);
    label.copy(out, at);
    at += label.length;
    for (let k = 0; k < ts.length; k++) {
      out[at++] = 0x12;
      varint(9 + 1 + varintSize(ts[k]!));
      out[at++] = 0x09;
      out.writeDoubleLE(values[k]!, at);
      at += 8;
      out[at++] = 0x10;
      varint(ts[k]!);
    }
  }
  return Buffer.from(out.subarray(0, at));
}

export function snappy(body: Buffer): Buffer {
  return Buffer.from(compress(body));
}

/** Snappy's block form without any compression: for loads whose decoding is not what is measured. */
export function snappyLiteral(body: Buffer): Buffer {
  const parts: Buffer[] = [varintBytes(body.length)];
  for (let i = 0; i < body.length; i += 65536) {
    const piece = body.subarray(i, i + 65536);
    parts.push(Buffer.from([61 << 2, (piece.length - 1) & 0xff, (piece.length - 1) >> 8]), piece);
  }
  return Buffer.concat(parts);
}
