import { crc32c } from "../../lib/crc32c.ts";
import { isHistogramAt } from "../../model/sample.ts";
import { histogramChunk } from "./histogram-chunk.ts";
import { putLabels } from "./sampled-answer.ts";
import { histogramOf, type SelectedSeries } from "./selected-series.ts";
import {
  makeWireWriter,
  putBytes,
  putInt64,
  putMessage,
  putTag,
  putVarint,
  reserveWire,
  type WireWriter,
  wireBytes,
} from "./wire-writer.ts";
import { CHUNK_SAMPLES, xorChunk } from "./xor-chunk.ts";

/** prometheus.Chunk.Encoding */
const XOR = 1;
const HISTOGRAM = 2;
const FLOAT_HISTOGRAM = 3;

interface Chunk {
  readonly minTime: number;
  readonly maxTime: number;
  readonly encoding: number;
  readonly data: Uint8Array;
}

/**
 * The frames of the response type STREAMED_XOR_CHUNKS: each a length (varint), the CRC-32C of what follows (big endian), and a
 * prometheus.ChunkedReadResponse with chunks of one series. A series goes over several frames where its chunks have more than
 * `maxBytes`, and over by one chunk at most, as with Prometheus.
 */
export function* chunkedAnswer(
  results: readonly (readonly SelectedSeries[])[],
  maxBytes: number,
): Generator<Uint8Array> {
  for (let query = 0; query < results.length; query++) {
    for (const series of results[query] as readonly SelectedSeries[]) {
      const room = maxBytes - series.labels.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 0);
      let bytes = 0;
      let chunks: Chunk[] = [];
      for (const chunk of chunksOf(series)) {
        if (bytes >= room && chunks.length > 0) {
          yield frame(series, chunks, query);
          chunks = [];
          bytes = 0;
        }
        chunks.push(chunk);
        bytes += chunk.data.length + 24;
      }
      if (chunks.length > 0) yield frame(series, chunks, query);
    }
  }
}

function* chunksOf(series: SelectedSeries): Generator<Chunk> {
  const { ts, words, to } = series;
  for (let i = series.from; i < to; ) {
    const minTime = ts[i] as number;
    const h = histogramOf(series, i);
    if (h !== undefined) {
      const encoding = h.float ? FLOAT_HISTOGRAM : HISTOGRAM;
      yield { minTime, maxTime: minTime, encoding, data: histogramChunk(minTime, h) };
      i++;
      continue;
    }
    let end = i + 1;
    while (end < to && end - i < CHUNK_SAMPLES && !isHistogramAt(words, end)) end++;
    yield { minTime, maxTime: ts[end - 1] as number, encoding: XOR, data: xorChunk(ts, words, i, end) };
    i = end;
  }
}

function frame(series: SelectedSeries, chunks: readonly Chunk[], query: number): Uint8Array {
  const message = makeWireWriter();
  putMessage(message, 1, (one) => {
    putLabels(one, series);
    for (const chunk of chunks) putMessage(one, 2, (w) => putChunk(w, chunk));
  });
  putTag(message, 2, 0);
  putVarint(message, query);
  const body = wireBytes(message);
  const out = makeWireWriter(body.length + 16);
  putVarint(out, body.length);
  const at = reserveWire(out, 4 + body.length);
  out.view.setUint32(at, crc32c(body));
  out.bytes.set(body, at + 4);
  out.length = at + 4 + body.length;
  return wireBytes(out);
}

function putChunk(w: WireWriter, { minTime, maxTime, encoding, data }: Chunk): void {
  putTag(w, 1, 0);
  putInt64(w, minTime);
  putTag(w, 2, 0);
  putInt64(w, maxTime);
  putTag(w, 3, 0);
  putVarint(w, encoding);
  putBytes(w, 4, data);
}
