import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RollupTier, TIER_MS } from "../../../src/model/rollup.ts";
import type { Coverage, Stretch } from "../../../src/model/series-source.ts";
import { cover, isAligned, type Need, needOf, type Segment, type WindowSpan } from "../../../src/query/plan/tier.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;
const FOREVER: Stretch = { after: Number.NEGATIVE_INFINITY, until: 1000 * HOUR };

function span(start: number, range: number, step = 0, steps = 1): WindowSpan {
  return { firstStart: start - range, firstEnd: start, lastEnd: start + (steps - 1) * step, step, range };
}

/** `tier from-to` in minutes, `~` where rounded. */
function told(segments: readonly Segment[]): string {
  return segments.map((s) => `${s.rounded ? "~" : ""}${s.tier} ${s.after / MINUTE}-${s.until / MINUTE}`).join(", ");
}

const all = (rawAfter = Number.NEGATIVE_INFINITY): Coverage => ({
  rawAfter,
  tiers: [
    { tier: "1m", complete: [FOREVER] },
    { tier: "1h", complete: [FOREVER] },
  ],
});

describe("which tier", () => {
  test.each<[string, Need, WindowSpan, Coverage, string]>([
    ["hours of hours", "whole", span(5 * HOUR, 2 * HOUR, HOUR, 3), all(), "1h 180-420"],
    ["minutes of minutes", "whole", span(5 * HOUR, 5 * MINUTE, MINUTE, 3), all(), "1m 295-302"],
    ["a step of seconds", "whole", span(5 * HOUR, 5 * MINUTE, 15_000, 5), all(), "raw 295-301"],
    ["a range of seconds", "whole", span(5 * HOUR, 90_000, MINUTE, 2), all(), "raw 298.5-301"],
    ["a selector needs its ends only", "newest", span(5 * HOUR, 5 * MINUTE, HOUR, 2), all(), "1h 240-360"],
    [
      "the oldest sample needs the starts",
      "oldest",
      span(5 * HOUR + 7 * MINUTE, HOUR + 7 * MINUTE),
      all(),
      "1h 240-300, 1m 300-307",
    ],
    ["what needs samples", "samples", span(5 * HOUR, 2 * HOUR, HOUR, 3), all(), "raw 180-420"],
    [
      "one long window, raw samples at its edges",
      "whole",
      span(10 * HOUR + 90_000, 9 * HOUR + 60_000),
      all(),
      "raw 60.5-61, 1m 61-120, 1h 120-600, 1m 600-601, raw 601-601.5",
    ],
    ["one short window", "whole", span(10 * HOUR + 90_000, 5 * MINUTE), all(), "raw 596.5-601.5"],
    [
      "the newest part is not rolled up yet",
      "whole",
      span(9 * HOUR, 4 * HOUR, HOUR, 2),
      {
        rawAfter: 4 * HOUR,
        tiers: [
          { tier: "1h", complete: [{ after: 0, until: 7 * HOUR }] },
          { tier: "1m", complete: [{ after: 0, until: 8 * HOUR }] },
        ],
      },
      "1h 300-420, 1m 420-480, raw 480-600",
    ],
    [
      "late samples have touched a bucket",
      "whole",
      span(9 * HOUR, 4 * HOUR),
      {
        rawAfter: 0,
        tiers: [
          {
            tier: "1h",
            complete: [
              { after: 0, until: 6 * HOUR },
              { after: 7 * HOUR, until: 20 * HOUR },
            ],
          },
        ],
      },
      "1h 300-360, raw 360-420, 1h 420-540",
    ],
    [
      "raw is gone, windows between buckets",
      "whole",
      span(9 * HOUR + 1, 5 * MINUTE, 15_000, 2),
      all(20 * HOUR),
      "~1m 534-541",
    ],
    [
      "raw is gone at the left",
      "samples",
      span(9 * HOUR, HOUR, MINUTE, 61),
      { rawAfter: 9 * HOUR + 30_000, tiers: [{ tier: "1h", complete: [FOREVER] }] },
      "~1h 420-600",
    ],
    [
      "nothing is kept at the left",
      "whole",
      span(9 * HOUR, 4 * HOUR),
      { rawAfter: 8 * HOUR, tiers: [{ tier: "1m", complete: [{ after: 6 * HOUR, until: 8 * HOUR }] }] },
      "1m 360-480, raw 480-540",
    ],
  ])("%s", (_, need, windows, coverage, want) => {
    expect(told(cover(need, windows, coverage))).toBe(want);
  });

  test("without tiers: raw samples, with what lies before and beyond the windows", () => {
    const none = { rawAfter: Number.NEGATIVE_INFINITY, tiers: [] };
    expect(told(cover("samples", span(HOUR, MINUTE), none, 2 * MINUTE, MINUTE))).toBe("raw 57-61");
  });
});

describe("what functions need", () => {
  const select = { matchers: [], offset: 0, lookback: 1, output: "value" } as const;
  const call = { range: MINUTE, params: [] };
  test.each([
    [{ select }, "newest"],
    [{ select: { ...select, output: "startTimestamp" as const } }, "samples"],
    [{ select: { ...select, smoothed: true } }, "samples"],
    [{ select, range: { ...call, func: "rate" as const } }, "whole"],
    [{ select, range: { ...call, func: "rate" as const, anchored: true } }, "samples"],
    [{ select, range: { ...call, func: "irate" as const } }, "samples"],
    [{ select, range: { ...call, func: "quantile_over_time" as const } }, "samples"],
    [{ select, range: { ...call, func: "first_over_time" as const } }, "oldest"],
    [{ select, range: { ...call, func: "last_over_time" as const } }, "newest"],
    [{ select, range: { ...call, func: "last_over_time" as const }, raw: true }, "samples"],
  ])("%j: %s", (plan, want) => expect(needOf(plan)).toBe(want));
});

const stretches = (width: number): fc.Arbitrary<Stretch[]> =>
  fc.array(fc.tuple(fc.nat(10), fc.integer({ min: 1, max: 10 })), { maxLength: 6 }).map((pairs) => {
    let at = 0;
    return pairs.map(([gap, length]) => {
      const after = at + (gap + 1) * width;
      at = after + length * width;
      return { after, until: at };
    });
  });

test("segments: in order, without overlap, right where not rounded, without gaps where something is kept", () => {
  const time = fc.oneof(
    fc.integer({ min: -20, max: 600 }).map((m) => m * MINUTE),
    fc.integer({ min: 0, max: 20 * HOUR }),
  );
  const cases = fc.record({
    need: fc.constantFrom<Need>("whole", "newest", "oldest", "samples"),
    start: time,
    range: fc.oneof(fc.constantFrom(MINUTE, 5 * MINUTE, HOUR, 12 * HOUR), fc.integer({ min: 1, max: 5 * HOUR })),
    step: fc.oneof(fc.constantFrom(0, MINUTE, HOUR), fc.integer({ min: 1, max: HOUR })),
    steps: fc.integer({ min: 1, max: 20 }),
    rawAfter: fc.oneof(fc.constant(Number.NEGATIVE_INFINITY), time),
    m: stretches(MINUTE),
    h: stretches(HOUR),
  });
  fc.assert(
    fc.property(cases, ({ need, start, range, step, steps, rawAfter, m, h }) => {
      const windows = span(start, range, step, step === 0 ? 1 : steps);
      const complete: Record<RollupTier, Stretch[]> = { "1m": m, "1h": h };
      const tiers = [{ tier: "1m", complete: m } as const, { tier: "1h", complete: h } as const];
      const segments = cover(need, windows, { rawAfter, tiers });
      const first = segments[0];
      if (need !== "newest" && first?.rounded === false) expect(first.after).toBeGreaterThanOrEqual(windows.firstStart);
      segments.forEach((s, i) => {
        expect(s.until).toBeGreaterThan(s.after);
        if (i > 0) expect(s.after).toBeGreaterThanOrEqual(segments[i - 1]?.until as number);
        if (s.tier === "raw") {
          expect(s.rounded).toBe(false);
          expect(s.after).toBeGreaterThanOrEqual(rawAfter);
          return;
        }
        const width = TIER_MS[s.tier];
        expect([s.after % width, s.until % width].map(Math.abs)).toEqual([0, 0]);
        expect(complete[s.tier].some((c) => c.after <= s.after && s.until <= c.until)).toBe(true);
        if (!s.rounded && windows.step > 0) expect(isAligned(need, windows, width)).toBe(true);
        // Only a tier that is not right there is rounded, and only where raw samples are gone.
        if (s.rounded) expect(s.after).toBeLessThan(rawAfter);
        else if (i === segments.length - 1) expect(s.until).toBeLessThanOrEqual(windows.lastEnd);
      });
      const inside = (t: number, list: readonly Stretch[]) => list.some((s) => t > s.after && t <= s.until);
      const gap = Math.ceil((windows.lastEnd - windows.firstStart) / 97);
      for (let t = windows.firstStart + 1; t <= windows.lastEnd; t += gap) {
        const kept = t > rawAfter || inside(t, m) || inside(t, h);
        if (inside(t, segments) !== kept) throw new Error(`${t} is ${kept ? "" : "not "}kept: ${told(segments)}`);
      }
    }),
    { numRuns: 1000 },
  );
});

test("a coarser tier that goes on within its bucket takes the bucket whole: nothing is counted twice", () => {
  const tiers = [
    { tier: "1m", complete: [{ after: 0, until: 61 * MINUTE }] } as const,
    { tier: "1h", complete: [{ after: HOUR, until: 2 * HOUR }] } as const,
  ];
  expect(cover("whole", span(0, 7, HOUR, 3), { rawAfter: 5 * HOUR, tiers })).toEqual([
    { after: 0, until: HOUR, tier: "1m", rounded: true },
    { after: HOUR, until: 2 * HOUR, tier: "1h", rounded: true },
  ]);
});
