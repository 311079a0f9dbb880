import { expect, it } from "vitest";
import { resumePoint, type StreamIdentity } from "../../../src/streams/nats/stream-identity.ts";

const A = "2026-01-01T00:00:00Z";
const B = "2026-01-02T00:00:00Z";

/** By hand, from what the cases mean: what must be read next of a stream that holds [first, last]. */
function expected(
  created: string,
  first: number,
  last: number,
  read: { created: string; lastSequence: number } | undefined,
) {
  if (read === undefined) return { startSequence: first, newEpoch: true, missed: 0 };
  if (read.created !== created) return { startSequence: first, newEpoch: true, missed: 0 };
  if (read.lastSequence > last) return { startSequence: last + 1, newEpoch: true, missed: 0 };
  if (read.lastSequence + 1 < first)
    return { startSequence: first, newEpoch: false, missed: first - read.lastSequence - 1 };
  return { startSequence: read.lastSequence + 1, newEpoch: false, missed: 0 };
}

it("decides for every small stream and everything that may have been read", () => {
  let cases = 0;
  for (let last = 0; last <= 4; last++) {
    for (let first = 1; first <= last + 1; first++) {
      const stream: StreamIdentity = { name: "S", created: A, firstSequence: first, lastSequence: last, maxBytes: 1 };
      expect(resumePoint(stream, undefined)).toEqual(expected(A, first, last, undefined));
      for (const created of [A, B]) {
        for (let lastSequence = 0; lastSequence <= 6; lastSequence++) {
          const read = { created, lastSequence };
          expect(resumePoint(stream, read), JSON.stringify({ stream, read })).toEqual(expected(A, first, last, read));
          cases++;
        }
      }
    }
  }
  expect(cases).toBe(210);
});

it("takes a stream that never had a message for one that begins at 1", () => {
  const stream: StreamIdentity = { name: "S", created: A, firstSequence: 0, lastSequence: 0, maxBytes: 1 };
  expect(resumePoint(stream, undefined)).toEqual({ startSequence: 1, newEpoch: true, missed: 0 });
});
