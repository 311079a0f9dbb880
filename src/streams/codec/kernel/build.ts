/**
 * Builds the kernel: `node src/streams/codec/kernel/build.ts [file]`, run by `npm ci`. Where it cannot be built, Tocsin works
 * without it, slower: that is said and is no failure.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { compileKernel } from "./compile.ts";
import { KERNEL_FILE } from "./kernel.ts";

const file = process.argv[2] ?? KERNEL_FILE;
try {
  const bytes = await compileKernel();
  mkdirSync(dirname(file), { recursive: true });
  // A server that starts meanwhile reads the old or the new one.
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, bytes);
  renameSync(temporary, file);
} catch (error) {
  console.error(`The ingest kernel was not built, remote write will cost more CPU: ${(error as Error).message}`);
}
