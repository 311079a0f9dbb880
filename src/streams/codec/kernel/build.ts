/**
 * Builds the kernel: `node src/streams/codec/kernel/build.ts`, run by `npm ci`. Where it cannot be built, Tocsin works
 * without it, slower: that is said and is no failure.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { compileKernel } from "./compile.ts";
import { KERNEL_FILE } from "./kernel.ts";

try {
  const bytes = await compileKernel();
  mkdirSync(dirname(KERNEL_FILE), { recursive: true });
  // A server that starts meanwhile reads the old or the new one.
  const temporary = `${KERNEL_FILE}.${process.pid}`;
  writeFileSync(temporary, bytes);
  renameSync(temporary, KERNEL_FILE);
} catch (error) {
  console.error(`The ingest kernel was not built, remote write will cost more CPU: ${(error as Error).message}`);
}
