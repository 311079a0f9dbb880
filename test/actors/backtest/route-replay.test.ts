import { expect, it } from "vitest";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import type { TimedPost } from "../../../src/actors/backtest/page.ts";
import { replayRouting } from "../../../src/actors/backtest/route-replay.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

// 2023-11-14 22:13:20 UTC; the mute time begins at midnight.
const START = 1_700_000_000_000;
const HOUR = 3_600_000;
const CONFIG = parseAlertmanagerConfig(
  "am.yml",
  `
route:
  receiver: pager
  group_by: [alertname]
  group_wait: 0s
  group_interval: 5m
  repeat_interval: 1h
  routes: [{ mute_time_intervals: [quiet] }]
time_intervals: [{ name: quiet, time_intervals: [{ times: [{ start_time: "00:00", end_time: "08:00" }] }] }]
receivers: [{ name: pager, webhook_configs: [{ url: "http://pager" }] }]
`,
);

it("an end that was muted for long is told as the server tells it, when the mute time is over", () => {
  const labels = labelsFromObject({ alertname: "Busy" });
  const alert = { labels, annotations: {}, startsAt: START, generatorUrl: "" };
  const endsAt = START + 4 * HOUR;
  const posts: TimedPost[] = [
    { at: START, alert: { ...alert, endsAt: START + 12 * HOUR } },
    { at: endsAt, alert: { ...alert, endsAt } },
  ];
  const pages = replayRouting({ config: CONFIG, posts, silences: [], until: START + 24 * HOUR });
  const ends = pages.filter((p) => p.status === "resolved");
  expect(ends.map((p) => new Date(p.at).toISOString().slice(0, 13))).toEqual(["2023-11-15T08"]);
});
