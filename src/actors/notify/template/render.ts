import type { DefinedTemplate, Node, ParsedTemplate } from "../../../lib/gotemplate/ast.ts";
import { executeTemplate, type Print } from "../../../lib/gotemplate/evaluate.ts";
import { parseTemplate } from "../../../lib/gotemplate/parse.ts";
import type { Value } from "../../../lib/gotemplate/value.ts";
import type { Notification } from "../webhook-payload.ts";
import { htmlPrinter } from "./html-print.ts";
import { templateData } from "./template-data.ts";
import { NOTIFICATION_FUNCTION_NAMES, notificationFunctions } from "./template-functions.ts";

/** Named templates: the built-in ones and those of the `templates` files. */
export type TemplateSet = ReadonlyMap<string, DefinedTemplate>;

/**
 * Fills in the templates of one notification. A template that fails must not keep a page from being sent: what fails
 * becomes a text that says why, or the fallback where only some texts are allowed (then `errors` has it).
 */
export interface Renderer {
  readonly notification: Notification;
  text(template: string): string;
  /** With values escaped for HTML. */
  html(template: string): string;
  /** For what is not read by people, as a colour or a priority. */
  choice(template: string, fallback: string): string;
  /** For what the notification cannot be delivered without; throws `RenderError`. */
  must(template: string, what: string): string;
  /** What `choice` left out; to be told in the message. */
  readonly errors: readonly string[];
}

/** A template fails without which nothing can be sent. */
export class RenderError extends Error {}

export function makeRenderer(notification: Notification, templates: TemplateSet, now: number): Renderer {
  // Most webhooks have no template at all, and a notification may have very many alerts.
  let data: Value | undefined;
  const functions = notificationFunctions(now);
  const errors: string[] = [];
  const run = (text: string, print?: () => Print): string => {
    if (!text.includes("{{")) return text;
    const template = compile(text);
    const known = template.defined.size === 0 ? templates : new Map([...templates, ...template.defined]);
    data ??= templateData(notification);
    return executeTemplate(template, data, functions, {}, known, print?.());
  };
  const orError = (attempt: () => string, shown: (error: string) => string): string => {
    try {
      return attempt();
    } catch (error) {
      return shown(marker(messageOf(error)));
    }
  };
  return {
    notification,
    text: (template) =>
      orError(
        () => run(template),
        (m) => m,
      ),
    html: (template) => orError(() => run(template, htmlPrinter), escapeText),
    choice: (template, fallback) => {
      try {
        return run(template);
      } catch (error) {
        errors.push(messageOf(error));
        return fallback;
      }
    },
    must: (template, what) => {
      try {
        return run(template);
      } catch (error) {
        throw new RenderError(`the template of ${what} fails: ${messageOf(error)}`);
      }
    },
    errors,
  };
}

/** A message with what could not be filled in elsewhere. @param html the message is HTML */
export function withErrors(r: Renderer, text: string, html = false): string {
  if (r.errors.length === 0) return text;
  const markers = r.errors.map(marker);
  return [text, ...(html ? markers.map(escapeText) : markers)].join("\n");
}

/** Why a template cannot be used; undefined when it can. What it calls must be among the templates or its own. */
export function checkTemplate(text: string, templates: TemplateSet): string | undefined {
  try {
    if (!text.includes("{{")) return undefined;
    const { body, defined } = compile(text);
    const missing = calledTemplates(body).find((name) => !templates.has(name) && !defined.has(name));
    return missing === undefined ? undefined : `template ${JSON.stringify(missing)} is not defined`;
  } catch (error) {
    return messageOf(error);
  }
}

/** The names of the templates that these nodes call, those in branches included. */
export function calledTemplates(nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap((node) => {
    switch (node.kind) {
      case "template":
        return [node.name];
      case "if":
      case "with":
        return calledTemplates([...node.branches.flatMap((b) => b.body), ...node.otherwise]);
      case "range":
        return calledTemplates([...node.body, ...node.otherwise]);
      default:
        return [];
    }
  });
}

/** The named templates of a file. Throws `TemplateError`. */
export function parseTemplateFile(name: string, text: string): TemplateSet {
  const parsed = parseTemplate(name, text, NOTIFICATION_FUNCTION_NAMES);
  return new Map([[name, { name, text, body: parsed.body }], ...parsed.defined]);
}

const compiled = new Map<string, ParsedTemplate>();
const COMPILED = 10_000;

function compile(text: string): ParsedTemplate {
  let template = compiled.get(text);
  if (template === undefined) {
    template = parseTemplate("", text, NOTIFICATION_FUNCTION_NAMES);
    if (compiled.size >= COMPILED) compiled.clear();
    compiled.set(text, template);
  }
  return template;
}

const MARKER = "<error expanding template: ";

function marker(error: string): string {
  return `${MARKER}${error}>`;
}

/** Whether this stands for a text that could not be filled in. */
export function isMarker(text: string): boolean {
  return text.startsWith(MARKER);
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
