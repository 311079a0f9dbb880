import { type Cursor, readVarint } from "../../lib/varint.ts";
import { type Histogram, makeHistogram } from "../../model/histogram.ts";
import { HISTOGRAM_CODE_VERSION, HistogramCodeError, histogramSize } from "../../model/histogram-code.ts";

/** A histogram's stats are its count, its sum, its schema and its counter reset hint: a float histogram that has no buckets. */

const cursor: Cursor = { at: 0 };

/**
 * The stats of the histogram whose code (docs/format/histogram.md) starts at `at`; its buckets, which come last, are not gone
 * through. Throws `HistogramCodeError`.
 */
export function decodeStats(bytes: Uint8Array, at: number): Histogram {
  const end = at + histogramSize(bytes, at);
  cursor.at = at;
  readVarint(bytes, cursor, end);
  const flags = bytes[cursor.at] as number;
  if (flags >>> 4 !== HISTOGRAM_CODE_VERSION) throw new HistogramCodeError(`version ${flags >>> 4}`);
  const schema = ((bytes[cursor.at + 1] as number) << 24) >> 24;
  const isFloat = (flags & 4) !== 0;
  // Flags, the schema and the code of the zero threshold; the threshold itself where the code cannot say it.
  const sumAt = cursor.at + (bytes[cursor.at + 2] === 255 ? 11 : 3);
  cursor.at = sumAt + 8;
  if (cursor.at + (isFloat ? 8 : 1) > end) throw new HistogramCodeError("it ends too early");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stats = makeHistogram();
  stats.float = true;
  stats.resetHint = flags & 3;
  stats.schema = schema;
  stats.sum = view.getFloat64(sumAt, true);
  stats.count = isFloat ? view.getFloat64(cursor.at, true) : readVarint(bytes, cursor, end);
  return stats;
}
