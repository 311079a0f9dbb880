/** The tree of a template. `at` is the offset in the text, for errors. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | { readonly kind: "if" | "with"; readonly branches: readonly Branch[]; readonly otherwise: readonly Node[] }
  | { readonly kind: "range"; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: "template"; readonly name: string; readonly pipe: Pipe | undefined; readonly at: number }
  | { readonly kind: "break" | "continue" };

/** One arm of `if … else if …` or `with … else with …`. */
export interface Branch {
  readonly pipe: Pipe;
  readonly body: readonly Node[];
}

export interface Pipe {
  readonly at: number;
  /** Variables that it sets, `$` included. */
  readonly names: readonly string[];
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

/** A function, method or value with its arguments. */
export interface Command {
  readonly at: number;
  readonly args: readonly Arg[];
}

export type Arg =
  | { readonly kind: "dot"; readonly at: number }
  | { readonly kind: "nil"; readonly at: number }
  | { readonly kind: "literal"; readonly at: number; readonly value: string | number | bigint | boolean }
  | { readonly kind: "function"; readonly at: number; readonly name: string }
  | { readonly kind: "variable"; readonly at: number; readonly name: string }
  | { readonly kind: "pipe"; readonly at: number; readonly pipe: Pipe }
  /** `.A.B` of dot, or of what `of` gives. */
  | { readonly kind: "chain"; readonly at: number; readonly of: Arg; readonly fields: readonly string[] };

export interface ParsedTemplate {
  readonly name: string;
  readonly text: string;
  readonly body: readonly Node[];
  /** What `define` and `block` name. */
  readonly defined: ReadonlyMap<string, DefinedTemplate>;
}

/** Keeps the text it comes from, for the places in errors. */
export interface DefinedTemplate {
  readonly name: string;
  readonly text: string;
  readonly body: readonly Node[];
}
