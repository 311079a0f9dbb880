import { describe } from "vitest";
import { testScript } from "./script-cases.ts";

describe("set operators carry native histograms", () => {
  testScript(
    "step by step",
    `
load 1m
  a{k="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 2 stale stale
  b{k="1"} 1 {{schema:0 sum:1 count:1 buckets:[1]}} {{schema:0 sum:2 count:2 buckets:[2]}} 7

eval range from 0 to 3m step 1m a and b
  expect no_info
  a{k="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 2 _ _

eval range from 0 to 3m step 1m b unless a
  expect no_info
  b{k="1"} _ _ {{schema:0 sum:2 count:2 buckets:[2]}} 7

eval range from 0 to 3m step 1m a or b
  expect no_info
  a{k="1"} {{schema:0 sum:3 count:4 buckets:[1 2 1]}} 2 _ _
  b{k="1"} _ _ {{schema:0 sum:2 count:2 buckets:[2]}} 7

eval range from 0 to 3m step 1m 2 * (a or b)
  expect no_info
  {k="1"} {{schema:0 sum:6 count:8 buckets:[2 4 2]}} 4 {{schema:0 sum:4 count:4 buckets:[4]}} 14
`,
  );
});
