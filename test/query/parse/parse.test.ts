import { describe, expect, it } from "vitest";
import { QueryError } from "../../../src/model/query.ts";
import { parseExpr, parseSelector } from "../../../src/query/parse/parse.ts";
import { stripTree } from "./strip.ts";

const num = (value: number) => ({ kind: "number", value });
const sel = (name: string, rest: object = {}) => ({
  kind: "vectorSelector",
  name,
  matchers: [JSON.stringify({ name: "__name__", op: "=", value: name })],
  offset: 0,
  ...rest,
});
const bin = (lhs: unknown, op: string, rhs: unknown, rest: object = {}) => ({
  kind: "binary",
  op,
  lhs,
  rhs,
  returnBool: false,
  ...rest,
});
const plain = { card: "one-to-one", labels: [], on: false, include: [] };
const tree = (text: string): unknown => stripTree(parseExpr(text));

describe("what binds tighter", () => {
  it("`^` before signs before `*` before `+` before comparisons before and/unless before or", () => {
    const [a, b, c] = [num(1), num(2), num(3)];
    expect(tree("1 + 2 * 3")).toEqual(bin(a, "+", bin(b, "*", c)));
    expect(tree("1 ^ 2 ^ 3")).toEqual(bin(a, "^", bin(b, "^", c)));
    expect(tree("1 - 2 - 3")).toEqual(bin(bin(a, "-", b), "-", c));
    expect(tree("-1 ^ 2")).toEqual({ kind: "unary", op: "-", expr: bin(a, "^", b) });
    expect(tree("-1 * 2")).toEqual(bin(num(-1), "*", b));
    expect(tree("2 ^ -3 * 1")).toEqual(bin(bin(b, "^", num(-3)), "*", a));
    const many = { matching: { ...plain, card: "many-to-many" } };
    expect(tree("a or b and c")).toEqual(bin(sel("a"), "or", bin(sel("b"), "and", sel("c"), many), many));
    expect(tree("a == b + c")).toEqual(
      bin(sel("a"), "==", bin(sel("b"), "+", sel("c"), { matching: plain }), { matching: plain }),
    );
  });

  it("what follows a selector belongs to it, not to the operation before", () => {
    expect(tree("a / x offset 5m")).toEqual(bin(sel("a"), "/", sel("x", { offset: 300_000 }), { matching: plain }));
    expect(tree("a + b @ 5")).toEqual(bin(sel("a"), "+", sel("b", { at: 5000 }), { matching: plain }));
    expect(tree("a + b offset 5m * c")).toEqual(
      bin(sel("a"), "+", bin(sel("b", { offset: 300_000 }), "*", sel("c"), { matching: plain }), { matching: plain }),
    );
    expect(tree("-x offset 5m")).toEqual({ kind: "unary", op: "-", expr: sel("x", { offset: 300_000 }) });
  });

  it("the operand of offset ends before an operator", () => {
    const x = (offset: number) => sel("x", { offset });
    expect(tree("x offset 2 ^ 2")).toEqual(bin(x(2000), "^", num(2)));
    expect(tree("x offset -2 ^ 2")).toEqual(bin(x(-2000), "^", num(2)));
    expect(tree("x offset 100 + 2")).toEqual(bin(x(100_000), "+", num(2)));
    expect(tree("x offset -(5m)")).toEqual(x(-300_000));
    const step = { kind: "duration", op: "step", args: [] };
    expect(tree("x offset step() * 2")).toEqual(bin(sel("x", { offsetExpr: step }), "*", num(2)));
  });
});

describe("selectors", () => {
  it("keeps names in and before the braces", () => {
    expect(parseSelector('up{job="a",instance!~"b.*"}')).toEqual([
      { name: "job", op: "=", value: "a" },
      { name: "instance", op: "!~", value: "b.*" },
      { name: "__name__", op: "=", value: "up" },
    ]);
    expect(parseSelector(`{"a.b", 'c d'=\`e\\\`,}`)).toEqual([
      { name: "__name__", op: "=", value: "a.b" },
      { name: "c d", op: "=", value: "e\\" },
    ]);
    expect(parseSelector("{}")).toEqual([]);
    expect(() => parseSelector("up[5m]")).toThrow(new QueryError("bad_data", '1:3: parse error: unexpected "["'));
    expect(() => parseSelector("1")).toThrow(new QueryError("bad_data", '1:1: parse error: unexpected number "1"'));
  });

  it.each(["sum", "by", "offset", "start", "step", "anchored", "fill", "fill_left", "and", "max_of", "limitk"])(
    "takes the word %s as a metric name",
    (word) => expect(tree(`${word} + ${word}`)).toEqual(bin(sel(word), "+", sel(word), { matching: plain })),
  );

  it("puts range, subquery and modifiers together", () => {
    expect(tree("x[5m] @ end() offset -1m")).toEqual({
      kind: "matrixSelector",
      selector: sel("x", { at: "end", offset: -60_000 }),
      range: 300_000,
    });
    expect(tree("x[1h:] offset 1d @ 1.0005")).toEqual({
      kind: "subquery",
      expr: sel("x"),
      range: 3_600_000,
      step: 0,
      offset: 86_400_000,
      at: 1001,
    });
    expect(tree("rate(x[5m] smoothed)")).toMatchObject({ args: [{ selector: { smoothed: true } }] });
    expect(tree("x anchored")).toMatchObject({ anchored: true });
  });
});

describe("positions", () => {
  it("count UTF-8 bytes and cover the node", () => {
    const text = 'sum by (x) (rate({"é😀"}[5m] offset 1m)) / -y';
    const expr = parseExpr(text);
    const bytes = new TextEncoder().encode(text);
    const cover = (pos: { start: number; end: number }) => new TextDecoder().decode(bytes.subarray(pos.start, pos.end));
    expect(cover(expr.pos)).toBe(text);
    if (expr.kind !== "binary" || expr.lhs.kind !== "aggregate") throw new Error(expr.kind);
    expect(cover(expr.lhs.pos)).toBe('sum by (x) (rate({"é😀"}[5m] offset 1m))');
    expect(cover(expr.lhs.expr.pos)).toBe('rate({"é😀"}[5m] offset 1m)');
    if (expr.lhs.expr.kind !== "call") throw new Error();
    expect(cover(expr.lhs.expr.args[0]?.pos ?? expr.pos)).toBe('{"é😀"}[5m] offset 1m');
    expect(cover(expr.rhs.pos)).toBe("-y");
    const late = parseExpr("sum(x) by (y) + 1");
    expect(late.kind === "binary" && late.lhs.pos).toEqual({ start: 0, end: 13 });
  });

  it("of errors name the line and the byte in it", () => {
    expect(() => parseExpr('up +\n  "é" ==\n\t{a="日"} x')).toThrow(
      new QueryError("bad_data", '3:12: parse error: unexpected identifier "x"'),
    );
  });
});

describe("fill, anchored, trim and duration functions", () => {
  it("reads fill values", () => {
    expect(tree("a + on (x) group_left fill_right (-1) fill_left(5m) b")).toMatchObject({
      matching: { card: "many-to-one", on: true, labels: ["x"], fillLeft: 300, fillRight: -1 },
    });
    expect(tree("a + fill (0) b")).toMatchObject({ matching: { fillLeft: 0, fillRight: 0 } });
    expect(tree("h </ 5")).toMatchObject({ op: "</" });
  });

  it.each([
    ["a + fill(x) b", '1:10: parse error: unexpected identifier "x"'],
    ["a and fill(0) b", "1:1: parse error: filling in missing series not allowed for set operators"],
    ["a + fill(0) 1", "1:1: parse error: filling in missing series only allowed between instant vectors"],
    ["a anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be used together"],
    ["a[5m:] anchored", "1:1: parse error: anchored modifier is not supported for subqueries"],
    ["1 smoothed", "1:1: parse error: smoothed modifier not implemented"],
    ["a </ bool 5", "1:3: parse error: bool modifier can only be used on comparison operators"],
    [
      "a[min_of(1m)]",
      '1:12: parse error: unexpected ")" in subquery or range selector, expected number, duration, step(), or range()',
    ],
    ["a offset", "1:9: parse error: unexpected end of input in offset, expected number, duration, step(), or range()"],
    [
      "a[5m:@]",
      '1:6: parse error: unexpected <op:@> in subquery selector, expected number, duration, step(), range(), or "]"',
    ],
    ["step(1)", '1:1: parse error: expected 0 argument(s) in call to "step", got 1'],
    ["info(a, (b))", "1:9: parse error: expected label selectors only"],
  ])("%s", (text, message) => expect(() => parseExpr(text)).toThrow(new QueryError("bad_data", message)));
});
