import { DATA_END, DATA_START } from "./dataset.ts";
import { HISTOGRAM_METRICS } from "./histogram-dataset.ts";
import type { Random } from "./prng.ts";

/** Expressions over native histograms, of what Prometheus 3.5 knows. */

const DURATIONS = ["15s", "31s", "1m", "90s", "2m", "5m", "10m", "17m", "30m"];
/** No infinity: averages of it are worked out in another way since 3.5. */
const SCALARS = ["2", "0.5", "-1", "0", "10", "1e3", "NaN"];
/** From histograms to histograms. */
const RANGE = ["delta", "irate", "idelta", "sum_over_time", "avg_over_time"];
/** Not over subqueries: later versions than 3.5 do not extrapolate below zero, and bring back other names. */
const OF_SELECTORS = ["rate", "increase", "last_over_time"];
const COUNTERS = HISTOGRAM_METRICS.filter((m) => m !== "nh_gauge");
/** To floats, from both. */
const TO_FLOATS =
  "count_over_time present_over_time changes resets min_over_time max_over_time stddev_over_time deriv quantile_over_time".split(
    " ",
  );
const PARTS = ["histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"];
/** Which leave histograms out. */
const FLOATS_ONLY = ["min", "max", "stddev", "stdvar"];
const ELEMENTWISE = ["abs", "ceil", "sqrt", "timestamp", "sort", "sort_desc", "hour", "sgn"];

export interface HistogramGenerator {
  /** Mostly histograms. */
  histograms(depth: number): string;
  /** Mostly floats that come from histograms. */
  floats(depth: number): string;
  matrix(): string;
}

export function makeHistogramGenerator(r: Random): HistogramGenerator {
  const by = (): string => r.pick(["", "", " by (job) ", " by (instance) ", " without (job) ", " by (job, instance) "]);
  const duration = (): string => r.pick(DURATIONS);

  function selector(): string {
    const name = r.weighted([
      [1, "requests_total"],
      [12, r.pick(HISTOGRAM_METRICS)],
      [0.5, '{__name__=~"nh_float|nh"}'],
    ]);
    if (name.startsWith("{")) return name;
    return name + filter();
  }

  const filter = (): string =>
    r.pick(["", "", "", '{job="api"}', '{job!="db"}', '{instance="a"}', '{job=~"api|web",instance="b"}']);

  const modifiers = (): string =>
    r.weighted([
      [10, () => ""],
      [2, () => ` offset ${duration()}`],
      [1, () => ` offset -${duration()}`],
      [1, () => ` @ ${(r.int(DATA_START, DATA_END) / 1000).toFixed(r.pick([0, 3]))}`],
      [1, () => r.pick([" @ start()", " @ end()"])],
    ])();

  function matrix(depth = 0): string {
    if (depth > 0 && r.chance(0.25)) return `(${histograms(depth - 1)})[${duration()}:${r.pick(["", "1m", "17s"])}]`;
    return `${selector()}[${duration()}]${modifiers()}`;
  }

  function rangeCall(depth: number, functions: readonly string[]): string {
    const func = r.pick(functions);
    // Which compare what has been rounded, over subqueries.
    if (func === "changes" || func === "resets") return `${func}(${matrix()})`;
    return func === "quantile_over_time" ? `${func}(0.5, ${matrix(depth)})` : `${func}(${matrix(depth)})`;
  }

  /** Without negative counts: empty buckets would matter, which Prometheus's storage adds. */
  const counts = (): string =>
    r.weighted([
      [2, () => selector() + modifiers()],
      [3, () => rateCall()],
      [3, () => `${r.pick(["sum", "avg"])}${by()}(${rateCall()})`],
      [1, () => `sum${by()}(${selector()})`],
      [1, () => `${r.pick(["sum", "avg"])}_over_time(${matrix()})`],
    ])();
  const rateCall = (): string => `${r.pick(OF_SELECTORS)}(${r.pick(COUNTERS)}${filter()}[${duration()}]${modifiers()})`;

  function histograms(depth: number): string {
    if (depth <= 0) return selector() + modifiers();
    const inner = (): string => histograms(depth - 1);
    return r.weighted([
      [2, () => selector() + modifiers()],
      [4, () => rangeCall(depth, RANGE)],
      [5, () => rateCall()],
      [6, () => `${r.pick(["sum", "avg"])}${by()}(${inner()})`],
      [2, () => `(${inner()}) ${r.pick(["* ", "/ "])}${r.pick(SCALARS).replace(/^0$/, "4")}`],
      [1, () => `${r.pick(SCALARS)} ${r.pick(["*", "/", "+"])} (${inner()})`],
      [1, () => `-(${inner()})`],
      [3, () => `(${inner()}) ${r.pick(["+", "-"])} (${inner()})`],
      [1, () => `(${inner()}) ${r.pick(["+", "-"])} on (job) group_left () sum by (job) (${inner()})`],
      [1, () => `(${inner()}) ${r.pick(["==", "!="])} (${inner()})`],
      [1.5, () => `(${inner()}) ${r.pick(["and", "or", "unless"])}${r.pick(["", " on (job)"])} (${inner()})`],
      [1, () => `(${inner()}) ${r.pick(["*", "/", "+", "%", "^", ">", "<="])} (${floats(depth - 1)})`],
      [0.5, () => `label_replace(${inner()}, "new", "$1", "job", "(.).*")`],
    ])();
  }

  function floats(depth: number): string {
    const h = (): string => histograms(depth - 1);
    return r.weighted([
      [6, () => `${r.pick(PARTS)}(${h()})`],
      [6, () => `histogram_quantile(${r.pick(["0.5", "0.9", "0", "1", "0.01", "-1", "2", "NaN"])}, ${counts()})`],
      [2, () => `count${by()}(${h()})`],
      [1, () => `group${by()}(${h()})`],
      [3, () => rangeCall(depth, TO_FLOATS)],
      [2, () => `${r.pick(FLOATS_ONLY)}${by()}(${h()})`],
      [1, () => `quantile${by()}(0.5, ${h()})`],
      [1, () => `${r.pick(["topk", "bottomk"])}${by()}(2, ${r.pick(HISTOGRAM_METRICS)}${filter()})`],
      [1.5, () => `${r.pick(ELEMENTWISE)}(${h()})`],
      [0.7, () => `absent(${h()})`],
      [0.7, () => `vector(scalar(${h()}))`],
      [0.7, () => `(${h()}) ${r.pick([">", "==", "!=", "=="])} ${r.pick(["", "bool "])}${r.pick(SCALARS)}`],
      [0.7, () => `(${h()}) ${r.pick(["==", "!="])} bool (${h()})`],
      [0.5, () => `clamp_max(${h()}, 3)`],
      // Of values that are exact: their text becomes a label.
      [1, () => `count_values${by()}("v", ${r.pick([selector(), `sum by (job) (${selector()})`])})`],
    ])();
  }

  return { histograms, floats, matrix: () => matrix() };
}
