import { describe } from "vitest";
import { testBothWays, testScript } from "./script-cases.ts";

// A row of floats and native histograms; the histogram of minute 1 is the newest sample at minute 2 as well.
const MIXED = `
load 1m
  mixed  2 {{schema:0 sum:3 count:4 buckets:[1 2 1]}} _ -5 {{schema:0 sum:6 count:4 buckets:[4] counter_reset_hint:gauge}}
`;
const H = "{{schema:0 sum:3 count:4 buckets:[1 2 1]}}";

describe("native histograms and scalars", () => {
  testBothWays(
    "arithmetic",
    "mixed",
    `${MIXED}
eval range from 0 to 4m step 1m SELF * 2
  expect no_info
  {} 4 {{schema:0 sum:6 count:8 buckets:[2 4 2]}}x1 -10 {{schema:0 sum:12 count:8 buckets:[8] counter_reset_hint:gauge}}

eval range from 0 to 4m step 1m 2 * SELF
  expect no_info
  {} 4 {{schema:0 sum:6 count:8 buckets:[2 4 2]}}x1 -10 {{schema:0 sum:12 count:8 buckets:[8] counter_reset_hint:gauge}}

eval range from 0 to 4m step 1m SELF * -1
  expect no_info
  {} -2 {{schema:0 sum:-3 count:-4 buckets:[-1 -2 -1] counter_reset_hint:gauge}}x1 5 {{schema:0 sum:-6 count:-4 buckets:[-4] counter_reset_hint:gauge}}

eval range from 0 to 4m step 1m SELF * time()
  expect no_info
  {} 0 {{schema:0 sum:180 count:240 buckets:[60 120 60]}} {{schema:0 sum:360 count:480 buckets:[120 240 120]}} -900 {{schema:0 sum:1440 count:960 buckets:[960] counter_reset_hint:gauge}}

eval range from 0 to 4m step 1m SELF / 2
  expect no_info
  {} 1 {{schema:0 sum:1.5 count:2 buckets:[0.5 1 0.5]}}x1 -2.5 {{schema:0 sum:3 count:2 buckets:[2] counter_reset_hint:gauge}}

eval instant at 1m SELF / 0
  expect no_info
  {} {{schema:0 sum:Inf count:Inf z_bucket:NaN}}

eval range from 0 to 4m step 1m 2 / SELF
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "/": float / histogram (1:1)
  {} 1 _ _ -0.4 _

eval range from 0 to 4m step 1m SELF + 2
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "+": histogram + float (1:1)
  {} 4 _ _ -3 _

eval range from 0 to 4m step 1m 2 - SELF
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "-": float - histogram (1:1)
  {} 0 _ _ 7 _

eval range from 0 to 4m step 1m abs(-(SELF * 2) ^ 2)
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "^": histogram ^ float (1:6)
  {} 16 _ _ 100 _

eval range from 0 to 4m step 1m -(SELF * 2) / 4
  expect no_info
  {} -1 {{schema:0 sum:-1.5 count:-2 buckets:[-0.5 -1 -0.5] counter_reset_hint:gauge}}x1 2.5 {{schema:0 sum:-3 count:-2 buckets:[-2] counter_reset_hint:gauge}}
`,
  );

  testBothWays(
    "comparisons",
    "mixed",
    `${MIXED}
eval range from 0 to 4m step 1m SELF == 2
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "==": histogram == float (1:1)
  mixed 2 _ _ _ _

eval range from 0 to 4m step 1m SELF > bool 0
  expect info msg: PromQL info: incompatible sample types encountered for binary operator ">": histogram > float (1:1)
  {} 1 _ _ 0 _

eval range from 0 to 4m step 1m 0 != bool SELF
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "!=": float != histogram (1:1)
  {} 1 _ _ 1 _
`,
  );

  testBothWays(
    "unary operators",
    "mixed",
    `${MIXED}
eval range from 0 to 4m step 1m -SELF
  {} -2 {{schema:0 sum:-3 count:-4 buckets:[-1 -2 -1] counter_reset_hint:gauge}}x1 5 {{schema:0 sum:-6 count:-4 buckets:[-4] counter_reset_hint:gauge}}

eval range from 0 to 4m step 1m +SELF
  mixed 2 ${H}x1 -5 {{schema:0 sum:6 count:4 buckets:[4] counter_reset_hint:gauge}}
`,
  );

  testBothWays(
    "functions of single samples leave histograms out and say nothing",
    "mixed",
    MIXED +
      [
        ["abs(SELF)", "2 _ _ 5 _"],
        ["round(SELF, 4)", "4 _ _ -4 _"],
        ["clamp(SELF, 0, 1)", "1 _ _ 0 _"],
        ["clamp_min(SELF, 0)", "2 _ _ 0 _"],
        ["clamp_max(SELF, 0)", "0 _ _ -5 _"],
        ["sgn(SELF)", "1 _ _ -1 _"],
        ["year(SELF)", "1970 _ _ 1969 _"],
        ["deg(SELF) * 0", "0 _ _ 0 _"],
      ]
        .map(
          ([query, row]) =>
            `\neval range from 0 to 4m step 1m ${query}\n  expect no_info\n  expect no_warn\n  {} ${row}\n`,
        )
        .join(""),
  );

  testBothWays(
    "trim operators",
    "mixed",
    `${MIXED}
eval range from 0 to 4m step 1m SELF </ 2
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "</": float </ float (1:1)
  mixed _ {{schema:0 sum:3.5355339059327378 count:3 buckets:[1 2]}}x1 _ {{schema:0 sum:6 count:4 buckets:[4] counter_reset_hint:gauge}}

eval range from 0 to 4m step 1m SELF >/ +Inf
  expect info msg: PromQL info: incompatible sample types encountered for binary operator ">/": float >/ float (1:1)
  mixed _ {{schema:0}}x1 _ {{schema:0 counter_reset_hint:gauge}}

eval range from 1m to 2m step 1m SELF </ +Inf
  expect no_info
  mixed ${H}x1

eval range from 1m to 2m step 1m 2 </ SELF
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "</": float </ histogram (1:1)

eval range from 0 to 4m step 1m 2 >/ SELF
  expect info msg: PromQL info: incompatible sample types encountered for binary operator ">/": float >/ histogram (1:1)
  expect info msg: PromQL info: incompatible sample types encountered for binary operator ">/": float >/ float (1:1)
`,
  );

  testScript(
    "of the samples of a step that a trim operator has no result for, the last one is told",
    `
load 1m
  mixed{n="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 1
  mixed{n="2"} 1 1

eval instant at 0 2 </ mixed
  expect info msg: PromQL info: incompatible sample types encountered for binary operator "</": float </ float (1:1)
`,
  );

  testScript(
    "trim operators are for vectors",
    `
eval instant at 0 2 </ 3
  expect fail msg: operator "</" not allowed for Scalar operations
`,
  );

  testScript(
    "scalar() sees floats only",
    `
load 1m
  mixed{n="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} {{schema:0 count:1 sum:1 buckets:[1]}} 3 {{schema:0 count:1 sum:1 buckets:[1]}}
  mixed{n="2"} 7 stale 4 8

eval range from 0 to 3m step 1m scalar(mixed)
  {} 7 NaN NaN 8

eval range from 0 to 3m step 1m timestamp(mixed)
  {n="1"} 0 60 120 180
  {n="2"} 0 _ 120 180
`,
  );
});
