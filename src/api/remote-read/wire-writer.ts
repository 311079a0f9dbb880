/** Protobuf written by hand into bytes that grow. */
export interface WireWriter {
  bytes: Uint8Array;
  view: DataView;
  length: number;
}

export function makeWireWriter(capacity = 1024): WireWriter {
  const bytes = new Uint8Array(capacity);
  return { bytes, view: new DataView(bytes.buffer), length: 0 };
}

/** Makes room for so many bytes more; returns where they go. */
export function reserveWire(w: WireWriter, more: number): number {
  const at = w.length;
  if (at + more > w.bytes.length) {
    const bytes = new Uint8Array(Math.max(2 * w.bytes.length, at + more));
    bytes.set(w.bytes.subarray(0, at));
    w.bytes = bytes;
    w.view = new DataView(bytes.buffer);
  }
  return at;
}

/** What was written, as a view that the next write may change. */
export function wireBytes({ bytes, length }: WireWriter): Uint8Array {
  return bytes.subarray(0, length);
}

/** A varint of a whole number below 2^53, without a tag. */
export function putVarint(w: WireWriter, value: number): void {
  let at = reserveWire(w, 10);
  let v = value;
  for (; v >= 128; v = Math.floor(v / 128)) w.bytes[at++] = (v % 128) | 128;
  w.bytes[at++] = v;
  w.length = at;
}

/** An int64: two's complement, so that negative numbers have ten bytes. */
export function putInt64(w: WireWriter, value: number): void {
  if (value >= 0) {
    putVarint(w, value);
    return;
  }
  let at = reserveWire(w, 10);
  let v = BigInt.asUintN(64, BigInt(value));
  for (; v >= 128n; v >>= 7n) w.bytes[at++] = Number(v & 127n) | 128;
  w.bytes[at++] = Number(v);
  w.length = at;
}

/** A number in zigzag code (sint32, sint64), below 2^52. */
export function putZigzag(w: WireWriter, value: number): void {
  putVarint(w, value < 0 ? -2 * value - 1 : 2 * value);
}

export function putTag(w: WireWriter, field: number, wireType: 0 | 1 | 2): void {
  putVarint(w, field * 8 + wireType);
}

/** A double by its words, so that a NaN keeps its bits. */
export function putWords(w: WireWriter, field: number, lo: number, hi: number): void {
  putTag(w, field, 1);
  const at = reserveWire(w, 8);
  w.view.setUint32(at, lo, true);
  w.view.setUint32(at + 4, hi, true);
  w.length = at + 8;
}

export function putDouble(w: WireWriter, field: number, value: number): void {
  putTag(w, field, 1);
  putBareDouble(w, value);
}

export function putBareDouble(w: WireWriter, value: number): void {
  const at = reserveWire(w, 8);
  w.view.setFloat64(at, value, true);
  w.length = at + 8;
}

export function putBytes(w: WireWriter, field: number, bytes: Uint8Array): void {
  putTag(w, field, 2);
  putVarint(w, bytes.length);
  const at = reserveWire(w, bytes.length);
  w.bytes.set(bytes, at);
  w.length = at + bytes.length;
}

const encoder = new TextEncoder();

export function putString(w: WireWriter, field: number, text: string): void {
  putBytes(w, field, encoder.encode(text));
}

/** Writers of nested messages, one a depth; large ones are not kept. */
const MAX_KEPT = 4 << 20;
const nested: WireWriter[] = [];
let depth = 0;

/** A nested message, written by `fill`. */
export function putMessage(w: WireWriter, field: number, fill: (message: WireWriter) => void): void {
  nested[depth] ??= makeWireWriter();
  const message = nested[depth] as WireWriter;
  message.length = 0;
  depth++;
  try {
    fill(message);
  } finally {
    depth--;
  }
  putBytes(w, field, wireBytes(message));
  if (message.bytes.length > MAX_KEPT) delete nested[depth];
}
