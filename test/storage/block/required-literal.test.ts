import * as fc from "fast-check";
import { expect, test } from "vitest";
import { compileMatcherRegex } from "../../../src/lib/regex.ts";
import { requiredLiteral } from "../../../src/storage/block/required-literal.ts";

test.each([
  ["user-.*-99", "-99"],
  [".*api.*", "api"],
  ["a[0-9]+-eu-.*-prod", "-prod"],
  ["literal", ""],
  ["prefix-.*", ""],
  [".*7", ""],
  [".*(ab)?", ""],
  [".*(ab|cd)", ""],
  ["a.*ab|cd", ""],
  ["(?i)a.*ab", ""],
  ["a.*\\pL+ab", ""],
  ["(", ""],
])("%s needs %j", (pattern, literal) => {
  expect(requiredLiteral(pattern)).toBe(literal);
});

test("what is accepted contains it", () => {
  const piece = fc.constantFrom("ab", "a", "b", ".*", ".+", "(ab|ba)", "a?", "(ab)?", "[ab]", "b{0,2}", "ab*");
  void fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 5 }),
      fc.array(fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 }), { minLength: 50, maxLength: 50 }),
      (pieces, values) => {
        const pattern = pieces.join("");
        const accepts = compileMatcherRegex(pattern);
        const literal = requiredLiteral(pattern);
        for (const value of values) if (accepts(value)) expect(value, pattern).toContain(literal);
      },
    ),
  );
});
