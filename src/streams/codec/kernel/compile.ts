import { compileKernelSource } from "../../../lib/kernel-build.ts";
import { KERNEL_SOURCE } from "./kernel.ts";

/** Compiles assembly/kernel.ts to a WebAssembly module that names its source. Rejects when there is no compiler, or it finds an error. */
export function compileKernel(): Promise<Uint8Array> {
  return compileKernelSource(KERNEL_SOURCE, ["--enable", "simd"]);
}
