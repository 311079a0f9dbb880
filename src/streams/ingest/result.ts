/** The answer to a request. */
import type { IngestResult } from "../../model/ingest.ts";
import { formatPositions } from "../../model/position.ts";
import type { Appended } from "./append-batch.ts";
import type { Stored } from "./partition-queue.ts";
import { type Rejections, rejectionList } from "./rejections.ts";

/** What a sender hears once everything is durable. */
export function resultOf(
  { samples, histograms, exemplars }: Appended,
  rejected: Rejections,
  position: string | undefined,
): IngestResult {
  return {
    accepted: samples,
    ...(histograms > 0 && { histograms }),
    ...(exemplars > 0 && { exemplars }),
    rejected: rejectionList(rejected),
    ...(position !== undefined && { position }),
  };
}

/** The token of the last message of each partition. */
export function positionOf(where: readonly (Stored | undefined)[]): string | undefined {
  return formatPositions(where.flatMap((stored, partition) => (stored === undefined ? [] : { partition, ...stored })));
}
