import { describe, expect, it } from "vitest";
import { comparePages } from "../../../src/actors/backtest/compare.ts";
import type { Page } from "../../../src/actors/backtest/page.ts";

const MINUTE = 60_000;

function page(minute: number, more: Partial<Page> & { alertname?: string } = {}): Page {
  const { alertname = "Busy", ...rest } = more;
  const alert = { fingerprint: "f", labels: ["alertname", alertname], annotations: {}, startsAt: 0, endsAt: 0 };
  return {
    at: minute * MINUTE,
    receiver: "team",
    integrations: ["webhook[0]"],
    status: "firing",
    reason: "first notification",
    groupKey: "{}",
    groupLabels: [],
    alerts: [alert],
    ...rest,
  };
}

const shown = (before: Page[], after: Page[]) => {
  const { same, added, removed, moved } = comparePages(before, after);
  const minutes = (pages: readonly Page[]) => pages.map((p) => p.at / MINUTE);
  return {
    same,
    added: minutes(added),
    removed: minutes(removed),
    moved: moved.map((m) => [m.before.at / MINUTE, m.after.at / MINUTE]),
  };
};

describe("comparing pages", () => {
  it("pairs those of one time first, then the nearest within an hour", () => {
    expect(shown([page(0), page(10), page(200)], [page(5), page(10), page(300)])).toEqual({
      same: 1,
      added: [300],
      removed: [200],
      moved: [[0, 5]],
    });
  });

  it("takes another receiver, alert, status or group for another page", () => {
    const others = [
      page(0, { receiver: "other" }),
      page(0, { alertname: "Idle" }),
      page(0, { status: "resolved" }),
      page(0, { groupLabels: ["zone", "x"] }),
    ];
    for (const other of others) {
      expect(shown([page(0)], [other])).toEqual({ same: 0, added: [0], removed: [0], moved: [] });
    }
  });

  it("keeps count where several are alike", () => {
    expect(shown([page(0), page(0)], [page(0)])).toEqual({ same: 1, added: [], removed: [0], moved: [] });
    expect(shown([], [page(3), page(1)])).toEqual({ same: 0, added: [1, 3], removed: [], moved: [] });
    expect(shown([page(3), page(1)], [])).toEqual({ same: 0, added: [], removed: [1, 3], moved: [] });
  });

  it("is done in good time with a hundred thousand pages", () => {
    const many = Array.from({ length: 100_000 }, (_, i) => page(i));
    const moved = many.map((p) => ({ ...p, at: p.at + 1 }));
    expect(comparePages(many, moved).moved).toHaveLength(100_000);
  });
});
