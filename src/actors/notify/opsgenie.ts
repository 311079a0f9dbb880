import { labelsToObject } from "../../model/labels.ts";
import type { OpsgenieConfig } from "../alert/integration-config.ts";
import { jsonRequest, type OutgoingRequest } from "./attempt.ts";
import { groupHash } from "./group-hash.ts";
import { type Renderer, withErrors } from "./template/render.ts";
import { statusOf } from "./template/template-data.ts";
import { truncate } from "./truncate.ts";
import { common } from "./webhook-payload.ts";

const MAX_MESSAGE = 130;

/** Creates the group's alert, whose alias is the hash of the group's key, or closes it. */
export function opsgenieRequests(config: OpsgenieConfig, r: Renderer): readonly OutgoingRequest[] {
  const alias = groupHash(r.notification.groupKey);
  const headers = { authorization: `GenieKey ${r.must(config.apiKey, "api_key").trim()}` };
  const of = (what: string) => `${config.url}v2/alerts/${alias}/${what}?identifierType=alias`;
  const source = r.text(config.source);
  if (statusOf(r.notification.alerts) === "resolved") return [jsonRequest(of("close"), { source }, headers)];
  const details: Record<string, string> = common(r.notification.alerts.map((a) => labelsToObject(a.labels)));
  for (const [name, template] of Object.entries(config.details)) details[name] = r.text(template);
  const responders = config.responders.flatMap((responder) => readyResponders(responder, r));
  const tags = list(r.text(config.tags));
  const actions = list(r.text(config.actions));
  const priority = r.choice(config.priority, "");
  const texts = { note: r.text(config.note), priority, entity: r.text(config.entity) };
  const message = truncate(r.text(config.message), MAX_MESSAGE);
  const description = withErrors(r, r.text(config.description));
  const create = jsonRequest(
    `${config.url}v2/alerts`,
    {
      alias,
      message,
      ...filled({ description }),
      details,
      source,
      ...(responders.length === 0 ? {} : { responders }),
      ...(tags.length === 0 ? {} : { tags }),
      ...filled(texts),
      ...(actions.length === 0 ? {} : { actions }),
    },
    headers,
  );
  if (!config.updateAlerts) return [create];
  const put = (what: string, body: unknown) => ({ ...jsonRequest(of(what), body, headers), method: "PUT" as const });
  return [create, put("message", filled({ message })), put("description", filled({ description }))];
}

/** Responders that come out empty are left out; `teams` names several, between commas. */
function readyResponders(responder: OpsgenieConfig["responders"][number], r: Renderer): readonly unknown[] {
  const [id, name, username] = [
    r.choice(responder.id, ""),
    r.choice(responder.name, ""),
    r.choice(responder.username, ""),
  ];
  const type = r.choice(responder.type, "").toLowerCase();
  if (id === "" && name === "" && username === "") return [];
  if (type === "teams") return list(name).map((team) => ({ name: team, type: "team" }));
  return [{ ...filled({ id, name, username }), type }];
}

function list(text: string): string[] {
  return text
    .trim()
    .split(",")
    .filter((item) => item !== "");
}

function filled(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""));
}
