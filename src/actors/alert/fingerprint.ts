import type { Labels } from "../../model/labels.ts";

const encoder = new TextEncoder();
/** FNV-1a's prime for 64 bits is 2^40 + this. */
const PRIME = 0x1b3;

/** The 16 hex digits by which Alertmanager names an alert: FNV-1a (64 bits) over its sorted labels. */
export function fingerprint(labels: Labels): string {
  // The offset basis as two halves of 32 bits. All stays within 32 bits: an alert storm asks for very many of these.
  let hi = 0xcbf29ce4 | 0;
  let lo = 0x84222325 | 0;
  for (const text of labels) {
    // Nearly every label is ASCII, which is its own UTF-8.
    let bytes: Uint8Array | undefined;
    let length = text.length;
    for (let i = 0; i <= length; i++) {
      let byte = 0xff;
      if (i < length) byte = bytes === undefined ? text.charCodeAt(i) : (bytes[i] as number);
      if (byte >= 0x80 && bytes === undefined && i < length) {
        // What came before is the same in both.
        bytes = encoder.encode(text);
        length = bytes.length;
        byte = bytes[i] as number;
      }
      const x = lo ^ byte;
      const carry = ((((x & 0xffff) * PRIME) >>> 16) + (x >>> 16) * PRIME) >>> 16;
      hi = (Math.imul(hi, PRIME) + carry + (x << 8)) | 0;
      lo = Math.imul(x, PRIME);
    }
  }
  return (hi >>> 0).toString(16).padStart(8, "0") + (lo >>> 0).toString(16).padStart(8, "0");
}
