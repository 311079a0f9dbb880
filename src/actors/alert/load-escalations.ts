import { resolve } from "node:path";
import type { Node } from "yaml";
import { parseDuration } from "../../lib/duration.ts";
import {
  field,
  readBoolean,
  readInteger,
  readList,
  readMap,
  readParsed,
  readString,
  report,
  type YamlEntry,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import {
  type Escalation,
  type EscalationConfig,
  type EscalationStep,
  type LinkConfig,
  NO_ESCALATIONS,
  type Schedule,
  type StepTarget,
} from "../escalation/escalation-config.ts";
import type { Receiver } from "./alertmanager-config.ts";
import { readSchedule } from "./load-schedule.ts";

type Entries = ReadonlyMap<string, YamlEntry>;

/** Tocsin's own keys of the configuration; a file without them is one of Alertmanager's. */
export const ESCALATION_KEYS = ["escalations", "schedules", "acknowledgement"];

const AGAIN_MS = 10 * 60_000;
const SCHEDULE = "schedule:";

/** Reads `escalations`, `schedules` and `acknowledgement`. What is wrong is reported with its place. */
export function readEscalations(
  r: YamlReader,
  top: Entries,
  folder: string,
  receivers: readonly Receiver[],
): EscalationConfig {
  const told = new Set(receivers.filter((x) => x.integrations.length > 0).map((x) => x.name));
  const known = new Set(receivers.map((x) => x.name));
  /** Reports a receiver that cannot be paged. */
  const checkReceiver = (name: string, node: Node, where: string) => {
    if (!known.has(name)) report(r, node, `undefined receiver ${JSON.stringify(name)} used in ${where}`);
    else if (!told.has(name))
      report(r, node, `receiver ${JSON.stringify(name)} used in ${where} has nothing to tell by`);
  };
  const schedules = named(r, top, "schedules", (node): Schedule => readSchedule(r, node, checkReceiver));
  const escalations = named(r, top, "escalations", (node): Escalation => {
    const keys = ["name", "steps", "repeat", "repeat_after", "ack_timeout", "repage_on_new_alerts"];
    const entries = readMap(r, node, "the escalation", keys);
    const name = field(entries, "name", (n) => readString(r, n, "name")) ?? "";
    const where = `escalation ${JSON.stringify(name)}`;
    const target = (n: Node): StepTarget => {
      const text = readString(r, n, "a receiver or schedule") ?? "";
      if (!text.startsWith(SCHEDULE)) {
        checkReceiver(text, n, where);
        return { kind: "receiver", name: text };
      }
      const schedule = text.slice(SCHEDULE.length);
      if (!schedules.has(schedule)) report(r, n, `undefined schedule ${JSON.stringify(schedule)} used in ${where}`);
      return { kind: "schedule", name: schedule };
    };
    const steps = readList(r, entries.get("steps")?.value, "steps").map((n) => readStep(r, n, target));
    if (steps.length === 0) report(r, entries.get("steps")?.keyNode ?? node, `${where} has no steps`);
    return {
      name,
      steps: inOrder(r, entries, steps),
      repeat: readRepeat(r, entries.get("repeat")),
      repeatAfterMs: duration(r, entries, "repeat_after", false) ?? AGAIN_MS,
      ackTimeoutMs: duration(r, entries, "ack_timeout", true) ?? 0,
      repageOnNewAlerts:
        field(entries, "repage_on_new_alerts", (n) => readBoolean(r, n, "repage_on_new_alerts")) ?? true,
    };
  });
  return { schedules, escalations, links: readLinks(r, top.get("acknowledgement"), folder) };
}

/** A list of things with names that are all different, by name. */
function named<T extends { readonly name: string }>(
  r: YamlReader,
  top: Entries,
  key: string,
  read: (node: Node) => T,
): Map<string, T> {
  const out = new Map<string, T>();
  const what = key.slice(0, -1);
  for (const node of readList(r, top.get(key)?.value, key)) {
    const item = read(node);
    if (item.name === "") report(r, node, `missing name in ${what}`);
    else if (out.has(item.name)) report(r, node, `${what} ${JSON.stringify(item.name)} is not unique`);
    out.set(item.name, item);
  }
  return out;
}

function readStep(r: YamlReader, node: Node, target: (node: Node) => StepTarget): EscalationStep {
  const entries = readMap(r, node, "the step", ["after", "notify"]);
  const notify = readList(r, entries.get("notify")?.value, "notify").map(target);
  if (notify.length === 0) report(r, entries.get("notify")?.keyNode ?? node, "the step notifies nobody");
  return { afterMs: duration(r, entries, "after", true) ?? 0, notify };
}

function inOrder(r: YamlReader, entries: Entries, steps: EscalationStep[]): EscalationStep[] {
  const nodes = readList(r, entries.get("steps")?.value, "steps");
  for (const [i, step] of steps.entries()) {
    if (i > 0 && step.afterMs <= (steps[i - 1] as EscalationStep).afterMs) {
      report(r, nodes[i], "a step's after must be longer than that of the step before it");
    }
  }
  return steps;
}

function readRepeat(r: YamlReader, entry: YamlEntry | undefined): number {
  if (entry === undefined) return Number.POSITIVE_INFINITY;
  const text = readString(r, entry.value, "repeat");
  if (text === "until_acknowledged") return Number.POSITIVE_INFINITY;
  if (/^\d+$/.test(text ?? "")) return readInteger(r, entry.value, "repeat") ?? 0;
  report(r, entry.value ?? entry.keyNode, "repeat must be a whole number or until_acknowledged");
  return 0;
}

function duration(r: YamlReader, entries: Entries, key: string, zero: boolean): number | undefined {
  const ms = field(entries, key, (n) => readParsed(r, n, key, parseDuration));
  if (ms !== 0 || zero) return ms;
  report(r, entries.get(key)?.value, `${key} cannot be zero`);
  return undefined;
}

function readLinks(r: YamlReader, entry: YamlEntry | undefined, folder: string): LinkConfig {
  const entries = readMap(r, entry?.value, "acknowledgement", ["secret_file", "link_expires"]);
  const file = field(entries, "secret_file", (n) => readString(r, n, "secret_file"));
  return {
    secretFile: file === undefined ? undefined : resolve(folder, file),
    expiresMs: duration(r, entries, "link_expires", false) ?? NO_ESCALATIONS.links.expiresMs,
  };
}
