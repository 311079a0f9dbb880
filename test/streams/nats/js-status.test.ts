import { expect, it } from "vitest";
import { parseAckSubject } from "../../../src/streams/nats/js-status.ts";

it("reads both layouts of the acknowledgement subject", () => {
  const info = { storedAt: 1_700_000_000_000, deliveries: 1, streamSequence: 12, consumerSequence: 3, pending: 7 };
  expect(parseAckSubject("$JS.ACK.SAMPLES_0.shard.1.12.3.1700000000000000000.7")).toEqual(info);
  expect(parseAckSubject("$JS.ACK.hub.acchash.SAMPLES_0.shard.1.12.3.1700000000000000000.7.rnd")).toEqual(info);
  expect(parseAckSubject("$JS.ACK.hub.acchash.SAMPLES_0.shard.1.12.3.1700000000000000000.7")).toEqual(info);
});

it("refuses other subjects", () => {
  expect(parseAckSubject("")).toBeUndefined();
  expect(parseAckSubject("_INBOX.x.y")).toBeUndefined();
  expect(parseAckSubject("$JS.ACK.short")).toBeUndefined();
});
