import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeLabelsRequest, encodeLabelsRequest, MAX_HASHES } from "../../../src/streams/nats/labels-request.ts";

const pairs = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 0xffffffff })), { maxLength: 20 })
  .map((list) => Uint32Array.from(list.flat()));

test("hashes come through whole", () => {
  fc.assert(
    fc.property(pairs, pairs, (unknown, ambiguous) => {
      expect(decodeLabelsRequest(encodeLabelsRequest({ unknown, ambiguous }))).toEqual({ unknown, ambiguous });
    }),
  );
});

test.each([
  "",
  "null",
  "[]",
  '{"unknown":[]}',
  '{"unknown":["12"],"ambiguous":[]}',
  '{"unknown":[1],"ambiguous":[]}',
  '{"unknown":["ABCDEFABCDEFABCD"],"ambiguous":[]}',
  JSON.stringify({ unknown: Array(MAX_HASHES + 1).fill("0".repeat(16)), ambiguous: [] }),
])("what is no request is ignored: %.40s", (text) => {
  expect(decodeLabelsRequest(text)).toBeUndefined();
});
