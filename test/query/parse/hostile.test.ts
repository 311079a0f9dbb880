import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QueryError } from "../../../src/model/query.ts";
import { formatExpr, prettyExpr } from "../../../src/query/parse/format.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { vectorExpr } from "./arbitrary-expr.ts";

/** Parses; only an error that blames the query is allowed, with a place that is in it. */
function parseAnything(text: string): void {
  try {
    prettyExpr(parseExpr(text));
  } catch (error) {
    expect(error, text).toBeInstanceOf(QueryError);
    expect((error as QueryError).type, `${text}: ${error}`).toBe("bad_data");
    const place = /^(\d+):(\d+): parse error: ./.exec((error as QueryError).message);
    if (text === "") return;
    expect(place, (error as QueryError).message).not.toBeNull();
    const line = text.split("\n")[Number(place?.[1]) - 1];
    expect(line, `${text}: ${error}`).toBeDefined();
    expect(Number(place?.[2])).toBeLessThanOrEqual(Buffer.byteLength(line as string) + 2);
  }
}

const token = fc.constantFrom(
  ...["(", ")", "{", "}", "[", "]", ",", ":", "=", "=~", "!~", "!=", "==", "@", "+", "-", "^", "</", "#", "\n", " "],
  ...["sum", "by", "offset", "foo", "rate", "bool", "on", "group_left", "fill", "step", "5m", "1", "0x", "1e", "Inf"],
  ...['"a"', "'", '"\\', "`", "é", "\ud800", "\udc80", "\u0000", "😀", "start()", "anchored", "_", ".", "info"],
);

describe("hostile input", { timeout: 60_000 }, () => {
  it("random tokens give an expression or a parse error", () => {
    const texts = fc.array(token, { maxLength: 25 }).map((tokens) => tokens.join(""));
    fc.assert(fc.property(texts, parseAnything), { numRuns: 2000 });
  });

  it("random text gives an expression or a parse error", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 30 }), parseAnything), { numRuns: 2000 });
  });

  it("good expressions with a piece cut out or put in give an expression or a parse error", () => {
    const damage = fc.tuple(vectorExpr, fc.nat(), fc.nat({ max: 4 }), fc.oneof(fc.constant(""), token));
    fc.assert(
      fc.property(damage, ([text, at, cut, put]) => {
        const i = at % (text.length + 1);
        parseAnything(text.slice(0, i) + put + text.slice(i + cut));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ["parentheses", "(".repeat(100_000)],
    ["closed parentheses", `${"(".repeat(100_000)}1${")".repeat(100_000)}`],
    ["signs", `${"-".repeat(100_000)}x`],
    ["calls", "abs(".repeat(100_000)],
    ["aggregations", "sum by (a) (".repeat(100_000)],
    ["powers", `1${"^1".repeat(100_000)}`],
    ["durations", `x[${"(".repeat(100_000)}`],
    ["duration signs", `x[${"-".repeat(100_000)}1]`],
    ["duration powers", `x[1${"^1".repeat(100_000)}]`],
    ["duration minima", `x[${"min_of(".repeat(100_000)}`],
  ])("100,000 nested %s are an error, not an overflow", (_, text) => {
    expect(() => parseExpr(text)).toThrow(/nested deeper than 256 levels/);
  });

  it.each([
    ["sums", `1${"+1".repeat(100_000)}`],
    ["duration sums", `x[1s${"+1".repeat(100_000)}]`],
    ["subqueries", `x${"[5m:]".repeat(100_000)}`],
  ])("a chain of 100,000 %s is an error, not an overflow", (_, text) => {
    expect(() => parseExpr(text)).toThrow(/more than 1000 levels/);
  });

  it("what is accepted can be walked: 200 parentheses, a chain of 900 operations", () => {
    for (const text of [`${"(".repeat(200)}up${")".repeat(200)}`, `up${" or up".repeat(900)}`]) {
      expect(formatExpr(parseExpr(text))).toBe(text);
    }
  });

  it("long input takes time in proportion", () => {
    const matchers = Array.from({ length: 20_000 }, (_, i) => `l${i}="v${i}"`).join(",");
    const grouping = Array.from({ length: 20_000 }, (_, i) => `l${i}`).join(",");
    const begin = performance.now();
    parseExpr(`sum by (${grouping}) (up{${matchers}})`);
    parseExpr(`up{a="${"é".repeat(500_000)}"}`);
    expect(() => parseExpr(`${" ".repeat(500_000)}$`)).toThrow(/^1:500001: parse error/);
    expect(() => parseExpr(`${"9".repeat(200_000)}x`)).toThrow(/bad number/);
    expect(() => parseExpr(`${"x".repeat(500_000)} x`)).toThrow(/unexpected identifier/);
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});
