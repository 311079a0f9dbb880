import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Disk, DiskError, type DiskFile, ifThere, readWhole, replaceFile } from "../../lib/disk.ts";
import { type Labels, labelsFromObject, labelsKey, labelsToObject } from "../../model/labels.ts";
import type { FiringTally } from "../../model/rules.ts";
import { REASONS, type Reason, reasonCode } from "./absence.ts";
import { madeAs } from "./alert-evaluation.ts";
import { type Applied, reasonOf } from "./alert-rule.core.ts";
import {
  ACTIVE_AT,
  type AlertTable,
  type Annotations,
  cellOf,
  FIRED_AT,
  INACTIVE,
  KEEPING_SINCE,
  LATE,
  obtainRow,
  REASON,
  RESOLVED_AT,
  STATE,
  STATE_NAMES,
  setCell,
  standFor,
  UNSEEN_MS,
  UNSEEN_SINCE,
  VALUE,
} from "./alert-table.ts";
import { type GroupRuntime, ruleIdentity } from "./rule-group.state.ts";
import { groupKey, isShadow } from "./rule-spec.ts";

/**
 * The instances of a group's alerting rules on disk, with their clocks: a base with all of them, `<group>.json`, and a log
 * of what has changed since, `<group>.<generation>.log`, a line an instance. When the log has grown, a base of the next
 * generation takes its place.
 *
 * Invariants:
 * - What `save` was given is on disk when it resolves; after a failure the next one writes everything anew.
 * - A log belongs to the base of its generation alone, so a crash between the two leaves a whole state.
 * - A log ends where a line cannot be read: what is behind was never announced.
 * - Instances are restored to a rule of the same name and labels; a rule whose `for` or expression changed keeps its alerts.
 * - Whether a rule was a shadow rule is on disk with its instances, until `settle` when it has turned.
 */
export interface GroupStore {
  /** Puts what the evaluations have changed on disk. One call at a time. */
  save(changed: readonly Changed[]): Promise<void>;
  /** What it means that rules have turned to or from shadow has been told: they are what they are from now on. */
  settle(): Promise<void>;
  /** Notes that the group is alive; not synced, since a lost note only makes a gap look longer. */
  alive(): Promise<void>;
  close(): Promise<void>;
}

/** Of a rule, by its place in the group. */
export interface Changed extends Pick<Applied, "dirty" | "gone"> {
  readonly rule: number;
}

interface StoredInstance {
  readonly state: string;
  readonly activeAt: number;
  readonly firedAt: number;
  readonly keepingSince: number;
  readonly resolvedAt: number;
  readonly unseenSince?: number;
  readonly unseenMs?: number;
  readonly reason?: Reason;
  readonly lateMs?: number;
  /** JSON has no NaN and no infinities. */
  readonly value: number | string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Annotations;
}

/** Version 1 has no generation: 0, and no log. */
interface StoredGroup {
  readonly version: 1 | 2;
  readonly generation?: number;
  readonly file: string;
  readonly group: string;
  readonly lastEvaluation: number;
  readonly rules: readonly {
    readonly identity: string;
    readonly instances: readonly StoredInstance[];
    readonly shadow?: boolean;
    readonly tally?: FiringTally;
  }[];
}

/** The first line of a log names the rules that the others give the places of. */
interface LogHead {
  readonly version: 2;
  readonly rules: readonly string[];
  /** The places of those that are shadow rules. */
  readonly shadow?: readonly number[];
}

interface LogLine {
  readonly rule: number;
  readonly now?: StoredInstance;
  readonly gone?: Readonly<Record<string, string>>;
  readonly tally?: FiringTally;
  /** Time of the evaluation. */
  readonly at: number;
}

interface StoredRule {
  readonly identity: string;
  readonly instances: Map<string, StoredInstance>;
  readonly shadow: boolean;
  tally: FiringTally | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A log shorter than this is not worth a new base. */
const SHORT_LOG = 1 << 20;

export function stateFile(folder: string, group: { readonly file: string; readonly name: string }): string {
  return join(folder, `${createHash("sha256").update(groupKey(group)).digest("hex").slice(0, 24)}.json`);
}

/**
 * Fills a new runtime from what is on disk, `lastEvaluation` too (0: there was none). Rejects when the base cannot be read
 * or is damaged.
 */
export async function openGroupStore(disk: Disk, folder: string, runtime: GroupRuntime): Promise<GroupStore> {
  const path = stateFile(folder, runtime.spec);
  const read = await readState(disk, path);
  const waiting = [...read.rules];
  for (const rule of runtime.rules) {
    const shadow = isShadow(rule.spec);
    const itself = waiting.findIndex((s) => s.identity === ruleIdentity(rule.spec) && s.shadow === shadow);
    const at = itself >= 0 ? itself : waiting.findIndex((s) => s.identity === ruleIdentity(rule.spec));
    if (at < 0 || rule.table === undefined) continue;
    const stored = waiting.splice(at, 1)[0] as StoredRule;
    const turned = stored.shadow !== shadow;
    for (const instance of stored.instances.values()) {
      // Nobody was told of it, so nobody is told of its end.
      if (turned && stored.shadow && instance.state === "resolved") continue;
      restoreInstance(rule.table, instance);
    }
    if (turned) rule.turned = shadow ? "shadow" : "live";
    else rule.tally = stored.tally;
  }
  runtime.lastEvaluation = read.lastEvaluation;
  const store = makeStore(disk, folder, path, runtime, read.generation, read.baseBytes);
  // Alerts of rules that are gone must not come back with a rule of their name, years later. What has been read is good on a disk
  // that takes nothing, too: the next `save` writes it anew, and tells why it cannot.
  try {
    if (runtime.rules.some((rule) => rule.turned !== undefined)) store.doubt();
    else if (waiting.some((rule) => rule.instances.size > 0) || read.logged) await store.rewrite();
    await ifThere(disk.remove(logFile(path, read.generation - 1)));
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    store.doubt();
  }
  return store;
}

function makeStore(
  disk: Disk,
  folder: string,
  path: string,
  runtime: GroupRuntime,
  firstGeneration: number,
  firstBase: number,
): GroupStore & { rewrite(): Promise<void>; doubt(): void } {
  let generation = firstGeneration;
  let baseBytes = firstBase;
  let log: DiskFile | undefined;
  let end = 0;
  let whole = true;

  const rewrite = async (): Promise<void> => {
    whole = false;
    await closeLog();
    const before = logFile(path, generation);
    // Of another base of that generation, when one was damaged and generations began anew.
    if (await removed(disk, logFile(path, generation + 1))) await disk.syncDir(folder);
    const bytes = encoder.encode(JSON.stringify(storedGroup(runtime, generation + 1)));
    await replaceFile(disk, path, bytes);
    generation++;
    baseBytes = bytes.length;
    whole = true;
    await ifThere(disk.remove(before));
  };
  const closeLog = async (): Promise<void> => {
    const file = log;
    log = undefined;
    end = 0;
    await file?.close();
  };
  const append = async (text: string): Promise<void> => {
    let made = false;
    if (log === undefined) {
      log = await disk.open(logFile(path, generation), "create");
      made = true;
    }
    const shadow = runtime.rules.flatMap((rule, i) => (isShadow(rule.spec) ? [i] : []));
    const rules = runtime.rules.map((rule) => ruleIdentity(rule.spec));
    const head: LogHead = { version: 2, rules, ...(shadow.length === 0 ? {} : { shadow }) };
    const bytes = encoder.encode(made ? `${JSON.stringify(head)}\n${text}` : text);
    await log.write(bytes, end);
    await log.sync();
    if (made) await disk.syncDir(folder);
    end += bytes.length;
  };
  return {
    save: async (changed) => {
      if (!whole) return await rewrite();
      whole = false;
      await append(linesOf(runtime, changed));
      whole = true;
      if (end > Math.max(SHORT_LOG, 4 * baseBytes)) await rewrite();
    },
    alive: async () => {
      const file = await disk.open(`${path}.alive`, "create");
      try {
        await file.write(encoder.encode(`${runtime.lastEvaluation}\n`), 0);
      } finally {
        await file.close();
      }
    },
    settle: async () => {
      await rewrite();
      for (const rule of runtime.rules) rule.turned = undefined;
    },
    close: closeLog,
    rewrite,
    doubt: () => {
      whole = false;
    },
  };
}

/** Removes a file; false when it was not there. */
async function removed(disk: Disk, path: string): Promise<boolean> {
  return (await ifThere(disk.remove(path).then(() => true))) === true;
}

function logFile(path: string, generation: number): string {
  return path.replace(/\.json$/, `.${generation}.log`);
}

function linesOf(runtime: GroupRuntime, changed: readonly Changed[]): string {
  const lines: string[] = [];
  const at = runtime.lastEvaluation;
  for (const { rule, dirty, gone } of changed) {
    const table = runtime.rules[rule]?.table as AlertTable;
    for (const labels of gone) lines.push(JSON.stringify({ rule, gone: labelsToObject(labels), at } satisfies LogLine));
    for (const row of dirty) lines.push(JSON.stringify({ rule, now: instanceOf(table, row), at } satisfies LogLine));
    const tally = runtime.rules[rule]?.tally;
    if (tally !== undefined) lines.push(JSON.stringify({ rule, tally, at } satisfies LogLine));
  }
  return lines.map((line) => `${line}\n`).join("");
}

function storedGroup(runtime: GroupRuntime, generation: number): StoredGroup {
  return {
    version: 2,
    generation,
    file: runtime.spec.file,
    group: runtime.spec.name,
    lastEvaluation: runtime.lastEvaluation,
    rules: runtime.rules.flatMap(({ spec, table, tally }) => {
      if (table === undefined) return [];
      const instances = Array.from(table.rowOf.values(), (row) => instanceOf(table, row));
      const shadow = isShadow(spec) ? { shadow: true } : {};
      return [{ identity: ruleIdentity(spec), instances, ...shadow, ...(tally === undefined ? {} : { tally }) }];
    }),
  };
}

function instanceOf(table: AlertTable, row: number): StoredInstance {
  const value = cellOf(table, row, VALUE);
  return {
    state: STATE_NAMES[cellOf(table, row, STATE)] as string,
    activeAt: cellOf(table, row, ACTIVE_AT),
    firedAt: cellOf(table, row, FIRED_AT),
    keepingSince: cellOf(table, row, KEEPING_SINCE),
    resolvedAt: cellOf(table, row, RESOLVED_AT),
    unseenSince: cellOf(table, row, UNSEEN_SINCE),
    unseenMs: cellOf(table, row, UNSEEN_MS),
    reason: reasonOf(table, row),
    lateMs: cellOf(table, row, LATE),
    value: Number.isFinite(value) ? value : String(value),
    labels: labelsToObject(table.labels[row] as Labels),
    annotations: table.annotations[row] as Annotations,
  };
}

function restoreInstance(table: AlertTable, instance: StoredInstance): void {
  const labels = labelsFromObject(instance.labels);
  const state = (STATE_NAMES as readonly string[]).indexOf(instance.state);
  if (state <= INACTIVE) return;
  const row = obtainRow(table, labelsKey(labels), labels);
  setCell(table, row, STATE, state);
  setCell(table, row, ACTIVE_AT, instance.activeAt);
  setCell(table, row, FIRED_AT, instance.firedAt);
  setCell(table, row, KEEPING_SINCE, instance.keepingSince);
  setCell(table, row, RESOLVED_AT, instance.resolvedAt);
  setCell(table, row, UNSEEN_SINCE, instance.unseenSince ?? 0);
  setCell(table, row, UNSEEN_MS, instance.unseenMs ?? 0);
  setCell(table, row, REASON, REASONS.includes(instance.reason ?? "") ? reasonCode(instance.reason ?? "") : 0);
  setCell(table, row, LATE, instance.lateMs ?? 0);
  setCell(table, row, VALUE, Number(instance.value));
  table.annotations[row] = instance.annotations;
  // It stands for its series, so that they get their staleness marker when it ends.
  standFor(table, row, madeAs(table, row));
}

interface ReadState {
  readonly generation: number;
  readonly baseBytes: number;
  readonly lastEvaluation: number;
  readonly rules: readonly StoredRule[];
  /** Whether a log has told something. */
  readonly logged: boolean;
}

async function readState(disk: Disk, path: string): Promise<ReadState> {
  const bytes = await readWhole(disk, path);
  const base = bytes && (JSON.parse(decoder.decode(bytes)) as StoredGroup);
  if (base !== undefined && base.version !== 1 && base.version !== 2) {
    throw new Error(`${path} has version ${String(base.version)}, this program reads versions 1 and 2`);
  }
  const rules: StoredRule[] = (base?.rules ?? []).map(({ identity, instances, shadow, tally }) => ({
    identity,
    shadow: shadow === true,
    tally,
    instances: new Map(instances.map((i) => [labelsKey(labelsFromObject(i.labels)), i])),
  }));
  const generation = base?.generation ?? 0;
  const log = await readWhole(disk, logFile(path, generation));
  const logTime = log === undefined ? 0 : readLog(decoder.decode(log), rules);
  const note = decoder.decode((await readWhole(disk, `${path}.alive`)) ?? new Uint8Array());
  // Without its line feed it is the beginning of a number: a time long ago.
  const alive = /^\d+\n$/.test(note) ? Number(note) : 0;
  return {
    generation,
    baseBytes: bytes?.length ?? 0,
    lastEvaluation: Math.max(base?.lastEvaluation ?? 0, logTime, alive),
    rules,
    logged: log !== undefined,
  };
}

/** Plays a log over the rules; returns the newest time in it. */
function readLog(text: string, rules: StoredRule[]): number {
  const lines = text.split("\n");
  // What is behind the last line feed is no whole line.
  lines.pop();
  const head = parseLine<LogHead>(lines[0]);
  if (head?.version !== 2) return 0;
  const free = [...rules];
  const placed = head.rules.map((identity, i) => {
    const shadow = head.shadow?.includes(i) === true;
    const at = free.findIndex((rule) => rule.identity === identity && rule.shadow === shadow);
    if (at >= 0) return free.splice(at, 1)[0] as StoredRule;
    const made: StoredRule = { identity, instances: new Map(), shadow, tally: undefined };
    rules.push(made);
    return made;
  });
  let time = 0;
  for (const text of lines.slice(1)) {
    const line = parseLine<LogLine>(text);
    const rule = line && placed[line.rule];
    if (line === undefined || rule === undefined) break;
    if (line.gone !== undefined) rule.instances.delete(labelsKey(labelsFromObject(line.gone)));
    if (line.tally !== undefined) rule.tally = line.tally;
    if (line.now !== undefined) rule.instances.set(labelsKey(labelsFromObject(line.now.labels)), line.now);
    time = Math.max(time, line.at);
  }
  return time;
}

function parseLine<T>(text: string | undefined): T | undefined {
  try {
    return JSON.parse(text ?? "") as T;
  } catch {
    return undefined;
  }
}
