import { columnKernelSource, SOURCE_SECTION, sourceHash } from "./kernel.ts";

const OPTIONS = ["-O3", "--runtime", "stub", "--noAssert", "--initialMemory", "1"];
/** The kernel's areas begin here; the compiler has no data of its own. */
const MEMORY_BASE = 4096;

/** Compiles residuals.as to a WebAssembly module that names its source. Rejects when there is no compiler, or it finds an error. */
export async function compileColumnKernel(): Promise<Uint8Array> {
  const { default: asc } = await import("assemblyscript/asc");
  const source = columnKernelSource();
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ["residuals.ts", ...OPTIONS, "--memoryBase", String(MEMORY_BASE), "--outFile", "column.wasm"],
    {
      readFile: (name) => (name === "residuals.ts" ? source : null),
      writeFile: (_, contents) => {
        binary = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined) throw new Error(`${error?.message ?? "no output"}\n${stderr.toString()}`);
  const name = Buffer.from(SOURCE_SECTION);
  const body = Buffer.concat([Buffer.from([name.length]), name, Buffer.from(sourceHash(source))]);
  // A custom section of less than 128 bytes: https://webassembly.github.io/spec/core/binary/modules.html#custom-section
  return Buffer.concat([binary, Buffer.from([0, body.length]), body]);
}
