import { describe, expect, it } from "vitest";
import { compileRelabel } from "../../../src/actors/collector/relabel.ts";
import {
  addTargetLabels,
  endTarget,
  makeTargetMemory,
  type ScrapeRules,
  type ScrapeSamples,
  takeScrape,
} from "../../../src/actors/collector/scrape-core.ts";
import { formatLabels, labelsFromObject } from "../../../src/model/labels.ts";
import { isStaleAt } from "../../../src/model/sample.ts";
import type { SampleBatch } from "../../../src/streams/outbox/sample-batch.ts";
import { recordingIngest } from "../../streams/outbox/recording-ingest.ts";
import { job } from "./jobs.ts";

const target = { job: "j", instance: "i" };

/** A target that is scraped with given bodies at 1000, 2000, ... */
function scraping(keys = "") {
  const config = job(keys);
  const ingest = recordingIngest();
  const memory = makeTargetMemory();
  const rules: ScrapeRules = {
    config,
    metricRelabeler: compileRelabel(config.metricRelabelConfigs),
    targetLabels: labelsFromObject(target),
    makeRef: (labels) => ingest.series("default", labels),
  };
  let t = 0;
  return {
    memory,
    good: (text: string): ScrapeSamples => {
      t += 1000;
      return takeScrape(memory, rules, { ok: true, body: Buffer.from(text), t, seconds: 0.5 });
    },
    bad: (error: string): ScrapeSamples => {
      t += 1000;
      return takeScrape(memory, rules, { ok: false, error, t, seconds: 0.5 });
    },
  };
}

/** What a batch holds, as "series value@time" without the target's labels; reports (`up`, scrape_*) apart. */
function lines(batch: SampleBatch): string[] {
  return batch.refs.map((ref, i) => {
    const text = formatLabels(ref.labels)
      .replace(/, ?instance="i"|instance="i",? ?/, "")
      .replace(/, ?job="j"|job="j",? ?/, "");
    return `${text.replace("{}", "")} ${isStaleAt(batch.words, i) ? "stale" : batch.values[i]}@${batch.ts[i]}`;
  });
}
const isReport = (line: string) => /^(up|scrape_\w+) /.test(line);
const samples = (taken: ScrapeSamples) => lines(taken.batch).filter((line) => !isReport(line));
const reports = (taken: ScrapeSamples) =>
  Object.fromEntries(
    lines(taken.batch)
      .filter(isReport)
      .map((l) => l.split(/[ @]/)),
  );

describe("a scrape", () => {
  it("is stamped with its time and gets the target's labels", () => {
    const taken = scraping().good('a 1\nb{x="1"} +Inf\nb{x="2"} NaN\n');
    expect(samples(taken)).toEqual(["a 1@1000", 'b{x="1"} Infinity@1000', 'b{x="2"} NaN@1000']);
    expect(taken.batch.refs[0]?.labels).toEqual(["__name__", "a", "instance", "i", "job", "j"]);
    expect(reports(taken)).toEqual({
      up: "1",
      scrape_duration_seconds: "0.5",
      scrape_samples_scraped: "3",
      scrape_samples_post_metric_relabeling: "3",
      scrape_series_added: "3",
    });
  });

  it("marks series that vanish as stale, once, and takes them back", () => {
    const s = scraping();
    s.good("a 1\nb 1\n");
    expect(samples(s.good("a 2\n"))).toEqual(["a 2@2000", "b stale@2000"]);
    expect(samples(s.good("a 3\n"))).toEqual(["a 3@3000"]);
    const back = s.good("b 4\na 4\n");
    expect(samples(back)).toEqual(["b 4@4000", "a 4@4000"]);
    expect(reports(back).scrape_series_added).toBe("1");
  });

  it("that fails ends all series, and reports up 0", () => {
    const s = scraping();
    s.good("a 1\nb 1\n");
    const failed = s.bad("connection refused");
    expect(failed.error).toBe("connection refused");
    expect(samples(failed)).toEqual(["a stale@2000", "b stale@2000"]);
    expect(reports(failed)).toMatchObject({ up: "0", scrape_samples_scraped: "0" });
    expect(samples(s.bad("again"))).toEqual([]);
    expect(samples(s.good("a 1\n"))).toEqual(["a 1@4000"]);
    expect(s.memory.byHash.size).toBe(1);
  });

  it("that cannot be read is not taken in part", () => {
    const s = scraping();
    s.good("a 1\n");
    const broken = s.good("a 2\nc 3\n??? what\n");
    expect(broken.error).toMatch(/^line 3: /);
    expect(samples(broken)).toEqual(["a stale@2000"]);
    expect(reports(broken).up).toBe("0");
    expect(samples(s.good("a 3\n"))).toEqual(["a 3@3000"]);
  });

  it("takes the first of a series that stands twice, also when its labels stand in another order", () => {
    const taken = scraping().good('a{x="1",y="2"} 1\na{y="2",x="1"} 2\na{x="1",y="2"} 3\n');
    expect(samples(taken)).toEqual(['a{x="1", y="2"} 1@1000']);
    expect(taken.skipped).toBe(2);
  });

  it("refuses a label name that stands twice", () => {
    expect(scraping().good('a{x="1",x="2"} 1\n').error).toBe('label "x" stands twice in a{x="1",x="2"}');
  });

  it("reports more when asked to", () => {
    const taken = scraping("extra_scrape_metrics: true, sample_limit: 9").good("a 1\n");
    expect(reports(taken)).toMatchObject({
      scrape_timeout_seconds: "10",
      scrape_sample_limit: "9",
      scrape_body_size_bytes: "4",
    });
  });
});

describe("timestamps of the target", () => {
  it("are used, and their series are not marked as stale", () => {
    const s = scraping();
    expect(samples(s.good("a 1 500\na 2 600\nb 1\n"))).toEqual(["a 1@500", "a 2@600", "b 1@1000"]);
    expect(samples(s.good(""))).toEqual(["b stale@2000"]);
  });

  it("are left out of account with honor_timestamps: false", () => {
    const s = scraping("honor_timestamps: false");
    expect(samples(s.good("a 1 500\n"))).toEqual(["a 1@1000"]);
    expect(samples(s.good(""))).toEqual(["a stale@2000"]);
  });

  it("are marked as stale with track_timestamps_staleness", () => {
    const s = scraping("track_timestamps_staleness: true");
    s.good("a 1 500\n");
    expect(samples(s.good(""))).toEqual(["a stale@2000"]);
  });

  it("far in the future are left out", () => {
    const taken = scraping().good(`a 1 ${1000 + 600_000}\nb 1 ${1000 + 600_001}\n`);
    expect(samples(taken)).toEqual(["a 1@601000"]);
    expect(taken.skipped).toBe(1);
  });
});

describe("labels that both have", () => {
  const add = (keys: string, scraped: Record<string, string>) =>
    formatLabels(
      addTargetLabels(labelsFromObject(scraped), { config: job(keys), targetLabels: labelsFromObject(target) }),
    );

  it("are renamed", () => {
    expect(add("", { __name__: "a", job: "own" })).toBe('a{exported_job="own", instance="i", job="j"}');
  });
  it("are renamed until the name is free", () => {
    expect(add("", { __name__: "a", job: "1", exported_job: "2" })).toBe(
      'a{exported_exported_job="1", exported_job="2", instance="i", job="j"}',
    );
  });
  it("stay with honor_labels", () => {
    expect(add("honor_labels: true", { __name__: "a", job: "own" })).toBe('a{instance="i", job="own"}');
  });
});

describe("metric relabeling", () => {
  it("drops samples and renames series", () => {
    const s = scraping(`metric_relabel_configs: [
      {source_labels: [__name__], regex: 'go_.*', action: drop},
      {source_labels: [__name__], regex: 'old_(.*)', target_label: __name__, replacement: 'new_$1'}]`);
    const taken = s.good("go_x 1\nold_a 2\nb 3\n");
    expect(samples(taken)).toEqual(["new_a 2@1000", "b 3@1000"]);
    expect(reports(taken)).toMatchObject({ scrape_samples_scraped: "3", scrape_samples_post_metric_relabeling: "2" });
    expect(samples(s.good("b 4\n"))).toEqual(["b 4@2000", "new_a stale@2000"]);
  });

  it("that makes two series one keeps the first", () => {
    const s = scraping("metric_relabel_configs: [{regex: x, action: labeldrop}]");
    expect(samples(s.good('a{x="1"} 1\na{x="2"} 2\n'))).toEqual(["a 1@1000"]);
    expect(samples(s.good('a{x="2"} 3\n'))).toEqual(["a 3@2000"]);
    expect(samples(s.good(""))).toEqual(["a stale@3000"]);
  });

  it("that leaves no name fails the scrape", () => {
    const s = scraping("metric_relabel_configs: [{regex: __name__, action: labeldrop}]");
    expect(s.good("a 1\n").error).toBe("a has no metric name after relabeling");
  });
});

describe("limits", () => {
  it("sample_limit counts after relabeling", () => {
    const s = scraping(
      "sample_limit: 2, metric_relabel_configs: [{source_labels: [__name__], regex: c, action: drop}]",
    );
    expect(s.good("a 1\nb 1\nc 1\n").error).toBe("");
    const over = s.good("a 1\nb 1\nd 1\n");
    expect(over.error).toBe("sample_limit exceeded: 3 samples, the limit is 2");
    expect(samples(over)).toEqual(["a stale@2000", "b stale@2000"]);
  });

  it.each([
    ["label_limit: 3", 'a{x="1"} 1', "label_limit exceeded"],
    ["label_name_length_limit: 8", 'a{ninechars="1"} 1', "label_name_length_limit exceeded"],
    ["label_value_length_limit: 3", 'a{x="1234"} 1', "label_value_length_limit exceeded"],
  ])("%s", (keys, body, error) => {
    const s = scraping(keys);
    expect(s.good("a 1\n").error).toBe("");
    expect(s.good(`${body}\n`).error).toContain(error);
    expect(s.good(`${body}\n`).error).toContain(error);
  });
});

it("a target that goes away ends its series and its reports", () => {
  const s = scraping();
  s.good("a 1\nb 1\n");
  s.good("a 1\n");
  expect(lines(endTarget(s.memory, 2500))).toEqual([
    "a stale@2500",
    "up stale@2500",
    "scrape_duration_seconds stale@2500",
    "scrape_samples_scraped stale@2500",
    "scrape_samples_post_metric_relabeling stale@2500",
    "scrape_series_added stale@2500",
  ]);
});
