/** The head as a part of the merged source: the one that is still written to. */
import { type Head, headIdentity } from "../head/head.ts";
import { headSource, newestTime } from "../head/head-source.ts";
import type { SourcePart } from "./merged-source.ts";

export function headPart(head: Head): SourcePart {
  return {
    tier: "raw",
    minT: head.minT,
    maxT: head.maxT,
    source: {
      ...headSource(head),
      identity: (id, out, at) => headIdentity(head, id, out, at),
      newestT: (id) => newestTime(head, id),
    },
  };
}
