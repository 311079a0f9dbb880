import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { makeShardCore, rejections } from "../../src/actors/shard/shard.core.ts";
import { createHead } from "../../src/storage/head/head.ts";

const page = readFileSync("docs/http-api.md", "utf8");
const table = /\n### Reasons\n([\s\S]*?)\n## /.exec(page)?.[1] ?? "";
const explained = [...table.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = ""]) =>
  [...cell.matchAll(/`([a-z0-9_]+)`/g)].map(([, reason]) => reason ?? ""),
);

/** The reasons that the code gives samples and requests, as they stand in it. */
function given(): string[] {
  const { counts } = makeShardCore(createHead({ outOfOrderWindowMs: 0 }), 0);
  const union = /export type RejectReason =([^;]*);/.exec(
    readFileSync("src/streams/ingest/rejections.ts", "utf8"),
  )?.[1];
  const samples = [...(union ?? "").matchAll(/"([a-z0-9_]+)"/g)];
  const made = /(?:new (?:MalformedBody|TryLater)\(|refuse\((?:m|\d+), |super\()\s*"([a-z0-9_]+)"/g;
  const requests = globSync("src/{api,streams}/**/*.ts").flatMap((f) => [...readFileSync(f, "utf8").matchAll(made)]);
  return [...Object.keys(rejections(counts)), ...[...samples, ...requests].map(([, reason]) => reason ?? "")];
}

it("docs/http-api.md explains every reason for which samples and requests are refused, and no other", () => {
  const reasons = new Set(given());
  expect(reasons.size).toBeGreaterThan(30);
  expect([...new Set(explained)].sort()).toEqual([...reasons].sort());
  expect(explained).toHaveLength(reasons.size);
});
