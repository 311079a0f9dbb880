import { testScript } from "./script-cases.ts";

testScript(
  "info() gives native histograms labels, and takes none as info series",
  `
load 1m
  h{instance="a", job="1"} {{count:4 sum:6 buckets:[4]}} {{count:8 sum:4 buckets:[0 8]}} 5
  h{instance="b", job="1"} {{count:1 sum:1 buckets:[1]}}x2
  target_info{instance="a", job="1", data="x"} 1 1 stale
  target_info{instance="a", job="1", data="y"} _ _ 1
  wrong_info{instance="a", job="1", data="x"} 1 {{count:1 sum:1 buckets:[1]}}

eval range from 0 to 2m step 1m info(h)
  h{instance="a", job="1", data="x"} {{count:4 sum:6 buckets:[4]}} {{count:8 sum:4 buckets:[0 8]}} _
  h{instance="a", job="1", data="y"} _ _ 5
  h{instance="b", job="1"} {{count:1 sum:1 buckets:[1]}}x2

eval range from 0 to 2m step 1m info(h, {__name__="wrong_info"})
  expect fail msg: this should be an info metric, with float samples: {__name__="wrong_info", data="x", instance="a", job="1"}

eval instant at 0 info(h, {__name__="wrong_info"})
  h{instance="a", job="1", data="x"} {{count:4 sum:6 buckets:[4]}}
  h{instance="b", job="1"} {{count:1 sum:1 buckets:[1]}}
`,
);

testScript(
  "of several info series of a target the newest one counts, two of one time are refused",
  `
load 1m
  up{instance="a", job="1"} 1x4
  target_info{instance="a", job="1", data="old"} 1
  target_info{instance="a", job="1", data="new"} _ 1 _ 1
  build_info{instance="a", job="1", v="1"} 1 1
  build_info{instance="a", job="1", v="2"} _ 1

eval range from 0 to 3m step 1m info(up)
  up{instance="a", job="1", data="old"} 1 _ _ _
  up{instance="a", job="1", data="new"} _ 1 1 1

eval instant at 0 info(up, {__name__="build_info"})
  up{instance="a", job="1", v="1"} 1

eval instant at 1m info(up, {__name__="build_info"})
  expect fail msg: found duplicate series for info metric: existing {__name__="build_info", instance="a", job="1", v="1"} @ 60000, new {__name__="build_info", instance="a", job="1", v="2"} @ 60000
`,
);
