/**
 * Builds the kernel that reads columns: `node src/storage/column/kernel/build.ts [file]`, run by `npm ci`. Where it cannot be
 * built, Tocsin works without it, slower: that is said and is no failure.
 */
import { writeKernelFile } from "../../../lib/kernel-build.ts";
import { compileColumnKernel } from "./compile.ts";
import { COLUMN_KERNEL_FILE } from "./kernel.ts";

const file = process.argv[2] ?? COLUMN_KERNEL_FILE;
try {
  writeKernelFile(file, await compileColumnKernel());
} catch (error) {
  console.error(`The column kernel was not built, queries of blocks will cost more CPU: ${(error as Error).message}`);
}
