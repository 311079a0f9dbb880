/** The same rules and routing over the same data in two ways: tick by tick through the server's actors, and replayed. */
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { TestClock } from "effect/testing";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import type { AlertmanagerConfig } from "../../../src/actors/alert/alertmanager-config.ts";
import { QueryFailed } from "../../../src/actors/backtest/ask.ts";
import { pointsOf } from "../../../src/actors/backtest/matrix-points.ts";
import type { RawSource } from "../../../src/actors/backtest/overlay.ts";
import type { DataSource, PointSeries } from "../../../src/actors/backtest/points.ts";
import { replayRouting } from "../../../src/actors/backtest/route-replay.ts";
import { commonOf, replayRules, ticksOf } from "../../../src/actors/backtest/rules-replay.ts";
import { takeUnsent } from "../../../src/actors/rule/alert-rule.core.ts";
import { evaluateOrHold } from "../../../src/actors/rule/rule-evaluation.ts";
import { makeGroupRuntime } from "../../../src/actors/rule/rule-group.state.ts";
import { flush, makeRuleOutput } from "../../../src/actors/rule/rule-output.ts";
import type { RuleGroupSpec } from "../../../src/actors/rule/rule-spec.ts";
import { makeUnitTestShard } from "../../../src/actors/rule/unit-test-shard.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { labelValue } from "../../../src/model/labels.ts";
import type { Matcher } from "../../../src/model/matcher.ts";
import { compileMatcher } from "../../../src/model/matcher.ts";
import { QueryError } from "../../../src/model/query.ts";
import { DEFAULT_TENANT } from "../../../src/model/sample.ts";
import { makeEngine } from "../../../src/query/engine.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

export interface Scenario {
  readonly stored: readonly PointSeries[];
  readonly groups: readonly RuleGroupSpec[];
  readonly config: AlertmanagerConfig;
  readonly from: number;
  readonly until: number;
}

/** Ticks of all groups fall together: each has this identity. */
export const KEY = "the group";
const TEMPLATES = { externalLabels: { region: "eu" }, externalUrl: "http://tocsin" };

async function load(stored: readonly PointSeries[]) {
  const shard = makeUnitTestShard();
  for (const { labels, ts, values } of stored) {
    const ref = shard.ingest.series(DEFAULT_TENANT, labels);
    await shard.ingest.append(new Array(ts.length).fill(ref), ts, values);
  }
  return { shard, engine: makeEngine({ shards: [shard.client], maxPoints: 1e6 }) };
}

/** A server's answers out of the scenario's samples. */
export async function sourceOf(stored: readonly PointSeries[]): Promise<DataSource & RawSource> {
  const { engine } = await load(stored);
  return {
    range: async (request) => {
      try {
        return pointsOf((await engine.range({ tenant: DEFAULT_TENANT, ...request })).matrix);
      } catch (e) {
        if (e instanceof QueryError) throw new QueryFailed(e.message, true);
        throw e;
      }
    },
    raw: async (matchers, start, end) => {
      const fits = (labels: PointSeries["labels"]) =>
        matchers.every((m: Matcher) => compileMatcher(m)(labelValue(labels, m.name)));
      return stored
        .filter((s) => fits(s.labels))
        .map(({ labels, ts, values }) => {
          const inside = [...ts.keys()].filter((i) => (ts[i] as number) >= start && (ts[i] as number) <= end);
          const out = new Float64Array(inside.length);
          const [to, of] = [new Uint32Array(out.buffer), new Uint32Array(values.buffer)];
          for (const [n, i] of inside.entries()) {
            to[2 * n] = of[2 * i] as number;
            to[2 * n + 1] = of[2 * i + 1] as number;
          }
          return { labels, ts: Float64Array.from(inside, (i) => ts[i] as number), values: out };
        });
    },
  };
}

export interface ToldLine {
  readonly at: number;
  readonly text: string;
}

const line = (
  receiver: string,
  groupKey: string,
  reason: string,
  alerts: readonly { fingerprint: string; startsAt: number; endsAt: number }[],
) =>
  `${receiver} ${groupKey} ${reason}: ${alerts
    .map((a) => `${a.fingerprint} ${a.startsAt} ${a.endsAt}`)
    .sort()
    .join(", ")}`;

/** What the replay says, one line a notification. */
export async function replayed({ stored, groups, config, from, until }: Scenario): Promise<ToldLine[]> {
  const source = await sourceOf(stored);
  const engine = { instant: () => Promise.reject(new Error("nothing asks")) };
  const timed = groups.map((spec) => ({ spec, key: KEY }));
  const span = { from, until, sliceTicks: 17 };
  const rules = await replayRules({
    ...span,
    groups: timed,
    source,
    concurrency: 2,
    templates: { engine, tenant: "", templates: TEMPLATES },
    common: commonOf([timed], source, span),
  });
  const pages = replayRouting({ config, posts: rules.posts, silences: [], until });
  return sorted(pages.map((p) => ({ at: p.at, text: line(p.receiver, p.groupKey, p.reason, p.alerts) })));
}

/** What the server's evaluation and its alert manager say under a clock that is moved by hand. */
export const live = Effect.fnUntraced(function* (scenario: Scenario, stepMs: number) {
  const { stored, groups, config, from, until } = scenario;
  const { shard, engine } = yield* Effect.promise(() => load(stored));
  const told: ToldLine[] = [];
  const first =
    ticksOf({ spec: groups[0] as RuleGroupSpec, key: KEY }, from, until).start + (groups[0]?.queryOffsetMs ?? 0);
  let now = first;
  yield* TestClock.setTime(now - 1);
  const manager = makeAlertManager({
    config,
    dataDir: "/alerting",
    disk: makeSimDisk(),
    attempt: (_, n) => async () => {
      told.push({ at: now, text: line(n.receiver, n.groupKey, n.reason, n.alerts) });
      return { ok: true };
    },
    publish: async () => {},
    externalUrl: "http://tocsin",
    userAgent: "test",
    onDeath: ({ detail }) => {
      throw new Error(`died: ${detail}`);
    },
    ackSecret: async () => new Uint8Array(32),
  });
  const fiber = yield* Effect.forkDetach(Effect.scoped(manager.run));
  yield* settle;
  const runtimes = groups.map(makeGroupRuntime);
  const output = makeRuleOutput(shard.ingest, DEFAULT_TENANT);
  const context = {
    engine,
    tenant: DEFAULT_TENANT,
    output,
    templates: TEMPLATES,
    signal: new AbortController().signal,
  };
  const evaluate = async (wall: number): Promise<PostedAlert[]> => {
    const posts: PostedAlert[] = [];
    for (const runtime of runtimes) {
      const { spec } = runtime;
      if ((wall - first) % spec.intervalMs !== 0) continue;
      runtime.evaluation++;
      for (const rule of runtime.rules) {
        await evaluateOrHold(context, runtime, rule, wall - spec.queryOffsetMs, { blind: "", lateMs: 0 });
        await flush(output);
        if (rule.table === undefined) continue;
        const sending = { resendDelayMs: 60_000, intervalMs: spec.intervalMs, externalLabels: ["region", "eu"] };
        posts.push(...takeUnsent(rule.table, wall, { ...sending, generatorUrl: "" }));
      }
    }
    return posts;
  };
  for (; now <= until; now += stepMs) {
    yield* TestClock.setTime(now);
    yield* settle;
    const at = now;
    const posts = yield* Effect.promise(() => evaluate(at));
    if (posts.length > 0) manager.receive(posts);
    yield* settle;
  }
  yield* Fiber.interrupt(fiber);
  return sorted(told);
});

const settle = Effect.promise(async () => {
  for (let i = 0; i < 10; i++) await new Promise((r) => setImmediate(r));
});

function sorted(lines: ToldLine[]): ToldLine[] {
  return lines.sort((a, b) => a.at - b.at || (a.text < b.text ? -1 : 1));
}
