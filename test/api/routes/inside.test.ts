import type { AddressInfo } from "node:net";
import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";
import { describe, expect, it } from "vitest";
import { scriptedShard, wholeServer } from "./whole-server.ts";

const block = (id: string, minT: number) => ({
  id,
  tier: "raw",
  minT,
  maxT: minT + 9,
  series: 2,
  samples: 20,
  chunks: 4,
  bytes: 99,
  level: 1,
  sources: [],
  version: 3,
});

describe("status/tsdb/blocks", () => {
  it("lists the blocks of all shards by time, and names a shard that is away", async () => {
    const shards = [
      scriptedShard(0, { blocks: [block("B", 20)] }),
      scriptedShard(1, { blocks: [block("A", 10)] }),
      scriptedShard(2, {}),
    ];
    const { data, warnings } = (await wholeServer({ shards }).inject("/api/v1/status/tsdb/blocks")).json();
    expect(data.blocks.map((b: { ulid: string }) => b.ulid)).toEqual(["A", "B"]);
    expect(data.blocks[0]).toEqual({
      ulid: "A",
      minTime: 10,
      maxTime: 20,
      stats: { numSamples: 20, numSeries: 2, numChunks: 4, numBytes: 99 },
      compaction: { level: 1, sources: ["A"] },
      version: 3,
      tier: "raw",
      partition: 1,
    });
    expect(warnings).toEqual(["shard 2 did not answer: its blocks are missing here"]);
  });
});

describe("status/self_metrics", () => {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({ name: "t_total", help: "counts", labelNames: ["b", "a"], registers });
  counter.inc({ a: "1", b: "2" }, 3);
  new Gauge({ name: "t_gauge", help: "g", registers }).set(Number.POSITIVE_INFINITY);
  new Histogram({ name: "t_seconds", help: "h", buckets: [1, 5], registers }).observe(2);
  new Summary({ name: "t_summary", help: "s", percentiles: [0.5], registers }).observe(4);
  const get = async (query: string) =>
    (await wholeServer({ registry }).inject(`/api/v1/status/self_metrics${query}`)).json();

  it("gives families as protobuf's JSON has them", async () => {
    const { data } = await get("?metric_name_pattern=t_.*");
    expect(data).toEqual([
      { name: "t_gauge", help: "g", type: "GAUGE", metric: [{ gauge: { value: "Infinity" } }] },
      {
        name: "t_seconds",
        help: "h",
        type: "HISTOGRAM",
        metric: [
          {
            histogram: {
              sampleCount: "1",
              sampleSum: 2,
              bucket: [
                { cumulativeCount: "0", upperBound: 1 },
                { cumulativeCount: "1", upperBound: 5 },
              ],
            },
          },
        ],
      },
      {
        name: "t_summary",
        help: "s",
        type: "SUMMARY",
        metric: [{ summary: { sampleCount: "1", sampleSum: 4, quantile: [{ quantile: 0.5, value: 4 }] } }],
      },
      {
        name: "t_total",
        help: "counts",
        type: "COUNTER",
        metric: [
          {
            label: [
              { name: "a", value: "1" },
              { name: "b", value: "2" },
            ],
            counter: { value: 3 },
          },
        ],
      },
    ]);
  });

  it("matches whole names, and refuses what is no pattern", async () => {
    expect((await get("?metric_name_pattern=t_")).data).toEqual([]);
    expect(await get("?metric_name_pattern=(")).toMatchObject({ status: "error", errorType: "bad_data" });
  });
});

describe("notifications/live", () => {
  it("is a stream that stays open until the client goes, for so many at a time", async () => {
    const app = wholeServer();
    await app.listen({ host: "127.0.0.1", port: 0 });
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/v1/notifications/live`;
    const leave = new AbortController();
    const open = await Promise.all(Array.from({ length: 16 }, () => fetch(url, { signal: leave.signal })));
    for (const { status, headers } of open) {
      expect({ status, type: headers.get("content-type") }).toEqual({ status: 200, type: "text/event-stream" });
    }
    expect((await fetch(url)).status).toBe(204);
    // A server that stops ends them: nobody waits for the others.
    const ended = open.map((response) => response.text());
    await app.close();
    expect(new Set(await Promise.all(ended))).toEqual(new Set([""]));
  });
});
