import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, it } from "vitest";
import { parseConfig } from "../../src/config/load-config.ts";
import { maskSecrets } from "../../src/config/mask-secrets.ts";
import { ConfigError } from "../../src/model/config.ts";
import { often } from "../support/often.ts";

/** A configuration with most kinds of keys. */
const SEED = `${readFileSync("config/tocsin.yml", "utf8")}
limits: { max_body_size: 1MB, query_timeout: 5s }
storage: { retention: { raw: 1d, 1m: 2d, 1h: 0 }, partitions: 3 }
`;
const PIECES = [
  "[",
  "]",
  "{",
  "}",
  ":",
  "- ",
  "\n",
  "  ",
  "&a ",
  "*a",
  "<<: *a",
  "null",
  "~",
  "!!int ",
  "|",
  ">",
  "'",
  '"',
  "\t",
  "\u0000",
  "é",
  "5s",
  "-1",
];

/** Reads it; anything but a value or a ConfigError with places is a fault. */
function read(text: string): void {
  maskSecrets(text);
  try {
    parseConfig(text, "t.yml", {});
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.problems.length === 0) throw new Error("a ConfigError without a problem", { cause: error });
  }
}

describe("whatever the text is, the answer is a configuration or problems", () => {
  it("the configuration with pieces put in or taken out", () => {
    const change = fc.tuple(fc.nat(SEED.length), fc.nat(30), fc.constantFrom("", ...PIECES));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let text = SEED;
        for (const [at, cut, piece] of changes) text = text.slice(0, at) + piece + text.slice(at + cut);
        read(text);
      }),
      { numRuns: often(100, 400) },
    );
  });

  it("any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 80 }), read), { numRuns: often(100, 300) });
  });

  it("values of another kind in every place", () => {
    const kinds = ["7", "x", "[]", "{}", "[[]]", "{a: {b: c}}", "null", "[null]", "true", "1e999", "''"];
    const lines = SEED.split("\n");
    for (const [i, line] of lines.entries()) {
      const colon = line.indexOf(":");
      if (colon < 0) continue;
      for (const kind of kinds)
        read([...lines.slice(0, i), `${line.slice(0, colon)}: ${kind}`, ...lines.slice(i + 1)].join("\n"));
    }
  });
});
