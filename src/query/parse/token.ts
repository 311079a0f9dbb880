import { goQuote } from "../../lib/go-quote.ts";

/** What a token is: punctuation and operators by themselves, keywords in lower case, and the classes with a text. */
export type TokenType = Punctuation | Operator | Aggregator | Keyword | Preprocessor | TextClass | "eof";
type Punctuation = "(" | ")" | "{" | "}" | "[" | "]" | "," | ":" | "=";
type TextClass = "identifier" | "metricIdentifier" | "number" | "duration" | "string";
export type Operator = (typeof OPERATORS)[number];
export type Aggregator = (typeof AGGREGATORS)[number];
export type Keyword = (typeof KEYWORDS)[number];
export type Preprocessor = (typeof PREPROCESSORS)[number];

export interface Token {
  readonly type: TokenType;
  /** UTF-16 offsets into the query; `end` exclusive. */
  readonly start: number;
  readonly end: number;
  /** As written, quotes included. */
  readonly text: string;
}

const OPERATORS = [
  ...["+", "-", "*", "/", "%", "^", "@"],
  ...["==", "!=", "<", "<=", ">", ">=", "=~", "!~", "</", ">/"],
  ...["and", "or", "unless", "atan2"],
] as const;
export const AGGREGATORS = [
  ...["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"],
  ...["topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"],
] as const;
const KEYWORDS = [
  ...["offset", "smoothed", "anchored", "by", "without", "on", "ignoring", "bool"],
  ...["group_left", "group_right", "fill", "fill_left", "fill_right"],
] as const;
const PREPROCESSORS = ["start", "end", "step", "range", "max_of", "min_of"] as const;

const operators: ReadonlySet<string> = new Set(OPERATORS);
const aggregators: ReadonlySet<string> = new Set(AGGREGATORS);
const keywords: ReadonlySet<string> = new Set(KEYWORDS);
const preprocessors: ReadonlySet<string> = new Set(PREPROCESSORS);

export const isAggregator = (type: TokenType): type is Aggregator => aggregators.has(type);

/** The type of a word outside of braces; keywords and the numbers Inf and NaN are recognised in any case. */
export function wordType(word: string): TokenType {
  const lower = word.toLowerCase();
  if (lower === "inf" || lower === "nan") return "number";
  if (aggregators.has(lower) || keywords.has(lower) || preprocessors.has(lower)) return lower as TokenType;
  if (lower === "and" || lower === "or" || lower === "unless" || lower === "atan2") return lower;
  return word.includes(":") ? "metricIdentifier" : "identifier";
}

/** Keywords that are a metric name where an expression can start. */
const METRIC_WORDS: ReadonlySet<string> = new Set([
  ...AGGREGATORS,
  ...PREPROCESSORS,
  ...["and", "or", "unless", "by", "without", "offset", "anchored", "smoothed"],
  ...["identifier", "metricIdentifier"],
]);
export const canBeMetric = (type: TokenType): boolean => METRIC_WORDS.has(type);

/** Any word but one can be a label name in `by (...)` and the like: Prometheus's grammar leaves out `without`. */
export const canBeLabel = (type: TokenType): boolean =>
  type !== "without" && (METRIC_WORDS.has(type) || keywords.has(type) || type === "atan2");

/** How errors call the token: `identifier "x"`, `<op:==>`, `end of input`. */
export function describeToken(token: Token): string {
  const { type, text } = token;
  if (type === "eof") return "end of input";
  if (type === "identifier") return `identifier ${goQuote(text)}`;
  if (type === "metricIdentifier") return `metric identifier ${goQuote(text)}`;
  if (keywords.has(type)) return `<${text}>`;
  if (operators.has(type)) return `<op:${text}>`;
  if (aggregators.has(type)) return `<aggr:${text}>`;
  const quoted = goQuote(shorten(text));
  const shown = new TextEncoder().encode(text).length > 10 ? `${quoted}...` : quoted;
  return type === "string" || type === "number" || type === "duration" ? `${type} ${shown}` : shown;
}

function shorten(text: string): string {
  return text.length <= 10 ? text : [...text].slice(0, 10).join("");
}
