/** Whom the watchdog pages. */
export type Pager =
  | { readonly kind: "pagerduty"; readonly routingKey: string; readonly url: string }
  | { readonly kind: "webhook"; readonly url: string };

export interface Page {
  readonly what: "trigger" | "resolve";
  readonly key: string;
  readonly name: string;
  readonly summary: string;
  /** Unix ms. */
  readonly time: number;
}

const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue";
const TIMEOUT_MS = 10_000;

/**
 * Reads `pagerduty:ROUTING_KEY`, `pagerduty:ROUTING_KEY@URL` (events v2 at another place) or the URL of a webhook. Throws an Error that
 * says what is wrong, without the key.
 */
export function parsePager(text: string): Pager {
  if (text.startsWith("pagerduty:")) {
    const [, routingKey = "", url = PAGERDUTY_URL] = /^pagerduty:([^@]*)(?:@(.*))?$/.exec(text.trim()) ?? [];
    if (!/^\w+$/.test(routingKey)) throw new Error("pagerduty: needs a routing key behind it, of letters and digits");
    return { kind: "pagerduty", routingKey, url: httpUrl(url) };
  }
  return { kind: "webhook", url: httpUrl(text.trim()) };
}

function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new Error("a page goes to pagerduty:ROUTING_KEY or to a URL that begins with http:// or https://");
}

/** Sends one page. Rejects with an Error that says why it has not arrived. */
export async function sendPage(pager: Pager, page: Page): Promise<void> {
  const body = pager.kind === "pagerduty" ? pagerdutyEvent(pager.routingKey, page) : webhookBody(page);
  const response = await fetch(pager.url, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": `${page.key}-${page.what}` },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`answered ${response.status}`);
}

function pagerdutyEvent(routingKey: string, { what, key, name, summary, time }: Page): unknown {
  const payload = { summary, source: name, severity: "critical", timestamp: new Date(time).toISOString() };
  return { routing_key: routingKey, event_action: what, dedup_key: key, payload };
}

/** As Alertmanager's webhook tells one alert, so that what reads that reads this. */
function webhookBody({ what, key, name, summary, time }: Page): unknown {
  const status = what === "trigger" ? "firing" : "resolved";
  const labels = { alertname: "HeartbeatMissing", source: name, severity: "critical" };
  const at = new Date(time).toISOString();
  const zero = "0001-01-01T00:00:00Z";
  const times = what === "trigger" ? { startsAt: at, endsAt: zero } : { startsAt: zero, endsAt: at };
  const alert = { status, labels, annotations: { summary }, ...times, generatorURL: "", fingerprint: key };
  return {
    version: "4",
    groupKey: `watchdog:${name}:${key}`,
    status,
    receiver: "watchdog",
    groupLabels: { alertname: labels.alertname },
    commonLabels: labels,
    commonAnnotations: { summary },
    externalURL: "",
    truncatedAlerts: 0,
    alerts: [alert],
  };
}
