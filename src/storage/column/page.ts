/**
 * A page of a block: columns of several neighbouring series, compressed together (docs/format/column-page.md). `encodePage` writes
 * one; `openPage` reads its directory; `pageTimes`, `pageFloats` and `pageBytes` read one column of it, in any order.
 *
 * - Every bit pattern of a float comes back as it was.
 * - A damaged page makes reading throw `PageError` or gives wrong values, never more rows than `pageRows` says; whether the bytes are
 *   those that were written is for the checksum around the page.
 */

export { PageError } from "./page-error.ts";
export { openPage, type Page, pageBytes, pageFloats, pageRows, pageTimes } from "./page-read.ts";
export { encodePage, type PageColumn } from "./page-write.ts";
