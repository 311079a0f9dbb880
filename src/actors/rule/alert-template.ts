import type { ParsedTemplate } from "../../lib/gotemplate/ast.ts";
import { executeTemplate, TemplateInterrupt } from "../../lib/gotemplate/evaluate.ts";
import { parseTemplate } from "../../lib/gotemplate/parse.ts";
import type { TemplateFunction, Value } from "../../lib/gotemplate/value.ts";
import type { Histogram } from "../../model/histogram.ts";
import { type Labels, labelsToObject } from "../../model/labels.ts";
import type { Engine } from "../../model/query.ts";
import { vectorRows } from "./rule-result.ts";
import { type Sample, TEMPLATE_FUNCTIONS } from "./template-functions.ts";
import { sampleValue } from "./template-histogram.ts";

/** What alert templates share: the process's external labels and URL. */
export interface AlertTemplates {
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
}

export interface TemplateSubject {
  /** Of the sample that made the alert, the metric name included. */
  readonly labels: Labels;
  readonly value: number | Histogram;
  readonly time: number;
}

export interface TemplateContext {
  readonly engine: Pick<Engine, "instant">;
  readonly tenant: string;
  readonly templates: AlertTemplates;
  readonly signal?: AbortSignal;
}

const VARIABLES = ["$labels", "$externalLabels", "$externalURL", "$value"];
const FUNCTION_NAMES = [...Object.keys(TEMPLATE_FUNCTIONS), "query", "externalURL", "pathPrefix", "now", "tmpl"];
/** Queries that one template may make. */
const MAX_QUERIES = 20;
const MAX_NESTED = 50;

/** Why a label's or annotation's template cannot be used; undefined when it can. */
export function checkTemplate(text: string): string | undefined {
  try {
    compile(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const compiled = new Map<string, ParsedTemplate>();
const COMPILED = 10_000;

function compile(text: string): ParsedTemplate {
  let template = compiled.get(text);
  if (template === undefined) {
    template = parseTemplate("template", text, FUNCTION_NAMES, VARIABLES);
    if (compiled.size >= COMPILED) compiled.clear();
    compiled.set(text, template);
  }
  return template;
}

/** Expands the templates among the texts. What fails becomes a text that says so: an alert is sent with it rather than not. */
export async function expandAll(
  context: TemplateContext,
  texts: Readonly<Record<string, string>>,
  subject: TemplateSubject,
): Promise<Readonly<Record<string, string>>> {
  if (!Object.values(texts).some((text) => text.includes("{{"))) return texts;
  const out: Record<string, string> = {};
  for (const [name, text] of Object.entries(texts)) {
    out[name] = text.includes("{{") ? await expandTemplate(context, text, subject) : text;
  }
  return out;
}

export async function expandTemplate(
  context: TemplateContext,
  text: string,
  subject: TemplateSubject,
): Promise<string> {
  try {
    return await expand(context, compile(text), subject);
  } catch (error) {
    return `<error expanding template: ${error instanceof Error ? error.message : String(error)}>`;
  }
}

/** A template asked for a query whose answer is not there yet: the expansion starts again when it is. */
class QueryNeeded extends TemplateInterrupt {
  readonly query: string;
  constructor(query: string) {
    super(query);
    this.query = query;
  }
}

async function expand(context: TemplateContext, template: ParsedTemplate, subject: TemplateSubject): Promise<string> {
  const { externalLabels, externalUrl } = context.templates;
  const answers = new Map<string, readonly Sample[]>();
  const dot = {
    Labels: new Map<string, Value>(Object.entries(labelsToObject(subject.labels))),
    ExternalLabels: new Map<string, Value>(Object.entries(externalLabels)),
    ExternalURL: externalUrl,
    Value: sampleValue(subject.value),
  };
  let nested = 0;
  const functions: Record<string, TemplateFunction> = {
    ...TEMPLATE_FUNCTIONS,
    externalURL: () => externalUrl,
    pathPrefix: () => (URL.canParse(externalUrl) ? new URL(externalUrl).pathname.replace(/\/$/, "") : ""),
    now: () => subject.time / 1000,
    /** As `template`, but the name is a value. */
    tmpl: (name: Value, data: Value) => {
      const called = template.defined.get(String(name));
      if (called === undefined) throw new Error(`template ${JSON.stringify(String(name))} not defined`);
      // Of its own steps and depth, but one that calls itself without end must not fill the stack.
      if (++nested > MAX_NESTED) throw new Error(`templates are nested deeper than ${MAX_NESTED}`);
      try {
        return executeTemplate({ ...called, defined: template.defined }, data, functions, {}, template.defined);
      } finally {
        nested--;
      }
    },
    query: (query: Value) => {
      const answer = answers.get(String(query));
      if (answer === undefined) throw new QueryNeeded(String(query));
      return answer;
    },
  };
  const variables = {
    $labels: dot.Labels,
    $externalLabels: dot.ExternalLabels,
    $externalURL: dot.ExternalURL,
    $value: dot.Value,
  };
  while (true) {
    try {
      return executeTemplate(template, dot, functions, variables);
    } catch (error) {
      if (!(error instanceof QueryNeeded)) throw error;
      if (answers.size >= MAX_QUERIES) throw new Error(`more than ${MAX_QUERIES} queries in one template`);
      answers.set(error.query, await ask(context, error.query, subject.time));
    }
  }
}

async function ask(context: TemplateContext, query: string, time: number): Promise<readonly Sample[]> {
  const signal = context.signal === undefined ? {} : { signal: context.signal };
  const result = await context.engine.instant({ tenant: context.tenant, query, time, ...signal });
  if (result.type === "scalar") return [{ Labels: new Map(), Value: result.value }];
  if (result.type === "string") return [{ Labels: new Map([["__value__", result.value]]), Value: 0 }];
  if (result.type === "matrix") throw new Error("query result is not a vector, a scalar or a string");
  return vectorRows(result).map(({ labels, value }) => ({
    Labels: new Map<string, Value>(Object.entries(labelsToObject(labels))),
    Value: sampleValue(value),
  }));
}
