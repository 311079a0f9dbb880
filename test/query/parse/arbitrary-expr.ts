import fc from "fast-check";

/** PromQL texts that are well formed and well typed, over all of the syntax; small, so that failures can be read. */
const label = fc.constantFrom("job", "instance", "le", "by", "sum", '"a b"', "'é'");
const string = fc.constantFrom('"x"', "'it\\'s'", "`a\\b`", '"\\xff\\n"', '"é😀"', '""');
const number = fc.constantFrom(
  "0",
  "1",
  "2.5",
  ".5",
  "0x1F",
  "1e3",
  "1_000",
  "Inf",
  "NaN",
  "5m",
  "1h30m",
  "010",
  "1e-300",
);
const duration = fc.constantFrom("5m", "1h30m", "90", "2.5", "1ms", "1y");
const matcher = fc.oneof(
  fc.tuple(label, fc.constantFrom("=", "!="), string).map((t) => t.join("")),
  fc.tuple(label, fc.constantFrom("=~", "!~"), fc.constantFrom('".+"', '"a|b"', '"[0-9]+"')).map((t) => t.join(" ")),
);
const name = fc.constantFrom("up", "a:b", "sum", "offset", "start", "fill", "on_call", "min_of", "by");
const selector = fc.oneof(
  name,
  fc.tuple(name, fc.array(matcher, { maxLength: 3 })).map(([n, ms]) => `${n}{${ms.join(",")}}`),
  fc.array(matcher, { maxLength: 2 }).map((ms) => `{${['__name__="x"', ...ms].join(", ")},}`),
  fc.constant('{"with space", a="b"}'),
);
const labels = fc.array(label, { maxLength: 3 }).map((ls) => `(${ls.join(", ")})`);

const durations = fc.letrec<{ expr: string }>((tie) => ({
  expr: fc.oneof(
    { depthSize: "small" },
    duration,
    fc.constantFrom("step()", "RANGE()"),
    fc.tuple(tie("expr"), fc.constantFrom("+", "*", " ^ "), tie("expr")).map((t) => t.join("")),
    tie("expr").map((d) => `(${d})`),
    tie("expr").map((d) => `-${d}`),
    fc.tuple(fc.constantFrom("min_of", "max_of"), tie("expr"), tie("expr")).map(([f, a, b]) => `${f}(${a}, ${b})`),
  ),
})).expr;
/** In brackets a plain literal must be above zero. */
const bracketed = fc.oneof(
  duration,
  durations.map((d) => `1s + (${d})`),
  durations.map((d) => `max_of(1s, ${d})`),
);
const at = fc.constantFrom("", "", "", " @ 1.5", " @ -3", " @ start()", " @ end()");
const offset = fc.oneof(
  fc.constantFrom("", "", "", " offset 5m", " offset -1h", " offset step()"),
  durations.map((d) => ` offset (1s + ${d})`),
);
const extended = fc.constantFrom("", "", "", " anchored", " smoothed");

const OPERATORS = ["+", "-", "*", "/", "%", "^", "atan2"];
const COMPARISONS = ["==", "!=", "<", "<=", ">", ">=", "== bool", "< bool", "</", ">/"];

export const { vector: vectorExpr, scalar: scalarExpr } = fc.letrec<{
  vector: string;
  scalar: string;
  matrix: string;
}>((tie) => ({
  vector: fc.oneof(
    { depthSize: "medium" },
    // Behind an offset in parentheses an operator would be part of the duration.
    fc.tuple(selector, extended, at, offset).map((t) => (t.at(-1)?.endsWith(")") ? `(${t.join("")})` : t.join(""))),
    tie("vector").map((v) => `(${v})`),
    tie("vector").map((v) => `-${v}`),
    fc.tuple(fc.constantFrom("rate", "sum_over_time", "absent_over_time"), tie("matrix")).map(([f, m]) => `${f}(${m})`),
    fc.tuple(tie("scalar"), tie("matrix")).map(([s, m]) => `quantile_over_time(${s}, ${m})`),
    fc.tuple(tie("vector"), string).map(([v, s]) => `label_join(${v}, "a", ",", ${s})`),
    fc.tuple(tie("scalar"), tie("vector")).map(([s, v]) => `topk by (job) (${s}, ${v})`),
    fc
      .tuple(fc.constantFrom("sum", "AVG", "group"), fc.constantFrom("by", "without"), labels, tie("vector"))
      .map(([op, word, list, v]) => `${op} ${word} ${list} (${v})`),
    fc.tuple(string, tie("vector")).map(([s, v]) => `count_values(${s}, ${v}) by (le)`),
    fc
      .tuple(tie("vector"), fc.constantFrom(...OPERATORS, ...COMPARISONS, "and", "OR", "unless"), tie("vector"))
      .map((t) => t.join(" ")),
    fc
      .tuple(tie("scalar"), fc.constantFrom(...OPERATORS, ...COMPARISONS), tie("vector"))
      .map(([s, op, v]) => `${s} ${op} (${v})`),
    fc
      .tuple(
        tie("vector"),
        fc.constantFrom(...OPERATORS, ...COMPARISONS),
        fc.constantFrom("on", "ignoring"),
        fc.constantFrom("(job)", "()", '("a b", le)'),
        fc.constantFrom("", "group_left", "group_right (instance)", "group_left ()"),
        fc.constantFrom("", "fill(0)", "fill_left(-1.5)", "fill_right (NaN) fill_left(Inf)", "fill_right(1e9)"),
        tie("vector"),
      )
      // Behind a bare group_left a parenthesis would be its labels.
      .map(([l, ...rest]) => `(${l}) ${rest.slice(0, -1).join(" ")} +(${rest.at(-1)})`),
  ),
  scalar: fc.oneof(
    { depthSize: "small" },
    number,
    fc.constantFrom("time()", "pi()", "step()", "min_of(1, 2)"),
    tie("scalar").map((s) => `-${s}`),
    tie("scalar").map((s) => `(${s})`),
    fc.tuple(tie("scalar"), fc.constantFrom(...OPERATORS, "== bool"), tie("scalar")).map((t) => t.join(" ")),
    tie("vector").map((v) => `scalar(${v})`),
  ),
  matrix: fc.oneof(
    fc.tuple(selector, bracketed, extended, at, offset).map(([s, d, ...m]) => `${s}[${d}]${m.join("")}`),
    fc
      .tuple(tie("vector"), bracketed, fc.oneof(fc.constant(""), bracketed), at, offset)
      .map(([v, d, step, ...m]) => `(${v})[${d}:${step}]${m.join("")}`),
  ),
}));
