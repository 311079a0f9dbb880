import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MatrixSeries } from "../../src/cli/query/answer.ts";
import { formatQuantity, timeTicks, valueAxis } from "../../src/cli/query/axis.ts";
import { formatRange } from "../../src/cli/query/range.ts";
import { displayWidth } from "../../src/cli/query/terminal.ts";
import { NO_UNIT, type Unit, unitOfQuery } from "../../src/cli/query/unit.ts";
import { formatSampleValue } from "../../src/lib/float-format.ts";

const BYTES: Unit = { base: "bytes", perSecond: false };
const SECONDS: Unit = { base: "seconds", perSecond: false };
const RATE: Unit = { base: "", perSecond: true };
const START = Date.parse("2026-11-22T11:00:00Z");
const HOUR = { start: START, end: START + 3_600_000, step: 60_000 };

function series(metric: Record<string, string>, f: (i: number) => number | undefined): MatrixSeries {
  const values = Array.from({ length: 61 }, (_, i) => [START / 1000 + i * 60, f(i)] as const);
  return { metric, values: values.flatMap(([t, v]) => (v === undefined ? [] : [[t, formatSampleValue(v)] as const])) };
}
const wave = (i: number) => 3 * 2 ** 30 * (1 + 0.3 * Math.sin(i / 8));
const services = [
  series({ __name__: "load", job: "shop", service: "checkout" }, (i) => 20 + i / 6),
  series({ __name__: "load", job: "shop", service: "search" }, (i) => 60 + 30 * Math.sin(i / 10)),
];

describe("a chart", () => {
  it("of one series, in Braille, with a gap", () => {
    const memory = series({ __name__: "process_resident_memory_bytes", job: "api" }, (i) =>
      i > 20 && i < 30 ? undefined : wave(i),
    );
    expect(
      `\n${formatRange([memory], HOUR, BYTES, 10, { width: 64, color: false }).join("\n")}\n`,
    ).toMatchInlineSnapshot(`
      "
      process_resident_memory_bytes{job="api"}
      4 GiB ┤      ⣀⠤⠤⠒⠒⠒⠒⠒⠢⠤⢄⡀                                   ⣀⣀⠤⠤
            │  ⢀⡠⠔⠉           ⠈⠉⠁                             ⢀⡠⠔⠊
      3 GiB ┤⠔⠊⠁                                          ⢀⡠⠔⠊⠁
            │                            ⢀             ⣀⠤⠒⠁
      2 GiB ┤                             ⠉⠑⠢⠤⠤⠤⢄⡠⠤⠤⠒⠒⠉
            │
            │
      1 GiB ┤
            │
      0 GiB ┤
            └┬────────┬─────────┬────────┬────────┬─────────┬────────┬
           11:00    11:10     11:20    11:30    11:40     11:50  12:00
      last 3.844 GiB   min 2.101 GiB   mean 3.096 GiB   max 3.899 GiB
      1 series, 2026-11-22 11:00:00 to 2026-11-22 12:00:00 UTC, step
      1m
      "
    `);
  });

  it("of several series without colours, in letters", () => {
    const lines = formatRange(services, HOUR, RATE, 12, { width: 60, color: false });
    expect(`\n${lines.join("\n")}\n`).toMatchInlineSnapshot(`
      "
      load{job="shop"}
      100 /s ┤
             │         bbbbbbbbb
       80 /s ┤      bbbb        bbbb
             │   bbb                bbb
       60 /s ┤bbb                      bb
             │                           bbb                     b
             │                              bbb               bbb
       40 /s ┤                                 bbbbb     bbbbb
             │              aaaaaaaaaaaaaaaaaaaaaaabbbbbbbaaaaaaaa
       20 /s ┤aaaaaaaaaaaaaaa
             │
        0 /s ┤
             └┬────────┬───────┬────────┬───────┬────────┬───────┬
            11:00    11:10   11:20    11:30   11:40    11:50 12:00
        service       last    min      mean       max
      a checkout     30 /s  20 /s     25 /s     30 /s
      b search    51.62 /s  30 /s  60.13 /s  89.99 /s
      2 series, 2026-11-22 11:00:00 to 2026-11-22 12:00:00 UTC,
      step 1m
      "
    `);
  });

  it("of several series in colours: each line's and its legend's are the same", () => {
    const lines = formatRange(services, HOUR, RATE, 12, { width: 60, color: true });
    const text = lines.join("\n");
    expect(text).toMatch(/\x1b\[36m[\u2800-\u28ff]+\x1b\[0m/);
    expect(text).toMatch(/\x1b\[33m[\u2800-\u28ff]+\x1b\[0m/);
    expect(lines.find((line) => line.includes("checkout"))).toMatch(/^\x1b\[36m━\x1b\[0m checkout/);
    expect(lines.find((line) => line.includes("search"))).toMatch(/^\x1b\[33m━\x1b\[0m search/);
    expect(stripVTControlCharacters(text)).not.toContain("\x1b");
  });

  it("says what is not drawn: NaN, infinities, series beyond those that can be told apart, nothing at all", () => {
    const screen = { width: 80, color: false };
    const odd = series({}, (i) => [1, Number.NaN, Number.POSITIVE_INFINITY][i % 3]);
    expect(formatRange([odd], HOUR, NO_UNIT, 8, screen).at(-1)).toBe("40 points not drawn: NaN or infinite");
    const many = Array.from({ length: 30 }, (_, n) => series({ n: String(n) }, () => n));
    const told = formatRange(many, HOUR, NO_UNIT, 8, screen);
    expect(told.at(-1)).toBe("drawn: the 12 of 30 series with the largest values; -o csv has all");
    expect(told.filter((line) => /^[a-l] \d+ /.test(line)).map((line) => line.split(/ +/)[1])).toEqual(
      Array.from({ length: 12 }, (_, n) => String(n + 18)),
    );
    expect(formatRange([], HOUR, NO_UNIT, 8, screen)).toEqual([
      "no series, 2026-11-22 11:00:00 to 2026-11-22 12:00:00 UTC, step 1m",
    ]);
    const histograms: MatrixSeries = { metric: {}, histograms: [[START / 1000, { count: "5", sum: "1" }]] };
    expect(formatRange([histograms], HOUR, NO_UNIT, 8, screen).at(-1)).toBe(
      "native histograms are drawn by their counts",
    );
  });

  it("no line is wider than the terminal, whatever the values and labels", () => {
    const value = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, 1e-320, Number.MAX_VALUE, -Number.MAX_VALUE));
    const one = fc.record({
      metric: fc.dictionary(fc.string({ minLength: 1 }), fc.string({ unit: "binary" }), { maxKeys: 3 }),
      values: fc.array(value, { maxLength: 20 }),
    });
    const units = fc.constantFrom(NO_UNIT, BYTES, SECONDS, RATE);
    const size = fc.record({ width: fc.integer({ min: 24, max: 160 }), rows: fc.integer({ min: 4, max: 30 }) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 14 }), units, size, fc.boolean(), (some, unit, { width, rows }, color) => {
        const all = some.map((s) => series(s.metric, (i) => s.values[i]));
        const lines = formatRange(all, HOUR, unit, rows, { width, color });
        for (const line of lines) {
          const bare = stripVTControlCharacters(line);
          expect(displayWidth(bare), bare).toBeLessThanOrEqual(width);
          expect(bare).not.toMatch(/undefined|Infinity\b/);
        }
        if (all.length > 0) expect(lines.length).toBeGreaterThan(rows);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

describe("axes", () => {
  it.each<[number, number, Unit, string[]]>([
    [0, 97, NO_UNIT, ["0", "20", "40", "60", "80", "100"]],
    [0.013, 0.942, NO_UNIT, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]],
    [1_020_000, 1_080_000, NO_UNIT, ["1.02 M", "1.04 M", "1.06 M", "1.08 M"]],
    [0, 3 * 2 ** 20, BYTES, ["0 MiB", "1 MiB", "2 MiB", "3 MiB"]],
    [0.0004, 0.0021, SECONDS, ["0.0 ms", "0.5 ms", "1.0 ms", "1.5 ms", "2.0 ms", "2.5 ms"]],
    [-30, 40, RATE, ["-40 /s", "-20 /s", "0 /s", "20 /s", "40 /s"]],
    [5, 5, NO_UNIT, ["0", "1", "2", "3", "4", "5"]],
    [0, 0, NO_UNIT, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]],
  ])("from %d to %d, %j", (min, max, unit, labels) => {
    expect(valueAxis(min, max, 12, unit).ticks.map((t) => t.label)).toEqual(labels);
  });

  it("hold all values, with ticks in ascending order from end to end", () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 });
    fc.assert(
      fc.property(
        double,
        double,
        fc.integer({ min: 4, max: 60 }),
        fc.constantFrom(NO_UNIT, BYTES, SECONDS),
        (a, b, rows, unit) => {
          const { min, max, ticks } = valueAxis(Math.min(a, b), Math.max(a, b), rows, unit);
          const slack = Math.max(Math.abs(min), Math.abs(max)) * 1e-9;
          expect(min).toBeLessThanOrEqual(Math.min(a, b) + slack);
          expect(max).toBeGreaterThanOrEqual(Math.max(a, b) - slack);
          expect(ticks.length).toBeLessThanOrEqual(rows + 1);
          expect(ticks.length).toBeGreaterThanOrEqual(2);
          for (let i = 1; i < ticks.length; i++) expect(ticks[i]!.at).toBeGreaterThan(ticks[i - 1]!.at);
        },
      ),
    );
  });

  it("of time have round times with room for their labels", () => {
    const labels = (span: number, columns: number) => timeTicks(START, START + span, columns).map((t) => t.label);
    expect(labels(3_600_000, 70)).toEqual(["11:00", "11:10", "11:20", "11:30", "11:40", "11:50", "12:00"]);
    expect(labels(90_000, 40)).toEqual(["11:00:00", "11:00:30", "11:01:00", "11:01:30"]);
    expect(labels(2 * 86_400_000, 70)).toEqual(["11-22 12:00", "11-23 00:00", "11-23 12:00", "11-24 00:00"]);
    expect(labels(14 * 86_400_000, 70)[0]).toBe("11-23");
    expect(labels(0, 70)).toEqual(["11:00:00"]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 20, max: 200 }), (span, columns) => {
        const ticks = timeTicks(START, START + span, columns);
        const taken = ticks.reduce((n, t) => n + t.label.length + 3, 0);
        expect(taken).toBeLessThanOrEqual(columns + 14);
        for (const { at } of ticks) expect(at >= START && at <= START + span).toBe(true);
      }),
    );
  });

  it("quantities have prefixes", () => {
    expect([1536, 0, 2 ** 41].map((v) => formatQuantity(v, BYTES))).toEqual(["1.5 KiB", "0 B", "2 TiB"]);
    expect([0.0123, 12.3456, 5400, 200_000, 3e-7].map((v) => formatQuantity(v, SECONDS))).toEqual([
      ...["12.3 ms", "12.35 s", "90 min", "2.315 d", "300 ns"],
    ]);
    expect([1234, 0.05, -2e9, 4e-5].map((v) => formatQuantity(v, NO_UNIT))).toEqual([
      "1.234 k",
      "0.05",
      "-2 G",
      "40 µ",
    ]);
    expect(formatQuantity(2500, { base: "bytes", perSecond: true })).toBe("2.441 KiB/s");
    expect([1e22, 1e-12, 1e-320].map((v) => formatQuantity(v, RATE))).toEqual(["1e+22 /s", "1e-12 /s", "1e-320 /s"]);
  });
});

describe("the unit of a query", () => {
  it.each<[string, Unit]>([
    ["process_resident_memory_bytes / 2", NO_UNIT],
    ["sum by (job) (process_resident_memory_bytes)", BYTES],
    ["rate(node_network_receive_bytes_total[5m])", { base: "bytes", perSecond: true }],
    ["count(process_resident_memory_bytes)", NO_UNIT],
    ["rate(http_requests_total[5m]) > 5", RATE],
    ["histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))", SECONDS],
    ["rate(latency_seconds_sum[5m]) / rate(latency_seconds_count[5m])", SECONDS],
    ["rate(a_total[5m]) / rate(b_total[5m])", NO_UNIT],
    ["a_bytes / b_bytes", NO_UNIT],
    ["a_bytes - b_bytes", BYTES],
    ["max_over_time(a_seconds[5m:1m])", SECONDS],
    ["process_start_time_seconds", NO_UNIT],
    ['{__name__="a_bytes"}', BYTES],
    ["time()", NO_UNIT],
    ["no query (", NO_UNIT],
  ])("%s", (query, unit) => {
    expect(unitOfQuery(query)).toEqual(unit);
  });
});
