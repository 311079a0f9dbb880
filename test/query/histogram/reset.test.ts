import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addHistogram } from "../../../src/query/histogram/add.ts";
import { cloneHistogram } from "../../../src/query/histogram/copy.ts";
import { detectReset } from "../../../src/query/histogram/reset.ts";
import { customHistogram, exponentialHistogram, histogramPair } from "./arbitrary-histogram.ts";
import { readHistogram } from "./notation.ts";

const reset = (previous: string, current: string) => detectReset(readHistogram(current), readHistogram(previous));

describe("counter resets", () => {
  it("are a count, zero bucket or bucket that is smaller, but not the sum", () => {
    expect(reset("{{count:4 buckets:[1 2 1]}}", "{{count:5 buckets:[1 1 3]}}")).toBe(true);
    expect(reset("{{count:4 buckets:[1 2 1]}}", "{{count:3 buckets:[1 2 1]}}")).toBe(true);
    expect(reset("{{count:4 z_bucket:2}}", "{{count:4 z_bucket:1}}")).toBe(true);
    expect(reset("{{count:4 sum:9 buckets:[1 2 1]}}", "{{count:4 sum:1 buckets:[1 2 1]}}")).toBe(false);
    expect(reset("{{count:4 n_buckets:[1 2 1]}}", "{{count:4 n_buckets:[1 2]}}")).toBe(true);
    expect(reset("{{count:4 buckets:[1 2 1]}}", "{{count:4 offset:-3 buckets:[1 0 0 1 2 1 2]}}")).toBe(false);
  });

  it("are populated buckets gone, not empty ones", () => {
    expect(reset("{{count:1 buckets:[1 0 0]}}", "{{count:1 buckets:[1]}}")).toBe(false);
    expect(reset("{{count:1 buckets:[1 0 1]}}", "{{count:2 buckets:[1]}}")).toBe(true);
    expect(reset("{{count:1 buckets:[0 1]}}", "{{count:2}}")).toBe(true);
    expect(reset("{{count:1 buckets:[0 0]}}", "{{count:2}}")).toBe(false);
  });

  it("are what hints say, if they say anything", () => {
    expect(reset("{{count:1}}", "{{count:2 counter_reset_hint:reset}}")).toBe(true);
    expect(reset("{{count:2}}", "{{count:1 counter_reset_hint:not_reset}}")).toBe(false);
    expect(reset("{{count:2}}", "{{count:1 counter_reset_hint:gauge}}")).toBe(true);
  });

  it("are finer resolution and a smaller zero bucket; coarser ones are compared", () => {
    expect(reset("{{schema:0 count:1 buckets:[1]}}", "{{schema:1 count:1 buckets:[1]}}")).toBe(true);
    expect(reset("{{schema:1 count:2 buckets:[0 1 1]}}", "{{schema:0 count:2 buckets:[0 2]}}")).toBe(false);
    expect(reset("{{schema:1 count:2 buckets:[0 1 1]}}", "{{schema:0 count:2 buckets:[0 1 1]}}")).toBe(true);
    expect(reset("{{z_bucket_w:0.5}}", "{{z_bucket_w:0.1}}")).toBe(true);
    expect(reset("{{count:3 z_bucket:1 offset:-1 buckets:[2]}}", "{{count:3 z_bucket:3 z_bucket_w:0.5}}")).toBe(false);
    expect(reset("{{count:3 z_bucket:1 offset:-1 buckets:[2]}}", "{{count:3 z_bucket:2 z_bucket_w:0.5}}")).toBe(true);
    // A threshold inside a populated bucket.
    expect(reset("{{count:3 z_bucket:1 buckets:[2]}}", "{{count:3 z_bucket:3 z_bucket_w:0.6}}")).toBe(true);
  });

  it("are changes between exponential and given bounds; given bounds are compared where they agree", () => {
    const custom = "{{schema:-53 count:4 custom_values:[2 4] buckets:[1 2 1]}}";
    expect(reset("{{count:1 buckets:[1]}}", custom)).toBe(true);
    expect(reset(custom, "{{count:4 buckets:[4]}}")).toBe(true);
    expect(reset(custom, "{{schema:-53 count:4 custom_values:[2 3 4] buckets:[1 1 1 1]}}")).toBe(false);
    expect(reset(custom, "{{schema:-53 count:4 custom_values:[2 3 4] buckets:[1 0 1 2]}}")).toBe(true);
    expect(reset(custom, "{{schema:-53 count:4 custom_values:[3] buckets:[0 4]}}")).toBe(false);
  });

  it("are not seen where something was added, whatever the layouts", () => {
    void fc.assert(
      fc.property(histogramPair, ([a, b]) => {
        // A counter's threshold lies at the near end of its buckets.
        a.zeroThreshold = 0;
        b.zeroThreshold = 0;
        const current = cloneHistogram(a);
        addHistogram(current, b);
        current.resetHint = 0;
        expect(detectReset(current, a)).toBe(false);
        expect(detectReset(current, current)).toBe(false);
      }),
    );
  });

  it("are seen in every populated bucket", () => {
    void fc.assert(
      fc.property(fc.oneof(exponentialHistogram, customHistogram), fc.nat(), (h, at) => {
        h.zeroThreshold = 0;
        h.resetHint = 0;
        const populated = [...h.positive.keys()].filter((i) => h.positive[i] !== 0);
        fc.pre(populated.length > 0);
        const current = cloneHistogram(h);
        const i = populated[at % populated.length] as number;
        current.positive[i] = (current.positive[i] as number) - 1;
        expect(detectReset(current, h)).toBe(true);
      }),
    );
  });
});
