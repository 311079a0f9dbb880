import { createHash } from "node:crypto";

/**
 * Subjects of the events of alerting. What one alert, one group of notifications or one rule group has gone through can be read by
 * its subject alone; src/streams/nats/subjects.ts names the streams.
 *
 * | subject                                       | holds                                                            |
 * | --------------------------------------------- | ---------------------------------------------------------------- |
 * | tocsin.alerts.<tenant>                        | silences and escalations                                         |
 * | tocsin.alerts.<tenant>.<alertname>.<alert>    | transitions of an alert; its coming and end where others send it |
 * | tocsin.alerts.<tenant>.<alertname>.rule       | its rule's health                                                |
 * | tocsin.alerts.<tenant>.groups.<group>         | ticks of a rule group that were missed, late or incomplete       |
 * | tocsin.alerts.routing                         | the routing tree, whenever it changes                            |
 * | tocsin.notifications.<receiver>.<group>       | intents, attempts, results; what kept a group from being told    |
 */
export const ROUTING_SUBJECT = "tocsin.alerts.routing";

/** @param alert the fingerprint; `rule` for what concerns all alerts of the name */
export function alertSubject(tenant: string, alertname: string, alert: string): string {
  return `tocsin.alerts.${tenantToken(tenant)}.${nameToken(alertname)}.${alert}`;
}

/** Of all alerts of a name, or of all names where it is undefined. */
export function alertSubjects(tenant: string, alertname: string | undefined): string {
  return `tocsin.alerts.${tenantToken(tenant)}.${alertname === undefined ? "*" : nameToken(alertname)}.*`;
}

export function ruleGroupSubject(tenant: string, file: string, group: string): string {
  return `tocsin.alerts.${tenantToken(tenant)}.groups.${shortHash(`${file};${group}`)}`;
}

export function notificationSubject(receiver: string, groupKey: string): string {
  return `tocsin.notifications.${subjectToken(receiver)}.${shortHash(groupKey)}`;
}

/** A receiver's name as one token of a subject. */
function subjectToken(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, "_") || "_";
}

/** A tenant may have dots. */
function tenantToken(tenant: string): string {
  return tenant.replaceAll(".", "_");
}

/** Names that other tokens stand for get another form. */
function nameToken(alertname: string): string {
  return alertname === "groups" ? "groups_" : subjectToken(alertname).slice(0, 200);
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
