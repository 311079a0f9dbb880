/**
 * The inner loop of CRC-32C over long inputs, as WebAssembly: 128 bytes a step, half a table look-up of 16 lanes a byte.
 *
 * Write A for what the CRC register does on a zero byte, a linear map. A byte at distance d from the end of the input adds
 * A^d(byte) to the checksum. So 128 bytes followed by 128 others can be replaced by 128 bytes: the others, XOR what the first
 * ones come to. Four bytes 32 apart come to four bytes at the same places, by the same map everywhere: 32 bits to 32 bits,
 * L = M^-1 A^128 M, where M takes four bytes at distances 0, -32, -64, -96 to what they add. Linear, so L is the XOR of a table
 * look-up for each half byte; 16 such fours are looked up at a time. (Of bytes 16 apart M would have no inverse.)
 */

/** How many bytes `fold` takes at a time, and where they go in `memory`. */
export const FOLD_BYTES = 64 << 10;
export const FOLD_AT = 1024;
/** A block, and where the one is that stands for everything so far. */
export const BLOCK = 128;
export const STATE_AT = 512;

export interface Folder {
  readonly memory: Uint8Array;
  /** Folds that many blocks at FOLD_AT into the state. */
  readonly fold: (blocks: number) => void;
}

/** Undefined where the engine has no 128-bit operations. `zeroByte` is A. */
export function makeFolder(zeroByte: (crc: number) => number): Folder | undefined {
  const tables = lookupTables(zeroByte);
  for (const swizzle of [RELAXED_SWIZZLE, SWIZZLE]) {
    try {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(assemble(swizzle)));
      const { memory, fold } = exports as unknown as { memory: WebAssembly.Memory; fold: Folder["fold"] };
      const bytes = new Uint8Array(memory.buffer);
      bytes.set(tables);
      return { memory: bytes, fold };
    } catch {
      // Not known to this engine, or forbidden: another way will do.
    }
  }
  return undefined;
}

/** A linear map of 32 bits: what it makes of each bit. */
type Matrix = Uint32Array;

function apply(m: Matrix, x: number): number {
  let out = 0;
  for (let bit = 0; bit < 32; bit++) if ((x >>> bit) & 1) out ^= m[bit] as number;
  return out >>> 0;
}

const compose = (a: Matrix, b: Matrix): Matrix => b.map((column) => apply(a, column));

function power(m: Matrix, n: number): Matrix {
  let out: Matrix = Uint32Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0);
  for (let i = 0; i < n; i++) out = compose(m, out);
  return out;
}

function inverse(m: Matrix): Matrix {
  const left = m.slice();
  const right = power(m, 0);
  for (let bit = 0; bit < 32; bit++) {
    const pivot = left.findIndex((column, i) => i >= bit && ((column >>> bit) & 1) === 1);
    if (pivot < 0) throw new Error("the map has no inverse");
    for (const side of [left, right]) [side[bit], side[pivot]] = [side[pivot] as number, side[bit] as number];
    for (let i = 0; i < 32; i++) {
      if (i === bit || ((left[i] as number) >>> bit) % 2 === 0) continue;
      left[i] = (left[i] as number) ^ (left[bit] as number);
      right[i] = (right[i] as number) ^ (right[bit] as number);
    }
  }
  return right;
}

/** Of L: for input byte k, its low and high half, output byte m: 16 entries of one byte. */
function lookupTables(zeroByte: (crc: number) => number): Uint8Array {
  const advance: Matrix = power(new Uint32Array(32), 0).map((bit) => zeroByte(bit) >>> 0);
  const back = inverse(power(advance, 32));
  // Byte k of four is at distance -32 k.
  const distances = [0, 1, 2, 3].map((k) => power(back, k));
  const places: Matrix = Uint32Array.from({ length: 32 }, (_, bit) =>
    apply(distances[bit >> 3] as Matrix, 1 << (bit & 7)),
  );
  const map = compose(inverse(places), compose(power(advance, BLOCK), places));
  const tables = new Uint8Array(512);
  for (let k = 0; k < 4; k++) {
    for (let half = 0; half < 2; half++) {
      for (let entry = 0; entry < 16; entry++) {
        const out = apply(map, (entry << (8 * k + 4 * half)) >>> 0);
        for (let m = 0; m < 4; m++) tables[((k * 2 + half) * 4 + m) * 16 + entry] = out >>> (8 * m);
      }
    }
  }
  return tables;
}

/** The same for indices below 16, as all are here; the first is one machine instruction. */
const RELAXED_SWIZZLE = 0x100;
const SWIZZLE = 0x0e;

/** The module: one memory, one function of (blocks). */
function assemble(swizzle: number): Uint8Array<ArrayBuffer> {
  const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >>> 7)]);
  const section = (id: number, body: readonly number[]): number[] => [id, ...leb(body.length), ...body];
  const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
  const get = (local: number): number[] => [0x20, local];
  const set = (local: number): number[] => [0x21, local];
  // Signed: the seventh bit of the last byte is the sign.
  const constant = (n: number): number[] => [
    0x41,
    ...(n < 64 ? [n] : [(n & 127) | 128, ...(n < 8192 ? [n >> 7] : [])]),
  ];
  const simd = (op: number): number[] => [0xfd, ...leb(op)];
  const load = (offset: number): number[] => [...simd(0x00), 4, ...leb(offset)];
  const store = (offset: number): number[] => [...simd(0x0b), 4, ...leb(offset)];
  const XOR = simd(0x51);
  const LOOKUP = simd(swizzle);
  const [BLOCKS, AT, S, LOW, HIGH, OUT] = [0, 1, 2, 10, 11, 12];
  const steps: number[] = [];
  // The even sixteens of the block, then the odd ones.
  for (const odd of [0, 1]) {
    for (let m = 0; m < 4; m++) steps.push(...get(AT), ...load(16 * (2 * m + odd)), ...set(OUT + m));
    for (let k = 0; k < 4; k++) {
      const from = S + 2 * k + odd;
      steps.push(...get(from), ...simd(0x0c), ...new Array<number>(16).fill(15), ...simd(0x4e), ...set(LOW));
      steps.push(...get(from), ...constant(4), ...simd(0x6d), ...set(HIGH));
      for (let m = 0; m < 4; m++) {
        for (const half of [0, 1]) {
          steps.push(...get(OUT + m), ...constant(0), ...load(((k * 2 + half) * 4 + m) * 16));
          steps.push(...get(half === 0 ? LOW : HIGH), ...LOOKUP, ...XOR, ...set(OUT + m));
        }
      }
    }
    for (let m = 0; m < 4; m++) steps.push(...get(OUT + m), ...set(S + 2 * m + odd));
  }
  const state = [0, 1, 2, 3, 4, 5, 6, 7];
  const code = [
    ...[2, 1, 0x7f, 14, 0x7b],
    ...constant(FOLD_AT).concat(set(AT)),
    ...state.flatMap((k) => [...constant(0), ...load(STATE_AT + 16 * k), ...set(S + k)]),
    ...[0x02, 0x40, 0x03, 0x40, ...get(BLOCKS), 0x45, 0x0d, 1],
    ...steps,
    ...[...get(AT), ...constant(BLOCK), 0x6a, ...set(AT)],
    ...[...get(BLOCKS), ...constant(1), 0x6b, ...set(BLOCKS), 0x0c, 0, 0x0b, 0x0b],
    ...state.flatMap((k) => [...constant(0), ...get(S + k), ...store(STATE_AT + 16 * k)]),
    0x0b,
  ];
  const pages = Math.ceil((FOLD_AT + FOLD_BYTES) / 65536);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...leb(pages)]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("fold"), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}
