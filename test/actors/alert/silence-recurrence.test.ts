import { describe, expect, it } from "vitest";
import { formatRecurrence, parseRecurrence } from "../../../src/actors/alert/silence-recurrence.ts";

describe("recurrence of a silence", () => {
  it("is shown as it was given", () => {
    const given = [
      {
        times: [{ start_time: "22:00", end_time: "24:00" }],
        weekdays: ["monday:friday", "sunday"],
        days_of_month: ["1:5", "-3:-1"],
        months: ["1:3", "12"],
        years: ["2026"],
        location: "Europe/Berlin",
      },
      { weekdays: ["saturday"], location: "UTC" },
    ];
    expect(formatRecurrence(parseRecurrence(given))).toEqual(given);
    expect(formatRecurrence(parseRecurrence({ months: ["january", 2] }))).toEqual([
      { months: ["1", "2"], location: "UTC" },
    ]);
    expect(parseRecurrence(null)).toEqual([]);
  });

  it.each([
    ["recurrence must be an object", ["monday"]],
    ["recurrence has no field days", { days: [] }],
    ["weekdays must be a list", { weekdays: "monday" }],
    ["moonday is not a valid weekday", { weekdays: ["moonday"] }],
    ["start time cannot be equal or greater", { times: [{ start_time: "10:00", end_time: "10:00" }] }],
    ["end_time must be a string", { times: [{ start_time: "10:00" }] }],
    ["unknown time zone Moon/Base", { location: "Moon/Base" }],
    ["0 is not a valid day of the month", { days_of_month: ["0"] }],
  ])("says what is wrong: %s", (reason, json) => {
    expect(() => parseRecurrence(json)).toThrow(reason);
  });
});
