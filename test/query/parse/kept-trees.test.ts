import { expect, test } from "vitest";
import { parseKept } from "../../../src/query/parse/kept-trees.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";

const limits = { maxDepth: 100, maxRegexCost: 100_000 };

test("gives the tree that parsing gives, and the same one again", () => {
  const text = 'sum by (job) (rate(kept_total{job=~"a|b"}[5m] offset 1m)) > 3';
  const first = parseKept(text, limits);
  expect(first).toEqual(parseExpr(text, limits));
  expect(parseKept(text, limits)).toBe(first);
});

test("a text that others' limits allow is held against one's own", () => {
  const text = "((((kept_deep))))";
  parseKept(text, limits);
  expect(() => parseKept(text, { ...limits, maxDepth: 2 })).toThrow("max_query_depth");
  expect(() => parseKept(text, { ...limits, maxDepth: 2 })).toThrow("max_query_depth");
  expect(() => parseKept('kept{a=~"(b|c)+d"}', { ...limits, maxRegexCost: 1 })).toThrow("max_regex_cost");
});

test("errors come each time, with their places", () => {
  for (const _ of [1, 2]) expect(() => parseKept("sum(", limits)).toThrow(/^1:5: parse error/);
});

test("only the texts that were used last are kept, and none that is long", () => {
  const long = `kept_long{a="${"x".repeat(3_000)}"}`;
  expect(parseKept(long, limits)).not.toBe(parseKept(long, limits));
  const used = parseKept("kept_used", limits);
  const unused = parseKept("kept_unused", limits);
  for (let i = 0; i < 200; i++) {
    parseKept(`kept_${i}`, limits);
    expect(parseKept("kept_used", limits)).toBe(used);
  }
  expect(parseKept("kept_unused", limits)).not.toBe(unused);
  expect(parseKept("kept_unused", limits)).toEqual(unused);
});
