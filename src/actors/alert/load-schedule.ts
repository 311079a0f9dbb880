import type { Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import { field, readList, readMap, readParsed, readString, report, type YamlReader } from "../../lib/yaml-reader.ts";
import type { Override, Restriction, Rotation, Schedule } from "../escalation/escalation-config.ts";
import { fromLocal, isZone } from "../escalation/zone-time.ts";
import { parseTimeOfDay, parseWeekdays } from "./time-interval.ts";

type CheckReceiver = (name: string, node: Node, where: string) => void;

/** Reads one entry of `schedules`. What is wrong is reported with its place. */
export function readSchedule(r: YamlReader, node: Node, checkReceiver: CheckReceiver): Schedule {
  const entries = readMap(r, node, "the schedule", ["name", "time_zone", "rotations", "overrides"]);
  const name = field(entries, "name", (n) => readString(r, n, "name")) ?? "";
  const where = `schedule ${JSON.stringify(name)}`;
  let zone = field(entries, "time_zone", (n) => readString(r, n, "time_zone")) ?? "";
  if (zone === "") report(r, entries.get("time_zone")?.value ?? node, `${where} has no time_zone`);
  if (!isZone(zone)) {
    if (zone !== "") report(r, entries.get("time_zone")?.value, `unknown time zone ${JSON.stringify(zone)}`);
    zone = "UTC";
  }
  const rotations = readList(r, entries.get("rotations")?.value, "rotations").map((n) =>
    readRotation(r, n, where, checkReceiver),
  );
  if (rotations.length === 0) report(r, entries.get("rotations")?.keyNode ?? node, `${where} has no rotations`);
  const overrides = readList(r, entries.get("overrides")?.value, "overrides").map((n) => ({
    node: n,
    ...readOverride(r, n, zone, where, checkReceiver),
  }));
  overrides.sort((a, b) => a.start - b.start);
  for (const [i, override] of overrides.entries()) {
    if (i > 0 && override.start < (overrides[i - 1] as Override).end) {
      report(r, override.node, `the override overlaps another one of ${where}`);
    }
  }
  return { name, zone, rotations, overrides: overrides.map(({ node: _, ...override }) => override) };
}

const ROTATION_KEYS = ["receivers", "start", "end", "shift", "handoff", "restrict"];
const SHORTEST_SHIFT_MS = 3_600_000;

function readRotation(r: YamlReader, node: Node, where: string, checkReceiver: CheckReceiver): Rotation {
  const entries = readMap(r, node, "the rotation", ROTATION_KEYS);
  const receivers = readList(r, entries.get("receivers")?.value, "receivers").map((n) => {
    const name = readString(r, n, "a receiver") ?? "";
    checkReceiver(name, n, where);
    return name;
  });
  if (receivers.length === 0) report(r, entries.get("receivers")?.keyNode ?? node, "the rotation has no receivers");
  const start = field(entries, "start", (n) => readParsed(r, n, "start", parseLocal));
  if (!entries.has("start")) report(r, node, "the rotation has no start");
  const handOff = field(entries, "handoff", (n) => readParsed(r, n, "handoff", parseTimeOfDay));
  if (handOff !== undefined && start?.hasTime === true) {
    report(
      r,
      entries.get("handoff")?.keyNode,
      "the rotation's start has a time of day: handoff must not stand beside it",
    );
  }
  const end = field(entries, "end", (n) => readParsed(r, n, "end", parseLocal));
  if (start !== undefined && end !== undefined && end.local <= start.local) {
    report(r, entries.get("end")?.value, "the rotation's end must be after its start");
  }
  const shiftMs = field(entries, "shift", (n) => readParsed(r, n, "shift", parseDuration));
  if (!entries.has("shift")) report(r, node, "the rotation has no shift");
  if (shiftMs !== undefined && shiftMs < SHORTEST_SHIFT_MS) {
    report(r, entries.get("shift")?.value, "a shift must be at least 1h long");
  }
  return {
    receivers,
    start: (start?.local ?? 0) + (handOff ?? 0) * 60_000,
    end: end?.local,
    shiftMs: Math.max(SHORTEST_SHIFT_MS, shiftMs ?? 0),
    restrict: readList(r, entries.get("restrict")?.value, "restrict").flatMap((n) => readRestriction(r, n)),
  };
}

function readRestriction(r: YamlReader, node: Node): Restriction[] {
  const entries = readMap(r, node, "restrict", ["weekdays", "times"]);
  const weekdays = readList(r, entries.get("weekdays")?.value, "weekdays").flatMap((n) => {
    const range = readParsed(r, n, "weekdays", parseWeekdays);
    return range === undefined ? [] : Array.from({ length: range.to - range.from + 1 }, (_, i) => range.from + i);
  });
  if (entries.size === 0) report(r, node, "restrict must have weekdays or times");
  const times = readList(r, entries.get("times")?.value, "times").map((n) => {
    const time = readMap(r, n, "times", ["start_time", "end_time"]);
    const at = (key: string) => field(time, key, (x) => readParsed(r, x, key, parseTimeOfDay));
    if (time.size < 2) report(r, n, "both start and end times must be provided");
    return { from: at("start_time") ?? 0, to: at("end_time") ?? 0 };
  });
  // Without times the whole day: to the same time of the day after.
  return (times.length === 0 ? [{ from: 0, to: 0 }] : times).map((t) => ({ weekdays, ...t }));
}

function readOverride(r: YamlReader, node: Node, zone: string, where: string, checkReceiver: CheckReceiver): Override {
  const entries = readMap(r, node, "the override", ["start", "end", "receiver"]);
  const at = (key: string) => {
    if (!entries.has(key)) report(r, node, `the override has no ${key}`);
    return field(entries, key, (n) => readParsed(r, n, key, (text) => parseInstant(text, zone))) ?? 0;
  };
  const [start, end] = [at("start"), at("end")];
  if (entries.has("start") && entries.has("end") && end <= start) {
    report(r, entries.get("end")?.value, "the override's end must be after its start");
  }
  const receiver = field(entries, "receiver", (n) => readString(r, n, "receiver")) ?? "";
  checkReceiver(receiver, entries.get("receiver")?.value ?? node, where);
  return { start, end, receiver };
}

const LOCAL = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d))?)?$/;

/** `2026-01-05` or `2026-01-05T09:00`, as a local time (zone-time.ts). */
function parseLocal(text: string): { readonly local: number; readonly hasTime: boolean } {
  const m = LOCAL.exec(text);
  const iso = `${m?.[1]}T${m?.[2] ?? "00:00"}:${m?.[3] ?? "00"}.000Z`;
  const local = m === null ? Number.NaN : Date.parse(iso);
  if (Number.isNaN(local) || new Date(local).toISOString() !== iso) {
    throw new Error(`${JSON.stringify(text)} is no date as 2026-01-05 or 2026-01-05T09:00`);
  }
  return { local, hasTime: m?.[2] !== undefined };
}

/** As `parseLocal` in the zone, or with an offset of its own (RFC 3339). Unix ms. */
function parseInstant(text: string, zone: string): number {
  if (/(Z|[+-]\d\d:\d\d)$/.test(text) && LOCAL.test(text.replace(/(Z|[+-]\d\d:\d\d)$/, ""))) {
    const t = Date.parse(text);
    if (!Number.isNaN(t)) return t;
  }
  return fromLocal(zone, parseLocal(text).local);
}
