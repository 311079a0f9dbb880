import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CostJson, TraceJson } from "../../src/cli/query/answer.ts";
import type { Io } from "../../src/cli/query/command.ts";
import { formatCost } from "../../src/cli/query/cost.ts";
import { runExplain, runInstant } from "../../src/cli/query/run.ts";
import { formatTrace } from "../../src/cli/query/trace.ts";

const plain = (width: number) => ({ width, color: false });

const trace: TraceJson = {
  name: "query",
  ms: 8,
  children: [
    { name: "parse", ms: 0.25 },
    {
      name: "plans",
      ms: 6,
      parallel: true,
      children: [
        { name: "plan", ms: 6, about: { selector: "up[5m]", steps: 1000 } },
        { name: "plan", ms: 2.0004, about: { series: 0, bytesRead: 0, cacheHits: 4 } },
      ],
    },
    { name: "encode", ms: 1 },
  ],
};

const cost: CostJson = {
  ...{ series: 4, samples: 1234, bytes: 5678, points: 1 },
  exceeds: [{ limit: "limits.max_query_samples", most: 1000, wanted: 1234 }],
  selectors: [
    { selector: "up[5m]", series: 3, samples: 1230, bytes: 5670, tiers: [{ tier: "raw" }, { tier: "1h" }] },
    { selector: "x", series: 1, samples: 4, bytes: 8, tiers: [] },
  ],
};

describe("a trace", () => {
  it("is an indented table with shares of the whole", () => {
    expect(formatTrace(trace, plain(90))).toEqual([
      "trace          ms      %",
      "query       8.000  100.0",
      "├─ parse    0.250    3.1",
      "├─ plans    6.000   75.0  at the same time",
      "│  ├─ plan  6.000   75.0  selector up[5m], steps 1,000",
      "│  └─ plan  2.000   25.0  series 0, cache hits 4",
      "└─ encode   1.000   12.5",
    ]);
  });

  it("of nothing, and of a server that lets data steer the terminal", () => {
    expect(formatTrace({ name: "q\x1b[31m", ms: 0 }, plain(80))).toEqual([
      expect.stringMatching(/^trace/),
      expect.stringMatching(/^q\\u001b\[31m +0\.000$/),
    ]);
  });
});

describe("what a query would read", () => {
  it("is told a selector a line, with the limits in the way", () => {
    expect(formatCost(cost, plain(80))).toEqual([
      "would read  series  samples   bytes  tiers",
      "up[5m]           3   ≈1,230  ≈5,670  raw 1h",
      "x                1       ≈4      ≈8",
      "together         4   ≈1,234  ≈5,678",
      "1 point in the answer at most",
      "over limits.max_query_samples: 1,234 of 1,000",
    ]);
    const nothing = { ...cost, exceeds: [], selectors: [] };
    expect(formatCost(nothing, plain(80))).toEqual(["1 point in the answer at most"]);
  });
});

describe("against a server", () => {
  let server: Server;
  let url = "";
  /** What was asked of it: path and form. */
  const asked: [string, URLSearchParams][] = [];
  let knowsMore = true;
  beforeAll(async () => {
    const scalar = { resultType: "scalar", result: [0, "1"] };
    server = createServer(async (request, response) => {
      let body = "";
      for await (const piece of request) body += String(piece);
      const form = new URLSearchParams(body);
      asked.push([request.url ?? "", form]);
      if (request.url === "/api/v1/query_cost") {
        if (knowsMore) return void response.end(JSON.stringify({ status: "success", data: cost }));
        return void response.writeHead(404).end("404 page not found\n");
      }
      const more = knowsMore && form.has("trace") ? { trace } : {};
      response.end(JSON.stringify({ status: "success", data: scalar, ...more }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => void server?.close());

  async function say(run: (io: Io) => Promise<void>): Promise<{ out: string; err: string }> {
    const said = { out: "", err: "" };
    const io: Io = {
      out: plain(80),
      err: plain(80),
      write: (text) => {
        said.out += text;
      },
      complain: (text) => {
        said.err += text;
      },
      now: () => 0,
    };
    asked.length = 0;
    await run(io);
    return said;
  }
  const instant = (output: string, wants: boolean) => (io: Io) =>
    runInstant("1", { url, output, time: "now", ...(wants ? { trace: true } : {}) }, io);
  const explain = (output: string) => (io: Io) => runExplain("1", { url, output, time: "now" }, io);

  it("a trace is asked for where it is wanted, and stands below what people read", async () => {
    knowsMore = true;
    const table = await say(instant("table", true));
    expect(table.out).toMatch(/^1\nscalar at .* UTC\n\ntrace +ms +%\n/);
    expect(table.err).toBe("");
    expect(asked[0]?.[1].get("trace")).toBe("1");
    const json = await say(instant("json", true));
    expect(JSON.parse(json.out)).toEqual({ resultType: "scalar", result: [0, "1"] });
    expect(json.err).toMatch(/^trace +ms +%\n/);
    expect((await say(instant("table", false))).out).not.toMatch(/trace/);
    expect(asked[0]?.[1].has("trace")).toBe(false);
  });

  it("explain asks what it would read before it asks for the query", async () => {
    knowsMore = true;
    const told = await say(explain("table"));
    expect(told.out).toMatch(/^plan +runs\n1 +in front\n\nwould read +series/);
    expect(asked.map(([path]) => path)).toEqual(["/api/v1/query_cost", "/api/v1/query"]);
    expect(JSON.parse((await say(explain("json"))).out)).toMatchObject({ cost });
  });

  it("a server that knows neither is asked as before", async () => {
    knowsMore = false;
    expect((await say(instant("table", true))).out).toMatch(/\n\nthe server tells no trace\n$/);
    const told = await say(explain("table"));
    expect(told).toMatchObject({ out: expect.stringMatching(/^plan/), err: "" });
    expect(told.out).not.toMatch(/would read/);
  });
});
