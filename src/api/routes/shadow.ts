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
  readonly group: string;
  readonly edits: readonly ShadowEdit[];
}

/** What the answer is when several groups could be meant; with `namespace`, one that came over the API. */
export interface ShadowCandidatesJson {
  readonly candidates: readonly ShadowCandidateJson[];
}

export interface ShadowCandidateJson {
  readonly group: string;
  readonly namespace?: string;
  readonly file?: string;
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
    const [place, name, rule] = [given("namespace") || given("file"), given("group"), given("rule") || undefined];
    if (name === "" && rule === undefined) {
      throw new QueryError(
        "bad_data",
        "which one? give rule or group, and namespace or file where several have the name",
      );
    }
    const groups = rules(tenant).filter((g) => (name === "" || g.name === name) && (place === "" || isAt(g, place)));
    const found = toTurn(groups, rule, shadow);
    const [first] = found;
    if (first === undefined) return sendMissing(reply, { name, place, rule, known: groups.length > 0 });
    const stored = (g: RuleGroupStatus) => ruler.list(tenant, g.file)[g.file]?.some((d) => d.name === g.name) === true;
    if (found.length > 1) return sendCandidates(reply, rule ?? name, rule !== undefined, found, stored);
    const { file, name: group } = first;
    if (stored(first)) {
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

/** A rule file may be named by the end of its path. */
function isAt({ file }: RuleGroupStatus, place: string): boolean {
  return file === place || file.endsWith(`/${place}`);
}

/**
 * The groups that are meant: a name that is given alone is that of rules that have still to turn, if any has. A group without alert
 * rules is among them when it is asked for as a whole.
 */
function toTurn(groups: readonly RuleGroupStatus[], rule: string | undefined, shadow: boolean): RuleGroupStatus[] {
  if (rule === undefined) return [...groups];
  const named = (g: RuleGroupStatus, open: boolean) =>
    g.rules.some((r) => r.type === "alerting" && r.name === rule && (!open || (r.shadow === true) !== shadow));
  const open = groups.filter((g) => named(g, true));
  return open.length > 0 ? open : groups.filter((g) => named(g, false));
}

interface Missing {
  readonly name: string;
  readonly place: string;
  readonly rule: string | undefined;
  /** Whether there is such a group, without such a rule. */
  readonly known: boolean;
}

function sendMissing(reply: FastifyReply, { name, place, rule, known }: Missing): FastifyReply {
  const where = place === "" ? "" : ` in ${JSON.stringify(place)}`;
  const group = name === "" ? "" : ` group ${JSON.stringify(name)}`;
  const what =
    rule === undefined || (!known && name !== "")
      ? `there is no rule${group}${where}`
      : `there is no alert rule ${JSON.stringify(rule)}${group === "" ? "" : ` in${group}`}${where}`;
  return sendError(reply, "not_found", `${what}; /api/v1/rules has all there are`);
}

function sendCandidates(
  reply: FastifyReply,
  name: string,
  isRule: boolean,
  found: readonly RuleGroupStatus[],
  stored: (group: RuleGroupStatus) => boolean,
): FastifyReply {
  const candidates: readonly ShadowCandidateJson[] = found.map((g) =>
    stored(g) ? { group: g.name, namespace: g.file } : { group: g.name, file: g.file },
  );
  const texts = candidates.map(
    ({ group, namespace, file }) =>
      `group ${JSON.stringify(group)} of ${namespace === undefined ? "file" : "namespace"} ${JSON.stringify(namespace ?? file)}`,
  );
  const what = isRule
    ? `alert rule ${JSON.stringify(name)} is in several groups`
    : `several groups are named ${JSON.stringify(name)}`;
  const error = `${what}, and none is changed: ${texts.join(", ")}; say which with group and namespace or file`;
  const data: ShadowCandidatesJson = { candidates };
  const body = JSON.stringify({ status: "error", errorType: "bad_data", error, data });
  return reply.code(400).type("application/json").send(Buffer.from(body));
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
  const data: ShadowEditJson = { file, group: wanted.group, edits };
  const body = JSON.stringify({ status: "error", errorType: "conflict", error, data });
  return reply.code(409).type("application/json").send(Buffer.from(body));
}
