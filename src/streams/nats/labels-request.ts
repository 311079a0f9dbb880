/**
 * A shard's request to the gateways on tocsin.labels.<partition> (core NATS, JSON): send the labels of these hashes with
 * their next samples (`unknown`), and of these with all their samples (`ambiguous`: several series share the hash).
 * It may be lost or repeated: a shard asks again while samples wait.
 */
import type { Bus } from "./bus.ts";
import { ALL_LABELS_SUBJECTS, labelsSubject } from "./subjects.ts";

/** Series hashes, [lo, hi, ...]: whose labels are missing, and which are shared by several series. */
export interface LabelsWanted {
  readonly unknown: Uint32Array;
  readonly ambiguous: Uint32Array;
}

/** Hashes of a kind in one request: about 80 KB of JSON. */
export const MAX_HASHES = 4096;

export function encodeLabelsRequest(wanted: LabelsWanted): string {
  return JSON.stringify({ unknown: toHex(wanted.unknown), ambiguous: toHex(wanted.ambiguous) });
}

/** Undefined for anything that is not a request. */
export function decodeLabelsRequest(text: string): LabelsWanted | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const unknown = fromHex((value as { unknown?: unknown }).unknown);
  const ambiguous = fromHex((value as { ambiguous?: unknown }).ambiguous);
  return unknown === undefined || ambiguous === undefined ? undefined : { unknown, ambiguous };
}

/** 16 hex digits a hash, high half first. */
function toHex(pairs: Uint32Array): string[] {
  const out: string[] = [];
  for (let i = 0; i < pairs.length; i += 2) out.push(hex(pairs[i + 1]!) + hex(pairs[i]!));
  return out;
}

const hex = (word: number) => word.toString(16).padStart(8, "0");

function fromHex(list: unknown): Uint32Array | undefined {
  if (!Array.isArray(list) || list.length > MAX_HASHES) return undefined;
  const out = new Uint32Array(2 * list.length);
  for (let i = 0; i < list.length; i++) {
    const text: unknown = list[i];
    if (typeof text !== "string" || !/^[0-9a-f]{16}$/.test(text)) return undefined;
    out[2 * i] = Number.parseInt(text.slice(8), 16);
    out[2 * i + 1] = Number.parseInt(text.slice(0, 8), 16);
  }
  return out;
}

/** Sends a request; lost without a word when the bus is down. */
export function sendLabelsRequest(bus: Bus, partition: number, wanted: LabelsWanted): void {
  if (bus.connected()) bus.nc.publish(labelsSubject(partition), encodeLabelsRequest(wanted));
}

/** The gateway's side: hears the requests of all shards. Returns what ends it. */
export function onLabelsRequest(bus: Bus, listener: (partition: number, wanted: LabelsWanted) => void): () => void {
  const subscription = bus.nc.subscribe(ALL_LABELS_SUBJECTS, {
    callback: (error, message) => {
      if (error !== null) return;
      const partition = Number(message.subject.slice(message.subject.lastIndexOf(".") + 1));
      const wanted = decodeLabelsRequest(message.string());
      if (wanted !== undefined && Number.isInteger(partition)) listener(partition, wanted);
    },
  });
  return () => {
    if (!bus.nc.isClosed()) subscription.unsubscribe();
  };
}
