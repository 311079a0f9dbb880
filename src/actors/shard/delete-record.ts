/** A delete_series in the write-ahead log: JSON, since it is rare and has to outlive versions. */
import type { Matcher } from "../../model/matcher.ts";

export interface DeleteCommand {
  readonly tenant: string;
  readonly sets: readonly (readonly Matcher[])[];
  /** Unix ms, inclusive; infinite where there is no bound. */
  readonly minT: number;
  readonly maxT: number;
}

export function encodeDelete({ tenant, sets, minT, maxT }: DeleteCommand): Uint8Array {
  const finite = (t: number) => (Number.isFinite(t) ? t : null);
  return new TextEncoder().encode(JSON.stringify({ tenant, sets, minT: finite(minT), maxT: finite(maxT) }));
}

/** Throws SyntaxError for what `encodeDelete` did not make. */
export function decodeDelete(bytes: Uint8Array): DeleteCommand {
  const read = JSON.parse(new TextDecoder().decode(bytes)) as DeleteCommand & {
    minT: number | null;
    maxT: number | null;
  };
  return {
    tenant: read.tenant,
    sets: read.sets,
    minT: read.minT ?? Number.NEGATIVE_INFINITY,
    maxT: read.maxT ?? Number.POSITIVE_INFINITY,
  };
}
