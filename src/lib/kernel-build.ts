import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { SOURCE_SECTION, sourceHash } from "./kernel-file.ts";

/** The compiler is a tool of the build, run as one; where it is not installed, there is no kernel. */
const COMPILER = fileURLToPath(new URL("../../node_modules/assemblyscript/bin/asc.js", import.meta.url));
/** The compiler has no data of its own: a kernel divides its memory itself. */
const MEMORY_BASE = "4096";
const OPTIONS = ["-O3", "--runtime", "stub", "--noAssert", "--initialMemory", "1", "--memoryBase", MEMORY_BASE];

/**
 * Compiles a kernel's AssemblyScript, with further options of the compiler, and returns the WebAssembly module, which names the
 * source it was made of. Rejects when the compiler is not installed or finds an error.
 */
export async function compileKernelSource(from: URL, further: readonly string[] = []): Promise<Uint8Array> {
  const source = readFileSync(from, "utf8");
  const dir = await mkdtemp(join(tmpdir(), "tocsin-kernel-"));
  try {
    // The compiler takes no other ending.
    await writeFile(join(dir, "kernel.ts"), source);
    const args = [COMPILER, "kernel.ts", ...OPTIONS, ...further, "--outFile", "kernel.wasm"];
    await promisify(execFile)(process.execPath, args, { cwd: dir });
    const binary = await readFile(join(dir, "kernel.wasm"));
    return withSection(binary, SOURCE_SECTION, Buffer.from(sourceHash(source)));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Appends a custom section (https://webassembly.github.io/spec/core/binary/modules.html#custom-section) of less than 126 bytes. */
function withSection(module: Uint8Array, name: string, content: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), content]);
  return Buffer.concat([module, Buffer.from([0, body.length]), body]);
}

/** Writes a module where it is loaded from; a server that starts meanwhile reads the old or the new one. Throws what the disk does. */
export function writeKernelFile(file: string, module: Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, module);
  renameSync(temporary, file);
}
