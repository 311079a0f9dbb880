/** The kinds of typed arrays that a snapshot can hold, by their number in the file. */
export type View = Exclude<ArrayBufferView, DataView>;

interface ViewKind {
  readonly name: string;
  readonly size: number;
  readonly make: (buffer: ArrayBuffer, offset: number, length: number) => View;
}

/** Numbers are positions in this list; they never change. */
export const VIEW_KINDS: readonly ViewKind[] = [
  { name: "Uint8Array", size: 1, make: (b, o, n) => new Uint8Array(b, o, n) },
  { name: "Buffer", size: 1, make: (b, o, n) => Buffer.from(b, o, n) },
  { name: "Int8Array", size: 1, make: (b, o, n) => new Int8Array(b, o, n) },
  { name: "Uint16Array", size: 2, make: (b, o, n) => new Uint16Array(b, o, n) },
  { name: "Int16Array", size: 2, make: (b, o, n) => new Int16Array(b, o, n) },
  { name: "Uint32Array", size: 4, make: (b, o, n) => new Uint32Array(b, o, n) },
  { name: "Int32Array", size: 4, make: (b, o, n) => new Int32Array(b, o, n) },
  { name: "Float32Array", size: 4, make: (b, o, n) => new Float32Array(b, o, n) },
  { name: "Float64Array", size: 8, make: (b, o, n) => new Float64Array(b, o, n) },
  { name: "BigInt64Array", size: 8, make: (b, o, n) => new BigInt64Array(b, o, n) },
  { name: "BigUint64Array", size: 8, make: (b, o, n) => new BigUint64Array(b, o, n) },
];

export function isView(value: unknown): value is View {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/** The number of a view's kind. */
export function viewKind(view: View): number {
  const name = Buffer.isBuffer(view) ? "Buffer" : view.constructor.name;
  const kind = VIEW_KINDS.findIndex((k) => k.name === name);
  if (kind < 0) throw new TypeError(`a ${name} cannot be in a snapshot`);
  return kind;
}

export function bytesOf(view: View): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
