import { kernelSource, SOURCE_SECTION, sourceHash } from "./kernel.ts";

const OPTIONS = ["-O3", "--runtime", "stub", "--noAssert", "--enable", "simd", "--initialMemory", "1"];
/** The compiler's own data, of which there is none, would lie behind the kernel's tables. */
const MEMORY_BASE = 4096;

/**
 * Compiles the kernel's AssemblyScript and returns the WebAssembly module, which names the source it was made of. Rejects when
 * the compiler is not installed or finds an error.
 */
export async function compileKernel(): Promise<Uint8Array> {
  const { default: asc } = await import("assemblyscript/asc");
  const source = kernelSource();
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ["kernel.ts", ...OPTIONS, "--memoryBase", String(MEMORY_BASE), "--outFile", "kernel.wasm"],
    {
      readFile: (name) => (name === "kernel.ts" ? source : null),
      writeFile: (_, contents) => {
        binary = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined) throw new Error(`${error?.message ?? "no output"}\n${stderr.toString()}`);
  return withSection(binary, SOURCE_SECTION, Buffer.from(sourceHash(source)));
}

/** Appends a custom section (https://webassembly.github.io/spec/core/binary/modules.html#custom-section) of less than 126 bytes. */
function withSection(module: Uint8Array, name: string, content: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), content]);
  return Buffer.concat([module, Buffer.from([0, body.length]), body]);
}
