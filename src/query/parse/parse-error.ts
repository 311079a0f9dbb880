import { QueryError } from "../../model/query.ts";

/**
 * `<line>:<column>: parse error: <message>`, as Prometheus writes it: columns count UTF-8 bytes from 1.
 * `offset` is in UTF-8 bytes.
 */
export function parseError(query: string, offset: number, message: string): QueryError {
  return new QueryError("bad_data", `${formatPosition(query, offset)}: parse error: ${message}`);
}

/** `line:column` of a byte offset; also the place that annotations of an evaluation name. */
export function formatPosition(query: string, offset: number): string {
  if (query === "") return "unknown position";
  let line = 1;
  let bytes = 0;
  let lineStart = 0;
  for (let i = 0; i < query.length && bytes < offset; i++) {
    const c = query.charCodeAt(i);
    bytes += utf8Width(c, query.charCodeAt(i + 1));
    if (c >= 0xd800 && c < 0xdc00 && bytes <= offset && isLowSurrogate(query.charCodeAt(i + 1))) i++;
    if (c === 0x0a) {
      line++;
      lineStart = bytes;
    }
  }
  return `${line}:${offset - lineStart + 1}`;
}

/** A function from UTF-16 offsets into the text to UTF-8 byte offsets. */
export function byteOffsets(text: string): (offset: number) => number {
  if (/^[\0-\x7f]*$/.test(text)) return (offset) => offset;
  const table = new Uint32Array(text.length + 1);
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    table[i] = bytes;
    const c = text.charCodeAt(i);
    bytes += utf8Width(c, text.charCodeAt(i + 1));
    if (c >= 0xd800 && c < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) table[++i] = bytes;
  }
  table[text.length] = bytes;
  return (offset) => table[offset] as number;
}

/** A surrogate without its partner counts as U+FFFD, which is how it is sent. */
function utf8Width(unit: number, next: number): number {
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  return unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(next) ? 4 : 3;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
