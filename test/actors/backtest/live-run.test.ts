import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import { describe, expect } from "vitest";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { PointSeries } from "../../../src/actors/backtest/points.ts";
import { checkExpression } from "../../../src/actors/rule/check-expression.ts";
import { parseRuleFile } from "../../../src/actors/rule/rule-file.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { writeStale } from "../../../src/model/sample.ts";
import { seededRandom } from "../../lib/sim-disk.ts";
import { often } from "../../support/often.ts";
import { live, replayed, type ToldLine } from "./live-run.ts";

const RUNS = Number(process.env.BACKTEST_RUNS ?? often(5, 8));
const seed = Number(process.env.SEED ?? 20_261_122);
const START = 1_700_000_000_000;
const HOUR = 3_600_000;

/** Series that go up and down, end, fall silent and come back. */
function randomSeries(random: () => number): PointSeries[] {
  return ["a", "b", "c", "d"].map((host) => {
    const ts: number[] = [];
    const values: number[] = [];
    let level = random() * 3;
    let silent = 0;
    for (let t = START - HOUR; t < START + 2 * HOUR; t += 15_000) {
      if (random() < 0.03) level = random() * 3;
      if (silent > 0) silent--;
      else if (random() < 0.005) {
        silent = Math.floor(random() * 60);
        // Half of those that go say so.
        if (random() < 0.5) {
          ts.push(t);
          values.push(Number.NEGATIVE_INFINITY);
          continue;
        }
      }
      if (silent > 0) continue;
      ts.push(t);
      values.push(level);
    }
    const out = Float64Array.from(values);
    const words = new Uint32Array(out.buffer);
    for (const [i, v] of values.entries()) if (v === Number.NEGATIVE_INFINITY) writeStale(words, i);
    const zone = host < "c" ? "east" : "west";
    return { labels: labelsFromObject({ __name__: "load", host, zone }), ts: Float64Array.from(ts), values: out };
  });
}

function pick<T>(random: () => number, ...all: readonly T[]): T {
  return all[Math.floor(random() * all.length)] as T;
}

const EXPRESSIONS = [
  "load > 1",
  "load > 2",
  "zone:load:avg > 1.4",
  "zone:load:avg * on (zone) group_right () load > 3",
  "sum(load) > 5",
  "max_over_time(load[2m]) > 2.5",
  "absent(load{host='a'})",
  "load > on (zone) group_left () zone:load:avg",
  "avg by (zone) (load) > 1.8",
  // Cannot be evaluated when both zones have hosts above.
  "label_replace(load > 1.5, 'host', 'x', '', '')",
];

function randomRules(random: () => number): string {
  const lines = ["groups:", "- name: recordings", "  interval: 30s", "  rules:"];
  lines.push("  - { record: 'zone:load:avg', expr: avg by (zone) (load) }");
  for (let g = 0; g < 2; g++) {
    lines.push(`- name: g${g}`, `  interval: ${pick(random, "30s", "60s")}`, `  limit: ${pick(random, 0, 0, 0, 3)}`);
    lines.push("  rules:");
    for (let r = 0; r < 3; r++) {
      lines.push(`  - alert: A${g}${r}`, `    expr: "${pick(random, ...EXPRESSIONS)}"`);
      lines.push(`    for: ${pick(random, "0s", "1m", "5m", "45s")}`);
      lines.push(`    keep_firing_for: ${pick(random, "0s", "0s", "2m")}`);
      lines.push(`    no_data: ${pick(random, "resolve", "keep", "unknown", "alert")}`);
      lines.push(
        `    labels: { severity: ${pick(random, "page", "warn")}${pick(random, "", ", at: '{{ $value }}'")} }`,
      );
      lines.push(`    annotations: { summary: "{{ $labels.host }} is at {{ $value }}" }`);
    }
  }
  return lines.join("\n");
}

function randomRouting(random: () => number): string {
  const waits = () =>
    `group_wait: ${pick(random, "5s", "10s", "20s")}, group_interval: ${pick(random, "30s", "60s", "5m")}, repeat_interval: ${pick(random, "10m", "40m", "4h")}`;
  const mute = pick(random, "", ", mute_time_intervals: [half]");
  return `
route:
  receiver: all
  group_by: [${pick(random, "", "alertname", "alertname, zone", "'...'")}]
  ${waits().replaceAll(", ", "\n  ")}
  routes:
  - { matchers: ['severity="page"'], receiver: pager, continue: ${pick(random, "true", "false")}, ${waits()}${mute} }
  - { matchers: ['alertname="A00"'], receiver: quiet, ${waits()} }
  - { matchers: ['alertname=~"A1."'], escalation: chain, receiver: all, ${waits()} }
receivers:
- { name: all, webhook_configs: [{ url: "http://all" }] }
- { name: pager, webhook_configs: [{ url: "http://pager" }] }
- { name: quiet, webhook_configs: [{ url: "http://quiet", send_resolved: false }] }
- { name: ann, webhook_configs: [{ url: "http://ann" }] }
- { name: bob, webhook_configs: [{ url: "http://bob" }] }
schedules:
- name: on-call
  time_zone: Europe/Berlin
  rotations: [{ receivers: [ann, bob], start: "2023-11-14T00:00:00", shift: 1h }]
escalations:
- { name: chain, steps: [{ notify: ['schedule:on-call'] }, { after: 7m, notify: [bob] }], repeat: 1, repeat_after: 22m }
inhibit_rules: [{ source_matchers: ['alertname="A01"'], target_matchers: ['alertname="A02"'], equal: [zone] }]
time_intervals: [{ name: half, time_intervals: [{ times: [{ start_time: "22:30", end_time: "23:00" }] }] }]
`;
}

/** The lines that only one of both has, the first few. */
function differences(got: readonly ToldLine[], expected: readonly ToldLine[]): string[] {
  const [a, b] = [got, expected].map((all) => all.map(({ at, text }) => `${(at - START) / 1000} ${text}`));
  const [inA, inB] = [new Set(a), new Set(b)];
  const more = (a ?? []).filter((x) => !inB.has(x)).map((x) => `replayed only: ${x}`);
  const less = (b ?? []).filter((x) => !inA.has(x)).map((x) => `live only: ${x}`);
  return [...more.slice(0, 5), ...less.slice(0, 5)];
}

describe("a backtest", () => {
  for (let run = 0; run < RUNS; run++) {
    it.effect(`sends what the server sends, at the same times (SEED=${seed + run})`, () =>
      Effect.gen(function* () {
        const random = seededRandom(seed + run);
        const stored = randomSeries(random);
        const rules = parseRuleFile("rules.yml", randomRules(random), {
          evaluationIntervalMs: 30_000,
          checkExpression,
        });
        expect(rules.problems).toEqual([]);
        const config = parseAlertmanagerConfig("alertmanager.yml", randomRouting(random));
        const scenario = { stored, groups: rules.groups, config, from: START, until: START + 2 * HOUR };
        const expected = yield* live(scenario, 5000);
        const got = yield* Effect.promise(() => replayed(scenario));
        expect(differences(got, expected)).toEqual([]);
        expect(expected.length).toBeGreaterThan(0);
      }).pipe(Effect.provide(Logger.layer([]))),
    );
  }
});
