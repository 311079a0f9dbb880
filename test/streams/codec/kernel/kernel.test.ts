import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, vi } from "vitest";
import { compileKernel } from "../../../../src/streams/codec/kernel/compile.ts";
import { CONTROL, CONTROL_WORDS, FREE_MEMORY, loadKernel } from "../../../../src/streams/codec/kernel/kernel.ts";

// The compiler takes a second or two, on a busy machine more.
vi.setConfig({ testTimeout: 120_000 });

const dir = mkdtempSync(join(tmpdir(), "tocsin-kernel-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Compiled once for all. */
const compiled = compileKernel();

test("the build that npm ci runs makes a kernel that is loaded", () => {
  const file = join(dir, "build", "kernel.wasm");
  const build = fileURLToPath(new URL("../../../../src/streams/codec/kernel/build.ts", import.meta.url));
  expect(execFileSync(process.execPath, [build, file], { encoding: "utf8" })).toBe("");
  expect(loadKernel(file).problem).toBeUndefined();
});

test("what is built is loaded, small, and keeps out of the caller's memory", async () => {
  const file = join(dir, "kernel.wasm");
  const bytes = await compiled;
  writeFileSync(file, bytes);
  expect(bytes.length).toBeLessThan(10_000);
  const { kernel, problem } = loadKernel(file);
  expect(problem).toBeUndefined();
  const memory = new Uint8Array(kernel!.memory.buffer);
  expect(memory.subarray(FREE_MEMORY).findIndex((b) => b !== 0)).toBe(-1);
  expect(memory.subarray(CONTROL, CONTROL + 4 * CONTROL_WORDS).every((b) => b === 0)).toBe(true);
});

test("a kernel that is missing, broken, or built of another source is not used, and what to do is said", async () => {
  const bytes = Buffer.from(await compiled);
  const file = join(dir, "other.wasm");
  const problemOf = (content: Uint8Array) => {
    writeFileSync(file, content);
    return loadKernel(file);
  };
  expect(loadKernel(join(dir, "none.wasm"))).toEqual({
    kernel: undefined,
    problem: expect.stringContaining("npm run"),
  });
  expect(problemOf(bytes.subarray(0, 500)).kernel).toBeUndefined();
  expect(problemOf(Buffer.from("no module")).problem).toContain("npm run prepare");
  // The hash stands at the end of the module.
  const stale = Buffer.from(bytes);
  stale[stale.length - 1]! ^= 1;
  expect(problemOf(stale).problem).toContain("another source");
});
