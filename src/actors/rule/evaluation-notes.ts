import type { GroupRuntime, RuleRuntime } from "./rule-group.state.ts";

/** Something about how a rule or its group was evaluated, for the history; `rule`: it concerns that one alone. */
export interface EvaluationNote {
  readonly type: "health" | "evaluation" | "missed";
  readonly time: string;
  readonly file: string;
  readonly group: string;
  readonly rule?: string;
  readonly [more: string]: unknown;
}

export type Note = (note: EvaluationNote) => void;

/** An alerting rule went from well to failing, or back. */
export function noteHealth(
  note: Note | undefined,
  { spec: group }: GroupRuntime,
  { spec, table, health }: RuleRuntime,
  error: string,
  time: number,
): void {
  if (table === undefined || (health === "err") === (error !== "") || (health === "unknown" && error === "")) return;
  note?.({
    type: "health",
    time: new Date(time).toISOString(),
    file: group.file,
    group: group.name,
    rule: spec.name,
    health: error === "" ? "ok" : "err",
    ...(error === "" ? {} : { error }),
  });
}

/** Ticks that nobody evaluated, up to `time`. */
export function noteMissed(
  note: Note | undefined,
  { spec, lastEvaluation }: GroupRuntime,
  ticks: number,
  time: number,
): void {
  note?.({
    type: "missed",
    time: new Date(time).toISOString(),
    file: spec.file,
    group: spec.name,
    ticks,
    since: lastEvaluation === 0 ? null : new Date(lastEvaluation).toISOString(),
  });
}

/** What was known of the inputs, or whether the group keeps up, is not as it was at the evaluation before. */
export function noteCircumstances(
  note: Note | undefined,
  { spec, inputs, lateMs }: GroupRuntime,
  before: { readonly inputs: string; readonly lateMs: number },
  time: number,
): void {
  if (inputs === before.inputs && lateMs > 0 === before.lateMs > 0) return;
  note?.({
    type: "evaluation",
    time: new Date(time).toISOString(),
    file: spec.file,
    group: spec.name,
    inputs,
    lateMs,
  });
}
