import { describe, expect, it } from "vitest";
import { makeJobSender } from "../../../src/actors/shard/job-relay.ts";
import type { FromShard } from "../../../src/actors/shard/protocol.ts";
import { JobCancelled, type StorageJob } from "../../../src/storage/engine/jobs.ts";

const JOB: StorageJob = { kind: "rollup", blocksDir: "/nowhere", ids: [], after: 0, until: 1, madeAt: 0 };

describe("a shard that stops while the compactor works for it", () => {
  it("does not wait to hear what became of its jobs", async () => {
    const posted: FromShard[] = [];
    const sender = makeJobSender((message) => posted.push(message));
    const stopping = new AbortController();
    const job = sender.run(JOB, stopping.signal);
    stopping.abort();
    sender.close();
    await expect(job).rejects.toBeInstanceOf(JobCancelled);
    expect(posted.map((m) => m.kind)).toEqual(["job", "cancelJob"]);
    sender.heard({ kind: "jobDone", id: 0, outcome: { cancelled: true } });
    await expect(sender.run(JOB, stopping.signal)).rejects.toBeInstanceOf(JobCancelled);
  });

  it("gives no job away behind its end, whose outcome nobody would tell", async () => {
    const posted: FromShard[] = [];
    const sender = makeJobSender((message) => posted.push(message));
    sender.close();
    await expect(sender.run(JOB, new AbortController().signal)).rejects.toBeInstanceOf(JobCancelled);
    expect(posted).toEqual([]);
  });
});
