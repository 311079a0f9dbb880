import { fileURLToPath } from "node:url";
import { kernelProblem, loadKernelModule } from "../../../lib/kernel-file.ts";

/** Where the build puts the kernel. */
export const KERNEL_FILE = fileURLToPath(new URL("../../../../build/kernel.wasm", import.meta.url));
export const KERNEL_SOURCE = new URL("./assembly/kernel.ts", import.meta.url);

/** Bytes behind the end of an area that the kernel may read. */
export const READ_SLACK = 64;
/** Byte from which on the memory is the caller's. */
export const FREE_MEMORY = 4096;
/** Byte address of the control words, and their meaning: see assembly/kernel.ts. */
export const CONTROL = 512;
export const CONTROL_WORDS = 16;
export const AT = 0;
export const NUMBER = 1;
export const SERIES = 2;
export const SAMPLES = 3;
export const LABEL_START = 4;
export const LABEL_END = 5;
export const SAMPLE_END = 6;
export const SEEN = 7;
export const HASHES = 8;
export const MAX_SERIES = 9;
export const TS = 10;
export const WORDS = 11;
export const MAX_SAMPLES = 12;
export const SEED_A = 13;
export const SEED_B = 14;
export const SEED_C = 15;

/** An instance of the kernel: addresses are bytes in its memory. Its functions throw WebAssembly.RuntimeError at most. */
export interface Kernel {
  readonly memory: WebAssembly.Memory;
  /** Decodes the elements `[from, fromEnd)` of a Snappy block to `[to, toEnd)`; 0, or -1 when they are malformed. */
  decode(from: number, fromEnd: number, to: number, toEnd: number): number;
  /** Goes on with the scan of the message `[base, end)` that the control words describe. */
  scan(base: number, end: number): void;
}

/** What a module must export: one made of another source may not. */
interface KernelExports extends Kernel {
  init(): void;
}

/** Makes a kernel of a module's bytes. Throws WebAssembly.CompileError or LinkError. */
export function instantiateKernel(bytes: Uint8Array): Kernel {
  return instantiate(new WebAssembly.Module(bytes));
}

function instantiate(module: WebAssembly.Module): Kernel {
  const kernel = new WebAssembly.Instance(module).exports as unknown as KernelExports;
  kernel.init();
  return kernel;
}

export interface LoadedKernel {
  readonly kernel: Kernel | undefined;
  /** Why there is none, and what to do about it. */
  readonly problem: string | undefined;
}

/** Loads the kernel that `npm ci` or `npm run prepare` has built; without one everything works, at a higher cost. */
export function loadKernel(file: string = KERNEL_FILE): LoadedKernel {
  const { module, problem } = loadKernelModule(file, KERNEL_SOURCE);
  if (module === undefined) return { kernel: undefined, problem };
  try {
    return { kernel: instantiate(module), problem };
  } catch (error) {
    return { kernel: undefined, problem: kernelProblem((error as Error).message) };
  }
}
