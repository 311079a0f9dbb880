/** Where an operator writes down what is to be said of the samples that it was given: the query's warnings and infos. */
export interface Notebook {
  /** `map`: of which of the plan's maps it is said, whose place in the query it gets then. */
  say(severity: "warning" | "info", text: string, map?: number): void;
  /** The name of the metric that is worked on, "" where it has none. */
  metric(): string;
}
