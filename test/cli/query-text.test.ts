import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatCaret, placeOf, placeOfNote } from "../../src/cli/query/caret.ts";
import { csvLine } from "../../src/cli/query/csv.ts";
import { formatSeries, shortName, splitLabels } from "../../src/cli/query/series-name.ts";
import { type Column, formatTable } from "../../src/cli/query/table.ts";
import { clip, displayWidth, pad, screenOf, visible, wrap } from "../../src/cli/query/terminal.ts";
import { formatSpan, parseSpan, parseWhen, stepFor, UsageError } from "../../src/cli/query/times.ts";
import { parseExpr, parseSelector } from "../../src/query/parse/parse.ts";

const plain = (width: number) => ({ width, color: false });
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ maxLength: 40 }),
  fc.constantFrom("日本語", "e\u0301", "👍🏽"),
);

describe("the screen", () => {
  it("follows NO_COLOR, FORCE_COLOR, TERM, COLUMNS and what is asked for", () => {
    const tty = { isTTY: true, columns: 120 };
    const pipe = { isTTY: false, columns: 0 };
    expect(screenOf(tty, {})).toEqual({ width: 120, color: true });
    expect(screenOf(tty, { NO_COLOR: "1" }).color).toBe(false);
    expect(screenOf(tty, { NO_COLOR: "", TERM: "xterm" }).color).toBe(true);
    expect(screenOf(tty, { TERM: "dumb" }).color).toBe(false);
    expect(screenOf(tty, { COLUMNS: "50" }).width).toBe(120);
    expect(screenOf(pipe, {})).toEqual({ width: Number.POSITIVE_INFINITY, color: false });
    expect(screenOf(pipe, { FORCE_COLOR: "1", COLUMNS: "50" })).toEqual({ width: 50, color: true });
    expect(screenOf(pipe, { FORCE_COLOR: "1", NO_COLOR: "1" }).color).toBe(false);
    expect(screenOf(tty, {}, 33).width).toBe(33);
  });

  it("knows how wide a text is", () => {
    expect(["abc", "日本", "e\u0301", "Küche", "👍"].map(displayWidth)).toEqual([3, 4, 1, 5, 2]);
    expect(pad("日本語", 5)).toBe("日本…");
    expect(pad("日本語", 4)).toBe("日… ");
    expect(pad("7", 3, "right")).toBe("  7");
  });

  it("clips, fills and wraps to the width", () => {
    fc.assert(
      fc.property(text, fc.nat(50), (raw, width) => {
        const t = visible(raw);
        expect(displayWidth(clip(t, width))).toBeLessThanOrEqual(width);
        expect(displayWidth(pad(t, width))).toBe(width);
        if (displayWidth(t) <= width) expect(clip(t, width)).toBe(t);
        const lines = wrap(t, Math.max(4, width), "  ");
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(Math.max(4, width));
        expect(lines.join("").replaceAll(" ", "")).toBe(t.replaceAll(" ", ""));
      }),
    );
  });

  it("lets no data steer the terminal", () => {
    expect(visible("a\n\t\x1b[31mred\u009b\u202e")).toBe("a\\n\\t\\u001b[31mred\\u009b\\u202e");
    fc.assert(
      fc.property(text, (t) => {
        expect(visible(t)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      }),
    );
  });
});

describe("tables", () => {
  const columns: Column[] = [{ title: "service" }, { title: "path" }, { title: "value", align: "right", whole: true }];
  const rows = [
    ["checkout", "/api/v1/basket/items", "12.5"],
    ["日本語", "/", "1234567.25"],
  ];

  it("aligns columns", () => {
    expect(formatTable(columns, rows, plain(80))).toEqual([
      "service   path                       value",
      "checkout  /api/v1/basket/items        12.5",
      "日本語    /                     1234567.25",
    ]);
  });

  it("cuts the widest column first, never what must be whole", () => {
    expect(formatTable(columns, rows, plain(34))).toEqual([
      "service   path               value",
      "checkout  /api/v1/bas…        12.5",
      "日本語    /             1234567.25",
    ]);
  });

  it("becomes records where there is no room for columns", () => {
    expect(formatTable(columns, rows, plain(20))).toEqual([
      "service checkout",
      "path /api/v1/basket…",
      "value 12.5",
      "",
      "service 日本語",
      "path /",
      "value 1234567.25",
    ]);
  });

  it("is never wider than the screen", () => {
    const cells = fc.array(fc.tuple(text, text, text), { maxLength: 5 });
    fc.assert(
      fc.property(cells, fc.integer({ min: 10, max: 120 }), (some, width) => {
        for (const line of formatTable(columns, some, plain(width))) {
          expect(displayWidth(line)).toBeLessThanOrEqual(width);
        }
      }),
    );
  });
});

describe("names of series", () => {
  const series = [
    { metric: { __name__: "up", job: "node", instance: "a" } },
    { metric: { __name__: "up", job: "node", instance: "b", zone: "1" } },
  ];

  it("are split into what is common and what differs", () => {
    const { common, differing } = splitLabels(series);
    expect({ ...common }).toEqual({ __name__: "up", job: "node" });
    expect(differing).toEqual(["instance", "zone"]);
    expect(shortName(series[0]!.metric, differing)).toBe('{instance="a"}');
    expect(splitLabels([{ metric: { a: "1" } }, { metric: { __name__: "up" } }]).differing).toEqual(["__name__", "a"]);
    expect(splitLabels([]).differing).toEqual([]);
  });

  it("can be pasted into a query", () => {
    expect(formatSeries({})).toBe("{}");
    expect(formatSeries({ __name__: "up" })).toBe("up");
    expect(formatSeries({ __name__: "http.requests", "service.name": 'a"b' })).toBe(
      '{"http.requests", "service.name"="a\\"b"}',
    );
    const label = fc.tuple(fc.string({ minLength: 1 }), fc.string({ unit: "grapheme", minLength: 1 }));
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), (pairs) => {
        const metric: Record<string, string> = Object.create(null);
        for (const [name, value] of pairs) metric[name] = value;
        const matchers = parseSelector(formatSeries(metric));
        expect(Object.fromEntries(matchers.map((m) => [m.name, m.value]))).toEqual({ ...metric });
      }),
    );
  });

  it("are quoted in CSV where they must be", () => {
    expect(csvLine(["a", 'b"c', "d,e", "f\ng", ""])).toBe('a,"b""c","d,e","f\ng",');
  });
});

describe("times on the command line", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  it.each([
    ["now", now],
    ["-1h", now - 3_600_000],
    ["now-1h30m", now - 5_400_000],
    ["+5m", now + 300_000],
    ["1795348800", 1_795_348_800_000],
    ["1795348800.25", 1_795_348_800_250],
    ["2026-11-22", Date.parse("2026-11-22T00:00:00Z")],
    ["2026-11-22 10:30", Date.parse("2026-11-22T10:30:00Z")],
    ["2026-11-22T10:30:05.5+02:00", Date.parse("2026-11-22T08:30:05.500Z")],
  ])("%s", (typed, ms) => {
    expect(parseWhen(typed, "--time", now)).toBe(ms);
  });

  it.each(["", "yesterday", "-1x", "2026-13-01", "1h", "-"])("%j is none", (typed) => {
    expect(() => parseWhen(typed, "--time", now)).toThrow(UsageError);
    expect(() => parseWhen(typed, "--time", now)).toThrow(/^--time: /);
  });

  it("durations, and steps that suit a range", () => {
    expect([parseSpan("90", "--step"), parseSpan("0.5", "--step"), parseSpan("1m30s", "--step")]).toEqual([
      90_000, 500, 90_000,
    ]);
    expect(() => parseSpan("0", "--step")).toThrow("--step: must be more than 0");
    expect(() => parseSpan("5 minutes", "--step")).toThrow(/--step: .*write 30s/);
    expect([60, 3600, 86_400, 30 * 86_400, 3650 * 86_400].map((s) => formatSpan(stepFor(s * 1000)))).toEqual([
      "1s",
      "15s",
      "10m",
      "3h",
      "16d",
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e13 }), (span) => {
        expect(span / stepFor(span)).toBeLessThanOrEqual(240);
      }),
    );
  });
});

describe("the place of an error", () => {
  it("is found in errors and warnings", () => {
    expect(placeOf('invalid parameter "query": 1:4: parse error: unexpected end')).toEqual({
      place: { line: 1, column: 4 },
      text: "unexpected end",
    });
    expect(placeOf("many-to-many matching at 10:30")).toBeUndefined();
    expect(placeOfNote('might not be a counter: "x" (2:6)')).toEqual({ line: 2, column: 6 });
  });

  it("has a caret under it, whatever stands before", () => {
    const query = 'sum(\n  rate({raum="Küche 日本語"}[5m]) +)';
    const place = placeOf(errorOf(query))!.place;
    expect(formatCaret(query, place, plain(80))).toEqual([
      "  " + '  rate({raum="Küche 日本語"}[5m]) +)',
      `  ${" ".repeat(35)}^`,
    ]);
    expect(formatCaret("sum(up", { line: 1, column: 7 }, plain(80))).toEqual(["  sum(up", "        ^"]);
    expect(formatCaret("up", { line: 2, column: 1 }, plain(80))).toEqual([]);
  });

  it("of a long query only the surroundings are shown", () => {
    const query = `sum(${Array.from({ length: 30 }, (_, i) => `metric_${i}`).join(" + ")} + ) + ${"x".repeat(100)}`;
    const lines = formatCaret(query, placeOf(errorOf(query))!.place, plain(50));
    expect(lines).toEqual(["  …c_27 + metric_28 + metric_29 + ) + xxxxxxxxxx…", `${" ".repeat(34)}^`]);
  });

  it("lines fit the screen, and the caret stands on a character or right behind the last", () => {
    const size = fc.integer({ min: 12, max: 100 });
    fc.assert(
      fc.property(text, fc.nat(60), size, (query, column, width) => {
        const lines = formatCaret(query.toWellFormed(), { line: 1, column: column + 1 }, plain(width));
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        if (lines.length > 0) expect(lines[1]!.length - 1).toBeLessThanOrEqual(displayWidth(lines[0]!));
      }),
    );
  });
});

function errorOf(query: string): string {
  try {
    parseExpr(query);
  } catch (e) {
    return (e as Error).message;
  }
  throw new Error(`that is valid: ${query}`);
}
