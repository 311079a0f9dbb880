import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { labelsFromObject, labelsToObject } from "../../model/labels.ts";
import type { AlertmanagerConfig } from "../alert/alertmanager-config.ts";
import { fingerprint } from "../alert/fingerprint.ts";
import type { Integration } from "../alert/integration-config.ts";
import { notificationSubject } from "../history/event-subjects.ts";
import type { Attempt, ProviderAnswer } from "./attempt.ts";
import { plainReason } from "./plain-reason.ts";
import type { Notification, ToldAlert } from "./webhook-payload.ts";
import { withoutSecrets } from "./without-secrets.ts";

/**
 * Sends one notification that says that it is a test to a receiver, by the code and the settings that pages are sent with: once, no
 * attempt after the first. Its group is its own, so no provider takes it for a page, and the ledger knows nothing of it.
 */
export interface TestSender {
  /** Rejects with `TestSendError`; what a provider said is in the answer. */
  send(receiver: string, wanted: TestWanted): Promise<TestSent>;
}

export interface TestWanted {
  /** In place of the usual ones; MARK is always among them. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Ends it again where it opens an incident (INCIDENTS). */
  readonly resolve: boolean;
}

export interface TestSent {
  readonly id: string;
  readonly receiver: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly results: readonly TestResult[];
}

export interface TestResult {
  readonly integration: string;
  readonly delivered: boolean;
  /** Of the provider's last answer over HTTP. */
  readonly status?: number;
  readonly ms: number;
  /** What went wrong, without secrets. */
  readonly error?: string;
  /** Absent: it was not ended again. */
  readonly resolved?: { readonly delivered: boolean; readonly error?: string };
}

export class TestSendError extends Error {
  /** `missing`: no such receiver; `busy`: another test of it is under way; `empty`: it has no integrations. */
  readonly kind: "missing" | "busy" | "empty";
  constructor(kind: TestSendError["kind"], message: string) {
    super(message);
    this.name = "TestSendError";
    this.kind = kind;
  }
}

export interface TestSenderOptions {
  readonly config: () => AlertmanagerConfig;
  readonly externalUrl: string;
  /** As `makeAttempt`; `heard` takes what a provider answered. */
  readonly attempt: (
    integration: Integration,
    notification: Notification,
    heard: (answer: ProviderAnswer) => void,
  ) => (signal: AbortSignal) => Promise<Attempt>;
  /** Takes a record of each integration's test for the stream of notifications. */
  readonly event: (subject: string, event: Readonly<Record<string, unknown>>) => void;
  readonly now: () => number;
  /** For one attempt, whatever the integration's own limit is. */
  readonly patienceMs?: number;
  /** Between two tests of one receiver. */
  readonly pauseMs?: number;
}

/** The label that every test has. */
export const MARK = "tocsin_test";
/** What opens an incident that somebody has to close. */
const INCIDENTS: readonly Integration["kind"][] = ["pagerduty", "opsgenie", "victorops"];
const PATIENCE_MS = 20_000;
const PAUSE_MS = 1_000;

export function makeTestSender(options: TestSenderOptions): TestSender {
  const { patienceMs = PATIENCE_MS, pauseMs = PAUSE_MS, now } = options;
  const busy = new Set<string>();

  const attempt = async (integration: Integration, notification: Notification) => {
    const started = performance.now();
    let status: number | undefined;
    const heard = (answer: ProviderAnswer) => {
      status = answer.status;
    };
    let made: Attempt;
    try {
      made = await options.attempt(integration, notification, heard)(AbortSignal.timeout(patienceMs));
    } catch (e) {
      const late = (e as { name?: string }).name === "TimeoutError" || (e as { name?: string }).name === "AbortError";
      const reason = late ? `no answer within ${patienceMs} ms` : e instanceof Error ? e.message : String(e);
      made = { ok: false, retry: false, reason };
    }
    // A secret may come to light when JSON is read, as one with escaped slashes.
    const clean = (text: string) => withoutSecrets(integration, text);
    const error = made.ok ? undefined : clean(plainReason(clean(made.reason)));
    return { ok: made.ok, error, status, ms: Math.round(performance.now() - started) };
  };

  const testOne = async (integration: Integration, notification: Notification, resolve: boolean) => {
    const { ok, error, status, ms } = await attempt(integration, notification);
    const result: TestResult = {
      integration: integration.name,
      delivered: ok,
      ...(status === undefined ? {} : { status }),
      ms,
      ...(error === undefined ? {} : { error }),
    };
    if (!ok || !resolve || !INCIDENTS.includes(integration.kind)) return result;
    const endsAt = now();
    const ended = await attempt(integration, {
      ...notification,
      key: `${notification.key}-end`,
      alerts: notification.alerts.map((a) => ({ ...a, endsAt: Math.max(endsAt, a.startsAt + 1) })),
      reason: "all alerts resolved",
    });
    const why = ended.error === undefined ? {} : { error: ended.error };
    return { ...result, resolved: { delivered: ended.ok, ...why } };
  };

  const test = async (receiver: string, wanted: TestWanted): Promise<TestSent> => {
    const { integrations } = receiverOf(options.config(), receiver);
    const id = randomUUID();
    const time = now();
    const alertname = wanted.labels?.alertname ?? "TocsinTest";
    const labels = { ...(wanted.labels ?? { severity: "test", receiver }), alertname, [MARK]: "true" };
    const annotations = {
      summary: `Test of receiver ${receiver}: nothing is wrong`,
      description: "Somebody asked Tocsin to send this. It is no alert.",
      ...wanted.annotations,
    };
    const set = labelsFromObject(labels);
    const alert: ToldAlert = {
      fingerprint: fingerprint(set),
      labels: set,
      annotations,
      startsAt: time,
      endsAt: 0,
      generatorUrl: options.externalUrl,
    };
    const groupKey = `tocsin:test:${id}`;
    const notification: Notification = {
      key: `test-${id}`,
      receiver,
      groupKey,
      groupLabels: labelsFromObject({ alertname }),
      externalUrl: options.externalUrl,
      alerts: [alert],
      reason: "first notification",
    };
    const results = await Promise.all(integrations.map((i) => testOne(i, notification, wanted.resolve)));
    for (const result of results) {
      const about = { version: 1, type: "test", id, receiver, groupKey, labels: labelsToObject(set) };
      const said = result.error === undefined ? {} : { reason: result.error };
      const event = {
        ...about,
        integration: result.integration,
        time: new Date(time).toISOString(),
        ok: result.delivered,
      };
      options.event(notificationSubject(receiver, groupKey), { ...event, ms: result.ms, ...said });
    }
    return { id, receiver, labels: labelsToObject(set), annotations, results };
  };

  return {
    send: async (receiver, wanted) => {
      receiverOf(options.config(), receiver);
      if (busy.has(receiver)) {
        throw new TestSendError(
          "busy",
          `a test of ${JSON.stringify(receiver)} is under way, or has just been: wait a moment`,
        );
      }
      busy.add(receiver);
      try {
        return await test(receiver, wanted);
      } finally {
        void sleep(pauseMs, undefined, { ref: false }).then(() => busy.delete(receiver));
      }
    },
  };
}

function receiverOf(config: AlertmanagerConfig, name: string): AlertmanagerConfig["receivers"][number] {
  const found = config.receivers.find((r) => r.name === name);
  if (found === undefined) {
    const names = config.receivers.map((r) => r.name).join(", ");
    throw new TestSendError("missing", `there is no receiver ${JSON.stringify(name)}; there are: ${names}`);
  }
  if (found.integrations.length === 0) {
    throw new TestSendError("empty", `receiver ${JSON.stringify(name)} has no integrations: nobody is told by it`);
  }
  return found;
}
