import fc from "fast-check";
import { varint } from "./write-request-bytes.ts";

/** An element of a Snappy block. */
export type Element = { readonly literal: Uint8Array } | Copy;
interface Copy {
  readonly offset: number;
  readonly length: number;
  readonly kind: 1 | 2 | 3;
}

/** Elements as the format describes them, and what they make, executed byte by byte: the oracle. */
export function encodeElements(elements: readonly Element[]): { packed: Uint8Array; plain: Uint8Array } {
  const plain: number[] = [];
  const packed: number[] = [];
  for (const e of elements) {
    if ("literal" in e) {
      const n = e.literal.length - 1;
      if (n < 60) packed.push(n << 2);
      else if (n < 256) packed.push(60 << 2, n);
      else packed.push(61 << 2, n & 255, n >> 8);
      packed.push(...e.literal);
      plain.push(...e.literal);
    } else {
      if (e.kind === 1) packed.push(((e.offset >> 8) << 5) | ((e.length - 4) << 2) | 1, e.offset & 255);
      else if (e.kind === 2) packed.push(((e.length - 1) << 2) | 2, e.offset & 255, e.offset >> 8);
      else packed.push(((e.length - 1) << 2) | 3, e.offset & 255, (e.offset >> 8) & 255, 0, 0);
      for (let k = 0; k < e.length; k++) plain.push(plain[plain.length - e.offset]!);
    }
  }
  return { packed: Uint8Array.from([...varint(plain.length), ...packed]), plain: Uint8Array.from(plain) };
}

const element = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 400 }).map((literal) => ({ literal })),
  fc.record({
    offset: fc.integer({ min: 1, max: 300 }),
    length: fc.integer({ min: 1, max: 64 }),
    kind: fc.constantFrom(1, 2, 3),
  }),
);

/** Lists of elements that point nowhere outside. */
export const elementLists: fc.Arbitrary<Element[]> = fc.array(element, { maxLength: 40 }).map((list) => {
  let size = 0;
  const elements: Element[] = [];
  for (const e of list) {
    if ("literal" in e) {
      elements.push(e);
      size += e.literal.length;
    } else if (size > 0) {
      const kind = e.kind as 1 | 2 | 3;
      const length = kind === 1 ? 4 + (e.length % 8) : e.length;
      elements.push({ offset: 1 + (e.offset % size), length, kind });
      size += length;
    }
  }
  return elements;
});
