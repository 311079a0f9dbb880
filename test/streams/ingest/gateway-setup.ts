/** A gateway in front of a bus in memory, for its tests. */
import { compress } from "snappyjs";
import { decodeFrame } from "../../../src/streams/codec/frame-decode.ts";
import { type Gateway, type GatewayOptions, makeGateway } from "../../../src/streams/ingest/gateway.ts";
import { type MemoryBus, makeMemoryBus, replay } from "../support/memory-bus.ts";
import { type TestSeries, writeRequestBytes } from "../support/write-request-bytes.ts";

export const NOW = 1.75e12;
export const LIMITS = {
  maxDecodedBytes: 1 << 24,
  maxLabelNamesPerSeries: 10,
  maxLabelNameBytes: 100,
  maxLabelValueBytes: 200,
};

export function setup(options: Partial<GatewayOptions> = {}): {
  bus: MemoryBus;
  gateway: Gateway;
  clock: { now: number };
} {
  const bus = makeMemoryBus();
  const clock = { now: NOW };
  const gateway = makeGateway({
    partitions: 3,
    publisher: bus.publisher,
    limits: LIMITS,
    now: () => clock.now,
    id: "test",
    secret: [1, 2, 3],
    ...options,
  });
  return { bus, gateway, clock };
}
export const write = (series: readonly TestSeries[]) => new Uint8Array(compress(writeRequestBytes(series)));
export const one = (labels: Record<string, string>, value = 1, ts = NOW): TestSeries => ({
  labels: Object.entries(labels),
  samples: [{ ts, value }],
});
export const text = (s: string) => new TextEncoder().encode(s);
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** What the stored frames say, as "tenant {labels} ts value", sorted. */
export const told = (bus: MemoryBus) =>
  replay(bus.stored)
    .map((s) => `${s.tenant} ${s.labels.join()} ${s.ts} ${new Float64Array(Uint32Array.from(s.bits).buffer)[0]}`)
    .sort();
export const definitions = (bus: MemoryBus) =>
  bus.stored.map((s) => decodeFrame(s.frame).definitions.map((d) => d.labels.join()));
