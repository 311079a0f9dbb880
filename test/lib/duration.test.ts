import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DurationError, formatDuration, MAX_DURATION_MS, parseDuration } from "../../src/lib/duration.ts";

describe("parseDuration", () => {
  it.each([
    ["0", 0],
    ["0s", 0],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["250ms", 250],
    ["1y2w3d4h5m6s7ms", (((365 + 14 + 3) * 24 + 4) * 60 + 5) * 60_000 + 6007],
    ["01h", 3_600_000],
  ])("%s", (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each([
    ["", "empty duration string"],
    ["5", 'not a valid duration string: "5"'],
    ["m", 'not a valid duration string: "m"'],
    ["1.5h", 'unknown unit "." in duration "1.5h"'],
    ["-5m", 'not a valid duration string: "-5m"'],
    ["5m ", 'unknown unit "m " in duration "5m "'],
    ["1m1h", 'not a valid duration string: "1m1h"'],
    ["1m1m", 'not a valid duration string: "1m1m"'],
    ["3hs", 'unknown unit "hs" in duration "3hs"'],
    ["300y", "duration out of range"],
    ["99999999999999999999s", 'not a valid duration string: "99999999999999999999s"'],
  ])("%j is refused", (text, message) => expect(() => parseDuration(text)).toThrow(new DurationError(message)));
});

describe("formatDuration", () => {
  it.each([
    [0, "0s"],
    [5_400_000, "1h30m"],
    [14 * 86_400_000, "2w"],
    [15 * 86_400_000, "15d"],
    [365 * 86_400_000, "1y"],
    [366 * 86_400_000, "366d"],
    [1001, "1s1ms"],
    [-300_000, "-5m"],
  ])("%d", (ms, text) => expect(formatDuration(ms)).toBe(text));

  it("is read back to the same value", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_DURATION_MS }), (ms) => parseDuration(formatDuration(ms)) === ms),
    );
  });
});
