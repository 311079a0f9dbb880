import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFileTargets, watchFiles } from "../../../src/actors/collector/file-discovery.ts";

let dir: string;
let problems: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tocsin-sd-"));
  problems = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string, text: string): void => writeFileSync(join(dir, name), text);
const options = (...files: string[]) => ({
  files: files.map((file) => join(dir, file)),
  refreshIntervalMs: 3_600_000,
  onProblem: (message: string) => void problems.push(message),
});

describe("targets in files", () => {
  it("are YAML or JSON, found by name or pattern", () => {
    put("a.yml", "- targets: [h1:1, h2:2]\n  labels: { dc: eu }\n- targets: [h3:3]\n");
    put("b.json", '[{"targets":["h4:4"],"labels":{"dc":"us"}}]');
    put("c.txt", "no");
    const found = makeFileTargets(options("*.yml", "*.json", "a.yml")).read();
    expect(found.map((d) => d.address)).toEqual(["h1:1", "h2:2", "h3:3", "h4:4"]);
    expect(found[3]?.labels).toEqual({ dc: "us", __meta_filepath: join(dir, "b.json") });
    expect(problems).toEqual([]);
  });

  it("stay as they were while their file cannot be used, and go with the file", () => {
    put("a.yml", "- targets: [h1:1]\n");
    const files = makeFileTargets(options("a.yml"));
    const addresses = () => files.read().map((d) => d.address);
    expect(addresses()).toEqual(["h1:1"]);
    put("a.yml", "- targets: [h1:1\n- target");
    expect(addresses()).toEqual(["h1:1"]);
    put("a.yml", "");
    expect(addresses()).toEqual(["h1:1"]);
    put("a.yml", "- targets: [h1:1]\n  label: {}\n");
    expect(addresses()).toEqual(["h1:1"]);
    expect(problems[0]).toMatch(/a\.yml:\d+:\d+: /);
    expect(problems.at(-2)).toContain("is empty, write [] when there are no targets");
    expect(problems.at(-1)).toContain('a.yml:2:3: unknown key "label" in target group, did you mean "labels"?');
    put("a.yml", "[]");
    expect(addresses()).toEqual([]);
    put("a.yml", "- targets: [h2:2]\n");
    expect(addresses()).toEqual(["h2:2"]);
    rmSync(join(dir, "a.yml"));
    expect(addresses()).toEqual([]);
  });
});

/** Runs a watcher; `next()` resolves with the addresses that it tells next, or told already. */
function watching(...files: string[]) {
  const told: string[][] = [];
  const waiting: ((addresses: string[]) => void)[] = [];
  const fiber = Effect.runFork(
    Effect.scoped(
      watchFiles(options(...files), (targets) =>
        Effect.sync(() => {
          const addresses = targets.map((d) => d.address);
          const first = waiting.shift();
          if (first === undefined) told.push(addresses);
          else first(addresses);
        }),
      ),
    ),
  );
  const next = (): Promise<string[]> => {
    const first = told.shift();
    return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first);
  };
  /** The next that is `wanted`: one change may be told in more than one step. */
  const until = async (...wanted: string[]): Promise<void> => {
    while (JSON.stringify(await next()) !== JSON.stringify(wanted));
  };
  return { until, stop: () => Effect.runPromise(Fiber.interrupt(fiber)) };
}

describe("watched files", () => {
  it("tell a change, a new file, a file moved into place, and a deletion at once", async () => {
    put("a.yml", "- targets: [h1:1]\n");
    const w = watching("*.yml");
    await w.until("h1:1");
    put("a.yml", "- targets: [h2:2]\n");
    await w.until("h2:2");
    put("b.yml", "- targets: [h3:3]\n");
    await w.until("h2:2", "h3:3");
    put("a.tmp", "- targets: [h4:4]\n");
    renameSync(join(dir, "a.tmp"), join(dir, "a.yml"));
    await w.until("h4:4", "h3:3");
    rmSync(join(dir, "b.yml"));
    await w.until("h4:4");
    await w.stop();
  });

  it("are found again when their folder is deleted and comes back", { timeout: 90_000 }, async () => {
    mkdirSync(join(dir, "sub"));
    put("sub/a.yml", "- targets: [h1:1]\n");
    const w = watching("sub/*.yml");
    await w.until("h1:1");
    rmSync(join(dir, "sub"), { recursive: true });
    await w.until();
    mkdirSync(join(dir, "sub"));
    put("sub/a.yml", "- targets: [h5:5]\n");
    await w.until("h5:5");
    put("sub/a.yml", "- targets: [h6:6]\n");
    await w.until("h6:6");
    await w.stop();
  });
});
