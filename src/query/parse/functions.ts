import type { ValueType } from "./ast.ts";

/** The signature of a PromQL function. */
export interface FunctionSignature {
  readonly name: string;
  readonly args: readonly ValueType[];
  /** 0: exactly `args`; n: the last argument 0 to n times; -1: the last argument any number of times, also 0. */
  readonly variadic: number;
  readonly returns: ValueType;
  /** Behind a feature flag in Prometheus; always on here. */
  readonly experimental: boolean;
}

/** One line a signature: `name(arg, arg) result`; a trailing `*` on the last argument: any number, `*n`: at most n. */
const SIGNATURES = `
abs(vector) vector
absent(vector) vector
absent_over_time(matrix) vector
acos(vector) vector
acosh(vector) vector
asin(vector) vector
asinh(vector) vector
atan(vector) vector
atanh(vector) vector
avg_over_time(matrix) vector
ceil(vector) vector
changes(matrix) vector
clamp(vector, scalar, scalar) vector
clamp_max(vector, scalar) vector
clamp_min(vector, scalar) vector
cos(vector) vector
cosh(vector) vector
count_over_time(matrix) vector
day_of_month(vector*1) vector
day_of_week(vector*1) vector
day_of_year(vector*1) vector
days_in_month(vector*1) vector
deg(vector) vector
delta(matrix) vector
deriv(matrix) vector
exp(vector) vector
floor(vector) vector
histogram_avg(vector) vector
histogram_count(vector) vector
histogram_fraction(scalar, scalar, vector) vector
histogram_quantile(scalar, vector) vector
histogram_stddev(vector) vector
histogram_stdvar(vector) vector
histogram_sum(vector) vector
hour(vector*1) vector
idelta(matrix) vector
increase(matrix) vector
irate(matrix) vector
label_join(vector, string, string, string*) vector
label_replace(vector, string, string, string, string) vector
last_over_time(matrix) vector
ln(vector) vector
log10(vector) vector
log2(vector) vector
max_over_time(matrix) vector
min_over_time(matrix) vector
minute(vector*1) vector
month(vector*1) vector
pi() scalar
predict_linear(matrix, scalar) vector
present_over_time(matrix) vector
quantile_over_time(scalar, matrix) vector
rad(vector) vector
rate(matrix) vector
resets(matrix) vector
round(vector, scalar*1) vector
scalar(vector) scalar
sgn(vector) vector
sin(vector) vector
sinh(vector) vector
sort(vector) vector
sort_desc(vector) vector
sqrt(vector) vector
stddev_over_time(matrix) vector
stdvar_over_time(matrix) vector
sum_over_time(matrix) vector
tan(vector) vector
tanh(vector) vector
time() scalar
timestamp(vector) vector
vector(scalar) vector
year(vector*1) vector
`;

const EXPERIMENTAL = `
double_exponential_smoothing(matrix, scalar, scalar) vector
end() scalar
first_over_time(matrix) vector
histogram_quantiles(vector, string, scalar, scalar*9) vector
info(vector, vector*1) vector
mad_over_time(matrix) vector
max_of(scalar, scalar) scalar
min_of(scalar, scalar) scalar
range() scalar
sort_by_label(vector, string*) vector
sort_by_label_desc(vector, string*) vector
start() scalar
start_timestamp(vector) vector
step() scalar
ts_of_first_over_time(matrix) vector
ts_of_last_over_time(matrix) vector
ts_of_max_over_time(matrix) vector
ts_of_min_over_time(matrix) vector
`;

function readSignature(line: string, experimental: boolean): FunctionSignature {
  const [, name, list, returns] = /^(\w+)\((.*)\) (\w+)$/.exec(line) as unknown as [string, string, string, ValueType];
  let variadic = 0;
  const args = (list === "" ? [] : list.split(", ")).map((arg) => {
    const [type, count] = arg.split("*") as [ValueType, string?];
    if (count !== undefined) variadic = count === "" ? -1 : Number(count);
    return type;
  });
  return { name, args, variadic, returns, experimental };
}

function readAll(text: string, experimental: boolean): FunctionSignature[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => readSignature(line, experimental));
}

/** Every function of Prometheus 3.x, experimental ones included, by name. */
export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = new Map(
  [...readAll(SIGNATURES, false), ...readAll(EXPERIMENTAL, true)].map((f) => [f.name, f]),
);
