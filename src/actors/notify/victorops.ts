import type { VictoropsConfig } from "../alert/integration-config.ts";
import { jsonRequest, type OutgoingRequest } from "./attempt.ts";
import { groupHash } from "./group-hash.ts";
import { type Renderer, withErrors } from "./template/render.ts";
import { statusOf } from "./template/template-data.ts";
import { truncate } from "./truncate.ts";

const MAX_MESSAGE = 20_480;
const TYPES = ["INFO", "WARNING", "CRITICAL"];

/** The REST endpoint of Splunk On-Call; the entity is the hash of the group's key. */
export function victoropsRequests(config: VictoropsConfig, r: Renderer): readonly OutgoingRequest[] {
  const type = r.choice(config.messageType, "CRITICAL");
  const firing = statusOf(r.notification.alerts) === "firing";
  const fields: Record<string, string> = {
    message_type: !firing ? "RECOVERY" : TYPES.includes(type) ? type : "CRITICAL",
    entity_id: groupHash(r.notification.groupKey),
    entity_display_name: r.text(config.entityDisplayName),
    state_message: truncate(withErrors(r, r.text(config.stateMessage)), MAX_MESSAGE),
    monitoring_tool: r.text(config.monitoringTool),
  };
  for (const [name, template] of Object.entries(config.customFields)) fields[name] = r.text(template);
  const route = encodeURIComponent(r.must(config.routingKey, "routing_key"));
  return [jsonRequest(`${config.url}${encodeURIComponent(config.apiKey)}/${route}`, fields)];
}
