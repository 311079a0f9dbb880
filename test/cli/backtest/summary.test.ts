import { describe, expect, it } from "vitest";
import type { Episode, Page } from "../../../src/actors/backtest/page.ts";
import { countBy, isNight, noisiest, totalsOf } from "../../../src/cli/backtest/summary.ts";

const MINUTE = 60_000;
const NOON = Date.parse("2026-07-01T12:00:00Z");

function page(at: number, more: Partial<Page> = {}): Page {
  const alert = { fingerprint: "f", labels: ["alertname", "Busy"], annotations: {}, startsAt: 0, endsAt: 0 };
  return {
    at,
    receiver: "team",
    integrations: ["webhook[0]"],
    status: "firing",
    reason: "first notification",
    groupKey: "{}",
    groupLabels: [],
    alerts: [alert],
    ...more,
  };
}

describe("the numbers of a backtest", () => {
  it("count pages, repetitions, ends and nights apart", () => {
    const pages = [
      page(NOON),
      page(NOON + 1, { reason: "repeat interval elapsed" }),
      page(NOON + 2, { status: "resolved" }),
      page(NOON + 10 * 60 * MINUTE),
    ];
    expect(totalsOf(pages, 86_400_000, "UTC")).toEqual({ pages: 3, repeats: 1, resolved: 1, perWeek: 21, night: 1 });
    expect(countBy(pages, "UTC", (p) => [p.receiver, "everybody"])).toEqual([
      { name: "everybody", pages: 3, night: 1, resolved: 1 },
      { name: "team", pages: 3, night: 1, resolved: 1 },
    ]);
  });

  it("know the night of a zone: from 22:00 to 07:00", () => {
    const at = (time: string) => isNight(Date.parse(`2026-07-01T${time}Z`), "Europe/Berlin");
    expect(["19:59", "20:00", "04:59", "05:00"].map((t) => at(`${t}:00`))).toEqual([false, true, true, false]);
  });

  it("tell flaps and lengths of what fired", () => {
    const episode = (from: number, to: number): Episode => ({
      alertname: "Busy",
      labels: ["alertname", "Busy"],
      firedAt: NOON + from * MINUTE,
      endedAt: to === 0 ? 0 : NOON + to * MINUTE,
    });
    const [busy] = noisiest([page(NOON)], [episode(30, 0), episode(0, 10), episode(14, 15)]);
    expect(busy).toEqual({
      alertname: "Busy",
      pages: 1,
      episodes: 3,
      instances: 1,
      medianMs: 10 * MINUTE,
      flaps: 2,
    });
  });

  it("are there in good time for a hundred thousand pages", () => {
    const pages = Array.from({ length: 100_000 }, (_, i) => page(NOON + i * MINUTE));
    expect(countBy(pages, "UTC", (p) => [p.receiver])[0]?.pages).toBe(100_000);
  });
});
