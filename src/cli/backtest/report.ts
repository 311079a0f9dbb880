import { comparePages, type PageDiff } from "../../actors/backtest/compare.ts";
import type { Episode, Page } from "../../actors/backtest/page.ts";
import type { RuleProblem } from "../../actors/backtest/rules-replay.ts";
import { labelsToObject } from "../../model/labels.ts";
import {
  type Count,
  countBy,
  type DiffRow,
  diffRows,
  type NoisyAlert,
  noisiest,
  type Totals,
  totalsOf,
} from "./summary.ts";

/** One run: candidate or what is configured. */
export interface Side {
  readonly pages: readonly Page[];
  readonly totals: Totals;
  readonly byReceiver: readonly Count[];
  /** Of receivers that stand in schedules. */
  readonly byPerson: readonly Count[];
  readonly noisiest: readonly NoisyAlert[];
  readonly problems: readonly RuleProblem[];
}

export interface Report {
  /** Unix ms. */
  readonly from: number;
  readonly to: number;
  readonly zone: string;
  readonly rules: number;
  readonly evaluations: number;
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly candidate: Side;
  readonly current: Side | undefined;
  readonly diff: PageDiff | undefined;
  readonly diffRows: readonly DiffRow[];
}

export interface RunResult {
  readonly pages: readonly Page[];
  readonly episodes: readonly Episode[];
  readonly problems: readonly RuleProblem[];
  /** Receivers that are on call by a schedule. */
  readonly people: ReadonlySet<string>;
}

type About = Omit<Report, "candidate" | "current" | "diff" | "diffRows">;

export function makeReport(about: About, candidate: RunResult, current: RunResult | undefined): Report {
  const diff = current === undefined ? undefined : comparePages(current.pages, candidate.pages);
  return {
    ...about,
    candidate: sideOf(about, candidate),
    current: current === undefined ? undefined : sideOf(about, current),
    diff,
    diffRows: current === undefined || diff === undefined ? [] : diffRows(current.pages, candidate.pages, diff),
  };
}

function sideOf({ from, to, zone }: About, { pages, episodes, problems, people }: RunResult): Side {
  return {
    pages,
    totals: totalsOf(pages, to - from, zone),
    byReceiver: countBy(pages, zone, (p) => [p.receiver]),
    byPerson: countBy(pages, zone, (p) => (people.has(p.receiver) ? [p.receiver] : [])),
    noisiest: noisiest(
      pages,
      episodes.filter((e) => e.firedAt >= from),
    ),
    problems,
  };
}

/** The report for other programs: times as RFC 3339, labels as objects. */
export function reportJson(report: Report): unknown {
  const { candidate, current, diff, from, to, diffRows: byAlert, ...about } = report;
  const side = ({ pages, ...rest }: Side) => ({ ...rest, pages: pages.map(pageJson) });
  return {
    from: time(from),
    to: time(to),
    ...about,
    candidate: side(candidate),
    ...(current === undefined ? {} : { current: side(current) }),
    ...(diff === undefined
      ? {}
      : {
          difference: {
            byAlert,
            same: diff.same,
            added: diff.added.map(pageJson),
            removed: diff.removed.map(pageJson),
            moved: diff.moved.map(({ before, after }) => ({
              from: time(before.at),
              to: time(after.at),
              page: pageJson(after),
            })),
          },
        }),
  };
}

function pageJson(page: Page): unknown {
  return {
    ...page,
    at: time(page.at),
    groupLabels: labelsToObject(page.groupLabels),
    alerts: page.alerts.map((a) => ({
      ...a,
      labels: labelsToObject(a.labels),
      startsAt: time(a.startsAt),
      endsAt: a.endsAt === 0 ? null : time(a.endsAt),
    })),
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
