import { clearBatch, emptyBatch, type HashSeeds, makeBatch, type SampleBatch } from "../sample-batch.ts";
import { decodeSnappy, elementsStart, snappySize } from "../snappy.ts";
import { scanTopField, scanWriteRequest } from "../write-request.ts";
import * as k from "./kernel.ts";

/** Reads remote-write 1.0 bodies. */
export interface WriteReader {
  /**
   * Decodes and scans a body into a batch, which is the reader's own and holds until the next call. Throws `MalformedBody`.
   */
  read(body: Uint8Array, seeds: HashSeeds): SampleBatch;
  /** Whether the kernel is in use. */
  accelerated(): boolean;
}

/**
 * Larger bodies are left to TypeScript: the memory that the kernel has taken, about four times the largest body, is never
 * given back. Senders' own limits lie below.
 */
export const MAX_KERNEL_BYTES = 8 << 20;

/** Bytes that a series and a sample take at least in the usual request; where they take fewer, TypeScript goes on. */
const SERIES_BYTES = 32;
const SAMPLE_BYTES = 12;

/** Makes a reader that uses the kernel, if there is one, and gives the same results and errors without it. */
export function makeWriteReader(kernel: k.Kernel | undefined, maxDecodedBytes: number): WriteReader {
  const plain = makeBatch();
  let fast = kernel === undefined ? undefined : makeFast(kernel);

  const readPlain = (body: Uint8Array, seeds: HashSeeds) => {
    clearBatch(plain);
    scanWriteRequest(plain, decodeSnappy(body, plain.arena, maxDecodedBytes), seeds);
    return plain;
  };
  return {
    read: (body, seeds) => {
      if (fast === undefined) return readPlain(body, seeds);
      const size = snappySize(body, maxDecodedBytes);
      if (size > MAX_KERNEL_BYTES || body.length > MAX_KERNEL_BYTES) return readPlain(body, seeds);
      try {
        if (decodeFast(fast, body, elementsStart(), size)) {
          scanFast(fast, size, seeds);
          return fast.batch;
        }
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        // A fault of the kernel, which can damage its own memory only: this process goes on without it.
        fast = undefined;
      }
      return readPlain(body, seeds);
    },
    accelerated: () => fast !== undefined,
  };
}

/** A kernel, its memory's division into areas, and the batch whose columns they are. */
interface Fast {
  readonly kernel: k.Kernel;
  readonly batch: SampleBatch;
  columns: Columns;
  /** Decoded and compressed bytes that fit. */
  capacity: number;
  bytes: Uint8Array;
  control: Uint32Array;
  /** Address of the decoded bytes; the compressed ones lie at FREE_MEMORY. */
  decoded: number;
}

type Columns = Pick<SampleBatch, "labelStart" | "labelEnd" | "sampleEnd" | "seen" | "hashes" | "ts" | "words">;

function makeFast(kernel: k.Kernel): Fast {
  const fast: Fast = {
    kernel,
    batch: makeBatch(),
    columns: makeBatch(),
    capacity: 0,
    bytes: new Uint8Array(0),
    control: new Uint32Array(0),
    decoded: 0,
  };
  layOut(fast, 1 << 18);
  return fast;
}

/** Divides the memory anew, for bodies of up to `capacity` bytes (a power of two), which it grows for. */
function layOut(fast: Fast, capacity: number): void {
  const { memory } = fast.kernel;
  const series = capacity / SERIES_BYTES;
  const samples = Math.floor(capacity / SAMPLE_BYTES / 8) * 8;
  let end = k.FREE_MEMORY;
  const area = (bytes: number) => {
    const at = end;
    end += Math.ceil((bytes + k.READ_SLACK) / 64) * 64;
    return at;
  };
  area(capacity);
  const decoded = area(capacity);
  const words = [k.LABEL_START, k.LABEL_END, k.SAMPLE_END, k.SEEN].map(() => area(4 * series));
  const [labelStart, labelEnd, sampleEnd, seen] = words as [number, number, number, number];
  const hashes = area(12 * series);
  const ts = area(8 * samples);
  const values = area(8 * samples);
  const missing = end - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));

  const { buffer } = memory;
  fast.capacity = capacity;
  fast.bytes = new Uint8Array(buffer);
  fast.decoded = decoded;
  fast.control = new Uint32Array(buffer, k.CONTROL, k.CONTROL_WORDS);
  fast.control.set([0, 0, 0, 0, labelStart, labelEnd, sampleEnd, seen, hashes, series, ts, values, samples]);
  fast.columns = {
    labelStart: new Uint32Array(buffer, labelStart, series),
    labelEnd: new Uint32Array(buffer, labelEnd, series),
    sampleEnd: new Uint32Array(buffer, sampleEnd, series),
    seen: new Uint32Array(buffer, seen, series),
    hashes: new Uint32Array(buffer, hashes, 3 * series),
    ts: new Float64Array(buffer, ts, samples),
    words: new Uint32Array(buffer, values, 2 * samples),
  };
  Object.assign(fast.batch.arena, {
    bytes: new Uint8Array(buffer, decoded, capacity + k.READ_SLACK),
    view: new DataView(buffer, decoded, capacity + k.READ_SLACK),
  });
  Object.assign(fast.batch, fast.columns);
}

function decodeFast(fast: Fast, body: Uint8Array, start: number, size: number): boolean {
  const needed = Math.max(size, body.length);
  if (needed > fast.capacity) layOut(fast, 2 ** Math.ceil(Math.log2(needed)));
  fast.bytes.set(body, k.FREE_MEMORY);
  const { kernel, decoded } = fast;
  return kernel.decode(k.FREE_MEMORY + start, k.FREE_MEMORY + body.length, decoded, decoded + size) === 0;
}

/** The kernel takes what is usual; each field that it stops at is scanned in TypeScript, then it goes on. */
function scanFast(fast: Fast, size: number, seeds: HashSeeds): void {
  const { kernel, batch, columns, control, decoded } = fast;
  // A request before this one may have grown columns out of the kernel's memory.
  if (batch.ts !== columns.ts || batch.labelStart !== columns.labelStart) Object.assign(batch, columns);
  emptyBatch(batch);
  control[k.SEED_A] = seeds.a;
  control[k.SEED_B] = seeds.b;
  control[k.SEED_C] = seeds.c;
  let at = 0;
  let number = 0;
  while (at < size) {
    if (batch.ts === columns.ts && batch.labelStart === columns.labelStart) {
      control[k.AT] = at;
      control[k.NUMBER] = number;
      control[k.SERIES] = batch.series;
      control[k.SAMPLES] = batch.samples;
      kernel.scan(decoded, decoded + size);
      at = control[k.AT] as number;
      number = control[k.NUMBER] as number;
      batch.series = control[k.SERIES] as number;
      batch.samples = control[k.SAMPLES] as number;
      if (at === size) return;
    }
    const isSeries = batch.arena.bytes[at] === 0x0a;
    at = scanTopField(batch, at, size, number, seeds);
    if (isSeries) number++;
  }
}
