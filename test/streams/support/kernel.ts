import { compileKernel } from "../../../src/streams/codec/kernel/compile.ts";
import { instantiateKernel, type Kernel } from "../../../src/streams/codec/kernel/kernel.ts";

const bytes = await compileKernel();

/** A new kernel, compiled from the source as it is now, whatever was built before. */
export function freshKernel(): Kernel {
  return instantiateKernel(bytes);
}
