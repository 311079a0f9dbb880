/** The exemplars of a frame, on their way to the head's ring. */
import { asBuffer } from "../../lib/utf8.ts";
import { appendExemplar } from "../../storage/head/exemplar-ring.ts";
import type { Head } from "../../storage/head/head.ts";
import { firstOfHash, UNKNOWN } from "../../storage/head/series-table.ts";
import type { DecodedFrame } from "../../streams/codec/frame-decode.ts";
import { CHECK, DEFINITION_WORDS } from "../../streams/codec/frame-definitions.ts";
import { EXEMPLAR_HEADER_BYTES } from "../../streams/codec/frame-records.ts";

/**
 * Stores a frame's exemplars, whose definitions are known already; returns how many were not stored: there already, out of order, or
 * of a series that nobody has explained yet (an exemplar is not worth waiting for labels).
 */
export function takeExemplars(head: Head, frame: DecodedFrame): number {
  const { count, bytes, at } = frame.exemplars;
  if (count === 0) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let refused = 0;
  for (let e = 0; e < count; e++) {
    const start = at[e]!;
    const low = view.getUint32(start, true);
    const high = view.getUint32(start + 4, true);
    const check = checkOf(head, frame, low, high, view.getUint32(start + 24, true));
    if (check < 0) {
      refused++;
      continue;
    }
    const ts = view.getFloat64(start + 8, true);
    const value = [view.getUint32(start + 16, true), view.getUint32(start + 20, true)] as const;
    const outcome = appendExemplar(head.exemplars, { low, high, check }, ts, ...value, labelsAt(bytes, view, start));
    if (outcome !== "stored") refused++;
  }
  return refused;
}

/** Third word of the series' hash, -1 when the series is not known. `definition`: number of the definition that names it + 1, or 0. */
function checkOf(head: Head, frame: DecodedFrame, low: number, high: number, definition: number): number {
  if (definition > 0) return frame.texts.words[(definition - 1) * DEFINITION_WORDS + CHECK]!;
  const id = firstOfHash(head.series, low, high);
  return id === UNKNOWN || head.series.ambiguous.has(id) ? -1 : head.series.checks[id]!;
}

function labelsAt(bytes: Uint8Array, view: DataView, start: number): string[] {
  const text = asBuffer(bytes);
  const lengths = start + EXEMPLAR_HEADER_BYTES;
  const texts = 2 * view.getUint16(start + 28, true);
  const labels: string[] = [];
  let from = lengths + 2 * texts;
  for (let k = 0; k < texts; k++) {
    const to = from + view.getUint16(lengths + 2 * k, true);
    labels.push(text.toString("utf8", from, to));
    from = to;
  }
  return labels;
}
