import type { PageDiff } from "../../actors/backtest/compare.ts";
import { alertNames } from "../../actors/backtest/compare.ts";
import type { Page } from "../../actors/backtest/page.ts";
import { formatLabels } from "../../model/labels.ts";
import type { Io } from "../query/command.ts";
import { type Column, formatTable } from "../query/table.ts";
import { formatSpan } from "../query/times.ts";
import type { Report } from "./report.ts";
import type { Count, Totals } from "./summary.ts";

const right = (title: string): Column => ({ title, align: "right" });

/** The report as tables. `limit`: rows of each that can be long. */
export function printReport(report: Report, io: Io, limit: number): void {
  const lines: string[] = [];
  const table = (title: string, columns: readonly Column[], rows: readonly (readonly string[])[]) => {
    lines.push("", title);
    if (rows.length === 0) lines.push("  none");
    else lines.push(...formatTable(columns, rows.slice(0, limit), io.out, "  "));
    if (rows.length > limit) lines.push(`  and ${rows.length - limit} more (--limit)`);
  };
  const { from, to, rules, evaluations, seconds, zone, candidate, current } = report;
  lines.push(
    `${at(from, zone)} to ${at(to, zone)} (${formatSpan(to - from)}, ${zone})`,
    `${rules} rules, ${evaluations.toLocaleString("en-US")} evaluations in ${seconds.toFixed(1)} s`,
  );
  const totals: readonly (readonly [string, (t: Totals) => string])[] = [
    ["pages", (t) => String(t.pages)],
    ["  of them repeated", (t) => String(t.repeats)],
    ["  of them at night (22-7)", (t) => String(t.night)],
    ["  a week", (t) => t.perWeek.toFixed(1)],
    ["resolved messages", (t) => String(t.resolved)],
  ];
  const both = current === undefined ? [candidate.totals] : [current.totals, candidate.totals];
  table(
    "Totals",
    [{ title: "" }, ...(current === undefined ? [right("candidate")] : [right("now"), right("candidate")])],
    totals.map(([name, show]) => [name, ...both.map(show)]),
  );
  const counts = (title: string, now: readonly Count[] | undefined, then: readonly Count[]) => {
    const names = [...new Set([...then.map((c) => c.name), ...(now ?? []).map((c) => c.name)])];
    const of = (all: readonly Count[], name: string, what: "pages" | "night" | "resolved") =>
      String(all.find((c) => c.name === name)?.[what] ?? 0);
    table(
      title,
      [
        { title: "name" },
        ...(now === undefined ? [] : [right("now")]),
        ...(["pages", "at night", "resolved"] as const).map(right),
      ],
      names.map((name) => [
        name,
        ...(now === undefined ? [] : [of(now, name, "pages")]),
        of(then, name, "pages"),
        of(then, name, "night"),
        of(then, name, "resolved"),
      ]),
    );
  };
  counts("Pages by receiver", current?.byReceiver, candidate.byReceiver);
  if (candidate.byPerson.length + (current?.byPerson.length ?? 0) > 0) {
    counts("Pages by person on call", current?.byPerson, candidate.byPerson);
  }
  table(
    "Noisiest alerts",
    [{ title: "alert" }, ...["pages", "fired", "instances", "flaps", "median"].map(right)],
    candidate.noisiest.map((n) => [
      n.alertname,
      String(n.pages),
      String(n.episodes),
      String(n.instances),
      String(n.flaps),
      n.medianMs === 0 ? "-" : formatSpan(n.medianMs),
    ]),
  );
  if (report.diff !== undefined) {
    const { added, removed, moved, same } = report.diff;
    table(
      `Difference to what is configured now: ${added.length} added, ${removed.length} removed, ${moved.length} moved, ${same} the same`,
      [{ title: "alert" }, { title: "receiver" }, ...["now", "candidate", "added", "removed", "moved"].map(right)],
      report.diffRows.map((r) => [
        r.alertname,
        r.receiver,
        ...[r.before, r.after, r.added, r.removed, r.moved].map(String),
      ]),
    );
    table("Messages that differ", MESSAGE_COLUMNS, differing(report.diff, zone));
  } else {
    table(
      "Pages",
      MESSAGE_COLUMNS.slice(1),
      candidate.pages.map((p) => messageRow(p, zone)),
    );
  }
  io.write(`${lines.join("\n")}\n`);
}

const MESSAGE_COLUMNS: readonly Column[] = [
  { title: "" },
  { title: "time", whole: true },
  { title: "receiver" },
  { title: "what" },
  { title: "alerts" },
  { title: "group" },
];

function differing(diff: PageDiff, zone: string): string[][] {
  const rows = [
    ...diff.added.map((p) => ({ mark: "+", page: p, note: "" })),
    ...diff.removed.map((p) => ({ mark: "-", page: p, note: "" })),
    ...diff.moved.map(({ before, after }) => {
      const by = after.at - before.at;
      return { mark: "~", page: after, note: ` (${formatSpan(Math.abs(by))} ${by > 0 ? "later" : "earlier"})` };
    }),
  ];
  rows.sort((a, b) => a.page.at - b.page.at);
  return rows.map(({ mark, page, note }) => {
    const [time = "", receiver = "", what = "", ...rest] = messageRow(page, zone);
    return [mark, time, receiver, what + note, ...rest];
  });
}

function messageRow(page: Page, zone: string): string[] {
  const step = page.escalation === undefined || page.escalation.step === 0 ? "" : ` step ${page.escalation.step}`;
  const names = `${page.alerts.length} ${alertNames(page).join(", ")}`;
  const what = page.reason === "repeat interval elapsed" ? `${page.status}, again` : page.status;
  return [at(page.at, zone), page.receiver, what + step, names, formatLabels(page.groupLabels)];
}

const formats = new Map<string, Intl.DateTimeFormat>();

function at(ms: number, zone: string): string {
  const format =
    formats.get(zone) ?? new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  formats.set(zone, format);
  return format.format(ms);
}
