import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { compareLabels, labelsKey, labelValue, METRIC_NAME } from "../../model/labels.ts";
import type { Matcher } from "../../model/matcher.ts";
import { QueryError } from "../../model/query.ts";
import { parseSelector } from "../../query/parse/parse.ts";
import type { ApiDeps } from "../deps.ts";
import { federateText, type Newest } from "../federate-text.ts";
import { ESCAPINGS, type Escaping } from "../name-escaping.ts";
import { clientSignal, paramsOf, tenantOf } from "../request.ts";
import { compressed, markPartial } from "../respond.ts";
import { askNewest, labelSets } from "../shard-plans.ts";

/** GET /federate: the newest sample of each series that a match[] selects, for another Prometheus to scrape. */
export function federateRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/federate", async (request, reply) => {
    try {
      return await federate(deps, request, reply);
    } catch (e) {
      if (!(e instanceof QueryError)) throw e;
      return reply
        .code(e.type === "bad_data" ? 400 : 500)
        .type("text/plain")
        .send(`${e.message}\n`);
    }
  });
}

async function federate(deps: ApiDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  // Unlike other calls this one takes selectors that every series fits; but `{}` selects none, as with Prometheus.
  const selectors = paramsOf(request)
    .getAll("match[]")
    .map((text) => parseSelector(text));
  const sets = selectors.filter((matchers) => matchers.length > 0);
  const ask = { tenant: tenantOf(request), end: deps.now(), signal: clientSignal(request, reply) };
  // A sample exactly as old as the lookback counts here.
  const width = deps.limitsOf(ask.tenant).queryLookbackMs + 1;
  const found = new Map<string, Newest>();
  const partial = await Promise.all(sets.map((matchers) => newest(deps, { ...ask, matchers, width }, found)));
  markPartial(reply, partial.includes(true));
  const sorted = [...found.values()].sort((a, b) =>
    a.name === b.name ? compareLabels(a.labels, b.labels) : a.name < b.name ? -1 : 1,
  );
  const scheme = schemeOf(request);
  reply.type(`text/plain; version=0.0.4; charset=utf-8; escaping=${scheme}`);
  return compressed(request, reply, Readable.from(bytes(federateText(sorted, scheme)), { objectMode: false }));
}

function* bytes(pieces: Iterable<string>): Generator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

/** How often samples that changed while they were read are read again. */
const MAX_READS = 3;

interface Ask {
  readonly tenant: string;
  readonly matchers: readonly Matcher[];
  readonly end: number;
  readonly width: number;
  readonly signal: AbortSignal;
}

/**
 * Adds the newest samples of a selector; true when any may be missing. A value and its time are asked for one after the other, the
 * time once more behind the value: where both times agree, the value is of that time.
 */
async function newest(deps: ApiDeps, ask: Ask, found: Map<string, Newest>): Promise<boolean> {
  let before = await times(deps, ask);
  for (let read = 1; ; read++) {
    const values = await askNewest(deps, ask, "value");
    const after = await times(deps, ask);
    let moved = false;
    for (const answer of values.answers) {
      let row = 0;
      for (const labels of labelSets(answer.labels)) {
        const i = row++;
        const key = labelsKey(labels);
        const ts = after.of.get(key);
        if (ts === undefined || ts !== before.of.get(key)) {
          moved = true;
          continue;
        }
        // The text format has no native histograms; Prometheus leaves series without a name out.
        const name = labelValue(labels, METRIC_NAME);
        if (answer.present[i] === 1 && name !== "") {
          found.set(key, { name, labels, value: answer.values[i] as number, ts });
        }
      }
    }
    if (!moved || read === MAX_READS) return values.warnings.length > 0 || after.partial;
    before = after;
  }
}

async function times(deps: ApiDeps, ask: Ask): Promise<{ of: Map<string, number>; partial: boolean }> {
  const { answers, warnings } = await askNewest(deps, ask, "timestamp");
  const of = new Map<string, number>();
  for (const answer of answers) {
    let row = 0;
    for (const labels of labelSets(answer.labels)) {
      of.set(labelsKey(labels), Math.round((answer.values[row++] as number) * 1000));
    }
  }
  return { of, partial: warnings.length > 0 };
}

/** Which escaping the scraper's Accept header asks for: the last that is named up to the first text format that it takes. */
function schemeOf(request: FastifyRequest): Escaping {
  let scheme: Escaping = "underscores";
  for (const part of byPreference(request.headers.accept ?? "")) {
    const [type = "", ...parameters] = part.split(";").map((s) => s.trim());
    const of = new Map(parameters.map((p) => p.split("=").map((s) => s.trim()) as [string, string]));
    scheme = ESCAPINGS.find((s) => s === of.get("escaping")) ?? scheme;
    if (type === "text/plain" && (of.get("version") ?? "0.0.4") === "0.0.4") break;
  }
  return scheme;
}

function byPreference(accept: string): string[] {
  const weight = (part: string) => Number(/;\s*q=([\d.]+)/.exec(part)?.[1] ?? 1);
  return accept.split(",").sort((a, b) => weight(b) - weight(a));
}
