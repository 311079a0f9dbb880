import { describe, expect, it } from "vitest";
import { QueryError } from "../../../src/model/query.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { resolveDurations } from "../../../src/query/parse/resolve-durations.ts";
import { stripTree } from "./strip.ts";

const window = { stepMs: 15_000, rangeMs: 3_600_000 };
const resolve = (text: string): unknown => resolveDurations(text, parseExpr(text), window);

describe("resolveDurations", () => {
  it.each([
    ["x[5m]", 300_000],
    ["x[step()]", 15_000],
    ["x[range() / 2]", 1_800_000],
    ["x[26m+4m]", 1_800_000],
    ["x[2m * (10+5)]", 1_800_000],
    ["x[24m+((1.5*2m)+2m)]", 1_740_000],
    ["x[-5m+35m]", 1_800_000],
    ["x[1h30m % 1h]", 1_800_000],
    ["x[2 ^ 3 ^ 2]", 512_000],
    ["x[-2 ^ 2 + 10]", 6000],
    ["x[max_of(min_of(step()+1,1h),1ms)]", 16_000],
  ])("%s", (text, range) => {
    const out = resolve(text);
    expect(out).toMatchObject({ kind: "matrixSelector", range });
    expect(out).not.toHaveProperty("rangeExpr");
  });

  it("reaches offsets, steps and every depth", () => {
    const text = "1 + sum by (a) (abs(-(rate((x offset -step())[range():step() * 2] offset (1m + 1m)))))";
    const plain = "1 + sum by (a) (abs(-(rate((x offset -15s)[60m:30s] offset 2m))))";
    expect(stripTree(resolve(text))).toEqual(stripTree(parseExpr(plain)));
  });

  it("leaves a tree without duration expressions as it is", () => {
    const tree = parseExpr("rate(x[5m:1m] offset 5m)");
    expect(resolveDurations("", tree, window)).toBe(tree);
  });

  it.each([
    ["x[step() - 15]", "1:3: parse error: duration must be greater than 0"],
    ["x[5m:step() - 1m]", "1:6: parse error: duration must be greater than 0"],
    ["rate(x[1 / (step() - 15)])", "1:8: parse error: division by zero"],
    ["x[1 % (1 - 1)]", "1:3: parse error: modulo by zero"],
    ["x offset (1y ^ 3)", "1:11: parse error: duration is out of range"],
  ])("%s is an error", (text, message) => expect(() => resolve(text)).toThrow(new QueryError("bad_data", message)));
});
