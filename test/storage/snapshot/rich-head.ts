/** Frames with everything that a head can be given, by a seed; and all that can be read out of a head. */
import { makeHistogram } from "../../../src/model/histogram.ts";
import { encodeHistogram, makeHistogramBytes } from "../../../src/model/histogram-code.ts";
import { makeSampleBuffer, type SampleColumns, writeHistogramRef, writeStale } from "../../../src/model/sample.ts";
import { appendColumns } from "../../../src/storage/head/append.ts";
import { appendExemplar } from "../../../src/storage/head/exemplar-ring.ts";
import { selectExemplars } from "../../../src/storage/head/exemplars.ts";
import {
  beginFrame,
  createHead,
  defineSeries,
  type Head,
  headStats,
  seriesTenant,
} from "../../../src/storage/head/head.ts";
import { headSource } from "../../../src/storage/head/head-source.ts";
import { seededRandom } from "../../lib/sim-disk.ts";

export const HOUR = 3600_000;
export const T0 = 1_700_000_000_000;
export const options = { outOfOrderWindowMs: HOUR };
export const newHead = (): Head => createHead(options);

const TENANTS = ["default", "other"];
const SERIES = 60;

const hashOf = (n: number) => ({
  lo: Math.imul(n + 1, 0x9e3779b1) >>> 0,
  hi: Math.imul(n + 7, 0x85ebca6b) >>> 0,
  check: Math.imul(n + 3, 0xc2b2ae35) >>> 0,
});

/** Applies frame number `n`; the same number and seed do the same to any head. */
export function applyRichFrame(head: Head, seed: number, n: number): string {
  const random = seededRandom(seed * 10_007 + n);
  beginFrame(head);
  for (let s = 0; s < SERIES; s++) {
    if (random() > (n === 0 ? 0.5 : 0.05)) continue;
    const { lo, hi, check } = hashOf(s);
    const labels = ["__name__", `metric_${s % 7}`, "größe", `ä${s % 5}`, "instance", `host-${s}`];
    defineSeries(
      head,
      lo,
      hi,
      TENANTS[s % 2] as string,
      s % 3 === 0 ? labels : labels.slice(0, 4).concat("n", `${s}`),
      check,
    );
  }
  if (random() < 0.3) {
    // A second label set of a hash.
    const { lo, hi } = hashOf(4);
    defineSeries(head, lo, hi, "default", ["__name__", "collision", "n", `${n % 3}`], n);
  }
  const rows = 1 + Math.floor(random() * 200);
  const values = new Float64Array(rows);
  const words = new Uint32Array(values.buffer);
  const histograms = makeHistogramBytes();
  const startTs = random() < 0.4 ? new Float64Array(rows) : undefined;
  const columns: SampleColumns = {
    length: rows,
    hashLo: new Uint32Array(rows),
    hashHi: new Uint32Array(rows),
    ts: new Float64Array(rows),
    values,
    startTs,
  };
  for (let i = 0; i < rows; i++) {
    const s = Math.floor(random() * (SERIES + 2));
    const { lo, hi } = hashOf(s);
    columns.hashLo[i] = lo;
    columns.hashHi[i] = hi;
    const late = random() < 0.2 ? Math.floor(random() * 2 * HOUR) : 0;
    columns.ts[i] = T0 + n * 120_000 + i - late;
    if (startTs !== undefined && s % 4 === 0) startTs[i] = T0 - s * 1000 - Math.floor(n / 10);
    const kind = s % 10;
    if (kind === 9) {
      const h = makeHistogram();
      Object.assign(h, { count: n + i, sum: n * 1.5, positiveSpans: [i % 3, 2], positive: [n, i] });
      writeHistogramRef(words, i, encodeHistogram(h, histograms));
    } else if (random() < 0.05) writeStale(words, i);
    else values[i] = kind < 4 ? n + s : random() * 1000;
  }
  columns.histograms = histograms.bytes.subarray(0, histograms.length);
  const { accepted, duplicates, outOfOrder, overwritten, tooOld, unknownCount } = appendColumns(
    head,
    columns,
    new Uint32Array(rows),
  );
  const { lo, hi, check } = hashOf(n % SERIES);
  const series = { low: lo, high: hi, check };
  const exemplar = appendExemplar(head.exemplars, series, T0 + n, n, 0x40000000, ["trace_id", `${seed}-${n}`]);
  return [accepted, duplicates, outOfOrder, overwritten, tooOld, unknownCount, exemplar].join();
}

/** Everything that can be read out of a head, as lines. */
export function contentOf(head: Head): string[] {
  const lines: string[] = [];
  const source = headSource(head);
  const out = makeSampleBuffer(16);
  const [from, to] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const tenant of TENANTS) {
    for (const matcher of [
      { name: "__name__", op: "=~", value: ".+" },
      { name: "n", op: "!=", value: "" },
      { name: "instance", op: "=", value: "host-12" },
    ] as const) {
      for (const id of source.select(tenant, [matcher], from, to)) {
        source.read(id, from, to, out);
        const { ts, words, startTs, histograms, length } = out;
        const samples = Array.from(
          { length },
          (_, i) => `${ts[i]} ${words[2 * i]}:${words[2 * i + 1]} ${startTs?.[i] ?? ""}`,
        );
        const bytes =
          histograms === undefined ? "" : Buffer.from(histograms.bytes.subarray(0, histograms.length)).toString("hex");
        lines.push(`${tenant} ${seriesTenant(head, id)} ${source.labels(id)} ${samples} ${bytes}`);
      }
    }
    lines.push(JSON.stringify(selectExemplars(head, tenant, [{ name: "__name__", op: "=~", value: ".*" }], from, to)));
  }
  lines.push(JSON.stringify({ ...headStats(head), bytes: 0 }));
  return lines;
}
