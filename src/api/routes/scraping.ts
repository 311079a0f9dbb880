import type { FastifyInstance } from "fastify";
import { parse, stringify } from "yaml";
import { compileRelabel, relabel } from "../../actors/collector/relabel.ts";
import type { RelabelConfig } from "../../model/config.ts";
import { QueryError } from "../../model/query.ts";
import type { ApiDeps } from "../deps.ts";
import type { Params } from "../params.ts";
import { paramsOf } from "../request.ts";
import { sendData } from "../respond.ts";
import { answer } from "./series.ts";

/** /api/v1/targets/relabel_steps and scrape_pools/config: how a scrape job is configured, and what that makes of a target. */
export function scrapingRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const jobOf = (params: Params) => {
    const name = params.get("scrapePool") ?? "";
    if (name === "") throw new QueryError("bad_data", "no scrapePool parameter provided");
    const job = deps.scrapeConfigs().find(({ jobName }) => jobName === name);
    if (job === undefined) throw new QueryError("bad_data", `there is no scrape pool ${JSON.stringify(name)}`);
    return job;
  };

  app.get("/api/v1/targets/relabel_steps", (request, reply) =>
    answer(reply, async () => {
      const params = paramsOf(request);
      const { relabelConfigs } = jobOf(params);
      return sendData(request, reply, { steps: steps(relabelConfigs, labelsOf(params.get("labels") ?? "")) });
    }),
  );

  app.get("/api/v1/scrape_pools/config", (request, reply) =>
    answer(reply, async () => {
      const { jobName } = jobOf(paramsOf(request));
      return sendData(request, reply, { yaml: jobText(deps.configText(), jobName) });
    }),
  );
}

function labelsOf(text: string): Map<string, string> {
  if (text === "") throw new QueryError("bad_data", "no labels parameter provided");
  const wrong = (why: string) => new QueryError("bad_data", `error parsing labels: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (e) {
    throw wrong((e as Error).message);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong("not an object");
  return new Map(
    Object.entries(value).map(([name, of]) => {
      if (typeof of !== "string") throw wrong(`the value of ${JSON.stringify(name)} is not a text`);
      return [name, of];
    }),
  );
}

/** What each rule makes of the labels; the one that drops the target is the last. */
function steps(rules: readonly RelabelConfig[], labels: Map<string, string>) {
  const done: { rule: object; output: Record<string, string>; keep: boolean }[] = [];
  for (const rule of rules) {
    const keep = relabel(compileRelabel([rule]), labels);
    const output = keep ? Object.fromEntries([...labels].sort(([a], [b]) => (a < b ? -1 : 1))) : {};
    done.push({ rule: ruleJson(rule), output, keep });
    if (!keep) break;
  }
  return done;
}

/** As it stands in a configuration file; what is empty is left out. */
function ruleJson(rule: RelabelConfig): object {
  return {
    ...(rule.sourceLabels.length === 0 ? {} : { source_labels: rule.sourceLabels }),
    separator: rule.separator,
    regex: rule.regex,
    ...(rule.modulus === 0 ? {} : { modulus: rule.modulus }),
    ...(rule.targetLabel === "" ? {} : { target_label: rule.targetLabel }),
    replacement: rule.replacement,
    action: rule.action,
  };
}

/** What the configuration file says of a job; its secrets are masked already. */
function jobText(config: string, job: string): string {
  const read = parse(config, { merge: true }) as { scrape_configs?: readonly { job_name?: unknown }[] } | null;
  const found = read?.scrape_configs?.find(({ job_name }) => String(job_name) === job);
  if (found === undefined) throw new QueryError("bad_data", `the configuration says nothing of ${JSON.stringify(job)}`);
  return stringify(found);
}
