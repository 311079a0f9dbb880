import { parse } from "yaml";
import type { Payload } from "../alert/integration-config.ts";
import { isMarker } from "./template/render.ts";

/**
 * A payload with its strings filled in. As in Alertmanager a text that reads as YAML of another kind than a string (a
 * number, a list, JSON) becomes that, its strings filled in too.
 */
export function fillPayload(payload: Payload, fill: (template: string) => string, depth = 0): Payload {
  if (typeof payload === "string") return fillText(payload, fill, depth);
  if (payload === null || typeof payload !== "object") return payload;
  if (Array.isArray(payload)) return payload.map((item: Payload) => fillPayload(item, fill, depth));
  const out: Record<string, Payload> = {};
  for (const [key, value] of Object.entries(payload as Readonly<Record<string, Payload>>))
    out[fill(key)] = fillPayload(value, fill, depth);
  return out;
}

/** A template that gives a template that gives … stops here. */
const MAX_DEPTH = 10;

function fillText(template: string, fill: (template: string) => string, depth: number): Payload {
  const text = fill(template);
  // The text of an error has colons, and would read as a map.
  if (isWord(text) || isMarker(text)) return text;
  const value = readValue(text);
  if (value === undefined || typeof value === "string" || depth >= MAX_DEPTH || !isPlain(value)) return text;
  return fillPayload(value, fill, depth + 1);
}

/** Texts that are surely strings in YAML 1.1, told apart without a parser: most are. */
function isWord(text: string): boolean {
  return /^[A-Za-z][\w ./]*$/.test(text) && !/^(y|yes|n|no|true|false|on|off|null)$/i.test(text);
}

function readValue(text: string): unknown {
  try {
    // JSON is YAML, and `toJson` of a large group is much of it.
    return /^\s*[[{]/.test(text) ? JSON.parse(text) : parse(text, { version: "1.1", logLevel: "silent" });
  } catch {
    return /^\s*[[{]/.test(text) ? readYaml(text) : undefined;
  }
}

/** A flow collection that is not JSON: `[a, b]`. */
function readYaml(text: string): unknown {
  try {
    return text.length > MAX_FLOW ? undefined : parse(text, { version: "1.1", logLevel: "silent" });
  } catch {
    return undefined;
  }
}

const MAX_FLOW = 64 * 1024;

function isPlain(value: unknown): value is Payload {
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return true;
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value as object).every(isPlain);
}
