/**
 * A process with a rule manager and an alert manager, to be killed: `node crash-program.ts <folder> <webhook url>`.
 * The rule's expression is what the file `<folder>/active` says: its lines are the label values that fire.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { makeRuleManager } from "../../../src/actors/rule/rule-manager.ts";
import { alertingRule, recordingIngest, ruleGroup, scriptedEngine } from "../rule/fixtures.ts";

const [folder, url] = process.argv.slice(2) as [string, string];
const scripted = scriptedEngine();
const engine: typeof scripted = {
  ...scripted,
  instant: (request) => {
    const lines = readFileSync(join(folder, "active"), "utf8").split("\n").filter(Boolean);
    scripted.answers = { [request.query]: lines.map((host) => [{ host }, 1]) };
    return scripted.instant(request);
  },
};
const config = `
route: {receiver: web, group_by: ["..."], group_wait: 0s, group_interval: 200ms, repeat_interval: 1h}
receivers: [{name: web, webhook_configs: [{url: "${url}"}]}]
`;
const common = {
  dataDir: join(folder, "alerting"),
  publish: () => Promise.resolve(),
  externalUrl: "http://t",
  onDeath: () => {},
};
const alerts = makeAlertManager({ ...common, config: parseAlertmanagerConfig("am.yml", config), userAgent: "test" });
const rules = makeRuleManager(
  { ...common, engine, ingest: recordingIngest(), sink: alerts.receive, externalLabels: {} },
  [
    ruleGroup(
      [
        alertingRule({ name: "Now", query: "now" }),
        alertingRule({ name: "Held", query: "held", holdMs: 2000 }),
        alertingRule({ name: "Kept", query: "kept", keepFiringForMs: 400 }),
      ],
      { intervalMs: 100 },
    ),
  ],
);
Effect.runFork(Effect.scoped(Effect.all([alerts.run, rules.run], { concurrency: "unbounded" })));
setInterval(() => {}, 1000);
