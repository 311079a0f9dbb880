/** What a rule needs to know of its expression. */
export interface CheckedExpression {
  /** As PromQL prints it. */
  readonly canonical: string;
  /** Metric names that it selects by name; undefined when a selector may match any name. */
  readonly reads: readonly string[] | undefined;
  /** Present when it cannot be parsed; place inside the expression, 1-based. */
  readonly error?: { readonly line: number; readonly column: number; readonly message: string };
}

export type CheckExpression = (text: string) => CheckedExpression;
