import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { compileColumnKernel } from "../../../../src/storage/column/kernel/compile.ts";
import {
  type ColumnKernel,
  decodeRows,
  KERNEL_ROWS,
  type LoadedColumnKernel,
  loadColumnKernel,
} from "../../../../src/storage/column/kernel/kernel.ts";
import type { NumberColumn } from "../../../../src/storage/column/numbers-read.ts";
import { encodePage, openPage, type PageColumn } from "../../../../src/storage/column/page.ts";
import { CODE_NUMBERS } from "../../../../src/storage/column/page-layout.ts";
import type { Unfolding } from "../../../../src/storage/column/predict.ts";
import { readPlainly } from "../../../../src/storage/column/residual-read.ts";

// The compiler takes a second or two, on a busy machine more.
vi.setConfig({ testTimeout: 120_000 });

const dir = mkdtempSync(join(tmpdir(), "tocsin-column-kernel-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let bytes: Uint8Array;
let kernel: ColumnKernel;

beforeAll(async () => {
  bytes = await compileColumnKernel();
  kernel = load(bytes).kernel as ColumnKernel;
}, 120_000);

function load(content: Uint8Array): LoadedColumnKernel {
  const file = join(dir, "column.wasm");
  writeFileSync(file, content);
  return loadColumnKernel(file);
}

test("the build that npm ci runs makes a kernel that is loaded", () => {
  const file = join(dir, "build", "column.wasm");
  const build = fileURLToPath(new URL("../../../../src/storage/column/kernel/build.ts", import.meta.url));
  expect(execFileSync(process.execPath, [build, file], { encoding: "utf8" })).toBe("");
  expect(loadColumnKernel(file).problem).toBeUndefined();
});

test("what is built is loaded; what is missing, broken or of another source is not, and what to do is said", () => {
  expect(kernel).toBeDefined();
  expect(loadColumnKernel(join(dir, "none.wasm"))).toEqual({
    kernel: undefined,
    problem: expect.stringContaining("npm run prepare"),
  });
  expect(load(bytes.subarray(0, 300)).kernel).toBeUndefined();
  expect(load(bytes.subarray(0, 300)).problem).toContain("npm run prepare");
  // The hash of the source stands at the end.
  const stale = Uint8Array.from(bytes);
  stale[stale.length - 1]! ^= 1;
  expect(load(stale)).toEqual({ kernel: undefined, problem: expect.stringContaining("another source") });
});

/** Columns of numbers of all sizes and predictions; `jumps` are the sizes of what cannot be predicted. */
const column = fc
  .record({
    seed: fc.integer(),
    rows: fc.oneof(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 81, max: 3000 })),
    bits: fc.integer({ min: 0, max: 50 }),
    often: fc.constantFrom(0.02, 0.3, 1),
    walk: fc.constantFrom("level", "sum", "slope", "decay"),
    negative: fc.boolean(),
    unit: fc.constantFrom(1, 1000, 4096),
  })
  .map(({ seed, rows, bits, often, walk, negative, unit }) => {
    let s = seed;
    const random = () => {
      s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
      return s / 2 ** 32;
    };
    const top = 2 ** Math.min(bits, walk === "level" ? 50 - Math.log2(unit) : 26);
    const values = new Float64Array(rows);
    let v = 0;
    let step = 0;
    for (let i = 0; i < rows; i++) {
      const size = Math.floor(2 ** (random() * Math.log2(top + 1)));
      const r = random() < often ? size * (negative && random() < 0.5 ? -1 : 1) : 0;
      step = walk === "slope" ? step + (r % 64) : r;
      v = walk === "level" ? r : walk === "decay" ? Math.floor(v / 2) + r : v + step;
      values[i] = v * unit;
    }
    return values;
  });

interface Body {
  readonly view: DataView;
  readonly bit: number;
  readonly end: number;
  readonly rows: number;
  readonly how: Unfolding;
}

/** The coded bodies of a page of columns. */
function bodiesOf(columns: readonly Float64Array[], effort: "fast" | "small"): Body[] {
  const list: PageColumn[] = columns.map((values) => ({
    kind: "float",
    words: new Uint32Array(values.buffer),
    from: 0,
    to: values.length,
  }));
  const page = openPage(encodePage(list, effort));
  const at = (n: NumberColumn, rows: number): Body => ({
    view: page.view,
    bit: 8 * (page.bodies + n.from),
    end: 8 * (page.bodies + n.to),
    rows,
    how: n,
  });
  return page.columns.flatMap(({ source, rows }) =>
    source.code === CODE_NUMBERS && source.numbers.to > source.numbers.from ? [at(source.numbers, rows)] : [],
  );
}

/** What a reader makes of a body; undefined when it refuses. The array has room on both sides that nobody writes to. */
function read(body: Body, given: Uint8Array | undefined, byKernel: boolean): Float64Array | undefined {
  const { view, bit, end, rows, how } = body;
  const out = new Float64Array(rows + 4).fill(-77);
  if (byKernel) {
    if (!decodeRows(kernel, { view, bit, end }, rows, how, out, 2, given)) return undefined;
  } else {
    try {
      readPlainly({ view, bit, end }, rows, how, out, 2, given);
    } catch {
      return undefined;
    }
  }
  expect([out[0], out[1], out[rows + 2], out[rows + 3]]).toEqual([-77, -77, -77, -77]);
  return out;
}

const contextsOf = (body: Body): Uint8Array => Uint8Array.from({ length: body.rows }, (_, i) => (7 * i + (i >> 3)) & 3);
/** Bits 6 and 7 of a body are its contexts, less one: with four they may be given. */
const hasFour = (body: Body): boolean => body.view.getUint8(body.bit >>> 3) >> 6 === 3;

test("the kernel reads every column as the TypeScript does, bit for bit", () => {
  let seen = 0;
  fc.assert(
    fc.property(
      fc.array(column, { minLength: 1, maxLength: 3 }),
      fc.constantFrom("fast", "small"),
      (columns, effort) => {
        for (const body of bodiesOf(columns, effort)) {
          const plain = read(body, undefined, false);
          if (plain === undefined) continue;
          seen++;
          const rows = read(body, undefined, true);
          expect(rows).toBeDefined();
          expect(Buffer.compare(Buffer.from(rows!.buffer), Buffer.from(plain.buffer))).toBe(0);
        }
      },
    ),
    { numRuns: 300 },
  );
  expect(seen).toBeGreaterThan(100);
});

test("a damaged body is refused, or read as the TypeScript reads it", () => {
  const damage = fc.array(fc.tuple(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(column, damage, fc.boolean(), (values, changes, inFront) => {
      for (const body of bodiesOf([values], "small")) {
        const { view, bit, end } = body;
        const length = (end - bit) >>> 3;
        for (const [where, change] of changes) {
          const at = (bit >>> 3) + Math.floor(where * (inFront ? Math.min(length, 12) : length));
          view.setUint8(at, view.getUint8(at) ^ change);
        }
        for (const given of hasFour(body) ? [undefined, contextsOf(body)] : [undefined]) {
          const plain = read(body, given, false);
          const rows = read(body, given, true);
          if (rows === undefined) continue;
          expect(plain).toBeDefined();
          // Numbers beyond those that a page has are rounded by one of the two.
          if (plain!.every((v) => Math.abs(v) <= 2 ** 51)) expect([...rows]).toEqual([...plain!]);
        }
      }
    }),
    { numRuns: 600 },
  );
});

test("columns of more rows than the kernel has room for are left to the TypeScript", () => {
  const values = Float64Array.from({ length: KERNEL_ROWS + 1 }, (_, i) => (i * 7919) % 113);
  for (const body of bodiesOf([values], "fast")) {
    expect(read(body, undefined, true)).toBeUndefined();
    expect(read(body, undefined, false)!.subarray(2, -2)).toEqual(values);
  }
});
