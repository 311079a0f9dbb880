import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CUSTOM_BUCKETS_SCHEMA, MAX_SCHEMA, MIN_SCHEMA, makeHistogram } from "../../src/model/histogram.ts";
import {
  decodeHistogram,
  encodeHistogram,
  HISTOGRAM_CODE_VERSION,
  MAX_HISTOGRAM_BYTES,
  makeHistogramBytes,
} from "../../src/model/histogram-code.ts";

const page = readFileSync(new URL("../../docs/format/histogram.md", import.meta.url), "utf8");

describe("docs/format/histogram.md", () => {
  const lines = /```hex\n([\s\S]*?)```/.exec(page)![1]!.trimEnd().split("\n");
  const example = Uint8Array.from(
    lines.flatMap((line, i) => {
      expect(Number.parseInt(line.slice(0, 4), 16)).toBe(16 * i);
      return line
        .slice(6, 53)
        .trim()
        .split(" ")
        .map((b) => Number.parseInt(b, 16));
    }),
  );
  const said = {
    ...makeHistogram(),
    schema: 3,
    count: 12,
    sum: 18.5,
    zeroThreshold: 2 ** -128,
    zeroCount: 2,
    positiveSpans: [-2, 2, 5, 1],
    positive: [1, 2, 6],
    negativeSpans: [0, 1],
    negative: [1],
  };

  test("the example decodes to what the page says, and the encoder makes it", () => {
    expect(decodeHistogram(example, 0)).toEqual(said);
    const bytes = makeHistogramBytes();
    encodeHistogram(said, bytes);
    expect(bytes.bytes.slice(0, bytes.length)).toEqual(example);
  });

  test("the page has the code's numbers", () => {
    expect(page).toContain(`bits 4 to 7: version, ${HISTOGRAM_CODE_VERSION} |`);
    expect(page).toContain(`at most ${MAX_HISTOGRAM_BYTES} |`);
    expect(page).toContain(
      `| ${MIN_SCHEMA} to ${MAX_SCHEMA}: exponential buckets; ${CUSTOM_BUCKETS_SCHEMA}: custom ones |`,
    );
  });
});
