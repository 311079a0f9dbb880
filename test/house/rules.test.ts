import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const files = execFileSync("git", ["ls-files"], { cwd: ROOT, encoding: "utf8" })
  .split("\n")
  .filter((f) => f !== "" && existsSync(join(ROOT, f)));
const text = (file: string) => readFileSync(join(ROOT, file), "utf8");
const sources = files.filter((f) => /^(src|bench)\/.*\.ts$/.test(f));
const pages = files.filter((f) => f.endsWith(".md"));

/** House rules: tightened over time, never loosened. */
describe("house rules", () => {
  it("no drawer for everything: files are named for what they hold", () => {
    expect(files.filter((f) => /(^|\/)(utils?|helpers?|common|misc|types)\.ts$/.test(f))).toEqual([]);
  });

  it("a source file is about one thing: at most 400 lines", () => {
    const long = sources.map((f) => [f, text(f).split("\n").length] as const).filter(([, n]) => n > 400);
    expect(long).toEqual([]);
  });

  it("no check is switched off without a reason beside it, and none for `any`", () => {
    const bad = sources.filter((f) => /@ts-ignore|@ts-nocheck|biome-ignore.*noExplicitAny/.test(text(f)));
    expect(bad).toEqual([]);
    const silenced = sources.filter((f) => /biome-ignore [^:]+:\s*$/m.test(text(f)));
    expect(silenced).toEqual([]);
  });

  it("nothing unfinished is marked and left", () => {
    expect(sources.filter((f) => /\b(TODO|FIXME|XXX|HACK)\b/.test(text(f)))).toEqual([]);
  });

  it("effect is imported by its modules, never as the barrel, which doubles the start", () => {
    expect(sources.filter((f) => /from "effect"/.test(text(f)))).toEqual([]);
  });

  it("fibers are forked by the runtime only: a failed fiber that nobody joins says nothing", () => {
    const forks = sources.filter((f) => /Effect\.(forkDetach|forkScoped|forkIn|runFork)\b/.test(text(f)));
    expect(forks.filter((f) => !f.startsWith("src/actors/runtime/"))).toEqual([]);
  });

  it("every source file is used", () => {
    const imported = new Set(["src/main.ts", "src/actors/shard/shard.worker.ts", "src/ui/main.ts", "bench/run.ts"]);
    const all = files.filter((f) => f.endsWith(".ts"));
    for (const file of all) {
      for (const [, path] of text(file).matchAll(/(?:from|import|URL\()\s*\(?"(\.{1,2}\/[^"]+)"/g)) {
        imported.add(join(dirname(file), path!));
      }
    }
    const unused = files.filter((f) => /^src\/.*\.ts$/.test(f) && !f.endsWith(".d.ts") && !imported.has(f));
    expect(unused).toEqual([]);
  });

  it("links in pages lead somewhere", () => {
    const dead: string[] = [];
    for (const page of pages) {
      for (const [, target] of text(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
        if (!existsSync(join(ROOT, dirname(page), target!))) dead.push(`${page}: ${target}`);
      }
    }
    expect(dead).toEqual([]);
  });
});
