import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { watchRuleFiles } from "../../../src/actors/rule/ruler-watch.ts";
import { freshFolder } from "./fixtures.ts";

/** A watch that looks only when it is asked to, or when the system tells it something. */
function watchOf(patterns: () => readonly string[], settleMs = 3_600_000) {
  const changed = { count: 0, next: Promise.withResolvers<void>() };
  const onChange = () => {
    changed.count++;
    changed.next.resolve();
  };
  const watch = watchRuleFiles({ patterns, onChange, everyMs: 3_600_000, settleMs });
  onTestFinished(() => watch.close());
  return { watch, changed };
}

it("sees files that come, change, are replaced and go; nothing else", () => {
  const dir = freshFolder();
  const { watch, changed } = watchOf(() => [join(dir, "*.yml")]);
  expect(watch.look()).toBe(false);
  writeFileSync(join(dir, "a.yml"), "a");
  expect(watch.look()).toBe(true);
  expect(watch.look()).toBe(false);
  writeFileSync(join(dir, "a.txt"), "a");
  expect(watch.look()).toBe(false);
  writeFileSync(join(dir, "a.yml"), "ab");
  expect(watch.look()).toBe(true);
  writeFileSync(join(dir, "tmp"), "cd");
  renameSync(join(dir, "tmp"), join(dir, "a.yml"));
  expect(watch.look()).toBe(true);
  rmSync(join(dir, "a.yml"));
  expect(watch.look()).toBe(true);
  expect(changed.count).toBe(4);
});

it("follows patterns that become others, and folders that are not there yet", () => {
  const dir = freshFolder();
  let patterns = [join(dir, "x", "*.yml")];
  const { watch } = watchOf(() => patterns);
  mkdirSync(join(dir, "x"));
  expect(watch.look()).toBe(false);
  writeFileSync(join(dir, "x", "a.yml"), "a");
  expect(watch.look()).toBe(true);
  patterns = [join(dir, "none.yml")];
  expect(watch.look()).toBe(true);
});

it("is told by the system, and looks once for several changes", async () => {
  const dir = freshFolder();
  const { changed } = watchOf(() => [join(dir, "*.yml")], 50);
  writeFileSync(join(dir, "a.yml"), "a");
  writeFileSync(join(dir, "b.yml"), "b");
  await changed.next.promise;
  expect(changed.count).toBe(1);
});
