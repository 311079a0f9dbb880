import { DATA_END, DATA_START, METRICS } from "./dataset.ts";
import type { Random } from "./prng.ts";

/** Well-typed expressions of what Prometheus 3.5 knows, most of them with a result over the generated data. */

const COUNTERS = ["requests_total", "errors_total", "busy_seconds_total"];
const GAUGES = ["temperature", "pressure", "state", "limit", "odd", "rare", "unique"];
const RANGE_FUNCTIONS = [
  "rate increase delta irate idelta deriv changes resets sum_over_time avg_over_time min_over_time max_over_time",
  "count_over_time last_over_time present_over_time stddev_over_time stdvar_over_time mad_over_time",
  "ts_of_min_over_time ts_of_max_over_time ts_of_last_over_time absent_over_time",
].flatMap((s) => s.split(" "));
const COUNTER_FUNCTIONS = ["rate", "increase", "irate", "resets"];
const ELEMENTWISE = [
  "abs ceil floor exp sqrt ln log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh deg rad sgn",
].flatMap((s) => s.split(" "));
const CALENDAR = "day_of_month day_of_week day_of_year days_in_month hour minute month year".split(" ");
const LABELS = ["job", "instance", "code", "room", "le", "kind", "version", "nothing", "__name__"];
const DURATIONS = ["15s", "20s", "1m", "90s", "2m", "5m", "10m", "17m", "30m", "1h", "14999ms", "30001ms"];
const NUMBERS = "0 1 2 3 -1 0.5 0.1 10 100 1e3 1e-3 -2.5 NaN Inf -Inf 60 3600 1e308 7 0x1F 5m".split(" ");

export interface Generator {
  vector(depth: number): string;
  scalar(depth: number): string;
  matrix(depth: number): string;
}

/** `depth` is how much deeper the expression may become. */
export function makeGenerator(r: Random): Generator {
  const number = (): string => r.pick(NUMBERS);
  const q = (s: string): string => r.pick([JSON.stringify(s), `'${s}'`]);

  function matchers(name: string): string {
    const spec = METRICS[name] ?? {};
    const parts: string[] = [];
    for (const [label, values] of Object.entries(spec)) {
      if (!r.chance(0.3)) continue;
      const some = r.some(values, 0.5);
      parts.push(
        r.weighted([
          [5, `${label}=${q(r.pick(values))}`],
          [2, `${label}!=${q(r.pick(values))}`],
          [3, `${label}=~${q(some.map((v) => v.replace(/[+.]/g, "[$&]")).join("|"))}`],
          [1, `${label}!~${q(`${r.pick(values)[0] === "+" ? "x" : r.pick(values)[0]}.*`)}`],
          [1, `${label}=~".+"`],
          [0.3, `${label}=""`],
        ]),
      );
    }
    if (r.chance(0.05)) parts.push(r.pick(['nothing=""', 'nothing!="x"', 'nothing=~".*"', 'nothing="x"']));
    return parts.length === 0 ? "" : `{${parts.join(r.pick([",", ", "]))}}`;
  }

  function selector(kind: "counter" | "gauge" | "any"): string {
    if (kind === "any" && r.chance(0.04)) {
      return r.pick([
        '{job="api"}',
        '{__name__=~"state|pressure"}',
        '{__name__=~".*_total",job!="web"}',
        "nothing_there",
        'nothing_there{job="x"}',
        '{"pressure"}',
      ]);
    }
    const counter = kind === "counter" || (kind === "any" && r.chance(0.4));
    const name = counter
      ? r.pick(COUNTERS)
      : r.weighted([
          [12, r.pick(GAUGES)],
          [1, "latency_bucket"],
          [1, "ragged_bucket"],
          [1, "target_info"],
        ]);
    return name + matchers(name);
  }

  function modifiers(): string {
    const offset = (): string =>
      r.weighted([
        [6, ` offset ${r.pick(DURATIONS)}`],
        [3, ` offset -${r.pick(DURATIONS)}`],
        [1, ` offset (1m+30s)`],
      ]);
    const at = (): string =>
      r.weighted([
        [3, ` @ ${(r.int(DATA_START, DATA_END) / 1000).toFixed(r.pick([0, 3]))}`],
        [2, " @ start()"],
        [2, " @ end()"],
      ]);
    return r.weighted([
      [14, () => ""],
      [3, offset],
      [2, at],
      [1, () => offset() + at()],
      [1, () => at() + offset()],
    ])();
  }

  /** Behind an offset in parentheses an operator would be part of the duration. */
  const modified = (text: string): string => {
    const m = modifiers();
    return m.includes("(1m") ? `(${text}${m})` : text + m;
  };

  const range = (): string =>
    r.weighted([
      [12, r.pick(DURATIONS)],
      [1, "5m-1m"],
      [1, "2*1m"],
      [1, "90"],
    ]);

  function matrix(depth: number, kind: "counter" | "any" = "any"): string {
    if (depth > 0 && r.chance(0.25)) {
      const step = r.weighted([
        [3, ""],
        [2, "1m"],
        [1, "30s"],
        [1, "17s"],
        [1, "7m"],
        [0.5, "2*20s"],
      ]);
      const inner = r.chance(0.85) ? vector(depth - 1) : scalarAsVector(depth - 1);
      return modified(`${parens(inner)}[${range()}:${step}]`);
    }
    const m = modifiers();
    return `${selector(kind)}[${range()}]${m}`;
  }

  const scalarAsVector = (depth: number): string => `vector(${scalar(depth)})`;
  const parens = (text: string): string => `(${text})`;

  function rangeCall(depth: number): string {
    const func = r.weighted([
      [6, r.pick(RANGE_FUNCTIONS)],
      [4, r.pick(COUNTER_FUNCTIONS)],
      [1, "quantile_over_time"],
      [1, "predict_linear"],
      [1, "double_exponential_smoothing"],
    ]);
    if (func === "quantile_over_time") return `${func}(${quantile(depth)}, ${matrix(depth)})`;
    if (func === "predict_linear") return `${func}(${matrix(depth)}, ${shallow(depth)})`;
    if (func === "double_exponential_smoothing") {
      const factor = (): string =>
        r.weighted([
          [5, "0.5"],
          [3, "0.1"],
          [2, "0.99"],
          [0.5, "1"],
          [0.5, "0"],
          [0.5, "NaN"],
        ]);
      return `${func}(${matrix(depth)}, ${factor()}, ${factor()})`;
    }
    if (func === "last_over_time") return `${func}(${selector("any")}[${range()}]${modifiers()})`;
    return `${func}(${matrix(depth, COUNTER_FUNCTIONS.includes(func) && r.chance(0.8) ? "counter" : "any")})`;
  }

  const quantile = (depth: number): string =>
    r.weighted([
      [8, r.pick(["0.5", "0.9", "0", "1", "0.25"])],
      [1, r.pick(["-1", "2", "NaN", "Inf"])],
      [1, shallow(depth)],
    ]);

  /** A scalar that is mostly a number. */
  const shallow = (depth: number): string => (r.chance(0.8) ? number() : scalar(Math.min(depth, 1)));

  function aggregate(depth: number): string {
    const by = r.weighted([
      [3, ""],
      [4, ` by (${r.some(LABELS, 0.25).join(", ")}) `],
      [2, ` without (${r.some(LABELS, 0.25).join(", ")}) `],
    ]);
    const inner = vector(depth - 1);
    const op = r.weighted([
      [10, r.pick(["sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"])],
      [1, "quantile"],
      [1, "count_values"],
    ]);
    if (op === "quantile") return `quantile${by}(${quantile(depth)}, ${inner})`;
    if (op === "count_values") {
      // Of values that are exact: their text becomes a label.
      const exact = r.pick(["state", "odd", "limit", "pressure", `changes(${matrix(depth - 1)})`, "-odd", "state > 0"]);
      return `count_values${by}("${r.pick(["value", "job", "__name__"])}", ${exact})`;
    }
    return r.chance(0.8) ? `${op}${by}(${inner})` : `${op}(${inner})${by}`;
  }

  function matching(): string {
    const on = r.weighted([
      [3, ""],
      [4, ` on (${r.pick(["job", "job, instance", "", "instance", "job, code"])}) `],
      [4, ` ignoring (${r.pick(["code", "room", "code, room", "", "kind, code, le"])}) `],
    ]);
    if (on === "") return "";
    return (
      on +
      r.weighted([
        [4, ""],
        [2, "group_left () "],
        [2, "group_right () "],
        [1, "group_left (kind) "],
        [1, "group_right (version) "],
      ])
    );
  }

  function binary(depth: number): string {
    const op = r.weighted([
      [5, r.pick(["+", "-", "*", "/", "%", "^", "atan2"])],
      [4, r.pick(["==", "!=", "<", "<=", ">", ">="]) + r.pick(["", " bool"])],
      [2, "set"],
    ]);
    if (op === "set") {
      const on = r.pick(["", "", " on (job) ", " on () ", " ignoring (instance) ", " on (job, instance) "]);
      return `${operand(depth)} ${r.pick(["and", "or", "unless"])} ${on}${operand(depth)}`;
    }
    return r.weighted([
      [3, () => `${operand(depth)} ${op} ${shallowOperand(depth)}`],
      [2, () => `${shallowOperand(depth)} ${op} ${operand(depth)}`],
      [2, () => partners(depth, op)],
      [3, () => `${operand(depth)} ${op}${matching()} ${operand(depth)}`],
    ])();
  }

  /** Two sides of which one can expect that they match. */
  function partners(depth: number, op: string): string {
    const [a, b, how] = r.pick([
      ["requests_total", "errors_total", ""],
      ["requests_total", "busy_seconds_total", "on (job, instance) group_left "],
      ["pressure", "temperature", "on (job, instance) group_right "],
      ["errors_total", "limit", "on (job) group_left "],
      ["state", "pressure", ""],
      ["temperature", "sum by (job, instance) (state)", "ignoring (room) group_left "],
      ["odd", "pressure", "on (job, instance) group_left () "],
      ["state", "target_info", "on (job, instance) group_left (version) "],
      ["rate(requests_total[5m])", "rate(errors_total[5m])", ""],
      ["sum by (job) (requests_total)", "limit", ""],
      ["state", "state", "ignoring () "],
    ] as const);
    const wrap = (text: string): string => (r.chance(0.2) ? applied(depth - 1, text) : text);
    return `${wrap(a)} ${op} ${how}${wrap(b)}`;
  }

  const operand = (depth: number): string => parens(vector(depth - 1));
  const shallowOperand = (depth: number): string => {
    const s = shallow(depth - 1);
    return s.startsWith("(") ? s : parens(s);
  };

  function applied(depth: number, text: string): string {
    const func = r.pick(ELEMENTWISE);
    return r.weighted([
      [6, () => `${func}(${text})`],
      [1, () => `clamp(${text}, ${shallow(depth)}, ${shallow(depth)})`],
      [1, () => `clamp_min(${text}, ${shallow(depth)})`],
      [1, () => `clamp_max(${text}, ${shallow(depth)})`],
      // Go's conversion to a whole number is up to the machine where there is none.
      [1, () => `${r.pick(CALENDAR)}(abs(${text}) < 1e11)`],
      [1, () => `round(${text})`],
      [1, () => `timestamp(${text.includes("@") && text.includes("offset") ? "pressure" : text})`],
      [1, () => `round(${text}, ${shallow(depth)})`],
      [2, () => `-${parens(text)}`],
      [0.5, () => `+${parens(text)}`],
    ])();
  }

  function labelCall(depth: number): string {
    const inner = vector(depth - 1);
    if (r.chance(0.4)) {
      const sources = r
        .some(LABELS, 0.3)
        .map((l) => `, "${l}"`)
        .join("");
      return `label_join(${inner}, "${r.pick(["new", "job", "code", "__name__", "a b"])}", "${r.pick(["-", "", ","])}"${sources})`;
    }
    const dst = r.pick(["new", "job", "code", "instance", "__name__"]);
    const replacement = r.pick(["$1", "x", "", "$1-$2", "${1}y", "$name", "$0"]);
    const regex = r.pick(["(.*)", "a.*", "(a)(.*)", ".*", "", "(?P<name>[a-z]+)", "[0-9]+"]);
    return `label_replace(${inner}, "${dst}", "${replacement}", "${r.pick(LABELS)}", "${regex}")`;
  }

  function histogram(depth: number): string {
    const name = r.weighted([
      [4, "latency_bucket"],
      [2, "ragged_bucket"],
    ]);
    const buckets = r.weighted([
      [3, () => `rate(${name}${matchers(name)}[${range()}])`],
      [2, () => name + modifiers()],
      [2, () => `sum by (le${r.pick(["", ", job", ", instance"])}) (rate(${name}[5m]))`],
      [1, () => `${name}{le!="+Inf"}`],
      [1, () => vector(depth - 1)],
    ])();
    return `histogram_quantile(${quantile(depth)}, ${buckets})`;
  }

  function vector(depth: number): string {
    if (depth <= 0) return modified(selector("any"));
    return r.weighted([
      [3, () => modified(selector("any"))],
      [6, () => rangeCall(depth)],
      [5, () => aggregate(depth)],
      [5, () => binary(depth)],
      [4, () => applied(depth, vector(depth - 1))],
      [1.5, () => labelCall(depth)],
      [1.5, () => histogram(depth)],
      [0.7, () => `absent(${vector(depth - 1)})`],
      [0.7, () => scalarAsVector(depth - 1)],
      [0.4, () => `${r.pick(["sort", "sort_desc"])}(${vector(depth - 1)})`],
      [
        0.4,
        () => `${r.pick(["sort_by_label", "sort_by_label_desc"])}(${vector(depth - 1)}, "${r.pick(LABELS)}", "job")`,
      ],
      [0.7, () => topk(depth)],
      [0.3, () => `${r.pick(["hour", "minute", "day_of_week", "year", "days_in_month"])}()`],
    ])();
  }

  /** Over values that do not tie, as which of equal ones is kept is nobody's promise. */
  function topk(depth: number): string {
    const by = r.weighted([
      [2, ""],
      [1, " by (job) "],
      [1, " without (instance) "],
    ]);
    const inner = r.pick([
      `unique${modifiers().replace("(1m+30s)", "1m")}`,
      "unique * 2",
      "-unique",
      "unique{job!='db'} + 1",
    ]);
    if (r.chance(0.15)) return `limit_ratio${by}(${r.pick(["0", "1", "-1", "2"])}, ${vector(depth - 1)})`;
    return `${r.pick(["topk", "bottomk"])}${by}(${r.pick(["1", "2", "3", "5", "0", "-1", "2.9", "1e30", "2 + 0 * time()"])}, ${inner})`;
  }

  function scalar(depth: number): string {
    if (depth <= 0)
      return r.weighted([
        [6, number()],
        [1, "time()"],
        [1, "pi()"],
      ]);
    return r.weighted([
      [5, () => number()],
      [2, () => "time()"],
      [3, () => `scalar(${vector(depth - 1)})`],
      [
        3,
        () =>
          `(${scalar(depth - 1)} ${r.pick(["+", "-", "*", "/", "%", "^", "atan2", "== bool", "> bool", "<= bool", "!= bool"])} ${scalar(depth - 1)})`,
      ],
      [1, () => `-(${scalar(depth - 1)})`],
    ])();
  }

  return { vector, scalar, matrix };
}
