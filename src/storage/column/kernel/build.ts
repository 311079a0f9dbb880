/**
 * Builds the kernel that reads columns: `node src/storage/column/kernel/build.ts [file]`, run by `npm ci`. Where it cannot be
 * built, Tocsin works without it, slower: that is said and is no failure.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { compileColumnKernel } from "./compile.ts";
import { COLUMN_KERNEL_FILE } from "./kernel.ts";

const file = process.argv[2] ?? COLUMN_KERNEL_FILE;
try {
  const bytes = await compileColumnKernel();
  mkdirSync(dirname(file), { recursive: true });
  // A server that starts meanwhile reads the old or the new one.
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, bytes);
  renameSync(temporary, file);
} catch (error) {
  console.error(`The column kernel was not built, queries of blocks will cost more CPU: ${(error as Error).message}`);
}
