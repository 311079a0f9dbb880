import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Silence, SilenceDraft } from "../../../src/actors/alert/silence.core.ts";
import { makeSilences, type Silences } from "../../../src/actors/alert/silences.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const PATH = "/alerting/silences.log";

const draft = (over: Partial<SilenceDraft> = {}): SilenceDraft => ({
  id: "",
  matchers: [{ name: "alertname", op: "=", value: "A" }],
  startsAt: NOW,
  endsAt: NOW + HOUR,
  createdBy: "me",
  comment: "why",
  ...over,
});
let ids = 0;
const onDisk = (disk: SimDisk, retentionMs = HOUR) =>
  makeSilences({ disk, path: PATH, retentionMs, newId: () => `id-${++ids}` });
async function opened(disk: SimDisk, now = NOW): Promise<Silences> {
  await disk.makeDir("/alerting");
  const silences = onDisk(disk);
  await silences.open(now);
  return silences;
}
const contents = (s: Silences) => new Map([...s.all()].map((x) => [x.id, x]));
const alert = (labels: Record<string, string>, endsAt = 0) => ({
  fingerprint: JSON.stringify(labels),
  labels: labelsFromObject(labels),
  endsAt,
});

describe("silences on disk", () => {
  // Fault model: makeSimDisk's. The disk refuses some writes and syncs, and the power goes after any change.
  it("are all there that were answered, and none is changed that was refused", async () => {
    const step = fc.record({
      kind: fc.constantFrom("new", "change", "replace", "expire"),
      pick: fc.nat(),
      fails: fc.option(fc.constantFrom("write" as const, "sync" as const), { freq: 4 }),
      partial: fc.nat(300),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        async (steps, dice) => {
          const disk = makeSimDisk();
          const silences = await opened(disk);
          let acknowledged = contents(silences);
          let unanswered: readonly string[] = [];
          let now = NOW;
          for (const { kind, pick, fails, partial } of steps) {
            now += 1000;
            const known = [...acknowledged.keys()];
            const id = known[pick % Math.max(1, known.length)] ?? "";
            const old = acknowledged.get(id);
            if (fails !== null) {
              disk.partial = partial;
              disk.failNext(fails, "EIO");
            }
            const wanted = { ...(old ?? draft()), id, comment: `step ${now}`, endsAt: now + HOUR };
            const work =
              kind === "expire"
                ? silences.expire(id, now)
                : kind === "new" || old === undefined
                  ? silences.set(draft({ comment: "x".repeat(pick % 900) }), now)
                  : silences.set(
                      kind === "change"
                        ? wanted
                        : {
                            ...wanted,
                            matchers: draft({ matchers: [{ name: "b", op: "=", value: String(now) }] }).matchers,
                          },
                      now,
                    );
            const ok = await work.then(
              () => true,
              () => false,
            );
            if (ok) {
              // What changes nothing is not written, and what was refused before may still be there.
              const before = acknowledged;
              acknowledged = contents(silences);
              if (!isDeepStrictEqual(acknowledged, before)) unanswered = [];
            } else {
              expect(contents(silences)).toEqual(acknowledged);
              unanswered = [...unanswered, id];
            }
          }
          const random = () => dice.next().value as number;
          const again = await opened(disk.crash(random), now);
          const after = contents(again);
          // What was refused last may have reached the disk; it was not promised either way.
          if (unanswered.length === 0) expect(after).toEqual(acknowledged);
          for (const [id, s] of acknowledged) if (!unanswered.includes(id)) expect(after.get(id)).toEqual(s);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("cut off at any byte, what was answered before the cut is there", async () => {
    const disk = makeSimDisk();
    const silences = await opened(disk);
    const lengths: number[] = [];
    for (let i = 0; i < 3; i++) {
      await silences.set(draft({ comment: `${i}` }), NOW);
      lengths.push(disk.file(PATH).length);
    }
    await silences.close();
    const whole = disk.file(PATH).slice();
    for (let length = 0; length <= whole.length; length++) {
      disk.replace(PATH, whole.slice(0, length));
      const again = onDisk(disk);
      expect(await again.open(NOW)).toBe(0);
      const comments = [...again.all()].map((s) => s.comment);
      expect(comments).toEqual(["0", "1", "2"].filter((_, i) => length >= (lengths[i] as number)));
      await again.close();
    }
  });

  it("skips a damaged line and keeps the file for a person", async () => {
    const disk = makeSimDisk();
    const silences = await opened(disk);
    for (const comment of ["a", "b"]) await silences.set(draft({ comment }), NOW);
    await silences.close();
    const text = new TextDecoder().decode(disk.file(PATH));
    disk.replace(PATH, new TextEncoder().encode(text.replace("{", "?")));
    const again = onDisk(disk);
    expect(await again.open(NOW)).toBe(1);
    expect([...again.all()].map((s) => s.comment)).toEqual(["b"]);
    expect(disk.file(`${PATH}.damaged`).length).toBe(text.length);
  });

  it("forgets old ones after their retention, in memory and on disk", async () => {
    const disk = makeSimDisk();
    const silences = await opened(disk);
    const id = await silences.set(draft(), NOW);
    await silences.expire(id, NOW + 1000);
    await silences.tidy(NOW + HOUR);
    expect(silences.counts(NOW + HOUR)).toEqual({ active: 0, pending: 0, expired: 1 });
    await silences.tidy(NOW + 1000 + HOUR);
    expect([...silences.all()]).toEqual([]);
    await silences.close();
    const again = onDisk(disk);
    await again.open(NOW + 2 * HOUR);
    expect([...again.all()]).toEqual([]);
  });

  it("refuses before it has been read", async () => {
    await expect(onDisk(makeSimDisk()).set(draft(), NOW)).rejects.toThrow("not been read yet");
  });
});

describe("muting", () => {
  it("names every silence that mutes an alert, as they change", async () => {
    const silences = await opened(makeSimDisk());
    const a = alert({ alertname: "A", host: "1" });
    const by = (now = NOW) => [...(silences.silencedBy([a, alert({ alertname: "B" })], now).get(a.fingerprint) ?? [])];
    expect(by()).toEqual([]);
    const one = await silences.set(draft(), NOW);
    const two = await silences.set(draft({ matchers: [{ name: "host", op: "!~", value: "[2-9]" }] }), NOW);
    expect(by()).toEqual([one, two]);
    await silences.expire(one, NOW + 1);
    expect(by(NOW + 1)).toEqual([two]);
    expect(by(NOW + HOUR)).toEqual([]);
  });

  it("lets the notice of its own end through, and other silences' not", async () => {
    const silences = await opened(makeSimDisk());
    const id = await silences.set(draft({ matchers: [{ name: "alertname", op: "=~", value: ".+" }] }), NOW);
    const own = alert({ alertname: "SilenceEnding", silence: id });
    const other = alert({ alertname: "SilenceEnding", silence: "other" });
    expect([...silences.silencedBy([own, other], NOW).keys()]).toEqual([other.fingerprint]);
  });

  it("until resolved: lasts over a restart, and ends with its alerts", async () => {
    const disk = makeSimDisk();
    let silences = await opened(disk);
    const id = await silences.set(draft({ untilResolved: true, endsAt: NOW + 100 * HOUR }), NOW);
    const firing = [labelsFromObject({ alertname: "A" })];
    expect((await silences.tick(() => firing, NOW + HOUR)).finished).toEqual([]);
    silences = await opened(
      disk.crash(() => 0),
      NOW + HOUR,
    );
    // Nobody has told yet what fires.
    expect((await silences.tick(() => [], NOW + HOUR + 1000)).finished).toEqual([]);
    const { finished } = await silences.tick(() => [], NOW + 2 * HOUR);
    expect(finished.map((s: Silence) => [s.id, s.endsAt])).toEqual([[id, NOW + 2 * HOUR]]);
    expect(silences.counts(NOW + 2 * HOUR).expired).toBe(1);
  });

  it("tells of an end once, and again of another end", async () => {
    const silences = await opened(makeSimDisk());
    const id = await silences.set(draft({ noticeBeforeMs: 1000 }), NOW);
    const ending = async (now: number) => (await silences.tick(() => [], now)).ending.map((s) => s.endsAt);
    expect(await ending(NOW + HOUR - 1001)).toEqual([]);
    expect(await ending(NOW + HOUR - 1000)).toEqual([NOW + HOUR]);
    expect(await ending(NOW + HOUR - 500)).toEqual([]);
    await silences.set({ ...draft({ noticeBeforeMs: 1000, endsAt: NOW + 2 * HOUR }), id }, NOW + HOUR - 400);
    expect(await ending(NOW + HOUR)).toEqual([]);
    expect(await ending(NOW + 2 * HOUR - 1)).toEqual([NOW + 2 * HOUR]);
  });
});
