import type { EmailConfig, Integration } from "../alert/integration-config.ts";
import { type Attempt, type Judge, judgeStatus, type OutgoingRequest, type ProviderAnswer } from "./attempt.ts";
import { discordRequests, judgeDiscord } from "./discord.ts";
import { emailOf, sendMail } from "./email.ts";
import { sendHttp } from "./http-client.ts";
import { judgeMsteams, msteamsRequests, msteamsv2Requests } from "./msteams.ts";
import { opsgenieRequests } from "./opsgenie.ts";
import { judgePagerduty, pagerdutyRequests } from "./pagerduty.ts";
import { pushoverRequests } from "./pushover.ts";
import { judgeSlack, slackRequests } from "./slack.ts";
import { judgeTelegram, telegramRequests } from "./telegram.ts";
import { makeRenderer, RenderError, type Renderer } from "./template/render.ts";
import { victoropsRequests } from "./victorops.ts";
import { webhookRequests } from "./webhook.ts";
import type { Notification } from "./webhook-payload.ts";

/** Time for one attempt where the configuration sets none. */
export const DEFAULT_TIMEOUT_MS = 30_000;

type Heard = (answer: ProviderAnswer) => void;
type MakeAttempt = (signal: AbortSignal) => Promise<Attempt>;

/**
 * Builds what an integration is told of a notification; what comes back makes one attempt to tell it, and never rejects but
 * for the abort of its signal.
 * @param now for templates that ask how long ago something was, Unix ms
 * @param heard takes what the provider answers
 */
export function makeAttempt(
  integration: Integration,
  notification: Notification,
  userAgent: string,
  now = Date.now(),
  heard: Heard = () => {},
): MakeAttempt {
  const r = makeRenderer(notification, integration.templates, now);
  try {
    if (integration.kind === "email") return emailAttempt(integration, r, now);
    const requests = requestsOf(integration, r);
    return (signal) => sendAll(integration, requests, userAgent, signal, heard);
  } catch (error) {
    if (!(error instanceof RenderError)) throw error;
    const failed: Attempt = { ok: false, retry: false, reason: error.message };
    return () => Promise.resolve(failed);
  }
}

function emailAttempt(config: EmailConfig, r: Renderer, now: number): MakeAttempt {
  const mail = emailOf(config, r, now);
  return (signal) => sendMail(config, mail, timeoutOf(config), signal);
}

type OverHttp = Exclude<Integration, EmailConfig>;

function requestsOf(integration: OverHttp, r: Renderer): readonly OutgoingRequest[] {
  switch (integration.kind) {
    case "webhook":
      return webhookRequests(integration, r);
    case "slack":
      return slackRequests(integration, r);
    case "pagerduty":
      return pagerdutyRequests(integration, r);
    case "opsgenie":
      return opsgenieRequests(integration, r);
    case "msteams":
      return msteamsRequests(integration, r);
    case "msteamsv2":
      return msteamsv2Requests(integration, r);
    case "discord":
      return discordRequests(integration, r);
    case "telegram":
      return telegramRequests(integration, r);
    case "victorops":
      return victoropsRequests(integration, r);
    case "pushover":
      return pushoverRequests(integration, r);
  }
}

function judgeOf(integration: OverHttp): Judge {
  switch (integration.kind) {
    case "slack":
      return judgeSlack(integration.channel);
    case "pagerduty":
      return judgePagerduty(integration.version);
    case "msteams":
    case "msteamsv2":
      return judgeMsteams;
    case "discord":
      return judgeDiscord;
    case "telegram":
      return judgeTelegram;
    default:
      return (answer) => judgeStatus(answer);
  }
}

/** One after the other; the first that fails ends it. */
async function sendAll(
  integration: OverHttp,
  requests: readonly OutgoingRequest[],
  userAgent: string,
  signal: AbortSignal,
  heard: Heard,
): Promise<Attempt> {
  const timeoutMs = timeoutOf(integration);
  const timeout = AbortSignal.timeout(timeoutMs);
  const judge = judgeOf(integration);
  try {
    for (const request of requests) {
      const answer = await sendHttp(integration.http, request, userAgent, AbortSignal.any([signal, timeout]));
      heard(answer);
      const attempt = judge({ ...answer, text: shortened(answer.text) });
      if (!attempt.ok) return attempt;
    }
    return { ok: true };
  } catch (error) {
    if (signal.aborted) throw error;
    if (timeout.aborted) return { ok: false, retry: true, reason: `no answer within ${timeoutMs} ms` };
    return { ok: false, retry: true, reason: networkError(error) };
  }
}

const MAX_SAID = 512;

/** The beginning of an answer, for messages. */
function shortened(text: string): string {
  return text.length <= MAX_SAID ? text : `${text.slice(0, MAX_SAID).trim()}…`;
}

function timeoutOf({ timeoutMs }: Integration): number {
  return timeoutMs > 0 ? timeoutMs : DEFAULT_TIMEOUT_MS;
}

/** Without the URL, which may hold a secret. */
function networkError(error: unknown): string {
  const e = error as { message?: string; code?: string };
  return e.code ?? e.message ?? String(error);
}
