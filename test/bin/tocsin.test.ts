import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tocsin-test-bin with space-"));
  mkdirSync(join(root, "bin"));
  copyFileSync(new URL("../../bin/tocsin", import.meta.url), join(root, "bin/tocsin"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A runtime that prints how it was called. */
function installNode(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '#!/bin/sh\necho "$0 $NODE_COMPILE_CACHE"\nfor a in "$@"; do echo "<$a>"; done\n');
  chmodSync(path, 0o755);
}

it("runs main.ts on the packaged runtime, through links, with the arguments as they are", () => {
  const node = join(root, "node_modules/.bin/node");
  installNode(node);
  mkdirSync(join(root, "elsewhere"));
  symlinkSync("../bin/tocsin", join(root, "elsewhere/relative"));
  symlinkSync(join(root, "elsewhere/relative"), join(root, "absolute"));
  const env = { PATH: process.env.PATH, XDG_CACHE_HOME: "/c", HOME: "/h" };
  const out = execFileSync(join(root, "absolute"), ["serve", "--config", "a b"], { encoding: "utf8", cwd: "/", env });
  expect(out).toMatch(`${node} /c/tocsin/compile\n`);
  expect(out).toMatch(`<${join(root, "src/main.ts")}>\n<serve>\n<--config>\n<a b>\n`);
});

it("prefers the runtime of this machine's architecture, and keeps a compile cache that was chosen", () => {
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const node = join(root, `node_modules/node-linux-${arch}/bin/node`);
  installNode(node);
  const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: "/mine" };
  expect(execFileSync(join(root, "bin/tocsin"), { encoding: "utf8", env })).toContain(`${node} /mine\n`);
  const bare = execFileSync(join(root, "bin/tocsin"), { encoding: "utf8", env: { PATH: process.env.PATH } });
  expect(bare).toContain(`${node} \n`);
});

it("says what to do when the packages are not installed", () => {
  const run = spawnSync(join(root, "bin/tocsin"), ["serve"], { encoding: "utf8" });
  expect(run.status).toBe(1);
  expect(run.stderr).toMatch(/^tocsin: the packaged Node runtime is not there; run this first: cd '.*' && npm ci\n$/);
});
