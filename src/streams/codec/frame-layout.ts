/** Numbers of the frame format; docs/format/frame.md explains them. All integers are little-endian. */

/** "TSF1" */
export const FRAME_MAGIC = 0x31465354;
export const FRAME_VERSION = 1;
export const FRAME_HEADER_BYTES = 32;
export const SECTION_ENTRY_BYTES = 16;
/** Fixed part of a definition, before its length table and text. */
export const DEFINITION_HEADER_BYTES = 16;
/** Lengths of names, values and tenants are 16-bit numbers. */
export const MAX_STRING_BYTES = 0xffff;
export const MAX_LABELS = 0xffff;
/** More entries than this in a section table are refused. */
export const MAX_SECTIONS = 64;

export const SECTION_DEFINITIONS = 1;
export const SECTION_HASH_LO = 2;
export const SECTION_HASH_HI = 3;
export const SECTION_TIME_DELTA = 4;
export const SECTION_TIME = 5;
export const SECTION_VALUES = 6;
export const SECTION_BOUND_ROWS = 7;
export const SECTION_HISTOGRAMS = 8;
export const SECTION_START_TIMES = 9;
export const SECTION_EXEMPLARS = 10;
export const SECTION_METADATA = 11;

/** Header flag: the samples may be of any age. */
export const FRAME_BACKFILL = 1;
export const FRAME_FLAGS = FRAME_BACKFILL;

/** Flag of a section that a decoder must understand to read the frame; others may be skipped. */
export const SECTION_CRITICAL = 1;

/** Largest distance of a time from 1970 in milliseconds: that of JavaScript's Date. */
export const MAX_TIME_MS = 8.64e15;

/** A frame that cannot be read; nothing of it was used. `code` names the rule that it breaks. */
export class FrameError extends Error {
  readonly code:
    | "truncated"
    | "magic"
    | "version"
    | "flags"
    | "section"
    | "definition"
    | "utf8"
    | "time"
    | "row"
    | "histogram"
    | "record";
  constructor(code: FrameError["code"], message: string) {
    super(`bad frame: ${message}`);
    this.name = "FrameError";
    this.code = code;
  }
}
