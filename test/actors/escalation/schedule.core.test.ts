import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Rotation, Schedule } from "../../../src/actors/escalation/escalation-config.ts";
import { nextHandOver, onCallAt } from "../../../src/actors/escalation/schedule.core.ts";
import { fromLocal, toLocal } from "../../../src/actors/escalation/zone-time.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"];
const local = (text: string) => Date.parse(`${text}Z`);

const rotation = (over: Partial<Rotation> = {}): Rotation => ({
  receivers: ["ann", "bob", "cy"],
  start: local("2026-01-05T09:00"),
  end: undefined,
  shiftMs: 7 * DAY,
  restrict: [],
  ...over,
});
const schedule = (zone: string, rotations: Rotation[], overrides: Schedule["overrides"] = []): Schedule => ({
  name: "s",
  zone,
  rotations,
  overrides,
});
const at = (zone: string, text: string) => fromLocal(zone, local(text));
const who = (s: Schedule, text: string) => onCallAt(s, at(s.zone, text)).receiver;

describe("local times", () => {
  it("agree with known changes of the clocks", () => {
    expect(fromLocal("Europe/Berlin", local("2026-03-29T01:59"))).toBe(Date.parse("2026-03-29T00:59Z"));
    // Skipped from 02:00 to 03:00: the moment of the change.
    expect(fromLocal("Europe/Berlin", local("2026-03-29T02:30"))).toBe(Date.parse("2026-03-29T01:00Z"));
    expect(fromLocal("Europe/Berlin", local("2026-03-29T03:00"))).toBe(Date.parse("2026-03-29T01:00Z"));
    // Twice from 02:00 to 03:00: the first.
    expect(fromLocal("Europe/Berlin", local("2026-10-25T02:30"))).toBe(Date.parse("2026-10-25T00:30Z"));
    expect(fromLocal("Australia/Lord_Howe", local("2026-04-05T01:45"))).toBe(Date.parse("2026-04-04T14:45Z"));
  });

  it("go there and back, and never run backwards", () => {
    const time = fc.integer({ min: local("2015-01-01T00:00"), max: local("2035-01-01T00:00") });
    void fc.assert(
      fc.property(fc.constantFrom(...ZONES), time, fc.integer({ min: 0, max: 4 * HOUR }), (zone, t, gap) => {
        const shown = toLocal(zone, t);
        expect(toLocal(zone, fromLocal(zone, shown))).toBe(shown);
        expect(fromLocal(zone, shown)).toBeLessThanOrEqual(t);
        expect(fromLocal(zone, t + gap)).toBeGreaterThanOrEqual(fromLocal(zone, t));
      }),
    );
  });
});

describe("who is on call", () => {
  it("changes at the same time on the clock all the year", () => {
    const s = schedule("Europe/Berlin", [rotation()]);
    expect(who(s, "2026-01-05T08:59")).toBeUndefined();
    expect(who(s, "2026-01-05T09:00")).toBe("ann");
    // The week in which the clocks are put forward has an hour less.
    expect(who(s, "2026-03-30T08:59")).toBe("cy");
    expect(who(s, "2026-03-30T09:00")).toBe("ann");
    expect(nextHandOver(s, at(s.zone, "2026-03-25T00:00"))).toBe(Date.parse("2026-03-30T07:00Z"));
    expect(nextHandOver(s, at(s.zone, "2026-03-20T00:00"))).toBe(Date.parse("2026-03-23T08:00Z"));
  });

  it("follows restrictions over midnight, later rotations before earlier ones, and overrides before all", () => {
    const nights = rotation({
      receivers: ["owl"],
      restrict: [{ weekdays: [1, 2, 3, 4, 5], from: 18 * 60, to: 8 * 60 }],
    });
    const s = schedule(
      "America/New_York",
      [rotation(), nights],
      [
        {
          start: at("America/New_York", "2026-02-03T20:00"),
          end: at("America/New_York", "2026-02-03T22:00"),
          receiver: "zoe",
        },
      ],
    );
    expect(who(s, "2026-02-03T17:59")).toBe("bob");
    expect(who(s, "2026-02-03T18:00")).toBe("owl");
    expect(who(s, "2026-02-03T20:00")).toBe("zoe");
    expect(who(s, "2026-02-03T22:00")).toBe("owl");
    expect(who(s, "2026-02-04T07:59")).toBe("owl");
    expect(who(s, "2026-02-04T08:00")).toBe("bob");
    // The night that began on Friday ends on Saturday; none begins then.
    expect(who(s, "2026-02-07T07:00")).toBe("owl");
    expect(who(s, "2026-02-07T23:00")).toBe("bob");
    expect(nextHandOver(s, at(s.zone, "2026-02-07T08:00"))).toBe(at(s.zone, "2026-02-09T09:00"));
  });

  it("ends with the rotation, and then with nobody", () => {
    const s = schedule("UTC", [rotation({ end: local("2026-01-20T00:00") })]);
    expect(who(s, "2026-01-19T23:59")).toBe("cy");
    expect(who(s, "2026-01-20T00:00")).toBeUndefined();
    expect(nextHandOver(s, at("UTC", "2026-01-21T00:00"))).toBeUndefined();
  });

  it("is one of the receivers, in turn, without gaps, for years in every zone", () => {
    const shift = fc.constantFrom(HOUR, 8 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY);
    const time = fc.integer({ min: local("2026-02-01T00:00"), max: local("2036-01-01T00:00") });
    void fc.assert(
      fc.property(fc.constantFrom(...ZONES), shift, fc.nat(23), time, (zone, shiftMs, hour, t) => {
        const receivers = ["ann", "bob", "cy"];
        const s = schedule(zone, [rotation({ start: local("2026-01-05T00:00") + hour * HOUR, shiftMs })]);
        const now = onCallAt(s, t).receiver as string;
        const next = nextHandOver(s, t) as number;
        const after = onCallAt(s, next).receiver;
        // Up to the last moment it is the same one, and then another; an hour that the clocks skip may be a shift of nobody.
        expect(next).toBeGreaterThan(t);
        expect(onCallAt(s, next - 1).receiver).toBe(now);
        expect(after).not.toBe(now);
        if (shiftMs > HOUR) expect(after).toBe(receivers[(receivers.indexOf(now) + 1) % 3]);
        // A hand-over is at the hour of the clock that was chosen.
        if (shiftMs % DAY === 0 && toLocal(zone, next) % HOUR === 0) {
          const shown = (toLocal(zone, next) / HOUR) % 24;
          expect([hour, hour + 1]).toContain(shown);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("has restricted hand-overs where a look at every quarter of an hour finds them", () => {
    const zone = fc.constantFrom(...ZONES);
    const minute = fc.nat(95).map((n) => n * 15);
    const days = fc.uniqueArray(fc.nat(6), { maxLength: 4 });
    // Around the changes of the clocks of north and south.
    const begin = fc.constantFrom(
      "2026-03-07T00:00",
      "2026-03-28T00:00",
      "2026-04-04T00:00",
      "2026-10-03T00:00",
      "2026-10-24T00:00",
    );
    void fc.assert(
      fc.property(zone, minute, minute, days, begin, (zone, from, to, weekdays, text) => {
        const s = schedule(zone, [rotation({ restrict: [{ weekdays, from, to }] })]);
        const start = at(zone, text);
        let seen = onCallAt(s, start).receiver;
        let next = nextHandOver(s, start) ?? Number.POSITIVE_INFINITY;
        for (let t = start; t < start + 3 * DAY; t += 15 * 60_000) {
          const now = onCallAt(s, t).receiver;
          expect(now !== seen).toBe(t >= next);
          if (t < next) continue;
          seen = now;
          next = nextHandOver(s, t) ?? Number.POSITIVE_INFINITY;
        }
      }),
      { numRuns: 60 },
    );
  });
});
