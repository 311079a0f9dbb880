import { describe, expect, it } from "vitest";
import {
  MAX_TIME,
  MIN_TIME,
  parseDurationParam,
  parseLimit,
  parseLookback,
  parseMatchSets,
  parseTime,
  requiredStep,
  requiredTime,
} from "../../src/api/params.ts";

const time = (text: string) => parseTime(new URLSearchParams({ t: text }), "t", 7);
const duration = (text: string) => parseDurationParam(new URLSearchParams({ d: text }), "d");

describe("time parameters", () => {
  it.each([
    ["1435781430.781", 1435781430781],
    ["1435781430", 1435781430000],
    ["-1.5", -1500],
    ["1e3", 1000000],
    ["2015-07-01T20:10:51.781Z", 1435781451781],
    ["2015-07-01T20:10:51+02:00", 1435774251000],
    ["-292273086-05-16T16:47:06Z", MIN_TIME],
    ["292277025-08-18T07:12:54.999999999Z", MAX_TIME],
    ["2024-02-29T00:00:00.1239Z", 1709164800123],
    ["2015-07-01T20:10:51,5-00:30", 1435783251500],
    ["1_435_781_430", 1435781430000],
    ["1e300", MAX_TIME],
    ["", 7],
  ])("%s", (text, ms) => expect(time(text)).toBe(ms));

  it.each([
    "now",
    "2015-07-01",
    "0x10",
    "1 2",
    "NaN",
    "Infinity",
    "1_",
    "2023-02-29T00:00:00Z",
    "2023-02-28T24:00:00Z",
  ])("refuses %s", (text) => {
    const reason = `cannot parse ${JSON.stringify(text)} to a valid timestamp`;
    expect(() => time(text)).toThrow(`invalid parameter "t": invalid time value for 't': ${reason}`);
    expect(() => requiredTime(new URLSearchParams({ t: text }), "t")).toThrow(`invalid parameter "t": ${reason}`);
  });

  it("says so when a needed one is missing", () => {
    expect(() => requiredTime(new URLSearchParams(), "end")).toThrow('invalid parameter "end": cannot parse "" to');
  });
});

describe("duration parameters", () => {
  it.each([
    ["15", 15000],
    ["0.5", 500],
    ["1h30m", 5400000],
    ["250ms", 250],
  ])("%s", (text, ms) => expect(duration(text)).toBe(ms));

  it.each(["abc", "5x", "m"])("refuses %s", (text) => {
    expect(() => duration(text)).toThrow(`cannot parse ${JSON.stringify(text)} to a valid duration`);
  });

  it("is undefined when absent", () => expect(parseDurationParam(new URLSearchParams(), "d")).toBeUndefined());
});

it("a step is cut to milliseconds and at least one", () => {
  const step = (text: string) => requiredStep(new URLSearchParams({ step: text }));
  expect(step("60.0005")).toBe(60_000);
  expect(step("1.005")).toBe(1004);
  expect(step("0.0001")).toBe(1);
  expect(() => step("0")).toThrow("zero or negative query resolution");
  expect(() => step("Inf")).toThrow("It overflows int64");
});

it("a lookback of nothing or less is the default", () => {
  const lookback = (text: string) => parseLookback(new URLSearchParams({ lookback_delta: text }));
  expect(["", "0", "-5", "1m"].map(lookback)).toEqual([undefined, undefined, undefined, 60_000]);
  expect(() => lookback("x")).toThrow('error parsing lookback delta duration: cannot parse "x"');
});

describe("match[]", () => {
  it("reads selectors", () => {
    const params = new URLSearchParams([
      ["match[]", "up"],
      ["match[]", '{job=~"a.*",x!="y"}'],
    ]);
    expect(parseMatchSets(params)).toEqual([
      [{ name: "__name__", op: "=", value: "up" }],
      [
        { name: "job", op: "=~", value: "a.*" },
        { name: "x", op: "!=", value: "y" },
      ],
    ]);
  });

  it.each(["up{", "rate(up[5m])", "1"])("refuses %s", (text) => {
    expect(() => parseMatchSets(new URLSearchParams([["match[]", text]]))).toThrow("parse error:");
  });

  it.each(["{}", '{a=~".*"}', '{a!="b"}'])("refuses %s, which matches series without any label", (text) => {
    expect(() => parseMatchSets(new URLSearchParams([["match[]", text]]))).toThrow("at least one non-empty matcher");
  });
});

it("limit is a whole number", () => {
  expect(parseLimit(new URLSearchParams())).toBe(0);
  expect(parseLimit(new URLSearchParams({ limit: "5" }))).toBe(5);
  const refused = (limit: string) => expect(() => parseLimit(new URLSearchParams({ limit })));
  refused("-1").toThrow('invalid parameter "limit": limit must be non-negative');
  refused("1.5").toThrow('strconv.Atoi: parsing "1.5": invalid syntax');
  refused("9223372036854775808").toThrow("value out of range");
});
