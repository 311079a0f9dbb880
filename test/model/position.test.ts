import fc from "fast-check";
import { expect, it } from "vitest";
import { formatPositions, parsePositions } from "../../src/model/position.ts";

it("reads what it writes", () => {
  const stream = fc.option(fc.stringMatching(/^[0-9a-f]{8}$/), { nil: undefined });
  const position = fc.record({ partition: fc.nat(65_535), sequence: fc.nat(2 ** 48), stream });
  fc.assert(
    fc.property(fc.uniqueArray(position, { selector: (p) => p.partition, minLength: 1 }), (positions) => {
      expect(parsePositions(formatPositions(positions) as string)).toEqual(positions);
    }),
  );
  expect(formatPositions([])).toBeUndefined();
});

it.each([
  [
    "two writes joined",
    "0:5@0a0a0a0a,1:7@0b0b0b0b,0:9@0a0a0a0a",
    [
      { partition: 0, sequence: 9, stream: "0a0a0a0a" },
      { partition: 1, sequence: 7, stream: "0b0b0b0b" },
    ],
  ],
  ["the older one last", "0:9,0:5", [{ partition: 0, sequence: 9, stream: undefined }]],
  ["a stream made anew in between", "0:900@0a0a0a0a,0:3@0b0b0b0b", [{ partition: 0, sequence: 3, stream: "0b0b0b0b" }]],
  [
    "a space behind the comma, as proxies join headers",
    "0:1, 1:2",
    [
      { partition: 0, sequence: 1, stream: undefined },
      { partition: 1, sequence: 2, stream: undefined },
    ],
  ],
])("%s", (_, token, positions) => {
  expect(parsePositions(token)).toEqual(positions);
});

it.each([
  "",
  ",",
  "0",
  "0:",
  ":1",
  "a:1",
  "0:-1",
  "0:1.5",
  "0:1@",
  "0:1@xyz",
  "0:1@0A0A0A0A",
  "0:1;1:2",
  "0:1234567890123456",
  "x".repeat(70_000),
])("%j is no token", (token) => {
  expect(parsePositions(token)).toBeUndefined();
});
