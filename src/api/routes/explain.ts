import type { FastifyInstance } from "fastify";
import { MatcherSyntaxError, parseMatchers } from "../../actors/alert/matcher-syntax.ts";
import { isLegacyLabelName, type Matcher, matchesEmpty } from "../../model/matcher.ts";
import { QueryError } from "../../model/query.ts";
import { parseSelector } from "../../query/parse/parse.ts";
import type { ApiDeps } from "../deps.ts";
import { invalidParameter, type Params, parseDurationParam, parseLimit, parseTime } from "../params.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { sendData, sendError, sendQueryError } from "../respond.ts";

const WINDOW_MS = 3_600_000;
const MAX_WINDOW_MS = 400 * 86_400_000;
const INSTANCES = 5;
const MAX_INSTANCES = 50;
const MAX_TEXT = 16_384;

/** /api/v1/alerts/explain: why somebody was paged for an alert, or nobody. */
export function explainRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/api/v1/alerts/explain", async (request, reply) => {
    try {
      const params = paramsOf(request);
      const now = deps.now();
      const time = parseTime(params, "time", now);
      if (time > now + 60_000) throw invalidParameter("time", "it lies in the future: nothing is recorded of it");
      if (Math.abs(time) > MAX_DATE_MS) throw invalidParameter("time", "no date is so far away");
      const windowMs = parseDurationParam(params, "window") ?? WINDOW_MS;
      if (windowMs <= 0 || windowMs > MAX_WINDOW_MS)
        throw invalidParameter("window", "it is more than 0 and at most 400d");
      const limit = Math.min(parseLimit(params) || INSTANCES, MAX_INSTANCES);
      const receiver = params.get("receiver") ?? "";
      if (receiver !== "" && !deps.alertManager.config().receivers.some((r) => r.name === receiver)) {
        throw invalidParameter("receiver", `there is no receiver ${JSON.stringify(receiver)}`);
      }
      if (deps.explain === undefined) return sendError(reply, "unavailable", "this server keeps no records");
      const answer = await deps.explain({
        tenant: tenantOf(request),
        matchers: explainMatchers(params),
        time,
        windowMs,
        ...(receiver === "" ? {} : { receiver }),
        limit,
        signal: clientSignal(request, reply),
      });
      return sendData(request, reply, answer);
    } catch (e) {
      return sendQueryError(reply, e);
    }
  });
}

const MAX_DATE_MS = 8_640_000_000_000_000;

/** `labels` and `filter` as Alertmanager writes matchers, `match[]` as PromQL does; an alert has to fit all of them. */
export function explainMatchers(params: Params): Matcher[] {
  const out: Matcher[] = [];
  for (const name of ["labels", "filter"]) {
    for (const text of params.getAll(name)) out.push(...matchersOfText(name, text));
  }
  for (const text of params.getAll("match[]")) {
    try {
      for (const m of parseSelector(text)) out.push(m.name === "__name__" ? { ...m, name: "alertname" } : m);
    } catch (e) {
      throw e instanceof QueryError ? invalidParameter("match[]", e.message) : e;
    }
  }
  if (out.every(matchesEmpty)) {
    throw new QueryError(
      "bad_data",
      'which alert? Give its labels, such as labels=alertname="HighLoad",instance="a" or match[]={alertname="HighLoad"}; at least one matcher must not fit an absent label',
    );
  }
  return out;
}

function matchersOfText(name: string, text: string): Matcher[] {
  if (text.length > MAX_TEXT) throw invalidParameter(name, `it is longer than ${MAX_TEXT} characters`);
  try {
    return parseMatchers(text);
  } catch (e) {
    if (!(e instanceof MatcherSyntaxError)) throw e;
    // Alertmanager's own errors begin with an offset.
    const own = /^(\d+): (.*)$/s.exec(e.message);
    const said = own === null ? `${placeIn(text)}${e.message}` : `1:${Number(own[1]) + 1}: parse error: ${own[2]}`;
    throw invalidParameter(name, said);
  }
}

/** Where PromQL's parser, which tells places, finds the fault: `1:5: parse error: `. */
function placeIn(text: string): string {
  const braced = text.trimStart().startsWith("{");
  try {
    parseSelector(braced ? text : `{${text}}`);
  } catch (e) {
    const m = e instanceof QueryError ? /(\d+):(\d+): parse error/.exec(e.message) : null;
    if (m !== null) return `${m[1]}:${Math.max(1, Number(m[2]) - (braced ? 0 : 1))}: parse error: `;
  }
  const end = /^[^=!~]*/.exec(text)?.[0] ?? "";
  return isLegacyLabelName(text) ? `1:${end.length + 1}: parse error: ` : "";
}
