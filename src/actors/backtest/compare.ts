import { labelsKey, labelValue } from "../../model/labels.ts";
import type { Page } from "./page.ts";

/** How the pages of a candidate differ from those of what is configured. */
export interface PageDiff {
  readonly same: number;
  readonly added: readonly Page[];
  readonly removed: readonly Page[];
  /** The same page at another time. */
  readonly moved: readonly { readonly before: Page; readonly after: Page }[];
}

/** A page that comes so much earlier or later is the same one. */
const NEAR_MS = 3_600_000;

/** Pairs pages to the same receiver about the same alerts of the same group: those of one time first, then the nearest. */
export function comparePages(before: readonly Page[], after: readonly Page[]): PageDiff {
  const left = byIdentity(before);
  const added: Page[] = [];
  const removed: Page[] = [];
  const moved: { before: Page; after: Page }[] = [];
  let same = 0;
  for (const [key, pages] of byIdentity(after)) {
    const rest = left.get(key) ?? [];
    left.delete(key);
    const times = new Map<number, Page[]>();
    for (const page of rest) times.set(page.at, [...(times.get(page.at) ?? []), page]);
    const fresh = pages.filter((page) => {
      const found = times.get(page.at)?.pop();
      if (found !== undefined) same++;
      return found === undefined;
    });
    const gone = [...times.values()].flat().sort((a, b) => a.at - b.at);
    let g = 0;
    for (const page of fresh) {
      while (g < gone.length && (gone[g] as Page).at < page.at - NEAR_MS) removed.push(gone[g++] as Page);
      const near = gone[g];
      if (near !== undefined && Math.abs(near.at - page.at) <= NEAR_MS) {
        moved.push({ before: near, after: page });
        g++;
      } else added.push(page);
    }
    removed.push(...gone.slice(g));
  }
  for (const pages of left.values()) removed.push(...pages);
  const byTime = (a: Page, b: Page) => a.at - b.at;
  moved.sort((a, b) => byTime(a.after, b.after));
  return { same, added: added.sort(byTime), removed: removed.sort(byTime), moved };
}

function byIdentity(pages: readonly Page[]): Map<string, Page[]> {
  const out = new Map<string, Page[]>();
  for (const page of pages) {
    const key = [page.receiver, page.status, alertNames(page).join(","), labelsKey(page.groupLabels)].join("\u0000");
    const known = out.get(key);
    if (known === undefined) out.set(key, [page]);
    else known.push(page);
  }
  return out;
}

/** The names of a page's alerts, sorted, each once. */
export function alertNames(page: Page): string[] {
  return [...new Set(page.alerts.map((a) => labelValue(a.labels, "alertname")))].sort();
}
