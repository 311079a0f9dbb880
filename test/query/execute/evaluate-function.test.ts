import { testBothWays } from "./script-cases.ts";

const DATA = `
load 1m
  h{a="1"} {{count:4 sum:6 buckets:[4]}} {{count:8 sum:4 buckets:[0 8]}} 5 stale
  h{a="2"} 9 2 3 4
`;

testBothWays(
  "sort leaves native histograms out, by labels they are sorted as any sample",
  "h",
  `${DATA}
eval instant at 0 sort(SELF)
  expect no_info
  h{a="2"} 9

eval instant at 2m sort_desc(SELF)
  expect ordered
  h{a="1"} 5
  h{a="2"} 3

eval range from 0 to 2m step 1m sort(SELF)
  expect warn
  h{a="1"} _ _ 5
  h{a="2"} 9 2 3

eval instant at 0 sort_by_label_desc(SELF, "a")
  expect ordered
  h{a="2"} 9
  h{a="1"} {{count:4 sum:6 buckets:[4]}}

eval range from 0 to 1m step 1m sort_by_label(SELF, "a")
  expect warn
  h{a="1"} {{count:4 sum:6 buckets:[4]}} {{count:8 sum:4 buckets:[0 8]}}
  h{a="2"} 9 2
`,
);

testBothWays(
  "labels and presence of native histograms",
  "h",
  `${DATA}
eval range from 0 to 3m step 1m label_replace(SELF, "b", "$1", "a", "(.)")
  h{a="1", b="1"} {{count:4 sum:6 buckets:[4]}} {{count:8 sum:4 buckets:[0 8]}} 5 _
  h{a="2", b="2"} 9 2 3 4

eval range from 0 to 3m step 1m label_join(SELF, "__name__", "-", "a", "a")
  {__name__="1-1", a="1"} {{count:4 sum:6 buckets:[4]}} {{count:8 sum:4 buckets:[0 8]}} 5 _
  {__name__="2-2", a="2"} 9 2 3 4

eval range from 0 to 3m step 1m label_replace(SELF, "a", "", "__name__", ".*") and on (a) vector(1)
  expect fail msg: vector cannot contain metrics with the same labelset

eval range from 0 to 3m step 1m absent(label_replace({__name__="h", a="1"}, "b", "", "", ""))
  {} _ _ _ 1

eval range from 0 to 3m step 1m absent({__name__="h", a="1"})
  {a="1"} _ _ _ 1

eval range from 0 to 4m step 1m absent_over_time({__name__="h", a="1"}[2m])
  {a="1"} _ _ _ _ 1

eval range from 0 to 4m step 1m absent_over_time({__name__="h", a="1"}[1m:1m])
  {} _ _ _ 1 1
`,
);

testBothWays(
  "times are floats",
  "h",
  `${DATA}
eval range from 0 to 3m step 1m timestamp(SELF)
  {a="1"} 0 60 120 _
  {a="2"} 0 60 120 180

eval range from 30s to 90s step 1m timestamp(label_replace(h, "b", "", "", ""))
  {a="1"} 30 90
  {a="2"} 30 90

eval instant at 1m start_timestamp(label_replace(h, "b", "", "", ""))

eval range from 0 to 3m step 1m vector(scalar(SELF))
  {} 9 2 NaN 4
`,
);
