import type { WebhookConfig } from "../alert/integration-config.ts";
import { jsonRequest, type OutgoingRequest } from "./attempt.ts";
import { fillPayload } from "./payload.ts";
import type { Renderer } from "./template/render.ts";
import { webhookPayload } from "./webhook-payload.ts";

/**
 * Alertmanager's webhook body, or the configured payload. The header Idempotency-Key is the same whenever the same is told
 * again.
 */
export function webhookRequests(config: WebhookConfig, r: Renderer): readonly OutgoingRequest[] {
  const { payload, maxAlerts } = config;
  const url = r.must(config.url, "url").trim();
  const body = payload === undefined ? webhookPayload(r.notification, maxAlerts) : fillPayload(payload, r.text);
  const { key } = r.notification;
  return [jsonRequest(url, body, key === undefined ? {} : { "idempotency-key": key })];
}
