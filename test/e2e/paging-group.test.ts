/** A bus that dies and comes back while a group waits for its interval: what joined the group is told once, and nothing else. */
import { afterAll, expect, it } from "vitest";
import { withNatsServer } from "../streams/nats/with-nats-server.ts";
import { alertmanagerFor, configWith, startPager } from "./paging-support.ts";
import { killLeftOvers, push, startTocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const RULES = `groups:
- name: levels
  interval: 1s
  rules:
  - { alert: High, expr: level > 10 }
`;

const GROUP_INTERVAL_MS = 4000;

it("tells a group once more, with all that joined it", { timeout: 120_000 }, () =>
  withNatsServer(async (nats) => {
    const pager = await startPager();
    const alertmanager = alertmanagerFor(pager.port).replace("1s", `${GROUP_INTERVAL_MS}ms`);
    const tocsin = await startTocsin({
      config: configWith("global: { evaluation_interval: 1s }\n"),
      files: { "rules.yml": RULES, "alertmanager.yml": alertmanager },
      args: ["--nats", nats.url],
    });
    const level = (tank: string, value: number) =>
      push(tocsin.url, [{ labels: { __name__: "level", tank }, samples: [[Date.now(), value]] }]);
    const firing = async () =>
      ((await (await fetch(`${tocsin.url}/api/v2/alerts?filter=alertname=High`)).json()) as unknown[]).length;
    const told = () =>
      pager.pages.map((p) => p.alerts.map((a) => `${a.status} ${a.labels.tank}`).sort((a, b) => (a < b ? -1 : 1)));

    await level("a", 42);
    await until(() => pager.pages.length === 1, "the group is told");
    await level("b", 42);
    await until(async () => (await firing()) === 2, "another alert joins it");
    await nats.kill();
    expect(pager.pages).toHaveLength(1);
    await nats.restart();
    await until(() => pager.pages.length === 2, "the group is told again");
    expect(told()).toEqual([["firing a"], ["firing a", "firing b"]]);
    const [first, second] = pager.pages;
    expect(second?.key).not.toBe(first?.key);

    // What the next interval brings is the end, and nothing that was told already.
    const low = async (tank: string) => (await level(tank, 1)).status === 204;
    await until(async () => (await low("a")) && (await low("b")), "samples are taken again");
    await until(() => pager.pages.length === 3, "its end is told");
    expect(told()[2]).toEqual(["resolved a", "resolved b"]);
    await tocsin.stop();
    expect(pager.pages).toHaveLength(3);
    pager.close();
  }),
);
