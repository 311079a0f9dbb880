import type { ScrapeConfig } from "../../model/config.ts";
import { MalformedBody, type SeriesRef } from "../../model/ingest.ts";
import { compareLabels, type Labels, labelsFromEntries, labelValue, METRIC_NAME } from "../../model/labels.ts";
import { parseExposition } from "../../streams/codec/exposition.ts";
import { expositionLabels } from "../../streams/codec/exposition-labels.ts";
import { makeSampleBatch, pushSample, pushStale, type SampleBatch } from "../../streams/outbox/sample-batch.ts";
import { type Relabeler, relabelLabels } from "./relabel.ts";
import { ScrapeError } from "./scrape-error.ts";

/**
 * From a scraped body to samples. Pure but for the target's memory of its series, which it is handed.
 *
 * Invariants:
 * - a scrape is taken as a whole or not at all: a body that cannot be read, or that breaks a limit, gives no sample;
 * - a series that a scrape no longer has, and every series of a failed one, gets one staleness marker at that scrape's time;
 * - a text that was seen before costs a look into a map: no labels are made, nothing is relabeled.
 */
export interface TargetMemory {
  /** Series by the text that names them in the body. */
  readonly byText: Map<string, TextEntry>;
  readonly byHash: Map<string, SeriesState>;
  readonly reports: Map<string, SeriesRef>;
  round: number;
}

interface TextEntry {
  /** Undefined when relabeling drops it. */
  readonly series: SeriesState | undefined;
  round: number;
}

interface SeriesState {
  readonly ref: SeriesRef;
  /** Last scrape that had it. */
  round: number;
  /** Its last sample is no staleness marker, and it is up to us to write one. */
  live: boolean;
  tracked: boolean;
}

export function makeTargetMemory(): TargetMemory {
  return { byText: new Map(), byHash: new Map(), reports: new Map(), round: 0 };
}

export interface ScrapeRules {
  readonly config: ScrapeConfig;
  readonly metricRelabeler: Relabeler;
  /** Labels of the target. */
  readonly targetLabels: Labels;
  makeRef(labels: Labels): SeriesRef;
}

/** What a scrape brought, or why it failed; `t` is its time (Unix ms). */
export type ScrapeOutcome =
  | { readonly ok: true; readonly body: Uint8Array; readonly t: number; readonly seconds: number }
  | { readonly ok: false; readonly error: string; readonly t: number; readonly seconds: number };

export interface ScrapeSamples {
  /** Samples, staleness markers and the reports (`up`, scrape_*). */
  readonly batch: SampleBatch;
  /** "" when the scrape was good. */
  readonly error: string;
  readonly scraped: number;
  readonly afterRelabeling: number;
  readonly added: number;
  /** Samples left out: the same series twice, or a time too far in the future. */
  readonly skipped: number;
}

/** A sample's own time may be this far ahead of the scrape. */
const MAX_AHEAD_MS = 10 * 60_000;

interface Counts {
  scraped: number;
  kept: number;
  added: number;
  skipped: number;
}

/** Turns one scrape into what is to be stored. */
export function takeScrape(memory: TargetMemory, rules: ScrapeRules, outcome: ScrapeOutcome): ScrapeSamples {
  const { t } = outcome;
  const round = ++memory.round;
  const counts: Counts = { scraped: 0, kept: 0, added: 0, skipped: 0 };
  let batch = makeSampleBatch(Math.max(64, memory.byHash.size + 16));
  let error = outcome.ok ? "" : outcome.error;
  if (outcome.ok) {
    try {
      readSamples(memory, rules, outcome.body, t, batch, counts);
    } catch (cause) {
      // Anything else is a bug of ours: the actor dies of it and is started again.
      if (!(cause instanceof ScrapeError || cause instanceof MalformedBody)) throw cause;
      error = cause.message;
      batch = makeSampleBatch(memory.byHash.size + 16);
    }
  }
  if (error === "") settle(memory, round, t, batch);
  else markAllStale(memory, t, batch);
  const report = (name: string, value: number): void => pushSample(batch, reportRef(memory, rules, name), t, value);
  report("up", error === "" ? 1 : 0);
  report("scrape_duration_seconds", outcome.seconds);
  report("scrape_samples_scraped", counts.scraped);
  report("scrape_samples_post_metric_relabeling", counts.kept);
  report("scrape_series_added", counts.added);
  if (rules.config.extraScrapeMetrics) {
    report("scrape_timeout_seconds", rules.config.scrapeTimeoutMs / 1000);
    report("scrape_sample_limit", rules.config.sampleLimit);
    report("scrape_body_size_bytes", outcome.ok ? outcome.body.length : 0);
  }
  const { scraped, kept, added, skipped } = counts;
  return { batch, error, scraped, afterRelabeling: kept, added, skipped };
}

/** The last batch of a target that goes away: its series end at `t`. */
export function endTarget(memory: TargetMemory, t: number): SampleBatch {
  const batch = makeSampleBatch(memory.byHash.size + 16);
  markAllStale(memory, t, batch);
  for (const ref of memory.reports.values()) pushStale(batch, ref, t);
  memory.reports.clear();
  return batch;
}

function readSamples(
  memory: TargetMemory,
  rules: ScrapeRules,
  body: Uint8Array,
  t: number,
  batch: SampleBatch,
  counts: Counts,
): void {
  const { config } = rules;
  const { round } = memory;
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.length);
  parseExposition(body, {
    sample: (start, end, value, ownTime) => {
      counts.scraped++;
      // Only a key: every byte counts, so the encoding that costs least will do.
      const text = buffer.toString("latin1", start, end);
      let entry = memory.byText.get(text);
      if (entry === undefined) {
        entry = { series: findSeries(memory, rules, body, start, end, counts), round };
        memory.byText.set(text, entry);
      }
      entry.round = round;
      const { series } = entry;
      if (series === undefined) return;
      counts.kept++;
      if (config.sampleLimit > 0 && counts.kept > config.sampleLimit) return;
      const hasTime = config.honorTimestamps && !Number.isNaN(ownTime);
      if (series.round === round && !hasTime) {
        counts.skipped++;
        return;
      }
      series.round = round;
      series.tracked = !hasTime || config.trackTimestampsStaleness;
      if (hasTime && ownTime > t + MAX_AHEAD_MS) {
        counts.skipped++;
        return;
      }
      pushSample(batch, series.ref, hasTime ? ownTime : t, value);
    },
  });
  if (config.sampleLimit > 0 && counts.kept > config.sampleLimit) {
    throw new ScrapeError(`sample_limit exceeded: ${counts.kept} samples, the limit is ${config.sampleLimit}`);
  }
}

/** The series that a text stands for after the target's labels and relabeling; undefined when it is dropped. */
function findSeries(
  memory: TargetMemory,
  rules: ScrapeRules,
  body: Uint8Array,
  start: number,
  end: number,
  counts: Counts,
): SeriesState | undefined {
  const scraped = expositionLabels(body, start, end);
  if ("duplicate" in scraped) {
    throw new ScrapeError(`label ${JSON.stringify(scraped.duplicate)} stands twice in ${seriesText(body, start, end)}`);
  }
  const labels = relabelLabels(rules.metricRelabeler, addTargetLabels(scraped, rules));
  if (labels === undefined) return undefined;
  if (labelValue(labels, METRIC_NAME) === "") {
    throw new ScrapeError(`${seriesText(body, start, end)} has no metric name after relabeling`);
  }
  checkLimits(rules.config, labels, () => seriesText(body, start, end));
  const ref = rules.makeRef(labels);
  let key = `${ref.hashHi}:${ref.hashLo}`;
  let series = memory.byHash.get(key);
  // Two label sets with one hash are two series.
  while (series !== undefined && compareLabels(series.ref.labels, labels) !== 0) {
    key += "'";
    series = memory.byHash.get(key);
  }
  if (series === undefined) {
    series = { ref, round: 0, live: false, tracked: true };
    memory.byHash.set(key, series);
    counts.added++;
  }
  return series;
}

/**
 * Puts the target's labels on a scraped label set. Where both have one: with honor_labels the scraped one stays, without it
 * the target's wins and the scraped one gets `exported_` before its name, again and again while that name is taken too.
 */
export function addTargetLabels(scraped: Labels, rules: Pick<ScrapeRules, "config" | "targetLabels">): Labels {
  const labels = new Map<string, string>();
  for (let i = 0; i < scraped.length; i += 2) labels.set(scraped[i] as string, scraped[i + 1] as string);
  const { targetLabels } = rules;
  const renamed: [string, string][] = [];
  for (let i = 0; i < targetLabels.length; i += 2) {
    const name = targetLabels[i] as string;
    const existing = labels.get(name);
    if (existing !== undefined && rules.config.honorLabels) continue;
    if (existing !== undefined) renamed.push([name, existing]);
    labels.set(name, targetLabels[i + 1] as string);
  }
  for (const [name, value] of renamed) {
    let free = `exported_${name}`;
    while (labels.has(free)) free = `exported_${free}`;
    labels.set(free, value);
  }
  return labelsFromEntries(labels);
}

function checkLimits(config: ScrapeConfig, labels: Labels, text: () => string): void {
  const { labelLimit, labelNameLengthLimit: nameLimit, labelValueLengthLimit: valueLimit } = config;
  if (labelLimit > 0 && labels.length / 2 > labelLimit) {
    throw new ScrapeError(
      `label_limit exceeded: ${text()} has ${labels.length / 2} labels, the limit is ${labelLimit}`,
    );
  }
  if (nameLimit === 0 && valueLimit === 0) return;
  for (let i = 0; i < labels.length; i += 2) {
    if (nameLimit > 0 && Buffer.byteLength(labels[i] as string) > nameLimit) {
      throw new ScrapeError(`label_name_length_limit exceeded: ${labels[i]} of ${text()}, the limit is ${nameLimit}`);
    }
    if (valueLimit > 0 && Buffer.byteLength(labels[i + 1] as string) > valueLimit) {
      throw new ScrapeError(`label_value_length_limit exceeded: ${labels[i]} of ${text()}, the limit is ${valueLimit}`);
    }
  }
}

/** After a good scrape: marks the series that it no longer had, and forgets them. */
function settle(memory: TargetMemory, round: number, t: number, batch: SampleBatch): void {
  for (const [key, series] of memory.byHash) {
    if (series.round === round) {
      series.live = series.tracked;
      continue;
    }
    if (series.live) pushStale(batch, series.ref, t);
    memory.byHash.delete(key);
  }
  if (memory.byText.size === 0) return;
  for (const [text, entry] of memory.byText) if (entry.round !== round) memory.byText.delete(text);
}

/** After a failed one: all of them end, but are remembered for when the target is back. */
function markAllStale(memory: TargetMemory, t: number, batch: SampleBatch): void {
  for (const series of memory.byHash.values()) {
    if (series.live) pushStale(batch, series.ref, t);
    series.live = false;
  }
}

function reportRef(memory: TargetMemory, rules: ScrapeRules, name: string): SeriesRef {
  let ref = memory.reports.get(name);
  if (ref === undefined) {
    const { targetLabels } = rules;
    const pairs: [string, string][] = [];
    for (let i = 0; i < targetLabels.length; i += 2)
      pairs.push([targetLabels[i] as string, targetLabels[i + 1] as string]);
    ref = rules.makeRef(labelsFromEntries([...pairs, [METRIC_NAME, name]]));
    memory.reports.set(name, ref);
  }
  return ref;
}

function seriesText(body: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(body.buffer, body.byteOffset + start, Math.min(end - start, 200)).toString("utf8");
  return end - start > 200 ? `${text}...` : text;
}
