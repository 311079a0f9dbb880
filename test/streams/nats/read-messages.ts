import type { PartitionFeed } from "../../../src/streams/nats/consume.ts";

/** Reads until `count` messages are there. */
export async function readMessages(feed: PartitionFeed, count: number): Promise<{ seqs: number[]; texts: string[] }> {
  const seqs: number[] = [];
  const texts: string[] = [];
  while (seqs.length < count) {
    const batch = await feed.next();
    if (batch === undefined) break;
    seqs.push(...batch.sequences);
    for (const p of batch.payloads) texts.push(Buffer.from(p).toString("utf8"));
  }
  return { seqs, texts };
}
