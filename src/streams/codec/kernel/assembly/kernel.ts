/**
 * The gateway's inner loops in AssemblyScript, built to WebAssembly (docs/decisions/0005-a-kernel-in-webassembly.md): they
 * decode a Snappy block and scan a remote-write 1.0 request into columns.
 *
 * Invariants:
 * - what it takes it reads exactly as `decodeSnappy` and `scanWriteRequest` do; at what is malformed or unusual it stops, and
 *   the TypeScript of these names goes on, which decides and words the error;
 * - it has no memory but what the caller lays out, allocates nothing, imports nothing;
 * - reads may reach 64 bytes beyond the end they are given (`READ_SLACK` in kernel.ts), writes never.
 */

/** Where the memory's areas are, and how far a scan is: 32-bit words from here on, named in kernel.ts as well. */
const CONTROL: usize = 512;
/** Where `init` puts its table, of 2,048 bytes. */
const TABLES: usize = 1024;

const LITERAL: u32 = 0;

/**
 * Fills the table of Snappy tags: 64 bits a tag. Bits 0..7: bytes that the element makes; 8..15: bytes to its successor;
 * 16..30: the part of a copy's offset that stands in the tag; 31: it is a copy; 32..63: mask of the offset's other bytes in
 * the word behind the tag.
 *
 * A literal has 16 where a copy has its offset, which makes it pass the check of offsets; a literal with a length of its own
 * behind the tag has 0, which makes it fail.
 */
export function init(): void {
  for (let tag: u32 = 0; tag < 256; tag++) {
    const kind = tag & 3;
    let length = (tag >> 2) + 1;
    let step: u32 = 1 + length;
    let offset: u32 = length > 60 ? 0 : 16;
    let mask: u32 = 0;
    if (kind === 1) {
      length = ((tag >> 2) & 7) + 4;
      step = 2;
      offset = (tag >> 5) << 8;
      mask = 0xff;
    } else if (kind === 2) {
      step = 3;
      offset = 0;
      mask = 0xffff;
    } else if (kind === 3) {
      step = 5;
      offset = 0;
      mask = 0xffffffff;
    }
    const low = length | (step << 8) | (offset << 16) | ((kind === LITERAL ? 0 : 1) << 31);
    store<u64>(TABLES + 8 * tag, <u64>low | ((<u64>mask) << 32));
  }
}

/**
 * Decodes the elements `[from, fromEnd)` of a Snappy block (behind its length) to `[to, toEnd)`; 0 when they fill it exactly,
 * -1 when they are malformed. There must be SLACK readable bytes behind `fromEnd`.
 */
export function decode(from: usize, fromEnd: usize, to: usize, toEnd: usize): i32 {
  let i = from;
  let o = to;
  const size = fromEnd - from;
  const room = toEnd - to;
  // Up to here an element of the fast loop (at most 61 bytes in, 64 out) cannot run over an end.
  const iFast = size > 80 ? fromEnd - 80 : 0;
  const oFast = room > 64 ? toEnd - 64 : 0;
  while (i < fromEnd) {
    if (o - to >= 16) {
      // Literals of up to 60 bytes and copies from 16 bytes back or more, without a branch on which of them it is: the
      // source is chosen by a mask, and always 64 bytes are moved. What is too many is overwritten by the next elements.
      while (i < iFast && o < oFast) {
        const entry = load<u64>(TABLES + ((<usize>load<u8>(i)) << 3));
        const low = <i32>entry;
        const offset: u32 = <u32>((low >> 16) & 0x7fff) + (load<u32>(i, 1) & <u32>(entry >> 32));
        // Below 16, or before the start.
        if (offset - 16 > <u32>(o - to) - 16) break;
        const copy = <usize>(low >> 31);
        const source = (i + 1) ^ (((i + 1) ^ (o - offset)) & copy);
        v128.store(o, v128.load(source));
        v128.store(o, v128.load(source, 16), 16);
        v128.store(o, v128.load(source, 32), 32);
        v128.store(o, v128.load(source, 48), 48);
        o += <usize>(low & 0xff);
        i += <usize>((low >> 8) & 0xff);
      }
      if (i >= fromEnd) break;
    }
    const tag = <u32>load<u8>(i++);
    const kind = tag & 3;
    let length = tag >> 2;
    if (kind === LITERAL) {
      if (length >= 60) {
        const extra = length - 59;
        if (extra > <u32>(fromEnd - i)) return -1;
        length = load<u32>(i) & (0xffffffff >> (32 - 8 * extra));
        i += extra;
        if (length === 0xffffffff) return -1;
      }
      length++;
      if (length > <u32>(fromEnd - i) || length > <u32>(toEnd - o)) return -1;
      memory.copy(o, i, length);
      i += length;
      o += length;
      continue;
    }
    let offset: u32;
    if (kind === 1) {
      if (fromEnd - i < 1) return -1;
      length = (length & 7) + 4;
      offset = ((tag >> 5) << 8) | <u32>load<u8>(i);
      i += 1;
    } else if (kind === 2) {
      if (fromEnd - i < 2) return -1;
      length++;
      offset = <u32>load<u16>(i);
      i += 2;
    } else {
      if (fromEnd - i < 4) return -1;
      length++;
      offset = load<u32>(i);
      i += 4;
    }
    if (offset === 0 || offset > <u32>(o - to) || length > <u32>(toEnd - o)) return -1;
    let source = o - offset;
    const end = o + length;
    if (offset >= 8) {
      for (; o + 8 <= end; o += 8, source += 8) store<u64>(o, load<u64>(source));
    }
    for (; o < end; o++, source++) store<u8>(o, load<u8>(source));
  }
  return o === toEnd ? 0 : -1;
}

const P1: u32 = 0x9e3779b1;
const P2: u32 = 0x85ebca77;
const P3: u32 = 0xc2b2ae3d;

/**
 * Writes `hash96` (src/lib/hash64.ts) of the labels of series `[s, n)` to their three words at `out`. Two series at a time:
 * each of a hash's steps waits for the one before it, so two hashes take little longer than one.
 */
function hashAll(base: usize, starts: usize, ends: usize, out: usize, s: u32, n: u32, seedA: u32, seedB: u32): void {
  const seedC = load<u32>(CONTROL, 4 * SEED_C);
  for (; s < n; s += 2) {
    const second = s + 1 < n ? s + 1 : s;
    let p = base + load<u32>(starts + 4 * s);
    const pEnd = base + load<u32>(ends + 4 * s);
    let q = base + load<u32>(starts + 4 * second);
    const qEnd = base + load<u32>(ends + 4 * second);
    const pLength = <u32>(pEnd - p);
    const qLength = <u32>(qEnd - q);
    let a = seedA ^ (pLength * P2);
    let b = seedB + pLength * P1;
    let c = seedC;
    let d = seedA ^ (qLength * P2);
    let e = seedB + qLength * P1;
    let f = seedC;
    const both = p + (pLength < qLength ? pLength : qLength);
    for (; p + 12 <= both; p += 12) {
      a = rotl<u32>((a ^ load<u32>(p)) * P1, 15) + b;
      d = rotl<u32>((d ^ load<u32>(q)) * P1, 15) + e;
      b = rotl<u32>((b ^ load<u32>(p, 4)) * P2, 13) + c;
      e = rotl<u32>((e ^ load<u32>(q, 4)) * P2, 13) + f;
      c = rotl<u32>((c ^ load<u32>(p, 8)) * P3, 17) + a;
      f = rotl<u32>((f ^ load<u32>(q, 8)) * P3, 17) + d;
      q += 12;
    }
    finish(p, pEnd, pLength, a, b, c, out + 12 * s);
    finish(q, qEnd, qLength, d, e, f, out + 12 * second);
  }
}

/** The rest of a hash from `i` on, whose state is a, b, c; three words to `out`. */
function finish(i: usize, end: usize, length: u32, a: u32, b: u32, c: u32, out: usize): void {
  for (; i + 12 <= end; i += 12) {
    a = rotl<u32>((a ^ load<u32>(i)) * P1, 15) + b;
    b = rotl<u32>((b ^ load<u32>(i, 4)) * P2, 13) + c;
    c = rotl<u32>((c ^ load<u32>(i, 8)) * P3, 17) + a;
  }
  let w0: u32 = 0;
  let w1: u32 = 0;
  let w2: u32 = 0;
  if (length >= 12) {
    w0 = load<u32>(end - 12);
    w1 = load<u32>(end - 8);
    w2 = load<u32>(end - 4);
  } else {
    for (let shift: u32 = 0; i < end && shift < 32; i++, shift += 8) w0 |= (<u32>load<u8>(i)) << shift;
    for (let shift: u32 = 0; i < end && shift < 32; i++, shift += 8) w1 |= (<u32>load<u8>(i)) << shift;
    for (let shift: u32 = 0; i < end; i++, shift += 8) w2 |= (<u32>load<u8>(i)) << shift;
  }
  a = rotl<u32>((a ^ w0) * P1, 15) + b;
  b = rotl<u32>((b ^ w1) * P2, 13) + c;
  c = rotl<u32>((c ^ w2) * P3, 17) + a;
  a = avalanche(a ^ c);
  b = avalanche(b + a);
  c = avalanche(c ^ b);
  store<u32>(out, a + c);
  store<u32>(out, b + c, 4);
  store<u32>(out, c, 8);
}

function avalanche(x: u32): u32 {
  let h = x;
  h = (h ^ (h >> 16)) * P2;
  h = (h ^ (h >> 13)) * P3;
  return h ^ (h >> 16);
}

/** High bits of a value that would be taken for a histogram, and what a sender's value becomes that has them (src/model/sample.ts). */
const HISTOGRAM_TAG: u64 = 0x3ffd;
const ORDINARY_NAN: u64 = 0x7ff8000000000000;

/** Words of CONTROL. The first four say how far the scan is: byte, number of the series, series and samples in the columns. */
const AT = 0;
const NUMBER = 1;
const SERIES = 2;
const SAMPLES = 3;
const LABEL_START = 4;
const LABEL_END = 5;
const SAMPLE_END = 6;
const SEEN = 7;
const HASHES = 8;
const MAX_SERIES = 9;
const TS = 10;
const WORDS = 11;
const MAX_SAMPLES = 12;
const SEED_A = 13;
const SEED_B = 14;
const SEED_C = 15;

/**
 * Scans the message `[base, end)` from AT on into the columns, up to its end or the first field that is not taken: AT is where
 * that is. Taken are series with labels of up to 16,383 bytes first, then samples, whose time has six bytes and whose value
 * may be absent, and nothing else.
 */
export function scan(base: usize, end: usize): void {
  const labelStart: usize = load<u32>(CONTROL, 4 * LABEL_START);
  const labelEnd: usize = load<u32>(CONTROL, 4 * LABEL_END);
  const sampleEnd: usize = load<u32>(CONTROL, 4 * SAMPLE_END);
  const seen: usize = load<u32>(CONTROL, 4 * SEEN);
  const ts: usize = load<u32>(CONTROL, 4 * TS);
  const words: usize = load<u32>(CONTROL, 4 * WORDS);
  const maxSeries = load<u32>(CONTROL, 4 * MAX_SERIES);
  const maxSamples = load<u32>(CONTROL, 4 * MAX_SAMPLES);
  const first = load<u32>(CONTROL, 4 * SERIES);
  let number = load<u32>(CONTROL, 4 * NUMBER);
  let series = first;
  let samples = load<u32>(CONTROL, 4 * SAMPLES);
  let taken: usize = base + load<u32>(CONTROL, 4 * AT);
  while (taken < end) {
    let i = taken;
    if (load<u8>(i) !== 0x0a) break;
    let length = <u32>load<u8>(i, 1);
    i += 2;
    if (length >= 0x80) {
      const second = <u32>load<u8>(i);
      i += 1;
      length = (length & 0x7f) | ((second & 0x7f) << 7);
      if (second >= 0x80) {
        const third = <u32>load<u8>(i);
        i += 1;
        if (third >= 0x80) break;
        length |= third << 14;
      }
    }
    if (i > end || length > <u32>(end - i)) break;
    const from = i;
    const to = i + length;
    // A label of more bytes leads beyond the series.
    while (i < to && load<u8>(i) === 0x0a) {
      let label = <u32>load<u8>(i, 1);
      i += 2;
      if (label >= 0x80) {
        const second = <u32>load<u8>(i);
        i += 1;
        label = second >= 0x80 ? 0x1000000 : (label & 0x7f) | (second << 7);
      }
      i += label;
    }
    if (i > to) break;
    const labelsTo = i;
    let rows = samples;
    while (i < to) {
      // Tag and length of a sample, tag of its value or its time.
      let bits: u64 = 0;
      const head = load<u32>(i) & 0xffffff;
      if (head === 0x091012) {
        if (to - i < 18 || load<u8>(i, 11) !== 0x10) break;
        bits = load<u64>(i, 3);
        if (bits >> 50 === HISTOGRAM_TAG) bits = ORDINARY_NAN;
        i += 12;
      } else if (head === 0x100712) {
        if (to - i < 9) break;
        i += 3;
      } else break;
      // Seven bits of each of six bytes; the last one's eighth is 0, the others' 1.
      const time = load<u64>(i) & 0xffffffffffff;
      if ((time & 0x808080808080) !== 0x008080808080 || rows === maxSamples) break;
      i += 6;
      const ms =
        (time & 0x7f) |
        ((time >> 1) & 0x3f80) |
        ((time >> 2) & 0x1fc000) |
        ((time >> 3) & 0xfe00000) |
        ((time >> 4) & 0x7f0000000) |
        ((time >> 5) & 0x3f800000000);
      store<f64>(ts + ((<usize>rows) << 3), <f64>(<i64>ms));
      store<u64>(words + ((<usize>rows) << 3), bits);
      rows++;
    }
    if (i !== to) break;
    if (rows > samples) {
      if (series === maxSeries) break;
      const at = (<usize>series) << 2;
      store<u32>(labelStart + at, <u32>(from - base));
      store<u32>(labelEnd + at, <u32>(labelsTo - base));
      store<u32>(sampleEnd + at, rows);
      store<u32>(seen + at, number);
      series++;
      samples = rows;
    }
    taken = to;
    number++;
  }
  store<u32>(CONTROL, <u32>(taken - base), 4 * AT);
  store<u32>(CONTROL, number, 4 * NUMBER);
  store<u32>(CONTROL, series, 4 * SERIES);
  store<u32>(CONTROL, samples, 4 * SAMPLES);
  const seedA = load<u32>(CONTROL, 4 * SEED_A);
  const seedB = load<u32>(CONTROL, 4 * SEED_B);
  hashAll(base, labelStart, labelEnd, load<u32>(CONTROL, 4 * HASHES), first, series, seedA, seedB);
}
