import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { columnKernelSource, SOURCE_SECTION, sourceHash } from "./kernel.ts";

/** The compiler is a tool of the build, run as one; where it is not installed, there is no kernel. */
const COMPILER = fileURLToPath(new URL("../../../../node_modules/assemblyscript/bin/asc.js", import.meta.url));
/** The kernel's areas begin here; the compiler has no data of its own. */
const MEMORY_BASE = "4096";
const OPTIONS = ["-O3", "--runtime", "stub", "--noAssert", "--initialMemory", "1", "--memoryBase", MEMORY_BASE];

/** Compiles residuals.as to a WebAssembly module that names its source. Rejects when there is no compiler, or it finds an error. */
export async function compileColumnKernel(): Promise<Uint8Array> {
  const source = columnKernelSource();
  const dir = await mkdtemp(join(tmpdir(), "tocsin-column-kernel-"));
  try {
    // The compiler takes no other ending.
    await writeFile(join(dir, "residuals.ts"), source);
    const args = [COMPILER, "residuals.ts", ...OPTIONS, "--outFile", "column.wasm"];
    await promisify(execFile)(process.execPath, args, { cwd: dir });
    const binary = await readFile(join(dir, "column.wasm"));
    const name = Buffer.from(SOURCE_SECTION);
    const body = Buffer.concat([Buffer.from([name.length]), name, Buffer.from(sourceHash(source))]);
    // A custom section of less than 128 bytes: https://webassembly.github.io/spec/core/binary/modules.html#custom-section
    return Buffer.concat([binary, Buffer.from([0, body.length]), body]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
