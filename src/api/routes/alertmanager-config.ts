import { parse, stringify } from "yaml";

/** What Alertmanager's configuration has at its top; Tocsin's own keys are unknown to its clients, which parse it strictly. */
const TOP_KEYS: ReadonlySet<string> = new Set([
  "global",
  "route",
  "inhibit_rules",
  "receivers",
  "templates",
  "mute_time_intervals",
  "time_intervals",
  "tracing",
]);
/** Tocsin's own keys of routes and receivers. */
const OWN_KEYS: ReadonlySet<string> = new Set(["escalation", "fallback_receiver"]);
/** Keys whose values are secrets wherever they are, as Alertmanager's types say. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  "alert_source_token",
  "api_key",
  "api_secret",
  "app_token",
  "auth_password",
  "auth_secret",
  "bearer_token",
  "bot_token",
  "client_secret",
  "credentials",
  "key",
  "opsgenie_api_key",
  "password",
  "routing_key",
  "secret_key",
  "service_key",
  "slack_api_url",
  "slack_app_token",
  "smtp_auth_password",
  "smtp_auth_secret",
  "telegram_bot_token",
  "token",
  "token_id",
  "user_key",
  "victorops_api_key",
  "webhook_url",
  "wechat_api_secret",
]);
/** URLs that are secrets in one kind of receiver only; elsewhere the same key is a plain URL, which must stay one. */
const SECRET_URLS: Readonly<Record<string, string>> = {
  webhook_configs: "url",
  incidentio_configs: "url",
  slack_configs: "api_url",
};
const MASK = "<secret>";

/** Alertmanager's configuration for those who may see the API: secrets are masked as Alertmanager masks them. */
export function shownConfig(text: string): string {
  const root = parse(text, { merge: true }) as unknown;
  if (!isRecord(root)) return "";
  const shown = Object.fromEntries(Object.entries(root).filter(([key]) => TOP_KEYS.has(key)));
  shown.route = plainRoute(shown.route);
  return stringify(masked(shown, undefined), { aliasDuplicateObjects: false, lineWidth: 0 });
}

/** The route and those below it without Tocsin's own key. */
function plainRoute(route: unknown): unknown {
  if (!isRecord(route)) return route;
  const { escalation: _, ...plain } = route;
  return Array.isArray(plain.routes) ? { ...plain, routes: plain.routes.map(plainRoute) } : plain;
}

/** @param kind the `<kind>_configs` key that the value is under */
function masked(value: unknown, kind: string | undefined): unknown {
  if (Array.isArray(value)) return value.map((v) => masked(v, kind));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, v]): [string, unknown][] => {
      if (OWN_KEYS.has(key)) return [];
      const secret = SECRET_KEYS.has(key) || (kind !== undefined && SECRET_URLS[kind] === key);
      if (secret && (typeof v === "string" || typeof v === "number")) return [[key, v === "" ? "" : MASK]];
      if (key === "http_headers" && isRecord(v)) return [[key, mapValues(v, maskHeader)]];
      return [[key, masked(v, kindOf(key))]];
    }),
  );
}

const kindOf = (key: string) => (key.endsWith("_configs") ? key : undefined);

/** Values of `secrets` are secret, those of `values` are not. */
function maskHeader(header: unknown): unknown {
  if (!isRecord(header) || !Array.isArray(header.secrets)) return header;
  return { ...header, secrets: header.secrets.map(() => MASK) };
}

function mapValues(
  record: Readonly<Record<string, unknown>>,
  map: (value: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
