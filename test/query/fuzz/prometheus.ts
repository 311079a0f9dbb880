import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compress } from "snappyjs";
import { freePort, until } from "../../e2e/tocsin.ts";
import { histogramBytes } from "../../streams/support/wire-bytes.ts";
import { writeRequestBytes } from "../../streams/support/write-request-bytes.ts";
import { DATA_END, DATA_START, type FuzzSeries } from "./dataset.ts";

/** A real Prometheus over generated data, in a folder of its own. */
export interface Prometheus {
  readonly url: string;
  stop(): Promise<void>;
}

const FEATURES = "promql-experimental-functions,promql-duration-expr,promql-delayed-name-removal,native-histograms";
/**
 * Written in pieces of time: what is much older than the newest sample would be refused. Within a piece a series has samples of
 * one kind: floats are appended before histograms, whatever their times.
 */
export const PIECE_MS = 5 * 60_000;

export async function startPrometheus(program: string, data: readonly FuzzSeries[]): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), "tocsin-fuzz-"));
  const config = join(dir, "prometheus.yml");
  writeFileSync(config, "global: {}\n");
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(
    program,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      "--storage.tsdb.retention.time=100y",
      `--web.listen-address=${url.slice("http://".length)}`,
      "--web.enable-remote-write-receiver",
      `--enable-feature=${FEATURES}`,
      "--log.level=error",
    ],
    { stdio: "ignore" },
  );
  const ended = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await until(async () => (await fetch(`${url}/-/ready`)).ok, "Prometheus is ready");
    for (let from = DATA_START; from < DATA_END + PIECE_MS; from += PIECE_MS) {
      await write(url, data, from, from + PIECE_MS);
    }
  } catch (e) {
    await stop();
    throw e;
  }
  return { url, stop };
}

async function write(url: string, data: readonly FuzzSeries[], from: number, to: number): Promise<void> {
  const series = data.map(({ labels, ts, words, histograms }) => {
    const at = ts.flatMap((t, i) => (t >= from && t < to ? [i] : []));
    return {
      labels: Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
      samples: at
        .filter((i) => histograms?.has(i) !== true)
        .map((i) => ({ ts: ts[i]!, bits: [words[2 * i]!, words[2 * i + 1]!] as const })),
      histograms: at.flatMap((i) => {
        const h = histograms?.get(i);
        return h === undefined ? [] : [histogramBytes({ h, ts: ts[i]! })];
      }),
    };
  });
  const body = compress(writeRequestBytes(series.filter((s) => s.samples.length + s.histograms.length > 0)));
  const response = await fetch(`${url}/api/v1/write`, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf", "content-encoding": "snappy" },
    body: new Uint8Array(body),
  });
  if (!response.ok) throw new Error(`Prometheus refused the data: ${response.status} ${await response.text()}`);
}
