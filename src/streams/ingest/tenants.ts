import { Buffer } from "node:buffer";
import { hash96 } from "../../lib/hash64.ts";
import type { HashSeeds } from "../codec/sample-batch.ts";

/** A tenant as the gateway needs it: its name's bytes, and its own seeds so that no tenant can disturb another's series. */
export interface TenantInfo {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly seeds: HashSeeds;
}

export interface Tenants {
  info(name: string): TenantInfo;
}

/** More names than this are not remembered; they are made again when they come. */
const REMEMBERED = 4096;

export function makeTenants(secret: readonly [number, number, number]): Tenants {
  const known = new Map<string, TenantInfo>();
  return {
    info: (name) => {
      const old = known.get(name);
      if (old !== undefined) return old;
      const bytes = Buffer.from(name);
      const out = new Uint32Array(3);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      hash96(view, 0, bytes.length, secret[0], secret[1], secret[2], out, 0);
      const seeds = { a: out[0] as number, b: out[1] as number, c: out[2] as number };
      const made: TenantInfo = { name, bytes, seeds };
      if (known.size >= REMEMBERED) known.clear();
      known.set(name, made);
      return made;
    },
  };
}
