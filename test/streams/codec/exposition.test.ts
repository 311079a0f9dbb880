import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExpositionError, parseExposition } from "../../../src/streams/codec/exposition.ts";
import { expositionLabels, expositionPairs } from "../../../src/streams/codec/exposition-labels.ts";

// Properties are many runs, and machines are shared: time is no criterion here.

interface Parsed {
  readonly samples: { series: string; pairs: string[]; value: number; timestamp: number; line: number }[];
  readonly metadata: string[][];
}

function parse(text: string | Uint8Array): Parsed {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const out: Parsed = { samples: [], metadata: [] };
  parseExposition(bytes, {
    sample: (start, end, value, timestamp, line) =>
      out.samples.push({
        series: new TextDecoder().decode(bytes.subarray(start, end)),
        pairs: expositionPairs(bytes, start, end),
        value,
        timestamp,
        line,
      }),
    help: (metric, help) => out.metadata.push(["help", metric, help]),
    type: (metric, type) => out.metadata.push(["type", metric, type]),
  });
  return out;
}

const only = (text: string) => {
  const { samples } = parse(text);
  expect(samples).toHaveLength(1);
  return samples[0]!;
};

describe("parseExposition", () => {
  test("reads a scrape with metadata, comments, blank lines and timestamps", () => {
    const { samples, metadata } = parse(
      [
        "# HELP http_requests_total The total \\\\ number\\nof HTTP requests.",
        "# TYPE http_requests_total counter",
        'http_requests_total{method="post",code="200"} 1027 1395066363000',
        'http_requests_total{method="post",code="400",}    3 -5',
        "",
        "#not a keyword",
        "# just a comment",
        "\tmetric_without_timestamp_and_labels 12.47",
        'something_weird { problem = "division by zero" } +Inf -3982045',
        'rpc_duration_seconds{quantile="0.01"} NaN',
        "x:y{} 1e-3",
      ].join("\n"),
    );
    expect(metadata).toEqual([
      ["help", "http_requests_total", "The total \\ number\nof HTTP requests."],
      ["type", "http_requests_total", "counter"],
    ]);
    expect(samples.map((s) => [s.line, s.pairs, s.value, s.timestamp])).toEqual([
      [3, ["__name__", "http_requests_total", "method", "post", "code", "200"], 1027, 1395066363000],
      [4, ["__name__", "http_requests_total", "method", "post", "code", "400"], 3, -5],
      [8, ["__name__", "metric_without_timestamp_and_labels"], 12.47, Number.NaN],
      [9, ["__name__", "something_weird", "problem", "division by zero"], Number.POSITIVE_INFINITY, -3982045],
      [10, ["__name__", "rpc_duration_seconds", "quantile", "0.01"], Number.NaN, Number.NaN],
      [11, ["__name__", "x:y"], 0.001, Number.NaN],
    ]);
    expect(samples[0]!.series).toBe('http_requests_total{method="post",code="200"}');
  });

  test("unescapes label values and leaves unknown escapes alone", () => {
    expect(only(String.raw`m{a="C:\\DIR\\F.TXT",b="q\"q\n",c="\d",d="}{,= "} 1`).pairs).toEqual([
      ...["__name__", "m", "a", "C:\\DIR\\F.TXT", "b", 'q"q\n', "c", "\\d", "d", "}{,= "],
    ]);
  });

  test("takes quoted UTF-8 names", () => {
    expect(only('{"my.metric","host.näme"="x", a = "ü"} 1').pairs).toEqual([
      "__name__",
      "my.metric",
      "host.näme",
      "x",
      "a",
      "ü",
    ]);
    expect(only('{a="1","späte.zahl"} 1').pairs).toEqual(["__name__", "späte.zahl", "a", "1"]);
    expect(parse('# TYPE "a.b" gauge\n# HELP "a.b" x\n').metadata).toEqual([
      ["type", "a.b", "gauge"],
      ["help", "a.b", "x"],
    ]);
  });

  test("takes CRLF, a missing last line feed and a line feed inside a quoted value", () => {
    const { samples } = parse('a 1\r\nb{x="1\n2"} 2 3\r\nc 3');
    expect(samples.map((s) => [s.series, s.value, s.line])).toEqual([
      ["a", 1, 1],
      ['b{x="1\n2"}', 2, 2],
      ["c", 3, 4],
    ]);
  });

  test.each([
    ["a 1\nb\n", 'line 2: no value after "b"'],
    ["a 1 2 3\n", 'line 1: unexpected "3" after the timestamp'],
    ["a one\n", 'line 1: invalid value "one" of "a"'],
    ["a 0x10\n", 'line 1: invalid value "0x10" of "a"'],
    ["a 1_000\n", 'line 1: invalid value "1_000" of "a"'],
    ["a 1e999\n", 'line 1: value out of range "1e999" of "a"'],
    ["a 1 1.5\n", 'line 1: invalid timestamp "1.5" (Unix milliseconds expected)'],
    ["\n\n9a 1\n", 'line 3: expected a metric name, got "9a"'],
    ['a{b="c" 1\n', 'line 1: expected "," or "}", got "1"'],
    ['a{b="c\n', "line 1: a quoted string is not closed"],
    ["a{b=c} 1\n", 'line 1: expected a quoted value of label "b"'],
    ["a{b} 1\n", 'line 1: expected "=" after label "b"'],
    ['a{b:c="d"} 1\n', 'line 1: expected "=" after label "b"'],
    ["a{,} 1\n", 'line 1: expected a label name or "}", got ",}"'],
    ['a{"b"} 1\n', 'line 1: second metric name "\\"b\\""'],
    ['{a="b"} 1\n', "line 1: metric name is missing"],
    ['{""} 1\n', "line 1: empty metric name"],
    ['a{""="x"} 1\n', "line 1: empty label name"],
    ["a{", 'line 1: label set of "a" is not closed'],
    ["# TYPE a histo\n", 'line 1: invalid metric type "histo" of a'],
    ["# TYPE a\n", 'line 1: invalid metric type "" of a'],
    ["a 1\n# HELP 9\n", "line 2: invalid metric name after # HELP"],
  ])("refuses %j", (text, message) => {
    expect(() => parse(text)).toThrow(new ExpositionError(0, "").constructor as never);
    expect(() => parse(text)).toThrow(message);
  });

  test("names the line that is not UTF-8", () => {
    expect(() => parse(Uint8Array.from([97, 32, 49, 10, 98, 0xff, 32, 49, 10]))).toThrow("line 2: invalid UTF-8");
  });

  test("values and timestamps come back as written, for any double", () => {
    fc.assert(
      fc.property(fc.double(), fc.maxSafeInteger(), (value, time) => {
        const text = Number.isNaN(value)
          ? "NaN"
          : value === Infinity
            ? "+Inf"
            : value === -Infinity
              ? "-Inf"
              : `${value}`;
        const s = only(`m{a="b"} ${text} ${time}\n`);
        expect(s.value).toBe(Object.is(value, -0) ? 0 : value);
        expect(s.timestamp).toBe(Object.is(time, -0) ? 0 : time);
      }),
    );
  });

  test("decimals round as JavaScript rounds them", () => {
    const digits = fc.stringMatching(/^[0-9]{0,20}$/);
    fc.assert(
      fc.property(digits, digits, fc.integer({ min: -330, max: 300 }), fc.boolean(), (a, b, e, exp) => {
        fc.pre(a.length + b.length > 0);
        const text = `${a}.${b}${exp ? `e${e}` : ""}`;
        fc.pre(Number.isFinite(Number(text)));
        expect(only(`m -${text}`).value).toBe(-Number(text));
      }),
      { numRuns: 1000 },
    );
  });

  test("labels survive escaping", () => {
    const escaped = (s: string) => s.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
    const text = fc.string({ unit: "binary" }).filter((s) => s.isWellFormed());
    const name = text.filter((s) => s !== "" && s !== "__name__");
    fc.assert(
      fc.property(name, fc.array(fc.tuple(name, text), { maxLength: 5 }), (metric, labels) => {
        const body = labels.map(([n, v]) => `"${escaped(n)}"="${escaped(v)}"`).join(",");
        const bytes = new TextEncoder().encode(`{"${escaped(metric)}",${body}} 1\n`);
        parseExposition(bytes, {
          sample: (start, end) => {
            expect(expositionPairs(bytes, start, end)).toEqual(["__name__", metric, ...labels.flat()]);
            const set = new Map(labels);
            const sorted = expositionLabels(bytes, start, end);
            if (set.size < labels.length) expect(sorted).toHaveProperty("duplicate");
            else {
              set.set("__name__", metric);
              const expected = [...set].filter(([, v]) => v !== "").sort(([a], [b]) => (a < b ? -1 : 1));
              expect(sorted).toEqual(expected.flat());
            }
          },
        });
      }),
    );
  });

  test("any bytes either parse or give an ExpositionError, and what parsed has readable labels", () => {
    const piece = fc.constantFrom(..."a{}\"'=,\\ \t\n\r#1.eN+-é", "# HELP ", "# TYPE ", "NaN", '="b"', "m 1\n");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          parse(pieces.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(ExpositionError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
