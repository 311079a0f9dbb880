import type { Ingest, IngestResult, SeriesRef } from "../../../src/model/ingest.ts";
import { formatLabels, labelsToObject } from "../../../src/model/labels.ts";
import { isStaleAt } from "../../../src/model/sample.ts";
import { seriesHash } from "../../../src/streams/codec/series-hash.ts";

export interface RecordedSample {
  /** As Prometheus prints it. */
  readonly series: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly t: number;
  /** "stale" for a staleness marker. */
  readonly value: number | "stale";
}

/** A gateway that remembers what it was given. */
export interface RecordingIngest extends Ingest {
  readonly samples: RecordedSample[];
  /** Appends that were taken so far. */
  appends: number;
  /** Not undefined: appends are refused with it. */
  refuse: Error | undefined;
  /** Appends that were refused. */
  refusals: number;
  /** Resolves when `ready` holds, looked at after every append. */
  until(ready: () => boolean): Promise<void>;
  /** The samples of the series whose text begins so, as [t, value]. */
  of(series: string): (readonly [number, number | "stale"])[];
}

export function recordingIngest(): RecordingIngest {
  const waiting: { readonly ready: () => boolean; readonly resolve: () => void }[] = [];
  const notSupported = (): Promise<IngestResult> => Promise.reject(new Error("only append is recorded"));
  const wake = (): void => {
    for (const entry of [...waiting]) {
      if (!entry.ready()) continue;
      waiting.splice(waiting.indexOf(entry), 1);
      entry.resolve();
    }
  };
  const ingest: RecordingIngest = {
    samples: [],
    appends: 0,
    refuse: undefined,
    refusals: 0,
    remoteWrite: notSupported,
    remoteWrite2: notSupported,
    json: notSupported,
    exposition: notSupported,
    series: (tenant, labels) => {
      const { lo, hi } = seriesHash(tenant, labels);
      return { tenant, labels, hashLo: lo, hashHi: hi };
    },
    append: async (refs: readonly SeriesRef[], ts: Float64Array, values: Float64Array) => {
      await Promise.resolve();
      if (ingest.refuse !== undefined) {
        ingest.refusals++;
        queueMicrotask(wake);
        throw ingest.refuse;
      }
      const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
      for (const [i, { labels }] of refs.entries()) {
        const value = isStaleAt(words, i) ? "stale" : (values[i] as number);
        const t = ts[i] as number;
        ingest.samples.push({ series: formatLabels(labels), labels: labelsToObject(labels), t, value });
      }
      ingest.appends++;
      queueMicrotask(wake);
      return { accepted: refs.length, rejected: [] };
    },
    until: (ready) =>
      ready() ? Promise.resolve() : new Promise((resolve) => waiting.push({ ready, resolve: () => resolve() })),
    of: (series) => ingest.samples.filter((s) => s.series.startsWith(series)).map((s) => [s.t, s.value] as const),
  };
  return ingest;
}
