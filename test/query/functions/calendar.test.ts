import fc from "fast-check";
import { expect, test } from "vitest";
import { dayOfMonth, dayOfWeek, dayOfYear, daysInMonth, month, year } from "../../../src/query/functions/calendar.ts";
import { compareNatural } from "../../../src/query/functions/sort.ts";

test("the calendar is that of Date", () => {
  fc.assert(
    fc.property(fc.integer({ min: -6e10, max: 2e11 }), (seconds) => {
      const d = new Date(seconds * 1000);
      const [y, m] = [d.getUTCFullYear(), d.getUTCMonth()];
      expect(dayOfMonth(seconds)).toBe(d.getUTCDate());
      expect(dayOfWeek(seconds)).toBe(d.getUTCDay());
      expect(month(seconds)).toBe(m + 1);
      expect(year(seconds)).toBe(y);
      const midnight = (yy: number, mm: number, dd: number): number => new Date(0).setUTCFullYear(yy, mm, dd);
      expect(daysInMonth(seconds)).toBe((midnight(y, m + 1, 1) - midnight(y, m, 1)) / 86_400_000);
      expect(dayOfYear(seconds)).toBe((midnight(y, m, d.getUTCDate()) - midnight(y, 0, 1)) / 86_400_000 + 1);
    }),
  );
});

test("natural order compares numbers as numbers", () => {
  const sorted = ["", "a", "a1", "a2", "a10", "b", "4m5", "4m600", "4m1000"].sort(compareNatural);
  expect(sorted).toEqual(["", "4m5", "4m600", "4m1000", "a", "a1", "a2", "a10", "b"]);
});
