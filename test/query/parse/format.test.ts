import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatExpr, prettyExpr } from "../../../src/query/parse/format.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { scalarExpr, vectorExpr } from "./arbitrary-expr.ts";
import { stripTree } from "./strip.ts";

describe("formatExpr", () => {
  it.each([
    ['foo{b="c",a=~"d"}', 'foo{a=~"d",b="c"}'],
    ["SUM(foo)BY(a,b)", "sum by (a, b) (foo)"],
    ["sum by () (foo)", "sum(foo)"],
    ["sum without () (foo)", "sum without () (foo)"],
    ["foo[5m] @ 1.5 offset -1h", "foo[5m] @ 1.500 offset -1h"],
    ["foo offset 5m @ start()", "foo @ start() offset 5m"],
    ["foo[300:60]", "foo[5m:1m]"],
    ["foo[5m:]", "foo[5m:]"],
    ["a / on(x)group_left b", "a / on (x) group_left () b"],
    ["a == bool ignoring(x) b", "a == bool ignoring (x) b"],
    ["a + fill(1) b", "a + fill (1) b"],
    ["a + fill_right(1000000) fill_left(2) b", "a + fill_left (2) fill_right (1e+06) b"],
    ["rate(foo[5m]smoothed offset 1m)", "rate(foo[5m] smoothed offset 1m)"],
    ["foo anchored @ 5", "foo @ 5.000 anchored"],
    ["foo[(1m+1m)*2]", "foo[(1m + 1m) * 2]"],
    ["foo offset -(step()+1)", "foo offset -(step() + 1)"],
    ["foo[min_of(1m,range())]", "foo[min_of(1m, range())]"],
    ['{"a.b", "c d"="e"}', '{"c d"="e",__name__="a.b"}'],
    ["'a\"b'", '"a\\"b"'],
    ["90m", "1h30m"],
    ["1e3", "1000"],
    ["- -1", "1"],
    ["-(foo)", "-(foo)"],
    ["+Inf ^ 2", "+Inf ^ 2"],
    ["h </ 5 >/ -Inf", "h </ 5 >/ -Inf"],
  ])("%s", (text, formatted) => expect(formatExpr(parseExpr(text))).toBe(formatted));

  it("keeps the tree, on one line and over several", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.oneof(vectorExpr, scalarExpr), (text) => {
        const tree = parseExpr(text);
        const line = formatExpr(tree);
        expect([text, line, stripTree(parseExpr(line))]).toEqual([text, line, stripTree(tree)]);
        expect(formatExpr(parseExpr(line))).toBe(line);
        expect(stripTree(parseExpr(prettyExpr(tree)))).toEqual(stripTree(tree));
      }),
      { numRuns: 500 },
    );
  });
});
