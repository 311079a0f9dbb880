import { describe, expect, it } from "vitest";
import { RegexError } from "../../src/lib/regex.ts";
import { compileMatcher, formatMatcher, type MatchOp, matchesEmpty } from "../../src/model/matcher.ts";

describe("compileMatcher", () => {
  it.each([
    ["=", "a", "a", true],
    ["=", "a", "b", false],
    ["=", "", "", true],
    ["!=", "a", "", true],
    ["=~", "a|b.*", "bcd", true],
    ["=~", "a", "xax", false],
    ["=~", "a.b", "a\nb", true],
    ["!~", "a.*", "abc", false],
    ["!~", ".+", "", true],
  ])("%s %j on %j", (op, value, text, matches) => {
    expect(compileMatcher({ name: "x", op: op as MatchOp, value })(text)).toBe(matches);
  });

  it("refuses bad patterns", () => {
    expect(() => compileMatcher({ name: "x", op: "!~", value: "(" })).toThrow(RegexError);
  });
});

it("knows which matchers take series without the label", () => {
  expect(matchesEmpty({ name: "x", op: "=~", value: ".*" })).toBe(true);
  expect(matchesEmpty({ name: "x", op: "!=", value: "" })).toBe(false);
});

it("prints names in quotes where they need them", () => {
  expect(formatMatcher({ name: "job", op: "=~", value: 'a"b\n' })).toBe('job=~"a\\"b\\n"');
  expect(formatMatcher({ name: "a.b", op: "=", value: "é" })).toBe('"a.b"="é"');
});
