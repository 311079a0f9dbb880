import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { prettyExpr } from "../../../src/query/parse/format.ts";
import { parseExpr } from "../../../src/query/parse/parse.ts";

/** What a real Prometheus 3.5 said, recorded by golden/record.ts: the layout of good queries, the error of bad ones. */
interface Answer {
  readonly query: string;
  readonly text?: string;
  readonly error?: string;
}

it("answers every recorded query as Prometheus does, to the letter", () => {
  const file = new URL("golden/prometheus-3.5.jsonl", import.meta.url);
  const lines = readFileSync(file, "utf8").split("\n");
  const recorded = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Answer);
  expect(recorded.length).toBeGreaterThan(800);
  expect(recorded.map(({ query }) => answer(query))).toEqual(recorded);
});

function answer(query: string): Answer {
  try {
    return { query, text: prettyExpr(parseExpr(query)) };
  } catch (error) {
    return { query, error: (error as Error).message };
  }
}
