import type { Ingest, IngestResult } from "../../../src/model/ingest.ts";

export interface Recorded {
  readonly kind: "remoteWrite" | "remoteWrite2" | "json" | "exposition";
  readonly tenant: string;
  readonly text: string;
  readonly now: number | undefined;
}

/** The gateway's place in tests of what feeds it: records what came, and answers (or throws) what `answer` says. */
export function recordingIngest(answer: (r: Recorded) => IngestResult): { ingest: Ingest; recorded: Recorded[] } {
  const recorded: Recorded[] = [];
  const take = (kind: Recorded["kind"]) => async (tenant: string, body: Uint8Array, now?: number) => {
    const r = { kind, tenant, text: Buffer.from(body).toString("latin1"), now };
    recorded.push(r);
    return answer(r);
  };
  const unused = () => {
    throw new Error("not used here");
  };
  return {
    recorded,
    ingest: {
      remoteWrite: take("remoteWrite"),
      remoteWrite2: take("remoteWrite2"),
      json: take("json"),
      exposition: take("exposition"),
      series: unused,
      append: unused,
    },
  };
}
