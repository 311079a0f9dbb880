import { describe, expect, it } from "vitest";
import { MAX_TIME, MIN_TIME, parseDurationParam, parseLimit, parseMatchSets, parseTime } from "../../src/api/params.ts";

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
    ["", 7],
  ])("%s", (text, ms) => expect(time(text)).toBe(ms));

  it.each(["now", "2015-07-01", "0x10", "1 2", "NaN", "Infinity"])("refuses %s", (text) => {
    expect(() => time(text)).toThrow(
      `invalid parameter "t": cannot parse ${JSON.stringify(text)} to a valid timestamp`,
    );
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
    expect(() => parseMatchSets(new URLSearchParams([["match[]", text]]))).toThrow('invalid parameter "match[]"');
  });
});

it("limit is a whole number", () => {
  expect(parseLimit(new URLSearchParams())).toBe(0);
  expect(parseLimit(new URLSearchParams({ limit: "5" }))).toBe(5);
  expect(() => parseLimit(new URLSearchParams({ limit: "-1" }))).toThrow('invalid parameter "limit"');
});
