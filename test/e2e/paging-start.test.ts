/** Started while its bus is dead, Tocsin evaluates and pages over what it holds, and connects by itself when the bus comes. */
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
  - { alert: Silent, expr: time() - timestamp(level) > 3 }
`;

it("starts without its bus, pages, and takes samples when the bus comes", { timeout: 120_000 }, () =>
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
    // Killed before that is written down, it would be told again under the same key.
    await until(() => toldInLedger(tocsin.dir) > 0, "it is written down");
    await tocsin.killGroup();
    await nats.kill();
    tocsin = await startTocsin({ dir: tocsin.dir, config, files, args, wait: false });

    // What it holds is asked, evaluated and told; what nobody can store is refused at once.
    await told("firing Silent");
    expect((await query(tocsin.url, "max_over_time(level[5m])"))[0]?.value[1]).toBe("42");
    const ready = await fetch(`${tocsin.url}/-/ready`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("bus")]);
    const refused = await fetch(`${tocsin.url}/api/v1/ingest`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ series: [{ labels: { __name__: "level", tank: "a" }, samples: [[Date.now(), 43]] }] }),
    });
    expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([503, true]);
    await told("firing TocsinBusDown");
    expect(pager.said().filter((s) => s.startsWith("resolved"))).toEqual([]);

    await nats.restart();
    await until(async () => (await fetch(`${tocsin.url}/-/ready`)).status === 200, "it is ready", 40_000);
    await level(1);
    await told("resolved High");
    await told("resolved TocsinBusDown");
    const events = async () => {
      const text = await (await fetch(`${tocsin.url}/metrics`)).text();
      return Number(/^tocsin_notification_events_unpublished (\d+)/m.exec(text)?.[1]);
    };
    await until(async () => (await events()) === 0, "the bus has all events");
    for (const name of ["High", "Silent", "TocsinBusDown"]) expect([name, said(`firing ${name}`)]).toEqual([name, 1]);
    await tocsin.stop();
    pager.close();
  }),
);
