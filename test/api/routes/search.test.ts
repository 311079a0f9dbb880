import { describe, expect, it } from "vitest";
import { scriptedShard, wholeServer } from "./whole-server.ts";

const listed = (...values: string[]) => ({ values, problems: [] });

const NAMES = ["go_goroutines", "node_cpu_seconds_total", "node_load1", "up"];
const shards = [
  scriptedShard(0, {
    labelValues: listed(...NAMES),
    labelNames: listed("instance", "job"),
    metadata: [{ family: "up", type: "gauge", help: "is up", unit: "" }],
  }),
  scriptedShard(1, { labelValues: listed("node_load1", "Node_x"), labelNames: listed("job"), metadata: [] }),
];

async function search(path: string, of = shards) {
  const app = wholeServer({ shards: of });
  const answer = await app.inject(`/api/v1/search/${path}`);
  const lines = answer.statusCode === 200 ? answer.body.trimEnd().split("\n") : [answer.body];
  return {
    status: answer.statusCode,
    type: answer.headers["content-type"],
    partial: answer.headers["x-tocsin-partial"],
    lines: lines.map((line) => JSON.parse(line)),
    names: lines.flatMap((line) => JSON.parse(line).results ?? []).map((r: { name: string }) => r.name),
  };
}

describe("/api/v1/search", () => {
  it("lists what all shards have, once and in order, as lines of JSON", async () => {
    const { status, type, lines } = await search("label_names");
    expect({ status, type }).toEqual({ status: 200, type: "application/x-ndjson; charset=utf-8" });
    expect(lines).toEqual([
      { results: [{ name: "instance" }, { name: "job" }] },
      { status: "success", has_more: false },
    ]);
  });

  it.each([
    ["search[]=node", ["node_cpu_seconds_total", "node_load1"]],
    ["search[]=node&case_sensitive=false", ["Node_x", "node_cpu_seconds_total", "node_load1"]],
    ["search[]=cpu&search[]=up", ["node_cpu_seconds_total", "up"]],
    ["search[]=ncpu", ["node_cpu_seconds_total"]],
    ["search[]=ncpu&fuzz_threshold=90", []],
    ["search[]=ncpu&fuzz_alg=jarowinkler", []],
    ["search[]=node_laod1&fuzz_alg=jarowinkler&fuzz_threshold=90", ["node_load1"]],
    ["search[]=o&sort_by=alpha&sort_dir=dsc", ["node_load1", "node_cpu_seconds_total", "go_goroutines", "Node_x"]],
    ["search[]=load&sort_by=score", ["node_load1"]],
  ])("metric_names?%s", async (query, names) => {
    expect((await search(`metric_names?${query}`)).names).toEqual(names);
  });

  it("the best fit comes first with sort_by=score, and says how well it fits", async () => {
    const { lines } = await search("metric_names?search[]=up&sort_by=score&include_score=true");
    expect(lines[0].results[0]).toEqual({ name: "up", score: 1 });
  });

  it("comes in batches, stops at the limit and says that there is more", async () => {
    const { lines } = await search("metric_names?limit=3&batch_size=2");
    expect(lines.map((l) => l.results?.length ?? l)).toEqual([2, 1, { status: "success", has_more: true }]);
  });

  it("tells what is known of a metric", async () => {
    const { lines } = await search("metric_names?search[]=up&fuzz_threshold=100&include_metadata=true");
    expect(lines[0].results).toEqual([{ name: "up", type: "gauge", help: "is up" }]);
  });

  it("nothing that fits is an empty batch; a shard that is away is named", async () => {
    const { lines, partial } = await search("label_values?label=job&search[]=zzz", [...shards, scriptedShard(2, {})]);
    expect(lines).toEqual([
      { results: [], warnings: ["partial answer: shard 2 did not answer: down"] },
      { status: "success", has_more: false },
    ]);
    expect(partial).toBe("true");
  });

  it.each([
    ["label_values", "label"],
    ["label_names?fuzz_alg=x", "fuzz_alg"],
    ["label_names?fuzz_threshold=101", "fuzz_threshold"],
    ["label_names?sort_by=score", "sort_by"],
    ["label_names?sort_dir=asc", "sort_dir"],
    ["label_names?sort_by=alpha&sort_dir=up", "sort_dir"],
    ["label_names?limit=10001", "limit"],
    ["label_names?limit=-1", "limit"],
    ["label_names?case_sensitive=maybe", "case_sensitive"],
    ["label_names?match[]={", "parse error"],
  ])("%s is refused", async (path, named) => {
    const { status, lines } = await search(path);
    expect({ status, type: lines[0].errorType }).toEqual({ status: 400, type: "bad_data" });
    expect(lines[0].error).toContain(named);
  });
});
