import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";
import { compileMatcherRegex, literalAlternatives, literalPrefix, RegexError } from "../../src/lib/regex.ts";

const reference = (pattern: string): ((value: string) => boolean) => {
  const re = RE2JS.compile(pattern, RE2JS.DOTALL);
  return (value) => re.matches(value);
};

/** Patterns of the shapes that people write, over a small alphabet so that they often match. */
const char = fc.constantFrom("a", "b", "-", "é", "\\.", "\\n");
const atom = fc.oneof(
  { weight: 6, arbitrary: char },
  { weight: 3, arbitrary: fc.constantFrom(".", "\\d", "\\w", "\\s", "[ab]", "[^a]", "[a-c.]", "[\\w-]", "[^\\n]") },
);
const { pattern } = fc.letrec<{ pattern: string; sequence: string; item: string }>((tie) => ({
  pattern: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((options) => options.join("|")),
  sequence: fc.array(tie("item"), { maxLength: 4 }).map((items) => items.join("")),
  item: fc
    .tuple(
      fc.oneof(
        { depthSize: "small" },
        atom,
        tie("pattern").map((p) => `(${p})`),
        tie("pattern").map((p) => `(?:${p})`),
      ),
      fc.constantFrom("", "", "", "*", "+", "?", ".*", ".+", "{2}", "{1,3}", "{0,}", "+?"),
    )
    .map(([a, repeat]) => a + repeat),
}));
const anchored = fc.tuple(fc.constantFrom("", "", "^", "(?i)", "(?s)"), pattern, fc.constantFrom("", "", "$"));
const value = fc.string({
  unit: fc.constantFrom("a", "b", "c", "A", "-", ".", "é", "\n", "1", " ", "😀"),
  maxLength: 8,
});

describe("compileMatcherRegex", { timeout: 60_000 }, () => {
  it("agrees with RE2 on generated patterns", () => {
    fc.assert(
      fc.property(
        anchored.map((parts) => parts.join("")),
        fc.array(value, { minLength: 8, maxLength: 8 }),
        (p, values) => {
          const test = compileMatcherRegex(p);
          const expected = reference(p);
          for (const v of values) expect([p, v, test(v)]).toEqual([p, v, expected(v)]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("agrees with RE2 on text made from the pattern's own characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab.*+?()[]{}|^$\\-1,é") }), value, (p, v) => {
        let expected: ((value: string) => boolean) | undefined;
        try {
          expected = reference(p);
        } catch {
          expect(() => compileMatcherRegex(p)).toThrow(RegexError);
          return;
        }
        expect(compileMatcherRegex(p)(v)).toBe(expected(v));
        for (const literal of literalAlternatives(p) ?? []) expect(expected(literal)).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });

  it("ignores case as RE2 does, odd letters included", () => {
    for (const p of ["(?i)k", "(?i)s.*", "(?i)\\w", "(?i)[a-z]+", "(?i)É", "(?i)ß", "(?i)a|ſ", "(?i)[^k]"]) {
      for (const v of ["k", "K", "\u212a", "s", "S", "ſ", "é", "É", "ß", "ẞ", "ss", "i", "İ", "ı"]) {
        expect([p, v, compileMatcherRegex(p)(v)]).toEqual([p, v, reference(p)(v)]);
      }
    }
  });

  it.each([
    ["(", "error parsing regexp: missing closing ): `(`"],
    ["a)", "error parsing regexp: unexpected ): `a)`"],
    ["[z-a]", "error parsing regexp: invalid character class range: `z-a`"],
    ["*", "error parsing regexp: missing argument to repetition operator: `*`"],
    ["a**", "error parsing regexp: invalid nested repetition operator: `**`"],
    ["\\8", "error parsing regexp: invalid escape sequence: `\\8`"],
    ["(?=x)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"],
    ["x{1001}", "error parsing regexp: invalid repeat count: `{1001}`"],
    ["\\", "error parsing regexp: trailing backslash at end of expression: ``"],
  ])("refuses %s in Go's words", (p, message) => expect(() => compileMatcherRegex(p)).toThrow(new RegexError(message)));

  it("stays fast on patterns that make a backtracking engine hang", () => {
    const long = "a".repeat(5000);
    const patterns = [
      "(a+)+b",
      "(a|a)*b",
      "(.*)*b",
      ".*a.*a.*a.*a.*b",
      "(a?){30}a{30}b",
      "a*a*a*a*a*b",
      "([a-z]+)+1",
      "(.+)+x",
    ];
    const begin = performance.now();
    for (const p of patterns) expect(compileMatcherRegex(p)(`${long}!`)).toBe(false);
    expect(performance.now() - begin).toBeLessThan(10_000);
  });
});

describe("literalAlternatives", () => {
  it.each([
    ["foo", ["foo"]],
    ["a|b|a", ["a", "b"]],
    ["^(get|post)$", ["get", "post"]],
    ["a[12]?", ["a", "a1", "a2"]],
    ["", [""]],
    ["web-(a|b)\\.x", ["web-a.x", "web-b.x"]],
  ])("%s", (p, expected) => expect(literalAlternatives(p)).toEqual(expected));

  it.each([".*", "a+", "(?i)a", "[^a]", "(", "a{1000}", "[a-z]{3}", "\\pL"])("%s has none", (p) => {
    expect(literalAlternatives(p)).toBeUndefined();
  });
});

describe("literalPrefix", () => {
  it.each([
    ["web.*", "web"],
    ["web", "web"],
    ["web|app", ""],
    ["(?i)web.*", ""],
    [".*", ""],
    ["we?b", "w"],
  ])("%s", (p, prefix) => expect(literalPrefix(p)).toBe(prefix));
});
