import * as fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, test } from "vitest";
import { compileCost, compileMatcherRegex } from "../../src/lib/regex.ts";
import { regexCost } from "../../src/lib/regex-cost.ts";

/** What the compiler makes of it; undefined when it takes the pattern for none. */
function programSize(pattern: string): number | undefined {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL).programSize();
  } catch {
    return undefined;
  }
}

const atom = fc.constantFrom(
  "a",
  "xyz",
  "[a-z]",
  "[^]\\]]",
  "[[:alpha:]_]",
  "\\d",
  "\\pL",
  "\\p{Greek}",
  ".",
  "\\{",
  "\\Qa.b\\E",
  "é",
);
const pattern = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    atom,
    fc
      .tuple(tie("all"), fc.constantFrom("*", "+", "?", "{2}", "{3,}", "{2,7}", "{0,9}"))
      .map(([p, r]) => `(?:${p})${r}`),
    fc.tuple(tie("all"), tie("all")).map(([a, b]) => a + b),
    fc.tuple(tie("all"), tie("all")).map(([a, b]) => `(?i:${a}|${b})`),
    tie("all").map((p) => `(?P<name>${p})`),
  ),
})).all;

describe("what a regular expression may cost", () => {
  test("is never far below what the compiler makes of it, nor far above", () =>
    fc.assert(
      fc.property(pattern, (p) => {
        const size = programSize(p);
        if (size === undefined) return;
        expect(regexCost(p)).toBeGreaterThanOrEqual((size - 4) / 2);
        expect(regexCost(p)).toBeLessThanOrEqual(12 * size + 20);
      }),
      { numRuns: 400 },
    ));

  test("any text has one, without trouble", () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."a(){}[]\\|*+?,:^19Qp<>P") }), (p) => {
        expect(regexCost(p)).toBeGreaterThanOrEqual(0);
      }),
    ));

  test("repetitions count as often as they say", () => {
    expect(regexCost("[a-z]{1000}")).toBe(1000);
    expect(regexCost("[a-z]{1000}".repeat(50))).toBe(50_000);
    expect(regexCost("(?:a{30}){30}")).toBeGreaterThanOrEqual(900);
  });

  test("choices of texts and wildcards need no program", () => {
    const hosts = Array.from({ length: 3000 }, (_, i) => `host-${i}`);
    expect(compileCost(hosts.join("|"))).toBe(1);
    expect(compileCost(hosts.map((h) => `${h}.*`).join("|"))).toBe(1);
    expect(compileCost(hosts.map((h) => `${h}\\d`).join("|"))).toBeGreaterThan(20_000);
  });

  test("what would take seconds to compile is refused at once", () => {
    expect(() => compileMatcherRegex("[a-z]{1000}x".repeat(5000))).toThrow(
      "error parsing regexp: expression too large",
    );
  });
});
