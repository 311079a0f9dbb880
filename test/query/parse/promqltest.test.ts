/** Every expression of Prometheus's own test scripts is read, and read the same after printing. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { formatExpr, prettyExpr } from "../../../src/query/parse/format.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { stripTree } from "./strip.ts";

const folder = new URL("../../../../shared/promqltest/", import.meta.url);
const EVAL = /^\s*eval(?:_\w+)?\s+(?:instant\s+(?:at\s+\S+\s+)?|range\s+from\s+\S+\s+to\s+\S+\s+step\s+\S+\s+)(.*)$/;

describe.skipIf(!existsSync(folder))("Prometheus's test scripts (skipped where ../shared/promqltest is absent)", () => {
  it("parse, print and parse again", { timeout: 60_000 }, () => {
    let count = 0;
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".test"))) {
      for (const line of readFileSync(new URL(file, folder), "utf8").split("\n")) {
        const text = EVAL.exec(line)?.[1];
        if (text === undefined) continue;
        count++;
        const tree = parseExpr(text);
        const printed = formatExpr(tree);
        expect(stripTree(parseExpr(printed)), `${file}: ${text}`).toEqual(stripTree(tree));
        expect(formatExpr(parseExpr(prettyExpr(tree))), `${file}: ${text}`).toBe(printed);
      }
    }
    expect(count).toBeGreaterThan(2200);
  });
});
