import { readFileSync } from "node:fs";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RulerError } from "../../actors/rule/ruler-store.ts";
import { editShadow, type ShadowEdit, ShadowEditError } from "../../actors/rule/shadow-edit.ts";
import { labelsKey, labelsToObject } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import type { ActiveAlert, AlertingRuleStatus, FiringTally, RuleGroupStatus } from "../../model/rules.ts";
import type { ApiDeps } from "../deps.ts";
import { paramsOf, tenantOf } from "../request.ts";
import { sendData, sendError, sendQueryError } from "../respond.ts";

/** A shadow rule and what it would have told. Times are RFC 3339, durations seconds. */
export interface ShadowRuleJson {
  readonly file: string;
  readonly group: string;
  readonly name: string;
  readonly state: string;
  readonly query: string;
  readonly tally: TallyJson | null;
  readonly firing: number;
  readonly pending: number;
  /** The longest of those that fire now, seconds. */
  readonly longestNow: number;
  /** The live rule of the same name; null where there is none. */
  readonly live: LiveRuleJson | null;
}

export interface LiveRuleJson {
  readonly file: string;
  readonly group: string;
  readonly tally: TallyJson | null;
  readonly firing: number;
  /** Label sets for which one fires now and the other does not; at most MAX_COMPARED of each. */
  readonly onlyShadow: readonly Readonly<Record<string, string>>[];
  readonly onlyLive: readonly Readonly<Record<string, string>>[];
  /** Instances that fire for both. */
  readonly both: number;
}

export interface TallyJson {
  readonly since: string;
  readonly fired: number;
  readonly episodes: number;
  readonly longest: number;
  readonly lastFired: string | null;
  readonly most: number;
}

/** What the answer is when a rule of a file is to turn: the change that a person has to make. */
export interface ShadowEditJson {
  readonly file: string;
  readonly edits: readonly ShadowEdit[];
}

const MAX_COMPARED = 20;

type Deps = Pick<ApiDeps, "rules" | "ruler" | "now">;

/** /api/v1/shadow-rules: what shadow rules would have told, and making them live, or live ones shadow. */
export function shadowRoutes(app: FastifyInstance, deps: Deps): void {
  app.get("/api/v1/shadow-rules", (request, reply) => {
    try {
      return sendData(request, reply, { rules: shadowRules(deps.rules(tenantOf(request)), deps.now()) });
    } catch (e) {
      return sendQueryError(reply, e);
    }
  });
  app.post("/api/v1/shadow-rules/promote", (request, reply) => turn(request, reply, deps, false));
  app.post("/api/v1/shadow-rules/demote", (request, reply) => turn(request, reply, deps, true));
}

interface Placed {
  readonly group: RuleGroupStatus;
  readonly rule: AlertingRuleStatus;
}

export function shadowRules(groups: readonly RuleGroupStatus[], now: number): ShadowRuleJson[] {
  const all = groups.flatMap((group) =>
    group.rules.flatMap((rule): Placed[] => (rule.type === "alerting" ? [{ group, rule }] : [])),
  );
  return all
    .filter(({ rule }) => rule.shadow === true)
    .map(({ group, rule }) => {
      const firing = rule.alerts.filter((a) => a.state === "firing");
      // Of several live ones of that name, the one beside it.
      const named = all.filter((o) => o.rule.shadow !== true && o.rule.name === rule.name);
      const live = named.find((o) => o.group === group) ?? named[0];
      return {
        file: group.file,
        group: group.name,
        name: rule.name,
        state: rule.state,
        query: rule.query,
        tally: tallyJson(rule.tally),
        firing: firing.length,
        pending: rule.alerts.length - firing.length,
        longestNow: firing.reduce((most, a) => Math.max(most, now - a.activeAt - rule.holdMs), 0) / 1000,
        live: live === undefined ? null : liveJson(live, firing),
      };
    });
}

function liveJson({ group, rule }: Placed, shadow: readonly ActiveAlert[]): LiveRuleJson {
  const live = rule.alerts.filter((a) => a.state === "firing");
  const keys = (of: readonly ActiveAlert[]) => new Set(of.map((a) => labelsKey(a.labels)));
  const [ofShadow, ofLive] = [keys(shadow), keys(live)];
  const shown = (of: readonly ActiveAlert[]) => of.slice(0, MAX_COMPARED).map((a) => labelsToObject(a.labels));
  return {
    file: group.file,
    group: group.name,
    tally: tallyJson(rule.tally),
    firing: live.length,
    onlyShadow: shown(shadow.filter((a) => !ofLive.has(labelsKey(a.labels)))),
    onlyLive: shown(live.filter((a) => !ofShadow.has(labelsKey(a.labels)))),
    both: [...ofShadow].filter((key) => ofLive.has(key)).length,
  };
}

function tallyJson(tally: FiringTally | undefined): TallyJson | null {
  if (tally === undefined) return null;
  const { since, fired, episodes, longestMs, lastFired, most } = tally;
  const time = (ms: number) => new Date(ms).toISOString();
  const last = lastFired === 0 ? null : time(lastFired);
  return { since: time(since), fired, episodes, longest: longestMs / 1000, lastFired: last, most };
}

async function turn(
  request: FastifyRequest,
  reply: FastifyReply,
  { rules, ruler }: Deps,
  shadow: boolean,
): Promise<FastifyReply> {
  try {
    const tenant = tenantOf(request);
    const params = paramsOf(request);
    const given = (name: string) => params.get(name) ?? "";
    const [place, group, rule] = [given("namespace") || given("file"), given("group"), given("rule") || undefined];
    if (group === "") throw new QueryError("bad_data", "which one? give namespace (or file), group and rule");
    const found = rules(tenant).filter((g) => g.name === group && (place === "" || g.file === place));
    if (found.length === 0) {
      const where = place === "" ? "" : ` in ${JSON.stringify(place)}`;
      return sendError(reply, "not_found", `there is no rule group ${JSON.stringify(group)}${where}`);
    }
    if (found.length > 1) {
      const places = found.map((g) => g.file).join(", ");
      throw new QueryError("bad_data", `there is a group ${JSON.stringify(group)} in ${places}: give the namespace`);
    }
    const [{ file }] = found as [RuleGroupStatus];
    if (ruler.list(tenant, file)[file]?.some((g) => g.name === group) === true) {
      await ruler.setShadow(tenant, file, group, rule, shadow);
      return reply.code(202).type("application/json").send(Buffer.from(DONE));
    }
    return sendEdit(reply, file, { group, shadow, ...(rule === undefined ? {} : { rule }) });
  } catch (e) {
    if (e instanceof RulerError) {
      return sendError(reply, e.kind === "missing" ? "not_found" : "internal", e.message);
    }
    if (e instanceof ShadowEditError) return sendError(reply, e.missing ? "not_found" : "bad_data", e.message);
    return sendQueryError(reply, e);
  }
}

const DONE = JSON.stringify({ status: "success", data: null });

/** Files belong to people and to their version control: they are told what to change. */
function sendEdit(reply: FastifyReply, file: string, wanted: Parameters<typeof editShadow>[1]): FastifyReply {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    const reason = `the group comes from ${file}, which is no rule file that can be changed`;
    return sendError(reply, "bad_data", reason);
  }
  const { edits } = editShadow(text, wanted);
  if (edits.length === 0) return reply.code(202).type("application/json").send(Buffer.from(DONE));
  const places = edits.map(
    (e) => `${file}:${e.line}: ${e.before.trim()} -> ${e.after.trim().replace(/\n\s*/g, " | ")}`,
  );
  const error = `the group comes from a file; change it, or run tocsin rules ${wanted.shadow ? "demote" : "promote"} --write: ${places.join("; ")}`;
  const data: ShadowEditJson = { file, edits };
  const body = JSON.stringify({ status: "error", errorType: "conflict", error, data });
  return reply.code(409).type("application/json").send(Buffer.from(body));
}
