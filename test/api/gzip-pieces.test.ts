import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { gzipPieces } from "../../src/api/gzip-pieces.ts";

async function compressed(pieces: Iterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(gzipPieces(pieces)));
}

test("what comes out is one gzip stream of all that went in", () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 2_000 }), { maxLength: 12 }), async (parts) => {
      const pieces = parts.map((p) => Buffer.from(p));
      expect(gunzipSync(await compressed(pieces))).toEqual(Buffer.concat(pieces));
    }),
  ));

test("pieces of all sizes keep their order", async () => {
  const pieces = Array.from({ length: 40 }, (_, i) => Buffer.from(`${i},`.repeat(i % 3 === 0 ? 50_000 : 10)));
  const bytes = await compressed(pieces);
  expect(gunzipSync(bytes).equals(Buffer.concat(pieces))).toBe(true);
  expect(bytes.length).toBeLessThan(20_000);
});

test("no more is taken than is asked for, and the source is closed by whoever stops", async () => {
  let taken = 0;
  let closed = false;
  function* source(): Generator<Buffer> {
    try {
      for (;;) {
        taken++;
        yield Buffer.alloc(1_000, taken);
      }
    } finally {
      closed = true;
    }
  }
  const stream = gzipPieces(source());
  for (let i = 0; i < 3; i++) await stream.next();
  expect(taken).toBeLessThan(8);
  await stream.return(undefined);
  expect(closed).toBe(true);
});

test("what goes wrong in the making is thrown", async () => {
  function* source(): Generator<Buffer> {
    yield Buffer.from("a");
    throw new Error("no more");
  }
  await expect(compressed(source())).rejects.toThrow("no more");
});
