import { goQuote } from "../lib/go-quote.ts";
import { compileMatcherRegex, type StringTest } from "../lib/regex.ts";

/** A label matcher. An absent label matches as "". Regular expressions are RE2 syntax and fully anchored. */
export type MatchOp = "=" | "!=" | "=~" | "!~";

export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

/** A test of label values ("" for an absent label). Throws `RegexError` (src/lib/regex.ts) for a bad pattern. */
export function compileMatcher(m: Matcher): StringTest {
  const { value } = m;
  switch (m.op) {
    case "=":
      return (v) => v === value;
    case "!=":
      return (v) => v !== value;
    case "=~":
      return compileMatcherRegex(value);
    case "!~": {
      const test = compileMatcherRegex(value);
      return (v) => !test(v);
    }
  }
}

/** True when the matcher selects series that do not have the label. Throws `RegexError`. */
export function matchesEmpty(m: Matcher): boolean {
  return compileMatcher(m)("");
}

const LEGACY_LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** True for a label name that needs no quotes in PromQL. */
export function isLegacyLabelName(name: string): boolean {
  return LEGACY_LABEL_NAME.test(name);
}

/** `name="value"`, with the name in quotes where it needs them. */
export function formatMatcher(m: Matcher): string {
  return `${isLegacyLabelName(m.name) ? m.name : goQuote(m.name)}${m.op}${goQuote(m.value)}`;
}
