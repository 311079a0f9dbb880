import type { SampleColumns } from "../../model/sample.ts";
import {
  type DefinitionTexts,
  definitionAt,
  type FrameDefinition,
  makeDefinitionTexts,
  readDefinitions,
} from "./frame-definitions.ts";
import { checkHistogramRows } from "./frame-histograms.ts";
import {
  FRAME_BACKFILL,
  FRAME_FLAGS,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  FRAME_VERSION,
  FrameError,
  MAX_SECTIONS,
  MAX_TIME_MS,
  SECTION_BOUND_ROWS,
  SECTION_CRITICAL,
  SECTION_DEFINITIONS,
  SECTION_ENTRY_BYTES,
  SECTION_EXEMPLARS,
  SECTION_HASH_HI,
  SECTION_HASH_LO,
  SECTION_HISTOGRAMS,
  SECTION_METADATA,
  SECTION_START_TIMES,
  SECTION_TIME,
  SECTION_TIME_DELTA,
  SECTION_VALUES,
} from "./frame-layout.ts";
import { type FrameExemplars, type FrameMetadata, readExemplars, readMetadata } from "./frame-records.ts";

/**
 * A frame's content. `columns` are views of the scratch that was given to `decodeFrame` (histograms: of the frame), `texts` are
 * its own: valid until its next use.
 * `columns.values` starts at byte 0 of its buffer, so a Uint32Array over that buffer sees the bits of NaNs.
 */
export interface DecodedFrame {
  /** Made of `texts` at each asking. */
  readonly definitions: readonly FrameDefinition[];
  /** The definitions as bytes. */
  readonly texts: DefinitionTexts;
  readonly columns: SampleColumns;
  /**
   * Rows whose hash alone does not name the series, because two label sets share it: row `rows[i]` belongs to
   * `definitions[definition[i]]`. Rows strictly ascending. Nearly always empty.
   */
  readonly bound: { readonly rows: Uint32Array; readonly definition: Uint32Array };
  /** The samples may be of any age. */
  readonly backfill: boolean;
  readonly exemplars: FrameExemplars;
  readonly metadata: readonly FrameMetadata[];
}

/** Memory for the columns of decoded frames, reused; grows to the largest frame seen. */
export interface FrameScratch {
  hashLo: Uint32Array;
  hashHi: Uint32Array;
  ts: Float64Array;
  values: Float64Array;
  startTs: Float64Array;
  readonly texts: DefinitionTexts;
}

export function makeFrameScratch(capacity = 8192): FrameScratch {
  return { ...makeColumns(capacity), texts: makeDefinitionTexts() };
}

function makeColumns(capacity: number): Omit<FrameScratch, "texts"> {
  return {
    hashLo: new Uint32Array(capacity),
    hashHi: new Uint32Array(capacity),
    ts: new Float64Array(capacity),
    values: new Float64Array(capacity),
    startTs: new Float64Array(0),
  };
}

const NO_ROWS = new Uint32Array(0);

/** Section positions, found in the table: offset 0 means absent. */
interface Section {
  offset: number;
  bytes: number;
}

/**
 * Decodes and checks a whole frame. Nothing in it is trusted: every offset, count, string and time is checked before use,
 * and memory is only taken for what the frame really has. Throws `FrameError`.
 */
export function decodeFrame(frame: Uint8Array, scratch: FrameScratch = makeFrameScratch(0)): DecodedFrame {
  const size = frame.length;
  if (size < FRAME_HEADER_BYTES) throw new FrameError("truncated", `${size} bytes, a header has ${FRAME_HEADER_BYTES}`);
  const view = new DataView(frame.buffer, frame.byteOffset, size);
  if (view.getUint32(0, true) !== FRAME_MAGIC) throw new FrameError("magic", 'it does not start with "TSF1"');
  const version = view.getUint16(4, true);
  if (version !== FRAME_VERSION) {
    throw new FrameError("version", `version ${version}, this program reads version ${FRAME_VERSION}`);
  }
  const declared = view.getUint32(8, true);
  if (declared !== size) throw new FrameError("truncated", `${size} bytes, the header says ${declared}`);
  const definitionCount = view.getUint32(12, true);
  const samples = view.getUint32(16, true);
  const flags = view.getUint16(22, true);
  if ((flags & ~FRAME_FLAGS) !== 0)
    throw new FrameError("flags", `flags ${flags}: this program does not know them all`);
  const base = view.getFloat64(24, true);
  if (!Number.isInteger(base) || Math.abs(base) > MAX_TIME_MS) throw new FrameError("time", `base time ${base}`);

  const sections = readSections(view);
  const at = (type: number) => sections.get(type) ?? { offset: 0, bytes: 0 };

  column(at(SECTION_HASH_LO), samples, 4, "low hashes");
  column(at(SECTION_HASH_HI), samples, 4, "high hashes");
  column(at(SECTION_VALUES), samples, 8, "values");
  const range = (type: number): [from: number, to: number] => [at(type).offset, at(type).offset + at(type).bytes];
  const { texts } = scratch;
  readDefinitions(frame, view, ...range(SECTION_DEFINITIONS), definitionCount, texts);

  reserveScratch(scratch, samples);
  copyColumn(frame, at(SECTION_HASH_LO), scratch.hashLo);
  copyColumn(frame, at(SECTION_HASH_HI), scratch.hashHi);
  copyColumn(frame, at(SECTION_VALUES), scratch.values);
  readTimes(frame, view, sections, samples, base, scratch.ts);
  const values = scratch.values.subarray(0, samples);
  const histograms = sections.has(SECTION_HISTOGRAMS) ? frame.subarray(...range(SECTION_HISTOGRAMS)) : undefined;
  if (histograms !== undefined) checkHistogramRows(values, histograms);
  return {
    get definitions() {
      return Array.from({ length: texts.count }, (_, d) => definitionAt(texts, d));
    },
    texts,
    columns: {
      length: samples,
      hashLo: scratch.hashLo.subarray(0, samples),
      hashHi: scratch.hashHi.subarray(0, samples),
      ts: scratch.ts.subarray(0, samples),
      values,
      histograms,
      startTs: readStartTimes(frame, sections.get(SECTION_START_TIMES), samples, scratch),
    },
    bound: readBoundRows(view, at(SECTION_BOUND_ROWS), samples, definitionCount),
    backfill: (flags & FRAME_BACKFILL) !== 0,
    exemplars: readExemplars(frame, ...range(SECTION_EXEMPLARS), definitionCount),
    metadata: readMetadata(frame, ...range(SECTION_METADATA)),
  };
}

function readSections(view: DataView): Map<number, Section> {
  const headerBytes = view.getUint16(6, true);
  const count = view.getUint16(20, true);
  if (count > MAX_SECTIONS || headerBytes !== FRAME_HEADER_BYTES + SECTION_ENTRY_BYTES * count) {
    throw new FrameError("section", `${count} sections in a header of ${headerBytes} bytes`);
  }
  if (headerBytes > view.byteLength) throw new FrameError("truncated", `header of ${headerBytes} bytes`);
  const sections = new Map<number, Section>();
  for (let s = 0; s < count; s++) {
    const entry = FRAME_HEADER_BYTES + SECTION_ENTRY_BYTES * s;
    const type = view.getUint16(entry, true);
    const flags = view.getUint16(entry + 2, true);
    const offset = view.getUint32(entry + 4, true);
    const bytes = view.getUint32(entry + 8, true);
    if (offset % 8 !== 0 || offset < headerBytes || offset + bytes > view.byteLength) {
      throw new FrameError("section", `section ${type} at ${offset}, ${bytes} bytes, of ${view.byteLength}`);
    }
    if (sections.has(type)) throw new FrameError("section", `section ${type} stands twice`);
    if (type < SECTION_DEFINITIONS || type > SECTION_METADATA) {
      if ((flags & SECTION_CRITICAL) === 0) continue;
      throw new FrameError("section", `section ${type} is needed and unknown to this program`);
    }
    sections.set(type, { offset, bytes });
  }
  return sections;
}

function column(section: Section, samples: number, width: number, name: string): void {
  if (section.bytes !== width * samples) {
    throw new FrameError("section", `column of ${name} has ${section.bytes} bytes for ${samples} samples`);
  }
}

function copyColumn(frame: Uint8Array, section: Section, to: Uint32Array | Float64Array): void {
  new Uint8Array(to.buffer, 0, section.bytes).set(frame.subarray(section.offset, section.offset + section.bytes));
}

function readTimes(
  frame: Uint8Array,
  view: DataView,
  sections: ReadonlyMap<number, Section>,
  n: number,
  base: number,
  ts: Float64Array,
): void {
  const deltas = sections.get(SECTION_TIME_DELTA);
  const times = sections.get(SECTION_TIME);
  if (deltas !== undefined && times !== undefined) throw new FrameError("section", "two columns of times");
  if (times !== undefined) {
    column(times, n, 8, "times");
    copyColumn(frame, times, ts);
    for (let i = 0; i < n; i++) {
      const t = ts[i] as number;
      if (!(Math.abs(t) <= MAX_TIME_MS) || t !== Math.floor(t)) throw new FrameError("time", `time ${t} in row ${i}`);
    }
  } else if (deltas !== undefined) {
    column(deltas, n, 4, "time deltas");
    for (let i = 0, at = deltas.offset; i < n; i++, at += 4) ts[i] = base + view.getInt32(at, true);
  } else ts.fill(base, 0, n);
}

function readStartTimes(
  frame: Uint8Array,
  section: Section | undefined,
  n: number,
  scratch: FrameScratch,
): Float64Array | undefined {
  if (section === undefined) return undefined;
  column(section, n, 8, "start times");
  if (scratch.startTs.length < n) scratch.startTs = new Float64Array(scratch.ts.length);
  copyColumn(frame, section, scratch.startTs);
  const startTs = scratch.startTs.subarray(0, n);
  for (let i = 0; i < n; i++) {
    const t = startTs[i] as number;
    if (!(Math.abs(t) <= MAX_TIME_MS) || t !== Math.floor(t))
      throw new FrameError("time", `start time ${t} in row ${i}`);
  }
  return startTs;
}

function readBoundRows(view: DataView, section: Section, samples: number, definitions: number): DecodedFrame["bound"] {
  if (section.bytes === 0) return { rows: NO_ROWS, definition: NO_ROWS };
  const n = section.bytes / 8;
  if (!Number.isInteger(n) || n > samples) throw new FrameError("section", `bound rows of ${section.bytes} bytes`);
  const rows = new Uint32Array(n);
  const definition = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    const row = view.getUint32(section.offset + 8 * i, true);
    const number = view.getUint32(section.offset + 8 * i + 4, true);
    if (row >= samples || number >= definitions || (i > 0 && row <= (rows[i - 1] as number))) {
      throw new FrameError("row", `row ${row} bound to definition ${number}`);
    }
    rows[i] = row;
    definition[i] = number;
  }
  return { rows, definition };
}

function reserveScratch(scratch: FrameScratch, samples: number): void {
  if (samples <= scratch.ts.length) return;
  Object.assign(scratch, makeColumns(Math.max(samples, 2 * scratch.ts.length)));
}
