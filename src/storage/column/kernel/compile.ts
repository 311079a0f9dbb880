import { compileKernelSource } from "../../../lib/kernel-build.ts";
import { COLUMN_KERNEL_SOURCE } from "./kernel.ts";

/** Compiles residuals.as to a WebAssembly module that names its source. Rejects when there is no compiler, or it finds an error. */
export function compileColumnKernel(): Promise<Uint8Array> {
  return compileKernelSource(COLUMN_KERNEL_SOURCE);
}
