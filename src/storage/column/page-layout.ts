import { HISTOGRAM_TAG_HI } from "../../model/sample.ts";

/** What the writer and the reader of a page must agree on. */
export const PAGE_VERSION = 1;

export const KIND_TIME = 0;
export const KIND_FLOAT = 1;
export const KIND_BYTES = 2;

/** How a column is stored. With the kind and the flag below it makes the column's code: code | kind << 4 | flag. */
export const CODE_CONSTANT = 0;
export const CODE_SAME = 1;
export const CODE_NUMBERS = 2;
export const CODE_BITS = 3;
export const CODE_REFERENCES = 4;
export const CODE_PART = 5;
export const CODE_BYTES = 6;
export const CODE_DERIVED = 7;
export const CODE_TICKS = 8;
/** The column has as many rows as the one before it. */
export const SAME_ROWS = 0x40;

/** A column derived from a derived one and so on is at most this deep, so that reading one stays cheap. */
export const MAX_DEPTH = 4;
export const MAX_TERMS = 2;

export const MAX_COLUMNS = 1 << 16;
export const MAX_ROWS = 1 << 20;
/** The most rows of all columns together: more than any page needs, little enough to be read wherever they are claimed. */
export const MAX_PAGE_ROWS = 1 << 24;
/** The most that a page's directory and its byte strings may take, unpacked. */
export const MAX_DIRECTORY = 1 << 25;
export const MAX_BLOB = 1 << 26;
/** The high word of a reference to a histogram below 2^32. */
export const REFERENCE_HI = HISTOGRAM_TAG_HI;
/** Readers look at whole words, so this many bytes follow the bodies of a page in memory. */
export const PADDING = 16;
