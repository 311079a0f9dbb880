import { describe } from "vitest";
import { testScript } from "./script-cases.ts";

const DATA = `
load 1m
  a{k="1"}  {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 2 {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 4
  b{k="1"}  {{schema:0 sum:1 count:2 buckets:[1 0 1]}} {{schema:0 sum:1 count:2 buckets:[1 0 1]}} 3 5
  bounds{k="1"} {{schema:-53 sum:1 count:3 custom_values:[1 2] buckets:[1 2]}}
  other{k="1"}  {{schema:-53 sum:2 count:3 custom_values:[2 5] buckets:[2 1]}}
`;
const info = (op: string, left: string, right: string, at = "1:1"): string =>
  `expect info msg: PromQL info: incompatible sample types encountered for binary operator "${op}": ${left} ${op} ${right} (${at})`;

describe("pairs of samples, step by step", () => {
  testScript(
    "arithmetic",
    `${DATA}
eval range from 0 to 3m step 1m a + b
  ${info("+", "float", "histogram")}
  ${info("+", "histogram", "float")}
  {k="1"} {{schema:0 sum:4 count:6 buckets:[2 2 2]}} _ _ 9

eval range from 0 to 3m step 1m a - b
  ${info("-", "float", "histogram")}
  ${info("-", "histogram", "float")}
  {k="1"} {{schema:0 sum:2 count:2 buckets:[0 2 0] counter_reset_hint:gauge}} _ _ -1

eval range from 0 to 3m step 1m a * b
  ${info("*", "histogram", "histogram")}
  {k="1"} _ {{schema:0 sum:2 count:4 buckets:[2 0 2]}} {{schema:0 sum:9 count:12 buckets:[3 6 3]}} 20

eval range from 0 to 3m step 1m a / b
  ${info("/", "histogram", "histogram")}
  ${info("/", "float", "histogram")}
  {k="1"} _ _ {{schema:0 sum:1 count:1.3333333333333333 buckets:[0.3333333333333333 0.6666666666666666 0.3333333333333333]}} 0.8

eval range from 0 to 3m step 1m a atan2 b
  ${info("atan2", "histogram", "histogram")}
  ${info("atan2", "float", "histogram")}
  ${info("atan2", "histogram", "float")}
  {k="1"} _ _ _ 0.6747409422235527

eval instant at 0 vector(1) + on () (a + on (k) a)
  ${info("+", "float", "histogram")}
`,
  );

  testScript(
    "comparisons",
    `${DATA}
eval range from 0 to 3m step 1m a == a
  expect no_info
  a{k="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 2 {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 4

eval range from 0 to 3m step 1m a != b
  ${info("!=", "float", "histogram")}
  ${info("!=", "histogram", "float")}
  a{k="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} _ _ 4

eval range from 0 to 3m step 1m a == bool b
  ${info("==", "float", "histogram")}
  ${info("==", "histogram", "float")}
  {k="1"} 0 _ _ 0

eval range from 0 to 3m step 1m a != bool a
  expect no_info
  {k="1"} 0 0 0 0

eval range from 0 to 3m step 1m a >= bool a
  ${info(">=", "histogram", "histogram")}
  {k="1"} _ 1 _ 1
`,
  );

  testScript(
    "trim operators keep the name",
    `${DATA}
eval range from 0 to 3m step 1m a >/ b
  ${info(">/", "histogram", "histogram")}
  ${info(">/", "float", "histogram")}
  ${info(">/", "float", "float")}
  a{k="1"} _ _ {{schema:0 sum:1.437732071594577 count:0.4150374992788438 offset:2 buckets:[0.41503749927884376]}} _
`,
  );

  testScript(
    "layouts that do not go together",
    `${DATA}
eval instant at 0 a + bounds
  expect warn msg: PromQL warning: incompatible bucket layout encountered for binary operator + (1:1)
  expect no_info

eval instant at 0 2 * (bounds - a)
  expect warn msg: PromQL warning: incompatible bucket layout encountered for binary operator - (1:6)
  expect no_info

eval instant at 0 bounds + other
  expect info msg: PromQL info: mismatched custom buckets were reconciled during addition (1:1)
  expect no_warn
  {k="1"} {{schema:-53 sum:3 count:6 custom_values:[2] buckets:[5 1]}}

eval instant at 0 bounds - other
  expect info msg: PromQL info: mismatched custom buckets were reconciled during subtraction (1:1)
  expect no_warn
  {k="1"} {{schema:-53 sum:-1 count:0 custom_values:[2] buckets:[1 -1] counter_reset_hint:gauge}}
`,
  );
});

describe("counter resets", () => {
  const hints = (a: string, b: string): string => `
load 1m
  a {{schema:0 sum:1 count:1 buckets:[1] counter_reset_hint:${a}}}
  b {{schema:0 sum:1 count:2 buckets:[2] counter_reset_hint:${b}}}
`;
  for (const [a, b, sum] of [
    ["unknown", "unknown", "unknown"],
    ["reset", "reset", "reset"],
    ["not_reset", "not_reset", "not_reset"],
    ["reset", "unknown", "unknown"],
    ["unknown", "not_reset", "unknown"],
    ["gauge", "reset", "gauge"],
    ["not_reset", "gauge", "gauge"],
  ] as const) {
    testScript(
      `${a} and ${b}`,
      `${hints(a, b)}
eval instant at 0 a + on () b
  expect no_warn
  {} {{schema:0 sum:2 count:3 buckets:[3] counter_reset_hint:${sum}}}

eval instant at 0 a - on () b
  expect no_warn
  {} {{schema:0 count:-1 buckets:[-1] counter_reset_hint:gauge}}
`,
    );
  }

  // Prometheus makes the result, but takes the warning for a failure of the pair.
  testScript(
    "one that says reset and one that says the opposite have a warning and no result",
    `${hints("reset", "not_reset")}
eval instant at 0 a + on () b
  expect warn msg: PromQL warning: conflicting counter resets during histogram addition (1:1)

eval instant at 0 b - on () a
  expect warn msg: PromQL warning: conflicting counter resets during histogram subtraction (1:1)
`,
  );
});

describe("matching", () => {
  testScript(
    "groups on either side",
    `
load 1m
  many{k="1", n="x"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}}
  many{k="1", n="y"} 5
  one{k="1", extra="e"} 2

eval instant at 0 many / on (k) group_left (extra) one
  expect no_info
  {k="1", n="x", extra="e"} {{schema:0 sum:1.5 count:2 buckets:[0.5 1 0.5]}}
  {k="1", n="y", extra="e"} 2.5

eval instant at 0 one / on (k) group_right many
  ${info("/", "float", "histogram")}
  {k="1", n="y"} 0.4

eval instant at 0 one * on (k) group_right (extra) many
  expect no_info
  {k="1", n="x", extra="e"} {{schema:0 sum:6 count:8 buckets:[2 4 2]}}
  {k="1", n="y", extra="e"} 10

eval instant at 0 many == on (k, n) group_right many
  expect no_info
  many{k="1", n="x"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}}
  many{k="1", n="y"} 5
`,
  );

  testScript(
    "values that fill in are floats",
    `
load 1m
  a{k="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}}
  b{k="2"} {{schema:0 sum:1 count:2 buckets:[1 0 1]}}

eval instant at 0 a * fill(2) b
  expect no_info
  {k="1"} {{schema:0 sum:6 count:8 buckets:[2 4 2]}}
  {k="2"} {{schema:0 sum:2 count:4 buckets:[2 0 2]}}

eval instant at 0 a / fill(2) b
  ${info("/", "float", "histogram")}
  {k="1"} {{schema:0 sum:1.5 count:2 buckets:[0.5 1 0.5]}}

eval instant at 0 a </ fill(+Inf) b
  ${info("</", "float", "histogram")}
  a{k="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}}
`,
  );

  testScript(
    "a pair without a result is no match: the left side is filled in, duplicates are not found",
    `
load 1m
  a{k="1", n="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}}
  a{k="1", n="2"} 2
  b{k="1"} 5
  c{k="1", n="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}}

eval instant at 0 a + on (k) b
  ${info("+", "histogram", "float")}
  {k="1"} 7

eval instant at 0 c + on (k) fill_left(10) b
  ${info("+", "histogram", "float")}
  {k="1"} 15

eval instant at 0 a * on (k) b
  expect fail msg: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)
`,
  );

  testScript(
    "of several pairs of a step that there is something to say of, the last one is told",
    `
load 1m
  a{n="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} {{schema:0 sum:3 count:4 buckets:[1 2 1]}}
  a{n="2"} 2 2
  b{n="1"} 5 5
  b{n="2"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 7

eval instant at 0 a + b
  ${info("+", "float", "histogram")}

eval range from 0 to 1m step 1m a + b
  ${info("+", "float", "histogram")}
  ${info("+", "histogram", "float")}
  {n="2"} _ 9
`,
  );
});
