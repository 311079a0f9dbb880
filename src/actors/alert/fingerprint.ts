import type { Labels } from "../../model/labels.ts";

const encoder = new TextEncoder();

/** The 16 hex digits by which Alertmanager names an alert: FNV-1a (64 bits) over its sorted labels. */
export function fingerprint(labels: Labels): string {
  // The offset basis as two 32-bit halves; the prime is 2^40 + 0x1b3.
  let hi = 0xcbf29ce4;
  let lo = 0x84222325;
  const add = (byte: number) => {
    const x = (lo ^ byte) >>> 0;
    const product = x * 0x1b3;
    hi = (Math.imul(hi, 0x1b3) + Math.floor(product / 2 ** 32) + (x << 8)) >>> 0;
    lo = product >>> 0;
  };
  for (const text of labels) {
    for (const byte of encoder.encode(text)) add(byte);
    add(0xff);
  }
  return hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0");
}
