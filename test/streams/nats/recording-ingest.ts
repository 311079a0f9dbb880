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
  const take = async (kind: Recorded["kind"], tenant: string, body: Uint8Array, now?: number) => {
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
      remoteWrite: (tenant, body) => take("remoteWrite", tenant, body),
      remoteWrite2: (tenant, body) => take("remoteWrite2", tenant, body),
      json: (tenant, body, now) => take("json", tenant, body, now),
      exposition: (tenant, body, now) => take("exposition", tenant, body, now),
      series: unused,
      append: unused,
    },
  };
}
