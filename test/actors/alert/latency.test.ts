import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { expect, it } from "vitest";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { makeRuleManager } from "../../../src/actors/rule/rule-manager.ts";
import { alertingRule, recordingIngest, ruleGroup, scriptedEngine } from "../rule/fixtures.ts";
import { freshFolder, webhookServer } from "./fixtures.ts";

// On the real disk, every fsync included: from the query's answer that makes the alert fire to the webhook's arrival.
it("a firing evaluation is at the webhook within 200 ms when group_wait is 0s", { timeout: 300_000 }, async () => {
  const hook = await webhookServer();
  const scripted = scriptedEngine();
  const answered = new Map<string, number>();
  const engine: typeof scripted = {
    ...scripted,
    instant: async (request) => {
      const result = await scripted.instant(request);
      if (result.type === "vector" && result.values.length > 0 && !answered.has(request.query)) {
        answered.set(request.query, performance.now());
      }
      return result;
    },
  };
  const config = `
route: {receiver: web, group_by: [alertname], group_wait: 0s}
receivers: [{name: web, webhook_configs: [{url: "${hook.url}"}]}]
`;
  const common = {
    dataDir: freshFolder(),
    publish: () => Promise.resolve(),
    externalUrl: "http://t",
    onDeath: () => {},
  };
  const alerts = makeAlertManager({ ...common, config: parseAlertmanagerConfig("am.yml", config), userAgent: "test" });
  const names = Array.from({ length: 11 }, (_, i) => `q${i}`);
  const groups = names.map((q) => ruleGroup([alertingRule({ name: q, query: q })], { name: q, intervalMs: 200 }));
  const rules = makeRuleManager(
    { ...common, engine, ingest: recordingIngest(), sink: alerts.receive, externalLabels: {} },
    groups,
  );
  const fiber = Effect.runFork(Effect.scoped(Effect.all([alerts.run, rules.run], { concurrency: "unbounded" })));
  const took: number[] = [];
  for (const [i, q] of names.entries()) {
    scripted.answers = { ...scripted.answers, [q]: [[{ host: "a" }, 1]] };
    await hook.waitFor(i + 1);
    took.push((hook.received[i]?.at ?? 0) - (answered.get(q) ?? 0));
  }
  await Effect.runPromise(Fiber.interrupt(fiber));
  await hook.close();
  took.sort((a, b) => a - b);
  console.log(`evaluation to webhook, ms: median ${took[5]?.toFixed(1)}, worst ${took.at(-1)?.toFixed(1)}`);
  expect(took[5]).toBeLessThan(200);
});
