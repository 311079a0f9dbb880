import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ran, runCli } from "./cli.ts";
import { freePort, killLeftOvers, push, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

const END = Math.floor(Date.now() / 60_000) * 60;
let tocsin: Tocsin;

/** The real program, its output no terminal. */
const run = (args: readonly string[], url = tocsin.url): Promise<Ran> =>
  runCli(["query", ...args], { TOCSIN_URL: url, NO_COLOR: "1", COLUMNS: "70" });

beforeAll(async () => {
  tocsin = await startTocsin();
  const samples = (slope: number) => Array.from({ length: 61 }, (_, i) => [END - 3600 + i * 60, i * slope] as const);
  const series = ["a", "b"].map((host, n) => ({
    labels: { __name__: "jobs_total", host, zone: "z" },
    samples: samples(60 * (n + 1)),
  }));
  expect((await push(tocsin.url, series, { "x-tocsin-backfill": "1" })).status).toBe(204);
  await until(async () => (await query(tocsin.url, "jobs_total", END)).length === 2, "the samples are there");
});
afterAll(async () => {
  await tocsin?.stop();
  killLeftOvers();
});

describe("tocsin query", () => {
  it("instant: a table, CSV, promtool's form, JSON", async () => {
    const at = ["--time", String(END)];
    const table = await run(["instant", "jobs_total", ...at]);
    expect(table).toMatchObject({ code: 0, err: "" });
    expect(table.out.split("\n").slice(0, 4)).toEqual([
      'jobs_total{zone="z"}',
      "host  value",
      "a      3600",
      "b      7200",
    ]);
    expect((await run(["instant", "rate(jobs_total[5m])", ...at, "-o", "csv"])).out).toBe(
      `host,zone,time,value\na,z,${END},1\nb,z,${END},2\n`,
    );
    expect((await run(["instant", "sum(jobs_total)", ...at, "-o", "promql-text"])).out).toBe(`{} => 10800 @[${END}]\n`);
    expect(JSON.parse((await run(["instant", "1 + 1", ...at, "-o", "json"])).out)).toEqual({
      resultType: "scalar",
      result: [END, "2"],
    });
  });

  it("range: a chart as wide as the terminal", async () => {
    const times = ["--start", String(END - 1800), "--end", String(END), "--step", "1m"];
    const { code, out } = await run(["range", "rate(jobs_total[5m])", ...times, "--height", "8"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^\{zone="z"\}\n/);
    expect(out).toMatch(/2(\.0)? \/s ┤b{20,}/);
    expect(out).toMatch(/1(\.0)? \/s ┤a{20,}/);
    expect(out).toMatch(/\na a +1 \/s +1 \/s +1 \/s +1 \/s\nb b +2 \/s/);
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(70);
  });

  it("series, labels, top, explain", async () => {
    const start = ["--start", String(END - 3600)];
    expect((await run(["series", 'jobs_total{host="a"}', ...start])).out).toBe('jobs_total{host="a", zone="z"}\n');
    expect((await run(["labels", ...start])).out).toBe("__name__\nhost\nzone\n");
    expect((await run(["labels", "host", ...start])).out).toBe("a\nb\n");
    expect((await run(["top", "metrics"])).out).toMatch(/jobs_total +2 +100\.0 % +█+/);
    const explained = await run(["explain", "sum(rate(jobs_total[5m])) > 1", "--time", String(END)]);
    expect(explained.out).toMatch(/^… > 1 +in front$/m);
    expect(explained.out).toMatch(/└─ sum\(…\) +in the shards, mer/);
    expect(explained.out).toMatch(/jobs_total\[5m\] +in the shards +2 +10$/m);
    expect(explained.out).toMatch(/^raw /m);
  });

  it("errors: the place of a mistake, hints, exit codes; warnings beside the answer", async () => {
    expect(await run(["instant", "sum(jobs_total"])).toEqual({
      code: 2,
      out: "",
      err: `parse error: unclosed left parenthesis\n  sum(jobs_total\n${" ".repeat(16)}^\n`,
    });
    expect(await run(["instant", "jobs_total", "--time", "soon"])).toMatchObject({ code: 2, out: "" });
    expect((await run(["instant"])).code).toBe(2);
    const many = await run(["instant", "jobs_total * on (zone) jobs_total", "--time", String(END)]);
    expect(many).toMatchObject({ code: 1, err: expect.stringMatching(/^error: cannot be evaluated: found duplicate/) });
    const gone = await run(["instant", "up"], `http://127.0.0.1:${await freePort()}`);
    expect(gone).toMatchObject({
      code: 1,
      err: expect.stringMatching(/connection refused\)\nhint: is Tocsin running\?/),
    });
    const note = await run(["instant", "rate(jobs[5m:1m] offset 0s) or rate(jobs_total[5m])", "--time", String(END)]);
    expect(note.code).toBe(0);
    expect(note.out).toMatch(/host +value/);
  });
});
