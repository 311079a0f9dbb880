import { setTimeout as sleep } from "node:timers/promises";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { wholeServer } from "../../api/routes/whole-server.ts";
import { findPeer } from "../../support/find-program.ts";
import { type AlertmanagerProcess, startAlertmanager } from "./alertmanager-process.ts";
import { freshFolder, webhookServer } from "./fixtures.ts";

// The same calls to the real Alertmanager's API and to ours: status, content type and JSON must be the same but for ids and
// times, and for the wording of what is not JSON.
const peer = findPeer("0.33", "alertmanager", "prometheus-alertmanager");

const config = (url: string) => `
route:
  receiver: web
  group_by: [alertname]
  group_wait: 100ms
  group_interval: 1s
  routes:
    - matchers: [team="x"]
      receiver: other
      continue: true
    - matchers: [muted="yes"]
      mute_time_intervals: [always]
inhibit_rules:
  - source_matchers: [severity="page"]
    target_matchers: [severity="ticket"]
    equal: [host]
time_intervals:
  - name: always
    time_intervals: [{weekdays: ["sunday:saturday"]}]
receivers:
  - name: web
    labels: { team: x }
    webhook_configs: [{url: "${url}/web"}]
  - name: other
`;

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

let peerProcess: AlertmanagerProcess;
let theirHook: Awaited<ReturnType<typeof webhookServer>>;
let ourHook: Awaited<ReturnType<typeof webhookServer>>;
let ourUrl: string;
const atEnd: (() => unknown)[] = [];

beforeAll(async () => {
  if (peer === undefined) return;
  [theirHook, ourHook] = await Promise.all([webhookServer(), webhookServer()]);
  const folder = freshFolder();
  peerProcess = await startAlertmanager(peer, folder, config(theirHook.url));
  const alertManager = makeAlertManager({
    config: parseAlertmanagerConfig("am.yml", config(ourHook.url)),
    dataDir: `${folder}/ours`,
    publish: () => Promise.resolve(),
    externalUrl: "http://tocsin",
    userAgent: "Tocsin/test",
    onDeath: () => {},
  });
  const fiber = Effect.runFork(Effect.scoped(alertManager.run));
  const app = wholeServer({ alertManager, now: Date.now });
  ourUrl = await app.listen({ host: "127.0.0.1", port: 0 });
  atEnd.push(
    () => peerProcess.kill(),
    () => app.close(),
    () => Effect.runPromise(Fiber.interrupt(fiber)),
    () => theirHook.close(),
    () => ourHook.close(),
  );
});
afterAll(async () => {
  for (const end of atEnd) await end();
});

const call = async (base: string, method: string, path: string, body?: unknown): Promise<Answer> => {
  const response = await fetch(`${base}/api/v2/${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" } }),
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const type = response.headers.get("content-type");
  return { status: response.status, type, body: text === "" ? "" : JSON.parse(text) };
};

const TIMES = new Set(["startsAt", "endsAt", "updatedAt"]);

/** Without what differs by nature: ids, times to the second, and the reason behind "failed, because". */
function normal(answer: Answer, ids: Map<string, string>): Answer {
  const visit = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((v) => visit(v, key));
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(
        Object.entries(value)
          .sort()
          .map(([k, v]) => [k, visit(v, k)]),
      );
    }
    if (typeof value !== "string") return value;
    if (TIMES.has(key)) return Math.abs(Date.parse(value) - Date.now()) < 600_000 ? "about now" : Date.parse(value);
    if (ids.has(value)) return ids.get(value);
    return (
      value
        .replace(/failed, because .*/s, "failed")
        // What is quoted of a pattern differs with how it is anchored.
        .replace(/(error parsing regexp: [^`]*)`.*/s, "$1")
        .replace(/^bad regular expression ".*?": /, "")
    );
  };
  return { ...answer, body: visit(answer.body, "") };
}

const theirIds = new Map<string, string>();
const ourIds = new Map<string, string>();

/** Asks both; what they answer must be the same. Returns it. */
async function both(method: string, path: string, body?: unknown): Promise<Answer> {
  const own = (ids: Map<string, string>, text: string) =>
    [...ids].reduce((t, [id, name]) => t.replaceAll(name, id), text);
  const with_ = (ids: Map<string, string>) =>
    [own(ids, path), body === undefined ? undefined : JSON.parse(own(ids, JSON.stringify(body)))] as const;
  const [theirs, ours] = await Promise.all([
    call(peerProcess.url, method, ...with_(theirIds)),
    call(ourUrl, method, ...with_(ourIds)),
  ]);
  for (const [ids, { body: answered }] of [
    [theirIds, theirs],
    [ourIds, ours],
  ] as const) {
    const id = (answered as { silenceID?: string } | null)?.silenceID;
    if (id !== undefined && !ids.has(id)) ids.set(id, `<silence ${ids.size}>`);
  }
  const expected = normal(theirs, theirIds);
  expect(normal(ours, ourIds), `${method} ${path} ${JSON.stringify(body)}`).toEqual(expected);
  return expected;
}

const post = (path: string, body: unknown) => both("POST", path, body);
const silence = (over: Record<string, unknown> = {}) => ({
  matchers: [{ name: "alertname", value: "A", isRegex: false }],
  startsAt: "2020-01-01T00:00:00Z",
  endsAt: "2100-01-01T00:00:00.5Z",
  createdBy: "me",
  comment: "c",
  ...over,
});

describe.skipIf(peer === undefined)("API v2 beside Alertmanager (needs 0.33 or newer on PATH or in PEERS_BIN)", () => {
  it("takes the same alerts, and refuses the same for the same reasons", { timeout: 300_000 }, async () => {
    const good: unknown[] = [
      [{ labels: { alertname: "A", team: "x" }, annotations: { s: "t", e: "" }, generatorURL: "http://g/x" }],
      [{ labels: { alertname: "A", host: "h" }, annotations: {} }],
      [{ labels: { alertname: "E" }, endsAt: "2100-01-01T00:00:00Z" }],
      [{ labels: { alertname: "M", muted: "yes" } }, { labels: { alertname: "M", muted: "yes", b: "c" } }],
      [{ labels: { alertname: "Z", muted: "yes", team: "x" } }],
      [
        { labels: { alertname: "P", severity: "page", host: "h" } },
        { labels: { alertname: "P", severity: "ticket", host: "h" } },
      ],
      [{ labels: { alertname: "N", empty: "" }, generatorURL: "", startsAt: "0001-01-01T00:00:00Z" }],
      [{ labels: { alertname: "D", "ünï.code": "☃" }, startsAt: "2024-02-29", endsAt: "2100-01-01T00:00:00Z" }],
      [
        {
          labels: { alertname: "R" },
          startsAt: "2020-01-01T00:00:00+02:00",
          endsAt: "2020-01-01T01:00:00.123456789+02:00",
        },
      ],
      [],
      "null",
    ];
    for (const body of good) expect((await post("alerts", body)).status, JSON.stringify(body)).toBe(200);
    const bad: unknown[] = [
      [{ labels: {} }],
      [{ labels: { a: "" } }],
      [{ labels: { "": "x" } }, { labels: { b: "x" }, annotations: { "": "x" } }, { labels: { alertname: "Good" } }],
      [{ annotations: { b: "x" } }],
      { labels: { b: "x" } },
      [{ labels: { b: 1 } }],
      [{ labels: ["b"] }],
      [1],
      [{ labels: { b: "x" }, startsAt: "yesterday" }],
      [{ labels: { b: "x" }, startsAt: "2030-01-01T00:00:00Z", endsAt: "2020-01-01T00:00:00Z" }],
      [{ labels: { b: "x" }, generatorURL: "not a url" }],
    ];
    const times: readonly (readonly [string, number])[] = [
      ["2020-01-01", 200],
      ["2020-01-01T00:00:00", 200],
      ["2020-01-01T00:00:00.123", 200],
      ["2020-01-01T00:00Z", 200],
      ["2020-01-01T00:00:00.123456789+02:00", 200],
      ["2020-01-01T00:00:00,5Z", 200],
      ["2020-01-01 00:00:00Z", 400],
      ["2020-01-01t00:00:00z", 400],
      ["2020-01-01T00:00:00+0200", 400],
      ["2020-02-30T00:00:00Z", 400],
      ["2020-01-01T24:00:00Z", 400],
      ["2020-01-01T00:00:00 Z", 400],
    ];
    for (const [startsAt, status] of times) {
      const answer = await post("alerts", [{ labels: { alertname: "T" }, startsAt, endsAt: "2100-01-01T00:00:00Z" }]);
      expect(answer.status, startsAt).toBe(status);
      await both("GET", "alerts?filter=alertname=T");
    }
    for (const body of bad)
      expect((await post("alerts", body)).status, JSON.stringify(body)).toBeGreaterThanOrEqual(400);
  });

  it("shows the same alerts and groups, with every filter", { timeout: 300_000 }, async () => {
    await sleep(500); // each group has been told
    const queries = [
      "",
      "?active=false",
      "?inhibited=false",
      "?silenced=false&active=true",
      "?unprocessed=false",
      "?active=perhaps",
      "?receiver=other",
      "?receiver=o.*r|nobody",
      "?receiver=oth",
      "?receiver=(",
      '?filter=alertname="A"',
      "?filter=alertname=A&filter=host=",
      '?filter=alertname=~"A|E"',
      '?filter=team!="x"',
      "?filter=team!~x.*",
      '?filter="ünï.code"="☃"',
      "?filter=a",
      "?filter=",
      "?filter={a=b}",
      '?filter=a=~"("',
    ];
    for (const query of queries) {
      await both("GET", `alerts${query}`);
      await both("GET", `alerts/groups${query}`);
    }
    await both("GET", "alerts/groups?muted=false");
    await both("GET", "receivers");
    for (const query of ["team=x", "team!=x&receiver_matchers=name=~w.*|o.*", "name=other", "no"]) {
      for (const path of ["receivers", "alerts", "alerts/groups"])
        await both("GET", `${path}?receiver_matchers=${query}`);
    }
  });

  it("makes, changes and ends silences by the same rules", { timeout: 300_000 }, async () => {
    expect((await both("GET", "silences")).body).toEqual([]);
    expect((await post("silences", silence())).status).toBe(200); // <silence 0>
    const other = {
      matchers: [{ name: "a", value: "x", isRegex: true, isEqual: false }],
      endsAt: "2090-01-01T00:00:00Z",
    };
    await post("silences", silence({ ...other, annotations: { x: "y" } })); // 1
    await post("silences", silence({ startsAt: "2050-01-01T00:00:00Z", matchers: other.matchers })); // 2
    const refused = [
      { createdBy: undefined },
      { comment: null },
      { matchers: undefined },
      { matchers: [] },
      { matchers: [{}] },
      { matchers: [{ name: "a", isRegex: false }] },
      { matchers: [{ name: "", value: "", isRegex: false }] },
      { matchers: [{ name: "a", value: "", isRegex: false }] },
      { matchers: [{ name: "a", value: ".*", isRegex: true }] },
      { matchers: [{ name: "a", value: "(", isRegex: true }] },
      { matchers: "a" },
      { startsAt: undefined },
      { endsAt: undefined },
      { startsAt: "2030-01-01T00:00:00Z", endsAt: "2029-01-01T00:00:00Z" },
      { startsAt: "2010-01-01T00:00:00Z", endsAt: "2011-01-01T00:00:00Z" },
      { startsAt: "nope" },
      { id: "nope" },
      { id: "11111111-1111-4111-8111-111111111111" },
    ];
    for (const over of refused) {
      expect((await post("silences", silence(over))).status, JSON.stringify(over)).toBeGreaterThanOrEqual(400);
    }
    for (const body of ["[]", "null"]) await both("POST", "silences", JSON.parse(body));
    await both("GET", "silences");
    await both("GET", "silence/<silence 0>");
    await both("GET", "silence/11111111-1111-4111-8111-111111111111");
    await both("GET", "silence/nope");
    await both("DELETE", "silence/nope");
    await both("DELETE", "silence/11111111-1111-4111-8111-111111111111");
    await both("GET", "silences?filter=alertname=A");
    await both("GET", "silences?filter=alertname=~A");
    await both("GET", "silences?filter=a!~x");
    await both("GET", "silences?filter={");
    // A pending one keeps its id, another matcher makes another silence of it.
    const pending = { id: "<silence 2>", startsAt: "2050-01-01T00:00:00Z" };
    const kept = await post(
      "silences",
      silence({ ...pending, startsAt: "2051-01-01T00:00:00Z", matchers: other.matchers }),
    );
    expect(kept.body).toEqual({ silenceID: "<silence 2>" });
    const made = await post("silences", silence(pending));
    expect(made.body).toEqual({ silenceID: "<silence 3>" });
    await both("GET", "silences");
  });

  it("mutes the same alerts, and tells of them when the silence is over", { timeout: 300_000 }, async () => {
    for (const query of ["", "?silenced=false", "?active=false", "?silenced=false&inhibited=false"]) {
      await both("GET", `alerts${query}`);
      await both("GET", `alerts/groups${query}`);
    }
    const told = (hook: typeof ourHook) =>
      hook.received.map((r) => `${r.body.status} ${r.body.groupKey} ${r.body.alerts.length}`);
    expect(told(ourHook).sort()).toEqual(told(theirHook).sort());
    const before = ourHook.received.length;
    // The first of the group A is silenced now; so is whatever lacks the label a.
    await post("alerts", [{ labels: { alertname: "A", host: "new" } }, { labels: { alertname: "New" } }]);
    await sleep(2500);
    expect([ourHook.received.length, theirHook.received.length]).toEqual([before, before]);
    await both("DELETE", "silence/<silence 0>");
    await both("DELETE", "silence/<silence 0>");
    await both("GET", "silence/<silence 0>");
    await both("DELETE", "silence/<silence 1>");
    await both("GET", "alerts");
    await sleep(2500);
    expect(told(ourHook).sort()).toEqual(told(theirHook).sort());
    expect(ourHook.received.length).toBeGreaterThan(before);
  });
});
