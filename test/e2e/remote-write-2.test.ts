import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer as bodyOf } from "node:stream/consumers";
import { afterAll, describe, expect, it } from "vitest";
import { familyMetadata } from "../../src/actors/shard/metric-metadata.ts";
import { applyFrame, makeShardCore } from "../../src/actors/shard/shard.core.ts";
import { decodeHistogram } from "../../src/model/histogram-code.ts";
import { histogramRef, isHistogramAt, makeSampleBuffer } from "../../src/model/sample.ts";
import { createHead } from "../../src/storage/head/head.ts";
import { headSource } from "../../src/storage/head/head-source.ts";
import { makeGateway } from "../../src/streams/ingest/gateway.ts";
import { makeMemoryBus } from "../streams/support/memory-bus.ts";
import { findPeer } from "../support/find-program.ts";
import { killPrograms, type Program, startProgram } from "./program.ts";
import { freePort, killLeftOvers, query, startTocsin, tempDir, until } from "./tocsin.ts";

// A real Prometheus that scrapes itself, native histograms included, and sends it all by remote write 2.0.

const prometheus = findPeer("3.5", "prometheus");
const passedOver = prometheus === undefined ? " (passed over: there is no Prometheus 3.5 on PATH or in PEERS_BIN)" : "";

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

async function startSender(url: string): Promise<Program> {
  const dir = tempDir();
  const port = await freePort();
  writeFileSync(
    join(dir, "prometheus.yml"),
    `global: { scrape_interval: 500ms, scrape_timeout: 500ms, scrape_protocols: [PrometheusProto] }
scrape_configs: [{ job_name: self, static_configs: [{ targets: ["127.0.0.1:${port}"] }] }]
remote_write:
- url: ${url}
  protobuf_message: io.prometheus.write.v2.Request
  send_native_histograms: true
  queue_config: { batch_send_deadline: 100ms }
`,
  );
  const args = [
    `--config.file=${join(dir, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(dir, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--enable-feature=native-histograms,metadata-wal-records",
  ];
  return startProgram(prometheus as string, args, { port, dir, readyPath: "/-/ready" });
}

/** A metric of the sender's own page, summed over its series. */
async function ownMetric(sender: Program, name: string): Promise<number> {
  const page = await (await fetch(`${sender.url}/metrics`)).text();
  const lines = page.split("\n").filter((l) => l.startsWith(`${name}{`) || l.startsWith(`${name} `));
  return lines.reduce((sum, l) => sum + Number(l.slice(l.lastIndexOf(" "))), 0);
}

interface ApiHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [rule: number, left: string, right: string, count: string])[];
}

describe.skipIf(prometheus === undefined)(`remote write 2.0 of a real Prometheus${passedOver}`, () => {
  it("is taken by Tocsin as a whole", async () => {
    const tocsin = await startTocsin();
    const sender = await startSender(`${tocsin.url}/api/v1/write`);
    const sent = async () => (await ownMetric(sender, "prometheus_remote_storage_histograms_total")) > 5;
    await until(sent, "histograms are sent");
    await until(async () => (await query(tocsin.url, 'up{job="self"} == 1')).length === 1, "samples are stored");
    for (const kind of ["samples", "histograms", "exemplars"]) {
      expect(await ownMetric(sender, `prometheus_remote_storage_${kind}_failed_total`)).toBe(0);
      expect(await ownMetric(sender, `prometheus_remote_storage_${kind}_retried_total`)).toBe(0);
    }
    const histograms = "prometheus_http_request_duration_seconds";
    const response = await fetch(`${tocsin.url}/api/v1/series?match[]=${histograms}`);
    const { data } = (await response.json()) as { data: readonly unknown[] };
    expect(data.length).toBeGreaterThan(0);
    expect(await query(tocsin.url, "count(prometheus_http_requests_total)")).toHaveLength(1);
    // One after the other: a Prometheus that stops waits for the receiver of its last samples.
    await sender.stop();
    await tocsin.stop();
  });

  it("every histogram is stored as the sender has it", async () => {
    const bus = makeMemoryBus();
    bus.open();
    const limits = {
      maxDecodedBytes: 1 << 24,
      maxLabelNamesPerSeries: 40,
      maxLabelNameBytes: 100,
      maxLabelValueBytes: 1000,
    };
    const gateway = makeGateway({ partitions: 1, publisher: bus.publisher, limits, now: Date.now });
    const refused: unknown[] = [];
    const server = createServer((request, response) => {
      const take = async () => {
        const result = await gateway.remoteWrite2("default", await bodyOf(request));
        refused.push(...result.rejected);
        response.setHeader("X-Prometheus-Remote-Write-Samples-Written", result.accepted - (result.histograms ?? 0));
        response.setHeader("X-Prometheus-Remote-Write-Histograms-Written", result.histograms ?? 0);
        response.writeHead(204).end();
      };
      take().catch((error: Error) => {
        refused.push(error.message);
        response.writeHead(400).end(error.message);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const sender = await startSender(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await until(
      async () => (await ownMetric(sender, "prometheus_remote_storage_histograms_total")) > 20,
      "they are sent",
    );
    const selector = 'prometheus_http_request_duration_seconds{handler="/metrics"}';
    const answer = await fetch(`${sender.url}/api/v1/query?query=${encodeURIComponent(`${selector}[1m]`)}`);
    await sender.stop();
    server.close();
    const { data } = (await answer.json()) as {
      data: { result: { histograms: (readonly [number, ApiHistogram])[] }[] };
    };
    const theirs = data.result[0]!.histograms;

    const core = makeShardCore(createHead({ outOfOrderWindowMs: 3600_000 }), 1000);
    for (const { frame } of bus.stored) applyFrame(core, frame);
    expect(refused).toEqual([]);
    const source = headSource(core.head);
    const matchers = [
      { name: "__name__", op: "=" as const, value: "prometheus_http_request_duration_seconds" },
      { name: "handler", op: "=" as const, value: "/metrics" },
    ];
    const [id] = source.select("default", matchers, -Infinity, Infinity);
    const out = makeSampleBuffer(16);
    source.read(id!, -Infinity, Infinity, out);
    const ours = new Map<number, ReturnType<typeof decodeHistogram>>();
    for (let i = 0; i < out.length; i++) {
      if (isHistogramAt(out.words, i)) {
        ours.set(out.ts[i]!, decodeHistogram(out.histograms!.bytes, histogramRef(out.words, i)));
      }
    }
    let compared = 0;
    for (const [time, h] of theirs) {
      const got = ours.get(Math.round(1000 * time));
      // The newest ones may not have been sent before it stopped.
      if (got === undefined) continue;
      compared++;
      expect(String(got.count)).toBe(h.count);
      expect(String(got.sum)).toBe(h.sum);
      const counts = [...got.negative, got.zeroCount, ...got.positive].filter((n) => n > 0);
      expect(counts).toEqual((h.buckets ?? []).map((b) => Number(b[3])));
    }
    expect(compared).toBeGreaterThan(3);
    expect(familyMetadata(core.metadata, "default", "prometheus_http_requests_total")).toMatchObject({
      type: "counter",
    });
  });
});
