import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Custom section of a kernel's module that names the source it was made of, so that an old one is not taken for a new one. */
export const SOURCE_SECTION = "source";

/** Identifies a kernel's source text. */
export function sourceHash(source: string): string {
  return createHash("sha256").update(source).digest("hex");
}

export type KernelModule =
  | { readonly module: WebAssembly.Module; readonly problem: undefined }
  | { readonly module: undefined; readonly problem: string };

/**
 * Reads and compiles the WebAssembly module that `npm ci` or `npm run prepare` has built of the source at `source`. Where there is
 * none, or one of another source, `problem` says why and what to do about it; never throws.
 */
export function loadKernelModule(file: string, source: URL): KernelModule {
  try {
    const module = new WebAssembly.Module(readFileSync(file));
    const [section] = WebAssembly.Module.customSections(module, SOURCE_SECTION);
    if (section === undefined || Buffer.from(section).toString() !== sourceHash(readFileSync(source, "utf8"))) {
      return { module: undefined, problem: kernelProblem(`${file} was built of another source`) };
    }
    return { module, problem: undefined };
  } catch (error) {
    return { module: undefined, problem: kernelProblem((error as Error).message) };
  }
}

/** What is said of a kernel that cannot be used. */
export function kernelProblem(why: string): string {
  return `${why}; build it with: npm run prepare`;
}
