import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compileSilences,
  expireSilence,
  mutesAt,
  type Silence,
  type SilenceDraft,
  type SilenceTable,
  setSilence,
  silenceEvents,
  sortSilences,
  stateOf,
} from "../../../src/actors/alert/silence.core.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const LIMITS = { maxSilences: 3, maxBytes: 1000 };

const draft = (over: Partial<SilenceDraft> = {}): SilenceDraft => ({
  id: "",
  matchers: [{ name: "alertname", op: "=", value: "A" }],
  startsAt: NOW - HOUR,
  endsAt: NOW + HOUR,
  createdBy: "me",
  comment: "why",
  ...over,
});
const tableOf = (...silences: readonly Silence[]): SilenceTable => new Map(silences.map((s) => [s.id, s]));
const set = (table: SilenceTable, d: SilenceDraft, now = NOW) => setSilence(table, d, now, "new", LIMITS);
const held = (over: Partial<Silence> = {}): Silence => ({ ...draft(), id: "old", updatedAt: NOW - HOUR, ...over });

describe("setting a silence", () => {
  it("makes one that does not reach into the past", () => {
    expect(set(tableOf(), draft())).toEqual([{ ...draft(), id: "new", startsAt: NOW, updatedAt: NOW }]);
    expect(set(tableOf(), draft({ startsAt: 0 }))[0]?.startsAt).toBe(NOW);
    expect(set(tableOf(), draft({ startsAt: NOW + 5 }))[0]?.startsAt).toBe(NOW + 5);
  });

  it("changes what does not rewrite the past under the same id", () => {
    const active = tableOf(held());
    const longer = draft({ id: "old", endsAt: NOW + 9 * HOUR, comment: "other" });
    expect(set(active, longer)).toEqual([{ ...longer, updatedAt: NOW }]);
    // Clients lose the fractions of times.
    const start = held().startsAt;
    expect(set(tableOf(held({ startsAt: start + 700 })), draft({ id: "old", startsAt: start })).length).toBe(1);
    const pending = tableOf(held({ startsAt: NOW + 10 }));
    expect(set(pending, draft({ id: "old", startsAt: NOW + 20 }))).toHaveLength(1);
  });

  it.each([
    ["other matchers", held(), draft({ matchers: [{ name: "a", op: "=~", value: "b" }] })],
    ["another start of an active one", held(), draft({ startsAt: NOW - 2 * HOUR })],
    ["a pending one that would have begun", held({ startsAt: NOW + 10 }), draft({ startsAt: NOW - 10 })],
    ["until resolved all at once", held(), draft({ untilResolved: true })],
  ])("ends the old one and makes a new one: %s", (_, before, next) => {
    const change = set(tableOf(before), { ...next, id: "old" });
    expect(change.map((s) => s.id)).toEqual(["old", "new"]);
    expect(stateOf(change[0] as Silence, NOW)).toBe("expired");
    expect(change[0]?.matchers).toEqual(before.matchers);
  });

  it("makes a new one of one that has expired, which stays as it was", () => {
    const change = set(tableOf(held({ endsAt: NOW - 1 })), draft({ id: "old" }));
    expect(change.map((s) => s.id)).toEqual(["new"]);
  });

  it.each([
    ["silence not found", draft({ id: "nobody" })],
    ["invalid silence: at least one matcher required", draft({ matchers: [] })],
    [
      'invalid silence: invalid label matcher 0 in set 0: invalid label name ""',
      draft({ matchers: [{ name: "", op: "=", value: "x" }] }),
    ],
    [
      'invalid silence: invalid label matcher 0 in set 0: invalid regular expression "("',
      draft({ matchers: [{ name: "a", op: "=~", value: "(" }] }),
    ],
    [
      "invalid silence: matcher set 0: at least one matcher must not match the empty string",
      draft({ matchers: [{ name: "a", op: "=~", value: ".*" }] }),
    ],
    ["silence exceeded maximum size", draft({ comment: "x".repeat(2000) })],
  ])("refuses: %s", (reason, d) => {
    expect(() => set(tableOf(), d)).toThrow(reason);
  });

  it("refuses too many, expired ones included, and still changes those that are there", () => {
    const table = tableOf(held(), held({ id: "b", endsAt: NOW - 1 }), held({ id: "c" }));
    expect(() => set(table, draft())).toThrow("exceeded maximum number of silences: 3 (limit: 3)");
    expect(set(table, draft({ id: "c" }))).toHaveLength(1);
  });
});

describe("expiring", () => {
  it("ends it now, also before it began, and again without effect", () => {
    expect(expireSilence(tableOf(held()), "old", NOW)).toEqual([{ ...held(), endsAt: NOW, updatedAt: NOW }]);
    const [early] = expireSilence(tableOf(held({ startsAt: NOW + 5 })), "old", NOW);
    expect(early).toMatchObject({ startsAt: NOW, endsAt: NOW });
    expect(expireSilence(tableOf(held({ endsAt: NOW })), "old", NOW)).toEqual([]);
    expect(() => expireSilence(tableOf(), "old", NOW)).toThrow("silence not found");
  });
});

describe("time", () => {
  it("mutes from the start on, up to the end", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.nat(1000), (from, length) => {
        const s = held({ startsAt: NOW + from, endsAt: NOW + from + length });
        const inside = from <= 0 && from + length > 0;
        expect(mutesAt(s, false, NOW)).toBe(inside);
        expect(stateOf(s, NOW)).toBe(inside ? "active" : from > 0 ? "pending" : "expired");
      }),
    );
  });

  it("a recurring one mutes in its hours, in its own time zone, and is pending between them", () => {
    // 22:00 to 24:00 in Berlin on weekdays; NOW is a Tuesday, 22:13 UTC, 23:13 in Berlin.
    const hours = { times: [{ from: 22 * 60, to: 24 * 60 }], daysOfMonth: [], months: [], years: [] };
    const s = held({
      endsAt: NOW + 300 * HOUR,
      recurrence: [{ ...hours, weekdays: [{ from: 1, to: 5 }], location: "Europe/Berlin" }],
    });
    const at = (hoursLater: number) => [
      mutesAt(s, false, NOW + hoursLater * HOUR),
      stateOf(s, NOW + hoursLater * HOUR),
    ];
    expect(at(0)).toEqual([true, "active"]);
    expect(at(1)).toEqual([false, "pending"]);
    expect(at(23)).toEqual([true, "active"]);
    expect(at(24 * 4)).toEqual([false, "pending"]); // Saturday
    expect(at(24 * 6)).toEqual([true, "active"]); // Monday
    expect(at(301)).toEqual([false, "expired"]);
  });

  it("until resolved: mutes what fires, not the end, and ends with the last of its alerts", () => {
    const s = held({ untilResolved: true });
    expect([mutesAt(s, false, NOW), mutesAt(s, true, NOW)]).toEqual([true, false]);
    const a = [labelsFromObject({ alertname: "A", host: "1" })];
    const events = (silence: Silence, firing: readonly (readonly string[])[], settled = true) =>
      silenceEvents(compileSilences(tableOf(silence)), () => firing, settled, NOW);
    // Nothing has fired yet: it waits.
    expect(events(s, [])).toEqual({ matched: [], finished: [], ending: [] });
    expect(events(s, a).matched).toEqual([{ ...s, matchedAt: NOW }]);
    const seen = { ...s, matchedAt: NOW - 5 };
    expect(events(seen, a)).toEqual({ matched: [], finished: [], ending: [] });
    expect(events(seen, [labelsFromObject({ alertname: "B" })]).finished).toEqual([
      { ...seen, endsAt: NOW, updatedAt: NOW },
    ]);
    // After a start senders have not told yet what fires.
    expect(events(seen, [], false).finished).toEqual([]);
    expect(events({ ...seen, endsAt: NOW - 1 }, []).finished).toEqual([]);
  });

  it("is ending within its notice time", () => {
    const ending = (noticeBeforeMs: number) =>
      silenceEvents(compileSilences(tableOf(held({ noticeBeforeMs }))), () => [], true, NOW).ending.length;
    expect([ending(HOUR), ending(HOUR - 1)]).toEqual([1, 0]);
  });
});

it("sorts active ones by their end, pending ones by their start, expired ones newest first", () => {
  const all = [
    held({ id: "e1", endsAt: NOW - 5 }),
    held({ id: "p2", startsAt: NOW + 2, endsAt: NOW + 9 }),
    held({ id: "a2", endsAt: NOW + 2 }),
    held({ id: "e2", endsAt: NOW - 2 }),
    held({ id: "p1", startsAt: NOW + 1, endsAt: NOW + 9 }),
    held({ id: "a1", endsAt: NOW + 1 }),
  ];
  expect(sortSilences(all, NOW).map((s) => s.id)).toEqual(["a1", "a2", "p1", "p2", "e2", "e1"]);
});
