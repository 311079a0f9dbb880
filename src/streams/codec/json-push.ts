import { findJsonError } from "../../lib/json-error.ts";
import { asBuffer } from "../../lib/utf8.ts";
import { MalformedBody } from "../../model/ingest.ts";
import { writeLabel } from "./label-text.ts";
import { type HashSeeds, MAX_BATCH_SAMPLES, pushSample, pushSeries, type SampleBatch } from "./sample-batch.ts";

/** Times below this are seconds (as such it is the year 5138), others milliseconds (as such it is 1973). */
const SECONDS_BELOW = 1e11;

/**
 * Reads a JSON push body into the batch:
 *
 *     {"series":[{"labels":{"__name__":"x",...},"samples":[[time,value],...]}]}
 *
 * A time is Unix seconds (fractions allowed) or milliseconds; a sample `[value]`, `[null,value]` or a bare value has time
 * `now`. A value is a number or one of the strings "NaN", "Inf", "+Inf", "-Inf". Throws `MalformedBody` naming line and
 * column, or the path of what is wrong.
 */
export function readJsonPush(batch: SampleBatch, body: Uint8Array, now: number, seeds: HashSeeds): void {
  checkNesting(body);
  const root = parse(asBuffer(body).toString("utf8"));
  const list = field(root, "series", "the body");
  if (!Array.isArray(list)) throw wrong("series", "an array", list);
  let at = 0;
  for (let s = 0; s < list.length; s++) {
    const path = `series[${s}]`;
    const labels = field(list[s], "labels", path);
    if (!isObject(labels)) throw wrong(`${path}.labels`, "an object of strings", labels);
    const samples = field(list[s], "samples", path);
    if (!Array.isArray(samples)) throw wrong(`${path}.samples`, "an array", samples);
    const start = at;
    for (const [name, value] of Object.entries(labels)) {
      if (typeof value !== "string") throw wrong(`${path}.labels[${JSON.stringify(name)}]`, "a string", value);
      if (!name.isWellFormed() || !value.isWellFormed()) {
        throw wrong(`${path}.labels[${JSON.stringify(name)}]`, "well-formed Unicode", value);
      }
      at = writeLabel(batch.arena, at, name, value);
    }
    for (let k = 0; k < samples.length; k++) pushJsonSample(batch, samples[k], now, `${path}.samples[${k}]`);
    if (samples.length > 0) pushSeries(batch, start, at, s, seeds);
  }
}

function pushJsonSample(batch: SampleBatch, sample: unknown, now: number, path: string): void {
  if (!Array.isArray(sample)) {
    pushSample(batch, now, jsonValue(sample, path));
    return;
  }
  if (sample.length === 1) {
    pushSample(batch, now, jsonValue(sample[0], `${path}[0]`));
    return;
  }
  if (sample.length !== 2) throw wrong(path, "[time, value]", sample);
  const time: unknown = sample[0];
  const value = jsonValue(sample[1], `${path}[1]`);
  if (time === null) pushSample(batch, now, value);
  else if (typeof time !== "number") throw wrong(`${path}[0]`, "Unix seconds or milliseconds", time);
  else pushSample(batch, Math.round(Math.abs(time) < SECONDS_BELOW ? time * 1000 : time), value);
}

function jsonValue(value: unknown, path: string): number {
  if (typeof value === "number") return value;
  switch (value) {
    case "NaN":
      return Number.NaN;
    case "Inf":
    case "+Inf":
      return Number.POSITIVE_INFINITY;
    case "-Inf":
      return Number.NEGATIVE_INFINITY;
    default:
      throw wrong(path, 'a number, "NaN", "+Inf" or "-Inf"', value);
  }
}

/** How deep a body is: the sample in the list of samples in the series in the list of series in the body. */
const MAX_DEPTH = 16;
/** Objects and arrays, each of which takes some 50 bytes of memory for two of the body: a sample is one, a series three. */
const MAX_NESTED = MAX_BATCH_SAMPLES + (1 << 20);
/** Of these, objects: what JSON.parse makes of `{}` is larger. */
const MAX_OBJECTS = 1 << 21;

/** Refuses what would take far more memory than it has bytes. Counts brackets outside of strings, whatever else the text is. */
function checkNesting(body: Uint8Array): void {
  let depth = 0;
  let nested = 0;
  let objects = 0;
  for (let i = 0; i < body.length; i++) {
    const c = body[i] as number;
    if (c === QUOTE) {
      for (i++; i < body.length && body[i] !== QUOTE; i++) if (body[i] === BACKSLASH) i++;
    } else if (c === OPEN_ARRAY || c === OPEN_OBJECT) {
      nested++;
      if (c === OPEN_OBJECT) objects++;
      if (++depth > MAX_DEPTH) throw new MalformedBody("malformed_json", `nested more than ${MAX_DEPTH} deep`);
    } else if (c === CLOSE_ARRAY || c === CLOSE_OBJECT) depth--;
  }
  if (nested > MAX_NESTED || objects > MAX_OBJECTS) {
    const what = `${objects} objects and ${nested - objects} arrays`;
    throw new MalformedBody("too_much_in_request", `${what} in a request: send them in several`);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { offset, found } = findJsonError(text);
    const before = text.slice(0, offset).split("\n");
    const place = `line ${before.length} column ${(before.at(-1) as string).length + 1}`;
    throw new MalformedBody("malformed_json", `not JSON: ${place}: unexpected ${found}`);
  }
}

function field(value: unknown, key: string, path: string): unknown {
  if (!isObject(value)) throw wrong(path, `an object with "${key}"`, value);
  return value[key];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(path: string, expected: string, got: unknown): MalformedBody {
  const text = JSON.stringify(got)?.slice(0, 80) ?? "nothing";
  return new MalformedBody("malformed_json", `${path}: expected ${expected}, got ${text}`);
}
