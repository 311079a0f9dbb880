import type { Integration } from "../alert/alertmanager-config.ts";
import { type Attempt, postWebhook } from "./webhook.ts";
import { type Notification, webhookPayload } from "./webhook-payload.ts";

/** Builds what an integration is told of a notification; what comes back makes one attempt to tell it. */
export function makeAttempt(
  integration: Integration,
  notification: Notification,
  userAgent: string,
): (signal: AbortSignal) => Promise<Attempt> {
  const body = JSON.stringify(webhookPayload(notification, integration.maxAlerts));
  return (signal) => postWebhook(integration, body, userAgent, signal);
}
