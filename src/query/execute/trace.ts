/**
 * Where the time of a query goes, seen from the front: a tree of spans, made only where the request asks for one.
 *
 * Invariants of the tree:
 * - children that are not marked as parallel are parts of their parent: together they take no longer than it;
 * - children that are marked so went on at the same time: none takes longer than its parent.
 */
import type { TraceSpan } from "../../model/query.ts";
import type { Pos } from "../parse/ast.ts";
import type { PartialAggregation, ShardAnswer, ShardPlan, ShardTrace } from "../plan/shard-plan.ts";
import { sharedClock } from "./trace-shard.ts";

/** The phases in front of a query. What is evaluated is what remains. */
export type Phase = "parse" | "queue" | "plan";

export interface QueryTrace {
  readonly now: () => number;
  /** Takes the time since the last phase ended, or the trace began, as that of this one. */
  ended(phase: Phase): void;
  /** A plan goes out to the shards. */
  sends(plan: Pick<ShardPlan, "grid" | "range" | "aggregate" | "raw">, pos: Pos): PlanTrace;
  /** What the shards answered has been put together. */
  merged(answers: readonly ShardAnswer[]): void;
  /** The whole, all phases ended and the evaluation too. */
  span(): TraceSpan;
}

/** A plan that is out. */
export interface PlanTrace {
  /** Waits for a shard's answer, and gives it on. */
  awaited(partition: number, answer: Promise<unknown>): Promise<unknown>;
  /** All have answered; the array is that which `merged` is called with. */
  complete(answers: readonly ShardAnswer[]): void;
}

interface Sent {
  readonly at: number;
  readonly about: Readonly<Record<string, string | number>>;
  readonly shards: Map<number, TraceSpan>;
  /** When the last shard had answered, and when the answers were merged. */
  answeredAt: number;
  mergedAt: number;
}

/** Begins a trace. `now` is a clock in ms that the shards' threads share. */
export function startTrace(query: string, now: () => number = sharedClock): QueryTrace {
  const text = Buffer.from(query);
  const opened = now();
  let last = opened;
  const phases: TraceSpan[] = [];
  const sent: Sent[] = [];
  const byAnswers = new Map<readonly ShardAnswer[], Sent>();
  return {
    now,
    ended: (phase) => {
      const at = now();
      phases.push({ name: phase, ms: at - last });
      last = at;
    },
    sends: (plan, pos) => {
      const at = now();
      const entry: Sent = {
        at,
        about: aboutPlan(plan, text.toString("utf8", pos.start, pos.end)),
        shards: new Map(),
        answeredAt: at,
        mergedAt: at,
      };
      sent.push(entry);
      return {
        awaited: async (partition, request) => {
          let answer: unknown;
          try {
            answer = await request;
            return answer;
          } finally {
            entry.answeredAt = now();
            entry.mergedAt = entry.answeredAt;
            entry.shards.set(partition, shardSpan(partition, answer as ShardAnswer | undefined, at, entry.answeredAt));
          }
        },
        complete: (answers) => void byAnswers.set(answers, entry),
      };
    },
    merged: (answers) => {
      const entry = byAnswers.get(answers);
      if (entry !== undefined) entry.mergedAt = now();
      byAnswers.delete(answers);
    },
    span: () => {
      const ended = now();
      const out = covered(sent);
      const plans: TraceSpan = { name: "plans", ms: out, parallel: true, children: sent.map(planSpan) };
      const front: TraceSpan = { name: "evaluate in front", ms: Math.max(0, ended - last - out) };
      return {
        name: "query",
        ms: ended - opened,
        children: [...phases, ...(sent.length === 0 ? [] : [plans]), front],
      };
    },
  };
}

/** The time during which any plan was out, or its answers were being merged. */
function covered(sent: readonly Sent[]): number {
  let total = 0;
  let until = Number.NEGATIVE_INFINITY;
  // In the order in which they were sent.
  for (const { at, mergedAt } of sent) {
    if (mergedAt <= until) continue;
    total += mergedAt - Math.max(at, until);
    until = mergedAt;
  }
  return total;
}

function planSpan({ at, about, shards, answeredAt, mergedAt }: Sent): TraceSpan {
  const children = [...shards].sort(([a], [b]) => a - b).map(([, span]) => span);
  return {
    name: "plan",
    ms: mergedAt - at,
    about,
    children: [
      { name: "shards", ms: answeredAt - at, parallel: true, children },
      { name: "merge", ms: mergedAt - answeredAt },
    ],
  };
}

function aboutPlan(
  { grid, range, aggregate, raw }: Pick<ShardPlan, "grid" | "range" | "aggregate" | "raw">,
  selector: string,
): Record<string, string | number> {
  return {
    selector,
    ...(range === undefined || raw === true ? {} : { function: range.func }),
    ...(aggregate === undefined ? {} : { aggregation: aggregation(aggregate) }),
    steps: grid.steps,
  };
}

function aggregation({ op, grouping, without }: PartialAggregation): string {
  if (grouping.length === 0 && !without) return op;
  return `${op} ${without ? "without" : "by"} (${grouping.join(", ")})`;
}

/** What a shard says of its work, and the way there and back: what its answer was awaited for besides. */
function shardSpan(partition: number, answer: ShardAnswer | undefined, sentAt: number, answeredAt: number): TraceSpan {
  const name = `shard ${partition}`;
  const ms = answeredAt - sentAt;
  if (answer === undefined || answer.kind === "failure" || answer.kind === "count" || answer.trace === undefined) {
    return { name, ms, about: { answer: answer?.kind ?? "none" } };
  }
  const { trace } = answer;
  const tiers = answer.tiers.map((t) => t.tier).join(" ");
  const { series, reads } = trace;
  return {
    name,
    ms,
    about: {
      series,
      samples: answer.samples,
      rows: answer.labels.ends.length,
      ...(tiers === "" ? {} : { tiers }),
      ...reads,
    },
    children: shardParts(trace, sentAt, ms),
  };
}

function shardParts(trace: ShardTrace, sentAt: number, ms: number): TraceSpan[] {
  const { started, ended, plan, index, decode, encode } = trace;
  const compute = Math.max(0, ended - started - plan - index - decode - encode);
  const work = Math.min(ms, ended - started);
  // A shard whose clock is another one would say anything.
  const wait = Math.min(Math.max(0, started - sentAt), ms - work);
  const parts = { wait, plan, index, decode, compute, encode, transfer: ms - work - wait };
  return Object.entries(parts).map(([name, took]) => ({ name, ms: took }));
}
