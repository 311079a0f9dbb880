/** What is used of the WebAssembly JavaScript API (https://webassembly.github.io/spec/js-api/), which TypeScript has in its DOM library only. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance {
    constructor(module: Module);
    readonly exports: object;
  }
  class RuntimeError extends Error {}
  interface Memory {
    /** Replaced, and the old one detached, whenever the memory grows. */
    readonly buffer: ArrayBuffer;
    /** By a number of pages of 64 KiB; throws RangeError when there is no memory. */
    grow(pages: number): number;
  }
}
