import { alertNames, type PageDiff } from "../../actors/backtest/compare.ts";
import type { Episode, Page } from "../../actors/backtest/page.ts";
import { labelsKey } from "../../model/labels.ts";

/** Numbers of one run. */
export interface Totals {
  /** Notifications that something fires, repetitions included. */
  readonly pages: number;
  readonly repeats: number;
  readonly resolved: number;
  readonly perWeek: number;
  /** Of the pages, those between 22:00 and 07:00 in the zone. */
  readonly night: number;
}

export interface Count {
  readonly name: string;
  readonly pages: number;
  readonly night: number;
  readonly resolved: number;
}

export interface NoisyAlert {
  readonly alertname: string;
  readonly pages: number;
  /** Stretches in which an instance fired, and instances. */
  readonly episodes: number;
  readonly instances: number;
  readonly medianMs: number;
  /** Instances that fired again within a quarter of an hour of their end, counted each time. */
  readonly flaps: number;
}

export interface DiffRow {
  readonly alertname: string;
  readonly receiver: string;
  readonly before: number;
  readonly after: number;
  readonly added: number;
  readonly removed: number;
  readonly moved: number;
}

const WEEK_MS = 7 * 86_400_000;
const FLAP_MS = 15 * 60_000;

export function totalsOf(pages: readonly Page[], spanMs: number, zone: string): Totals {
  const firing = pages.filter((p) => p.status === "firing");
  return {
    pages: firing.length,
    repeats: firing.filter((p) => p.reason === "repeat interval elapsed").length,
    resolved: pages.length - firing.length,
    perWeek: (firing.length / spanMs) * WEEK_MS,
    night: countNight(firing, zone),
  };
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether it is between 22:00 and 07:00 there. */
export function isNight(at: number, zone: string): boolean {
  const format =
    formats.get(zone) ?? new Intl.DateTimeFormat("en-US", { timeZone: zone, hour: "2-digit", hourCycle: "h23" });
  formats.set(zone, format);
  const hour = Number(format.format(at));
  return hour >= 22 || hour < 7;
}

function countNight(pages: readonly Page[], zone: string): number {
  return pages.filter((p) => isNight(p.at, zone)).length;
}

export function countBy(pages: readonly Page[], zone: string, names: (page: Page) => readonly string[]): Count[] {
  const by = new Map<string, Page[]>();
  for (const page of pages) {
    for (const name of names(page)) {
      const known = by.get(name);
      if (known === undefined) by.set(name, [page]);
      else known.push(page);
    }
  }
  const counts = [...by].map(([name, all]) => {
    const firing = all.filter((p) => p.status === "firing");
    return { name, pages: firing.length, night: countNight(firing, zone), resolved: all.length - firing.length };
  });
  return counts.sort((a, b) => b.pages - a.pages || (a.name < b.name ? -1 : 1));
}

/** The alerts by their pages, then by how often they fired. */
export function noisiest(pages: readonly Page[], episodes: readonly Episode[]): NoisyAlert[] {
  const counts = new Map<string, number>();
  for (const page of pages) {
    if (page.status !== "firing") continue;
    for (const name of alertNames(page)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const by = new Map<string, Episode[]>();
  for (const e of episodes) {
    const known = by.get(e.alertname);
    if (known === undefined) by.set(e.alertname, [e]);
    else known.push(e);
  }
  const out = [...by].map(([alertname, all]): NoisyAlert => {
    const lengths = all.filter((e) => e.endedAt > 0).map((e) => e.endedAt - e.firedAt);
    lengths.sort((a, b) => a - b);
    const ends = new Map<string, number>();
    let flaps = 0;
    for (const e of [...all].sort((a, b) => a.firedAt - b.firedAt)) {
      const key = labelsKey(e.labels);
      const end = ends.get(key);
      if (end !== undefined && end > 0 && e.firedAt - end <= FLAP_MS) flaps++;
      ends.set(key, e.endedAt);
    }
    return {
      alertname,
      pages: counts.get(alertname) ?? 0,
      episodes: all.length,
      instances: ends.size,
      medianMs: lengths[lengths.length >> 1] ?? 0,
      flaps,
    };
  });
  return out.sort((a, b) => b.pages - a.pages || b.episodes - a.episodes || (a.alertname < b.alertname ? -1 : 1));
}

/** Per alert and receiver, pages that something fires: before, after, and what makes the difference. */
export function diffRows(before: readonly Page[], after: readonly Page[], diff: PageDiff): DiffRow[] {
  const rows = new Map<string, { -readonly [K in keyof DiffRow]: DiffRow[K] }>();
  const count = (pages: readonly Page[], what: "before" | "after" | "added" | "removed" | "moved") => {
    for (const page of pages) {
      if (page.status !== "firing") continue;
      for (const alertname of alertNames(page)) {
        const key = `${alertname}\u0000${page.receiver}`;
        const { receiver } = page;
        const row = rows.get(key) ?? { alertname, receiver, before: 0, after: 0, added: 0, removed: 0, moved: 0 };
        rows.set(key, row);
        row[what]++;
      }
    }
  };
  count(before, "before");
  count(after, "after");
  count(diff.added, "added");
  count(diff.removed, "removed");
  count(
    diff.moved.map((m) => m.after),
    "moved",
  );
  const changes = (r: DiffRow) => r.added + r.removed + r.moved;
  return [...rows.values()]
    .filter((r) => changes(r) > 0)
    .sort((a, b) => changes(b) - changes(a) || (a.alertname < b.alertname ? -1 : 1));
}
