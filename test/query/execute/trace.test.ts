import { describe, expect, it, vi } from "vitest";
import { labelsFromObject } from "../../../src/model/labels.ts";
import type { TraceSpan } from "../../../src/model/query.ts";
import { makeSampleBuffer } from "../../../src/model/sample.ts";
import type { SeriesSource } from "../../../src/model/series-source.ts";
import type { ShardClient } from "../../../src/model/shard.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { startTrace } from "../../../src/query/execute/trace.ts";
import { traceShard } from "../../../src/query/execute/trace-shard.ts";
import { localShard, type MemorySource, makeMemorySource, partitionOf } from "../promqltest/memory-source.ts";

const MINUTE = 60_000;
const PARTITIONS = 3;
const SERIES = 120;

function sources(): MemorySource[] {
  const all = Array.from({ length: PARTITIONS }, makeMemorySource);
  for (let i = 0; i < SERIES; i++) {
    const labels = labelsFromObject({ __name__: "hits_total", job: `job-${i % 3}`, n: String(i) });
    const ts = Array.from({ length: 240 }, (_, k) => k * MINUTE);
    const values = Float64Array.from(ts, (_, k) => k * (i + 1));
    (all[partitionOf(labels, PARTITIONS)] as MemorySource).add(labels, ts, values);
  }
  return all;
}

const engine = makeEngine({ shards: sources().map((s, p) => localShard(p, s)) });
const hours = { tenant: "default", start: 0, end: 239 * MINUTE, step: MINUTE, trace: true };

function childOf(span: TraceSpan | undefined, name: string): TraceSpan {
  const found = span?.children?.find((c) => c.name === name);
  if (found === undefined) throw new Error(`no ${name} in ${span?.name}: ${span?.children?.map((c) => c.name)}`);
  return found;
}

const sumOf = (spans: readonly TraceSpan[]): number => spans.reduce((sum, s) => sum + s.ms, 0);
/** What adding doubles may be wrong by. */
const EPSILON = 1e-6;

/** Parts are within their whole: together, or each where they went on at the same time. */
function checkSums(span: TraceSpan): void {
  expect(span.ms).toBeGreaterThanOrEqual(0);
  const { children = [], parallel } = span;
  if (parallel === true) for (const c of children) expect(c.ms).toBeLessThanOrEqual(span.ms + EPSILON);
  else expect(sumOf(children)).toBeLessThanOrEqual(span.ms + EPSILON);
  children.forEach(checkSums);
}

describe("the trace of a query", () => {
  it.each([
    "hits_total",
    "sum by (job) (rate(hits_total[5m]))",
    "topk(3, hits_total) / on (job, n) hits_total",
    "max_over_time(sum by (job) (hits_total)[10m:2m])",
    "hits_total * scalar(count(hits_total))",
  ])("%s: parts do not exceed the whole, and account for the greater part of it", async (query) => {
    const { trace } = await engine.range({ ...hours, query });
    const whole = trace as TraceSpan;
    expect(whole.name).toBe("query");
    checkSums(whole);
    expect(sumOf(whole.children ?? [])).toBeGreaterThan(0.5 * whole.ms);
    expect(whole.children?.map((c) => c.name)).toEqual(["parse", "queue", "plan", "plans", "evaluate in front"]);
    for (const plan of childOf(whole, "plans").children ?? []) {
      // What a shard says of its parts is all of the time that it was awaited.
      for (const shard of childOf(plan, "shards").children ?? []) {
        expect(shard.children?.map((c) => c.name)).toEqual([
          ...["wait", "plan", "index", "decode", "compute", "encode", "transfer"],
        ]);
        expect(sumOf(shard.children ?? [])).toBeGreaterThan(0.99 * shard.ms - EPSILON);
      }
    }
  });

  it("says what each plan was about, and what each shard read and answered", async () => {
    const { trace } = await engine.range({ ...hours, query: "1 + sum by (job) (rate(hits_total[5m])) > 2" });
    const plans = childOf(trace, "plans");
    expect(plans.parallel).toBe(true);
    expect(plans.children).toHaveLength(1);
    const [plan] = plans.children as [TraceSpan];
    expect(plan.about).toEqual({
      selector: "hits_total[5m]",
      function: "rate",
      aggregation: "sum by (job)",
      steps: 240,
    });
    const shards = childOf(plan, "shards").children ?? [];
    expect(shards.map((s) => s.name)).toEqual(["shard 0", "shard 1", "shard 2"]);
    const total = (what: string): number => shards.reduce((n, s) => n + Number(s.about?.[what]), 0);
    expect(total("series")).toBe(SERIES);
    expect(total("samples")).toBe(SERIES * 240);
    expect(shards.map((s) => s.about)).toContainEqual(expect.objectContaining({ rows: 3, tiers: "raw" }));
  });

  it("is there for instant queries, raw samples and scalars; without plans where none is sent", async () => {
    const at = { tenant: "default", time: 100 * MINUTE, trace: true };
    for (const query of ["hits_total[5m]", "count(hits_total)"]) {
      const { trace } = await engine.instant({ ...at, query });
      checkSums(trace as TraceSpan);
      expect(childOf(trace, "plans").children?.[0]?.about?.steps).toBe(1);
    }
    const { trace } = await engine.instant({ ...at, query: "1 + 1" });
    expect(trace?.children?.map((c) => c.name)).toEqual(["parse", "queue", "plan", "evaluate in front"]);
  });

  it("names a shard that did not answer", async () => {
    const [first] = sources() as [MemorySource];
    const dead: ShardClient = { partition: 1, request: () => Promise.reject(new Error("worker exited")) };
    const partly = makeEngine({ shards: [localShard(0, first), dead] });
    const { trace, partial } = await partly.instant({ tenant: "", query: "hits_total", time: MINUTE, trace: true });
    expect(partial).toBe(true);
    const shards = childOf(childOf(trace, "plans").children?.[0], "shards").children;
    expect(shards?.map((s) => s.about?.answer)).toEqual([undefined, "none"]);
  });
});

describe("without being asked for", () => {
  it("there is none, plans do not ask for one, and sources are read as they are", async () => {
    const [source] = sources() as [MemorySource];
    const plans: unknown[] = [];
    const shard = localShard(0, source);
    const watched: ShardClient = {
      partition: 0,
      request: (request, signal) => {
        plans.push((request as { plan: unknown }).plan);
        return shard.request(request, signal);
      },
    };
    const clock = vi.spyOn(process, "hrtime");
    const result = await makeEngine({ shards: [watched] }).range({ ...hours, trace: false, query: "hits_total" });
    expect(clock).not.toHaveBeenCalled();
    clock.mockRestore();
    expect(result).not.toHaveProperty("trace");
    expect(plans).toHaveLength(1);
    expect(plans[0]).not.toHaveProperty("trace");
  });
});

describe("a trace by a clock that goes on when it is looked at", () => {
  const ticking = (): (() => number) => {
    let t = 1000;
    return () => t++;
  };

  it("gives each phase the time since the one before", () => {
    const trace = startTrace("up", ticking());
    trace.ended("parse");
    trace.ended("queue");
    const span = trace.span();
    expect(span).toEqual({
      name: "query",
      ms: 3,
      children: [
        { name: "parse", ms: 1 },
        { name: "queue", ms: 1 },
        { name: "evaluate in front", ms: 1 },
      ],
    });
  });

  it("counts the time in which several plans were out once", async () => {
    const trace = startTrace("a + b", ticking());
    const body = { grid: { start: 0, step: 1, steps: 1 } };
    const a = trace.sends(body, { start: 0, end: 1 });
    const b = trace.sends(body, { start: 4, end: 5 });
    // 1001 to 1004, and 1002 to 1003.
    await b.awaited(0, Promise.resolve(undefined));
    await a.awaited(0, Promise.resolve(undefined));
    const span = trace.span();
    const plans = childOf(span, "plans");
    expect(plans.ms).toBe(3);
    expect(plans.children?.map((p) => [p.about?.selector, p.ms])).toEqual([
      ["a", 3],
      ["b", 1],
    ]);
    expect(childOf(span, "evaluate in front").ms).toBe(2);
  });

  it("counts the time in which one plan went out before another was back once, too", async () => {
    const trace = startTrace("a + b", ticking());
    const body = { grid: { start: 0, step: 1, steps: 1 } };
    const a = trace.sends(body, { start: 0, end: 1 });
    const b = trace.sends(body, { start: 4, end: 5 });
    await a.awaited(0, Promise.resolve(undefined));
    await b.awaited(0, Promise.resolve(undefined));
    const plans = childOf(trace.span(), "plans");
    expect(plans.children?.map((p) => p.ms)).toEqual([2, 2]);
    expect(plans.ms).toBe(3);
  });

  it("in a shard: index, decode and encode are what was asked for there, and compute is the rest", () => {
    const [source] = sources() as [MemorySource];
    const counted: SeriesSource = { ...source, readCounts: () => ({ bytesRead: 7, cacheHits: 1, cacheMisses: 0 }) };
    const tracer = traceShard(counted, ticking());
    const out = makeSampleBuffer(16);
    const ids = tracer.source.select("default", [], 0, MINUTE);
    for (const id of ids) {
      tracer.source.read(id, 0, MINUTE, out);
    }
    tracer.packs();
    expect(tracer.end()).toEqual({
      started: 1000,
      plan: 1,
      index: 1,
      decode: ids.length,
      encode: 1,
      ended: 1000 + 5 + 2 * ids.length,
      series: ids.length,
      reads: { bytesRead: 0, cacheHits: 0, cacheMisses: 0 },
    });
  });
});
