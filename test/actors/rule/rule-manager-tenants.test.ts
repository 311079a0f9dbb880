import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { expect } from "vitest";
import { makeRuleManager } from "../../../src/actors/rule/rule-manager.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import type { SeriesRef } from "../../../src/model/ingest.ts";
import { labelsToObject, labelValue, METRIC_NAME } from "../../../src/model/labels.ts";
import {
  alertingRule,
  freshFolder,
  recordingIngest,
  recordingRule,
  ruleGroup,
  scriptedEngine,
  until,
} from "./fixtures.ts";

it.effect("groups of tenants read and write their own data, and are told apart", () =>
  Effect.gen(function* () {
    const scripted = scriptedEngine({ "load > 1": [[{ host: "a" }, 3]], "sum(load)": [[{}, 7]] });
    const asked = new Set<string>();
    const written = new Set<string>();
    const ingest = recordingIngest();
    const sent: PostedAlert[] = [];
    const subjects = new Set<string>();
    const rules = [recordingRule(), alertingRule({ annotations: { of: "{{ $externalLabels.tenant }}" } })];
    const manager = makeRuleManager(
      {
        engine: {
          ...scripted,
          instant: (request) => {
            asked.add(`${request.tenant}: ${request.query}`);
            return scripted.instant(request);
          },
        },
        ingest: {
          series: ingest.series,
          append: (refs: readonly SeriesRef[], ...rest) => {
            for (const ref of refs) written.add(`${ref.tenant}: ${labelValue(ref.labels, METRIC_NAME)}`);
            return ingest.append(refs, ...rest);
          },
        },
        sink: (alerts) => sent.push(...alerts),
        publish: (subject) => {
          subjects.add(subject);
          return Promise.resolve();
        },
        dataDir: freshFolder(),
        externalLabels: {},
        externalUrl: "http://tocsin",
        onDeath: () => {},
      },
      [ruleGroup(rules), ruleGroup(rules, { file: "/data/rules/acme/shop.yml", tenant: "acme", namespace: "shop" })],
    );
    yield* TestClock.setTime(1_700_000_000_000);
    yield* Effect.forkChild(Effect.scoped(manager.run));
    yield* Effect.promise(() => until(() => manager.stats().groups.length === 2));
    while (manager.stats().groups.some((g) => g.evaluations === 0)) {
      yield* TestClock.adjust(1000);
      yield* Effect.promise(() => new Promise((r) => setImmediate(r)));
    }
    yield* Effect.promise(() => until(() => written.size >= 6 && subjects.size >= 2));

    expect([...asked].sort()).toEqual(["acme: load > 1", "acme: sum(load)", "default: load > 1", "default: sum(load)"]);
    const names = ["ALERTS", "ALERTS_FOR_STATE", "job:load:sum"];
    expect([...written].sort()).toEqual([...names.map((n) => `acme: ${n}`), ...names.map((n) => `default: ${n}`)]);
    const below = [...subjects].map((s) => s.replace(/[^.]+$/, "<alert>"));
    expect(below.sort()).toEqual(["tocsin.alerts.acme.HighLoad.<alert>", "tocsin.alerts.default.HighLoad.<alert>"]);
    const alerts = sent.map((a) => [labelsToObject(a.labels).tenant, a.annotations.of]);
    expect(alerts).toEqual(
      expect.arrayContaining([
        ["acme", "acme"],
        [undefined, expect.anything()],
      ]),
    );

    expect(manager.rules("acme").map((g) => g.file)).toEqual(["shop"]);
    expect(manager.rules("default").map((g) => g.file)).toEqual(["/rules/test.yml"]);
    expect(manager.rules("nobody")).toEqual([]);
    expect(manager.rules()).toHaveLength(2);
    expect(manager.alerts("acme")).toHaveLength(1);
    expect(manager.alerts()).toHaveLength(2);
  }),
);
