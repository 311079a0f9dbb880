/**
 * Builds the kernel: `node src/streams/codec/kernel/build.ts [file]`, run by `npm ci`. Where it cannot be built, Tocsin works
 * without it, slower: that is said and is no failure.
 */
import { writeKernelFile } from "../../../lib/kernel-build.ts";
import { compileKernel } from "./compile.ts";
import { KERNEL_FILE } from "./kernel.ts";

const file = process.argv[2] ?? KERNEL_FILE;
try {
  writeKernelFile(file, await compileKernel());
} catch (error) {
  console.error(`The ingest kernel was not built, remote write will cost more CPU: ${(error as Error).message}`);
}
