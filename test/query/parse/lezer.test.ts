/** The editor's grammar of PromQL as a second opinion on what is syntax and what is not. */
import { readFileSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";
import fc from "fast-check";
import { expect, it } from "vitest";
import { FUNCTIONS } from "../../../src/query/parse/functions.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";
import { vectorExpr } from "./arbitrary-expr.ts";

function lezerAccepts(text: string): boolean {
  let good = true;
  parser.parse(text).iterate({
    enter: (node) => {
      if (node.type.isError) good = false;
    },
  });
  return good;
}

/** "" when the text is accepted. */
function ourError(text: string): string {
  try {
    parseExpr(text);
    return "";
  } catch (error) {
    return (error as Error).message.replace(/^.*?parse error: /, "");
  }
}

const queries = readFileSync(new URL("golden/prometheus-3.5.jsonl", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => (JSON.parse(line) as { query: string }).query);

it("accepts what we accept, but for two things that it does not know", () => {
  const refused = queries.filter((query) => ourError(query) === "" && !lezerAccepts(query));
  // A number with nothing behind its point, and a metric called offset.
  expect(refused.filter((query) => !/\d\.(?!\d)|offset/.test(query))).toEqual([]);
  expect(refused.length).toBeLessThan(10);
});

it("refuses what we call unexpected, but for words that Prometheus does not take", () => {
  const accepted = queries.filter((query) => ourError(query).startsWith("unexpected ") && lezerAccepts(query));
  const known = /number ".*" in grouping|<without> in grouping|<op:atan2>|in duration expression: '[#i]'/;
  expect(accepted.filter((query) => !known.test(ourError(query)))).toEqual([]);
});

it("accepts generated expressions", { timeout: 60_000 }, () => {
  // It knows no duration functions in capitals and no metric called offset; min_of() and max_of() only in durations.
  const unknown = /RANGE|min_of|\boffset\b(?! [-(\d]| step)/;
  fc.assert(
    fc.property(vectorExpr, (text) => {
      fc.pre(!unknown.test(text));
      expect([text, lezerAccepts(text)]).toEqual([text, true]);
    }),
    { numRuns: 300 },
  );
});

it("knows every function", () => {
  // Scalar functions that are newer than it.
  const names = [...FUNCTIONS.keys()].filter((name) => name !== "min_of" && name !== "max_of");
  const call = (name: string) => `${name}(${Array(FUNCTIONS.get(name)?.args.length).fill("x").join(",")})`;
  expect(names.filter((name) => !lezerAccepts(call(name)))).toEqual([]);
});
