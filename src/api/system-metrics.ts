import type { Registry } from "prom-client";
import type { DeathCount } from "../actors/runtime/census.ts";
import type { MailboxStats } from "../actors/runtime/mailbox.ts";
import { NOTIFY_LATENCY_BUCKETS, type NotifyStats } from "../model/alerts.ts";
import { RULE_DURATION_BUCKETS, type RuleStats } from "../model/rules.ts";
import { histogram, type Reading, readMetric } from "./read-metric.ts";

/** Where the numbers are when /metrics is asked for. */
export interface SystemSources {
  readonly gateway: () => {
    readonly samplesAccepted: number;
    readonly samplesRejected: Readonly<Record<string, number>>;
    readonly requestsRefused: Readonly<Record<string, number>>;
    readonly framesPublished: number;
    readonly bytesPublished: number;
    readonly publishFailures: number;
    readonly queuedBytes: number;
    readonly bodyBytes: number;
    readonly framesInFlight: number;
    readonly cachedSeries: number;
    readonly cacheMisses: number;
    readonly kernelEnabled: boolean;
  };
  readonly publisher: () => { readonly retried: number; readonly duplicates: number };
  /** Why the embedded bus stores nothing now, undefined while it does. */
  readonly busTrouble: () => string | undefined;
  readonly ingestSubject: () =>
    | {
        readonly messages: number;
        readonly messagesPutOff: number;
        readonly messagesRefused: Readonly<Record<string, number>>;
        readonly samplesAccepted: number;
        readonly samplesRejected: Readonly<Record<string, number>>;
      }
    | undefined;
  readonly scrapes: () => (ScrapeNumbers & { readonly outbox: OutboxNumbers }) | undefined;
  readonly hostCollector: () => OutboxNumbers | undefined;
  readonly rules: () => RuleStats;
  readonly notify: () => NotifyStats;
  readonly deaths: () => readonly DeathCount[];
  readonly mailboxes: () => readonly MailboxStats[];
}

interface ScrapeNumbers {
  readonly targets: number;
  readonly scrapes: number;
  readonly failures: number;
}

/** Samples made in this process on their way to the gateway. */
interface OutboxNumbers {
  readonly waiting: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly dropped: number;
}

/** Metrics of the gateway, the bus, rules, notifications and actors. */
export function registerSystemMetrics(registry: Registry, sources: SystemSources): void {
  const counter = (name: string, help: string, read: () => readonly Reading[]) =>
    readMetric(registry, name, "counter", help, read);
  const gauge = (name: string, help: string, read: () => readonly Reading[]) =>
    readMetric(registry, name, "gauge", help, read);
  const one = (value: number): readonly Reading[] => [{ labels: {}, value }];
  const by = (label: string, counts: Readonly<Record<string, number>>): readonly Reading[] =>
    Object.entries(counts).map(([key, value]) => ({ labels: { [label]: key }, value }));

  const { gateway } = sources;
  counter("tocsin_gateway_samples_accepted_total", "Samples acknowledged by the bus.", () =>
    one(gateway().samplesAccepted),
  );
  counter("tocsin_gateway_samples_rejected_total", "Samples that can never be taken, by reason.", () =>
    by("reason", gateway().samplesRejected),
  );
  counter("tocsin_gateway_requests_refused_total", "Requests of which nothing was taken, by reason.", () =>
    by("reason", gateway().requestsRefused),
  );
  counter("tocsin_gateway_frames_published_total", "Frames acknowledged by the bus.", () =>
    one(gateway().framesPublished),
  );
  counter("tocsin_gateway_published_bytes_total", "Bytes of frames acknowledged by the bus.", () =>
    one(gateway().bytesPublished),
  );
  counter("tocsin_gateway_publish_failures_total", "Frames that the bus did not take.", () =>
    one(gateway().publishFailures),
  );
  gauge("tocsin_gateway_queued_bytes", "Bytes of frames that wait for the bus.", () => one(gateway().queuedBytes));
  gauge("tocsin_gateway_body_bytes", "Bodies of writes that are being received or were not answered yet.", () =>
    one(gateway().bodyBytes),
  );
  gauge("tocsin_gateway_frames_in_flight", "Frames sent and not acknowledged yet.", () =>
    one(gateway().framesInFlight),
  );
  gauge("tocsin_gateway_cached_series", "Series that the gateway knows by hash.", () => one(gateway().cachedSeries));
  counter("tocsin_gateway_cache_misses_total", "Series whose labels had to be read.", () => one(gateway().cacheMisses));
  gauge("tocsin_gateway_kernel_enabled", "1 while remote write is read by the compiled kernel.", () =>
    one(gateway().kernelEnabled ? 1 : 0),
  );
  counter("tocsin_bus_publish_retries_total", "Messages sent to the bus again.", () =>
    one(sources.publisher().retried),
  );
  counter("tocsin_bus_publish_duplicates_total", "Retries whose first copy the bus already had.", () =>
    one(sources.publisher().duplicates),
  );
  gauge("tocsin_bus_storage_failed", "1 while the embedded nats-server cannot store (a full disk, say).", () =>
    one(sources.busTrouble() === undefined ? 0 : 1),
  );
  counter("tocsin_ingest_subject_messages_total", "Messages that agents published on NATS and that were taken.", () =>
    one(sources.ingestSubject()?.messages ?? 0),
  );
  counter(
    "tocsin_ingest_subject_messages_refused_total",
    "Messages of agents that can never be taken, by reason.",
    () => by("reason", sources.ingestSubject()?.messagesRefused ?? {}),
  );

  counter("tocsin_ingest_subject_messages_put_off_total", "Times a message of an agent had to wait for the bus.", () =>
    one(sources.ingestSubject()?.messagesPutOff ?? 0),
  );
  counter("tocsin_ingest_subject_samples_accepted_total", "Samples of agents that are durable.", () =>
    one(sources.ingestSubject()?.samplesAccepted ?? 0),
  );
  counter("tocsin_ingest_subject_samples_rejected_total", "Samples of agents that were refused, by reason.", () =>
    by("reason", sources.ingestSubject()?.samplesRejected ?? {}),
  );

  registerCollectorMetrics(registry, sources);
  registerRuleMetrics(registry, sources.rules);
  registerNotifyMetrics(registry, sources.notify);

  counter("tocsin_actor_deaths_total", "Deaths of supervised actors.", () =>
    sources.deaths().map((d) => ({ labels: { supervisor: d.supervisor, actor: d.child }, value: d.deaths })),
  );
  gauge("tocsin_mailbox_depth", "Messages that wait in an actor's mailbox.", () =>
    sources.mailboxes().map((m) => ({ labels: { mailbox: m.name }, value: m.depth })),
  );
  counter("tocsin_mailbox_dropped_total", "Messages that a full mailbox dropped.", () =>
    sources.mailboxes().map((m) => ({ labels: { mailbox: m.name }, value: m.dropped })),
  );
}

function registerCollectorMetrics(registry: Registry, { scrapes, hostCollector }: SystemSources): void {
  const ofScrapes = (name: string, type: "counter" | "gauge", help: string, key: keyof ScrapeNumbers) =>
    readMetric(registry, name, type, help, () => [{ labels: {}, value: scrapes()?.[key] ?? 0 }]);
  ofScrapes("tocsin_scrape_targets", "gauge", "Targets that are scraped.", "targets");
  ofScrapes("tocsin_scrapes_total", "counter", "Scrapes of all targets.", "scrapes");
  ofScrapes("tocsin_scrape_failures_total", "counter", "Scrapes that failed.", "failures");
  const ofOutboxes = (name: string, type: "counter" | "gauge", help: string, key: keyof OutboxNumbers) =>
    readMetric(registry, name, type, help, () => [
      { labels: { collector: "scrapes" }, value: scrapes()?.outbox[key] ?? 0 },
      { labels: { collector: "host" }, value: hostCollector()?.[key] ?? 0 },
    ]);
  ofOutboxes("tocsin_collector_waiting_samples", "gauge", "Collected samples that wait for the gateway.", "waiting");
  ofOutboxes("tocsin_collector_samples_accepted_total", "counter", "Collected samples that are durable.", "accepted");
  ofOutboxes(
    "tocsin_collector_samples_rejected_total",
    "counter",
    "Collected samples that the gateway refused.",
    "rejected",
  );
  ofOutboxes(
    "tocsin_collector_samples_dropped_total",
    "counter",
    "Collected samples lost because too many waited.",
    "dropped",
  );
}

function registerRuleMetrics(registry: Registry, stats: () => RuleStats): void {
  type Group = RuleStats["groups"][number];
  const groups = (name: string, type: "counter" | "gauge", help: string, value: (g: Group) => number) =>
    readMetric(registry, name, type, help, () =>
      stats().groups.map((g) => ({ labels: { rule_group: `${g.file};${g.name}` }, value: value(g) })),
    );
  groups("tocsin_rule_group_rules", "gauge", "Rules of the group.", (g) => g.rules);
  groups(
    "tocsin_rule_group_last_duration_seconds",
    "gauge",
    "Duration of the last evaluation.",
    (g) => g.lastDurationMs / 1000,
  );
  groups(
    "tocsin_rule_group_last_evaluation_timestamp_seconds",
    "gauge",
    "When the group was evaluated last.",
    (g) => g.lastEvaluation / 1000,
  );
  groups("tocsin_rule_evaluations_total", "counter", "Evaluations of rules.", (g) => g.evaluations);
  groups("tocsin_rule_evaluation_failures_total", "counter", "Evaluations that failed.", (g) => g.failures);
  groups(
    "tocsin_rule_group_iterations_missed_total",
    "counter",
    "Evaluations left out because the group was behind.",
    (g) => g.missed,
  );
  groups(
    "tocsin_rule_group_last_late_seconds",
    "gauge",
    "How long after its time the last evaluation began, where that was an interval or more.",
    (g) => g.lateMs / 1000,
  );
  readMetric(
    registry,
    "tocsin_rule_group_incomplete_evaluations_total",
    "counter",
    "Evaluations before all that was published had been read, by why.",
    () =>
      stats().groups.flatMap((g) =>
        Array.from(g.incomplete, ([reason, value]) => ({
          labels: { rule_group: `${g.file};${g.name}`, reason },
          value,
        })),
      ),
  );
  readMetric(
    registry,
    "tocsin_rule_evaluation_duration_seconds",
    "histogram",
    "Duration of one rule's evaluation.",
    () => {
      const s = stats();
      return histogram({}, RULE_DURATION_BUCKETS, s.durationBuckets, s.durationCount, s.durationSeconds);
    },
  );
}

function registerNotifyMetrics(registry: Registry, stats: () => NotifyStats): void {
  readMetric(registry, "tocsin_alerts", "gauge", "Alerts in the alert manager, by state.", () =>
    Object.entries(stats().alerts).map(([state, value]) => ({ labels: { state }, value })),
  );
  readMetric(registry, "tocsin_alert_groups", "gauge", "Groups of alerts.", () => [
    { labels: {}, value: stats().groups },
  ]);
  readMetric(registry, "tocsin_notifications_total", "counter", "Notifications by result.", () =>
    stats().integrations.flatMap(({ receiver, integration, sent, failed }) => [
      { labels: { receiver, integration, result: "sent" }, value: sent },
      { labels: { receiver, integration, result: "failed" }, value: failed },
    ]),
  );
  readMetric(registry, "tocsin_notification_requests_total", "counter", "Attempts to notify, by result.", () =>
    stats().integrations.flatMap(({ receiver, integration, requests, requestsFailed }) => [
      { labels: { receiver, integration, result: "ok" }, value: requests - requestsFailed },
      { labels: { receiver, integration, result: "failed" }, value: requestsFailed },
    ]),
  );
  readMetric(registry, "tocsin_notification_fallbacks_total", "counter", "Notifications to fallback receivers.", () =>
    stats().integrations.map(({ receiver, integration, fallbacks }) => ({
      labels: { receiver, integration },
      value: fallbacks,
    })),
  );
  const one = (name: string, type: "gauge" | "counter", help: string, value: (s: NotifyStats) => number) =>
    readMetric(registry, name, type, help, () => [{ labels: {}, value: value(stats()) }]);
  one("tocsin_notification_dead_letters", "gauge", "Dead letters that wait.", (s) => s.deadLetters.waiting);
  one(
    "tocsin_notification_dead_letters_total",
    "counter",
    "Notifications that became dead letters.",
    (s) => s.deadLetters.added,
  );
  one(
    "tocsin_notification_dead_letters_dropped_total",
    "counter",
    "Dead letters given up because there were too many.",
    (s) => s.deadLetters.dropped,
  );
  one(
    "tocsin_notification_events_unpublished",
    "gauge",
    "Events of notifications that the bus does not have yet.",
    (s) => s.events.unpublished,
  );
  one(
    "tocsin_notification_events_dropped_total",
    "counter",
    "Events of notifications dropped because too many waited for the bus.",
    (s) => s.events.dropped,
  );
  readMetric(
    registry,
    "tocsin_notification_claims_total",
    "counter",
    "Notifications left to another Tocsin, taken over from one, and sent without asking.",
    () => {
      const { leftToOthers = 0, takenOver = 0, unclaimed = 0 } = stats().claims ?? {};
      return [
        { labels: { result: "left_to_another" }, value: leftToOthers },
        { labels: { result: "taken_over" }, value: takenOver },
        { labels: { result: "unclaimed" }, value: unclaimed },
      ];
    },
  );
  readMetric(
    registry,
    "tocsin_alerts_unacknowledged_total",
    "counter",
    "Alerts whose sender was answered 503: too many waited, not on disk in time, or refused by the disk.",
    () => {
      const { refused = 0, late = 0, unwritten = 0 } = stats().unacknowledged ?? {};
      return Object.entries({ refused, late, unwritten }).map(([reason, value]) => ({ labels: { reason }, value }));
    },
  );
  readMetric(registry, "tocsin_notification_latency_seconds", "histogram", "Latency of attempts to notify.", () =>
    stats().integrations.flatMap((i) =>
      histogram(
        { receiver: i.receiver, integration: i.integration },
        NOTIFY_LATENCY_BUCKETS,
        i.latencyBuckets,
        i.requests,
        i.latencySeconds,
      ),
    ),
  );
}
