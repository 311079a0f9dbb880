import { type Ingest, type IngestResult, MalformedBody } from "../../model/ingest.ts";
import { isTenant } from "../../model/tenant.ts";

/** One message of the ingest subject, as an agent published it. */
export interface IngestMessage {
  readonly tenant: string;
  /** "" when the agent gave none. */
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly body: Uint8Array;
  /**
   * Unix ms at which the stream stored it; samples without a time get it. Not the time of processing: a message that is
   * processed twice must give the same samples twice.
   */
  readonly storedAt: number;
}

/**
 * Feeds one message to the gateway by its Content-Type. Resolves when its samples are in the partitions' streams. Rejects
 * with MalformedBody for what can never be taken, and with what the gateway says.
 */
export async function ingestMessage(ingest: Ingest, message: IngestMessage): Promise<IngestResult> {
  const { tenant, body } = message;
  if (!isTenant(tenant)) {
    throw new MalformedBody(
      "bad_tenant",
      `tenant ${JSON.stringify(tenant)}: 1 to 64 letters, digits, ".", "_", "-" are allowed`,
    );
  }
  const [type = "", ...parameters] = message.contentType
    .toLowerCase()
    .split(";")
    .map((s) => s.trim());
  const encoding = message.contentEncoding.trim().toLowerCase();
  switch (type) {
    case "application/x-protobuf":
      if (encoding !== "" && encoding !== "snappy") throw unsupported(`Content-Encoding ${encoding} (only snappy is)`);
      switch (parameters.map((p) => /^proto\s*=\s*"?([^"]*)"?$/.exec(p)?.[1]).find((name) => name !== undefined)) {
        case undefined:
        case "prometheus.writerequest":
          return await ingest.remoteWrite(tenant, body);
        case "io.prometheus.write.v2.request":
          return await ingest.remoteWrite2(tenant, body);
        default:
          throw unsupported(`${message.contentType} (prometheus.WriteRequest and io.prometheus.write.v2.Request are)`);
      }
    case "application/json":
      checkPlain(encoding);
      return await ingest.json(tenant, body, message.storedAt);
    case "text/plain":
      checkPlain(encoding);
      return await ingest.exposition(tenant, body, message.storedAt);
    case "":
      throw unsupported("a message without Content-Type header");
    default:
      throw unsupported(`Content-Type ${type}`);
  }
}

function checkPlain(encoding: string): void {
  if (encoding !== "" && encoding !== "identity") throw unsupported(`Content-Encoding ${encoding}`);
}

function unsupported(what: string): MalformedBody {
  return new MalformedBody(
    "unsupported_content_type",
    `${what} is not supported; send application/x-protobuf (remote write, snappy), text/plain (exposition) or application/json`,
  );
}
