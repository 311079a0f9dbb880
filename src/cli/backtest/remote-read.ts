import type { PointSeries } from "../../actors/backtest/points.ts";
import { labelsFromEntries } from "../../model/labels.ts";
import type { Matcher, MatchOp } from "../../model/matcher.ts";
import { makeArena } from "../../streams/codec/byte-arena.ts";
import { decodeSnappy } from "../../streams/codec/snappy.ts";
import { type Server, ServerError } from "../query/client.ts";

/**
 * Raw samples by Prometheus's remote read, staleness markers among them; series of native histograms come without points.
 * Messages: ReadRequest { repeated Query queries = 1 }, Query { start 1, end 2, matchers 3 }, LabelMatcher { type 1, name 2,
 * value 3 }, ReadResponse { repeated QueryResult results = 1 }, QueryResult { repeated TimeSeries timeseries = 1 }.
 */
export async function remoteRead(
  server: Server,
  matchers: readonly Matcher[],
  start: number,
  end: number,
): Promise<PointSeries[]> {
  const base = /^https?:\/\//.test(server.url) ? server.url : `http://${server.url}`;
  const url = new URL(base);
  const headers: Record<string, string> = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-read-version": "0.1.0",
  };
  if (server.tenant !== undefined) headers["x-scope-orgid"] = server.tenant;
  if (url.username !== "") {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
  }
  const target = `${url.origin}${url.pathname.replace(/\/+$/, "")}/api/v1/read`;
  const body = literalSnappy(message(1, query(matchers, start, end)));
  const response = await fetch(target, { method: "POST", headers, body: new Uint8Array(body) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) {
    const text = new TextDecoder().decode(bytes).trim().slice(0, 200);
    throw new ServerError("execution", `stored samples cannot be read (HTTP ${response.status}): ${text}`);
  }
  const arena = makeArena(0);
  const size = decodeSnappy(bytes, arena, 2 ** 31);
  return seriesOf(arena.bytes.subarray(0, size));
}

const TYPES: readonly MatchOp[] = ["=", "!=", "=~", "!~"];

function query(matchers: readonly Matcher[], start: number, end: number): Buffer {
  const parts = matchers.map(({ name, op, value }) => {
    const fields = [tagged(1, TYPES.indexOf(op)), message(2, Buffer.from(name)), message(3, Buffer.from(value))];
    return message(3, Buffer.concat(fields));
  });
  return Buffer.concat([tagged(1, start), tagged(2, end), ...parts]);
}

function tagged(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function message(field: number, content: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return Buffer.from([...out, rest]);
}

/** The block format without a match: its size, then one literal. */
function literalSnappy(content: Buffer): Buffer {
  const n = content.length - 1;
  const head = Buffer.from([63 << 2, n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24]);
  return Buffer.concat([varint(content.length), head, content]);
}

interface Field {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly value: number;
}

const NONE = new Uint8Array(0);

function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let i = 0;
  const read = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[i++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (i < bytes.length) {
    const tag = read();
    const kind = tag & 7;
    const number = tag >>> 3;
    if (kind === 0) yield { number, bytes: NONE, value: read() };
    else if (kind === 1) {
      yield { number, bytes: NONE, value: view.getFloat64(i, true) };
      i += 8;
    } else if (kind === 2) {
      const length = read();
      yield { number, bytes: bytes.subarray(i, i + length), value: 0 };
      i += length;
    } else throw new ServerError("", `the answer to remote read cannot be read: a field of wire type ${kind}`);
  }
}

const text = new TextDecoder();

function seriesOf(answer: Uint8Array): PointSeries[] {
  const out: PointSeries[] = [];
  for (const result of fieldsOf(answer)) {
    for (const series of fieldsOf(result.bytes)) out.push(oneSeries(series.bytes));
  }
  return out;
}

function oneSeries(bytes: Uint8Array): PointSeries {
  const labels: [string, string][] = [];
  const samples: Uint8Array[] = [];
  for (const { number, bytes: content } of fieldsOf(bytes)) {
    if (number === 2) samples.push(content);
    if (number !== 1) continue;
    const pair: [string, string] = ["", ""];
    for (const part of fieldsOf(content)) pair[part.number === 1 ? 0 : 1] = text.decode(part.bytes);
    labels.push(pair);
  }
  const ts = new Float64Array(samples.length);
  const values = new Float64Array(samples.length);
  const words = new Uint32Array(values.buffer);
  for (const [i, sample] of samples.entries()) {
    const view = new DataView(sample.buffer, sample.byteOffset, sample.length);
    // The bits of a staleness marker must stay as they are: they are copied, not read as a number.
    for (let at = 0; at < sample.length; ) {
      const tag = sample[at++] as number;
      if (tag === 0x09) {
        words[2 * i] = view.getUint32(at, true);
        words[2 * i + 1] = view.getUint32(at + 4, true);
        at += 8;
        continue;
      }
      let scale = 1;
      let value = 0;
      for (let byte = 128; byte >= 128; scale *= 128) {
        byte = sample[at++] as number;
        value += (byte & 127) * scale;
      }
      if (tag === 0x10) ts[i] = value;
    }
  }
  return { labels: labelsFromEntries(labels), ts, values };
}
