import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { configurationReference } from "../../src/config/reference.ts";

const PAGE = "docs/configuration.md";

it("docs/configuration.md is what the schema says (UPDATE_DOCS=1 writes it anew)", () => {
  const text = configurationReference();
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, text);
  expect(readFileSync(PAGE, "utf8")).toBe(text);
});
