import { fileURLToPath } from "node:url";
import { kernelProblem, loadKernelModule } from "../../../lib/kernel-file.ts";
import type { BitReader } from "../bit-stream.ts";
import type { Unfolding } from "../predict.ts";

/** Where the build puts the kernel, and what it is made of. */
export const COLUMN_KERNEL_FILE = fileURLToPath(new URL("../../../../build/column.wasm", import.meta.url));
export const COLUMN_KERNEL_SOURCE = new URL("./residuals.as", import.meta.url);

/** Areas of the kernel's memory, in bytes: see residuals.as. */
const WEIGHTS = 4096;
const GIVEN = 90112;
const OUT = 122880;
const IN = 385024;
export const KERNEL_ROWS = (IN - OUT) / 8;
/** Rows take less than 8 bytes; tables are in front of them. */
export const KERNEL_BYTES = 1 << 18;
/** The kernel may look at so much behind the bytes. */
const SLACK = 32;
const MEMORY_PAGES = Math.ceil((IN + KERNEL_BYTES + SLACK) / 65536);

interface Exports {
  readonly memory: WebAssembly.Memory;
  decode(
    bytes: number,
    n: number,
    given: number,
    predictor: number,
    base: number,
    offset: number,
    unit: number,
  ): number;
  shape(n: number, before: number): number;
}

export interface ColumnKernel {
  readonly decode: Exports["decode"];
  readonly shape: Exports["shape"];
  readonly bytes: Uint8Array;
  readonly rows: Float64Array;
}

export interface LoadedColumnKernel {
  readonly kernel: ColumnKernel | undefined;
  /** Why there is none, and what to do about it. */
  readonly problem: string | undefined;
}

/** Loads the kernel that `npm ci` or `npm run prepare` has built; without one everything works, at a higher cost. */
export function loadColumnKernel(file: string = COLUMN_KERNEL_FILE): LoadedColumnKernel {
  const { module, problem } = loadKernelModule(file, COLUMN_KERNEL_SOURCE);
  if (module === undefined) return { kernel: undefined, problem };
  try {
    const { memory, decode, shape } = new WebAssembly.Instance(module).exports as unknown as Exports;
    const missing = MEMORY_PAGES - memory.buffer.byteLength / 65536;
    if (missing > 0) memory.grow(missing);
    // Weights of the levels of frequency: docs/format/column-page.md.
    const weights = new Float64Array(memory.buffer, WEIGHTS, 24);
    for (let l = 1; l < 24; l++) weights[l] = Math.round(64 * 2 ** ((l - 1) / 2));
    const rows = new Float64Array(memory.buffer, OUT, KERNEL_ROWS);
    return { kernel: { decode, shape, bytes: new Uint8Array(memory.buffer), rows }, problem };
  } catch (error) {
    return { kernel: undefined, problem: kernelProblem((error as Error).message) };
  }
}

let own: LoadedColumnKernel | undefined;

/** The thread's kernel, loaded when it is asked for first; undefined where there is none. */
export function columnKernel(): ColumnKernel | undefined {
  own ??= loadColumnKernel();
  return own.kernel;
}

/**
 * What `readCoded` (residual-read.ts) does, where the kernel can: true when the rows are in `out`. Else nothing was done, and the
 * bits may be damaged. `r` is left where it is.
 */
export function decodeRows(
  kernel: ColumnKernel,
  r: BitReader,
  n: number,
  how: Unfolding,
  out: Float64Array,
  at: number,
  given: Uint8Array | undefined,
): boolean {
  const { view, bit, end } = r;
  const length = (end - bit) >>> 3;
  if (n > KERNEL_ROWS || length > KERNEL_BYTES || (bit & 7) !== 0) return false;
  const { bytes, rows } = kernel;
  bytes.set(new Uint8Array(view.buffer, view.byteOffset + (bit >>> 3), length), IN);
  if (given !== undefined) bytes.set(n === given.length ? given : given.subarray(0, n), GIVEN);
  const { predictor, base, offset, unit } = how;
  if (kernel.decode(length, n, given === undefined ? 0 : 1, predictor, base, offset, unit) !== 0) return false;
  out.set(n === rows.length ? rows : rows.subarray(0, n), at);
  return true;
}
