/**
 * With nats-server killed, Tocsin pages all the same, resolves nothing that it cannot see, and tells nothing twice; also where it is
 * started while its bus is dead. It connects by itself when the bus comes.
 */
import { afterAll, expect, it } from "vitest";
import { withNatsServer } from "../streams/nats/with-nats-server.ts";
import { alertmanagerFor, configWith, startPager, toldInLedger } from "./paging-support.ts";
import { killLeftOvers, push, query, startTocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const RULES = `groups:
- name: levels
  interval: 1s
  rules:
  - { alert: High, expr: level > 10 }
  - { alert: HighForLong, expr: level > 10, for: 8s }
  - { alert: Silent, expr: time() - timestamp(level) > 4 }
- name: chain
  interval: 1s
  rules:
  - { record: "level:max", expr: max(level) }
  - { alert: RecordedHigh, expr: "level:max > 10" }
`;

/** Over what was stored before the bus died. */
const LATE = "  - { alert: Late, expr: level < 100 }\n";

it("pages with a bus that is killed, and makes up for it when it is back", { timeout: 120_000 }, () =>
  withNatsServer(async (nats) => {
    const pager = await startPager();
    const files = { "rules.yml": RULES, "alertmanager.yml": alertmanagerFor(pager.port) };
    const config = configWith("global: { evaluation_interval: 1s }\n");
    const args = ["--nats", nats.url];
    let tocsin = await startTocsin({ config, files, args });
    const level = (value: number) =>
      push(tocsin.url, [{ labels: { __name__: "level", tank: "a" }, samples: [[Date.now(), value]] }]);
    const said = (what: string) => pager.said().filter((s) => s === what).length;
    const told = (what: string) => until(() => said(what) > 0, what, 40_000);

    await level(42);
    await told("firing High");
    await told("firing RecordedHigh");
    await nats.kill();

    // A clock that ran goes on; what time alone makes true is seen; what others post pages; the bus itself is missed.
    await told("firing Silent");
    await told("firing HighForLong");
    const alert = { labels: { alertname: "Posted" }, startsAt: new Date().toISOString() };
    const posted = await fetch(`${tocsin.url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([alert]),
    });
    expect(posted.status).toBe(200);
    await told("firing Posted");
    await told("firing TocsinBusDown");
    expect(pager.said().filter((s) => s.startsWith("resolved"))).toEqual([]);
    const metrics = await (await fetch(`${tocsin.url}/metrics`)).text();
    expect(Number(/^tocsin_notification_events_unpublished (\d+)/m.exec(metrics)?.[1])).toBeGreaterThan(0);

    // The process is killed as well, and started without its bus: it asks, evaluates and tells what it holds, and nothing again.
    // Killed before that is written down, it would be told again under the same key.
    await until(() => toldInLedger(tocsin.dir) === pager.pages.length, "all is written down");
    await tocsin.killGroup();
    const later = { ...files, "rules.yml": RULES + LATE };
    tocsin = await startTocsin({ dir: tocsin.dir, config, files: later, args, wait: false });
    await told("firing Late");
    expect((await query(tocsin.url, "max_over_time(level[5m])"))[0]?.value[1]).toBe("42");
    const ready = await fetch(`${tocsin.url}/-/ready`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("bus")]);
    // What nobody can store is refused at once.
    const refused = await fetch(`${tocsin.url}/api/v1/ingest`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ series: [{ labels: { __name__: "level", tank: "a" }, samples: [[Date.now(), 43]] }] }),
    });
    expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([503, true]);
    expect(said("firing Silent")).toBe(1);
    expect(pager.said().filter((s) => s.startsWith("resolved"))).toEqual([]);

    // The bus comes: nothing is told again but the end of what has ended.
    await nats.restart();
    await until(async () => (await fetch(`${tocsin.url}/-/ready`)).status === 200, "it is ready", 40_000);
    // A sender goes on sending.
    let value = 43;
    const sender = setInterval(() => void level(value).catch(() => undefined), 500);
    await until(async () => (await query(tocsin.url, "level:max"))[0]?.value[1] === "43", "new samples are seen");
    await told("resolved Silent");
    const events = async () => {
      const text = await (await fetch(`${tocsin.url}/metrics`)).text();
      return Number(/^tocsin_notification_events_unpublished (\d+)/m.exec(text)?.[1]);
    };
    await until(async () => (await events()) === 0, "the bus has all events");
    await told("resolved TocsinBusDown");
    value = 1;
    await told("resolved High");
    await told("resolved HighForLong");
    await told("resolved RecordedHigh");
    for (const name of ["High", "HighForLong", "RecordedHigh", "Posted", "TocsinBusDown", "Late"]) {
      expect([name, said(`firing ${name}`)]).toEqual([name, 1]);
    }
    expect(said("resolved Posted") + said("resolved Late")).toBe(0);
    clearInterval(sender);
    const bus = await nats.bus();
    const { state } = await bus.jsm.streams.info("NOTIFICATIONS");
    // An intent and a result each, at least.
    expect(state.messages).toBeGreaterThanOrEqual(2 * pager.pages.length);
    await tocsin.stop();
    pager.close();
  }),
);
