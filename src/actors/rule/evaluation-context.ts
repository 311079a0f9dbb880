import type { Engine } from "../../model/query.ts";
import type { AlertTemplates } from "./alert-template.ts";
import type { RuleOutput } from "./rule-output.ts";

/** What the evaluation of a rule needs besides the rule. */
export interface EvaluationContext {
  readonly engine: Engine;
  readonly tenant: string;
  readonly output: RuleOutput;
  readonly templates: AlertTemplates;
  readonly signal: AbortSignal;
}
