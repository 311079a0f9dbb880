/** Two Tocsins with the same rules and one receiver: each thing is told once, whoever dies. */
import { afterAll, expect, it } from "vitest";
import { openClaimStore } from "../../src/streams/nats/claim-store.ts";
import { saySilently } from "../../src/streams/nats/say.ts";
import { withNatsServer } from "../streams/nats/with-nats-server.ts";
import { alertmanagerFor, configWith, type Pager, startPager } from "./paging-support.ts";
import { killLeftOvers, push, startTocsin, type Tocsin, until } from "./tocsin.ts";

const RULES = `groups:
- name: levels
  interval: 1s
  rules:
  - { alert: First, expr: level > 10 }
  - { alert: Second, expr: level > 20 }
  - { alert: Third, expr: level > 30 }
  - { alert: Fourth, expr: level > 40 }
`;
const NAMES = ["First", "Second", "Third", "Fourth"];

afterAll(killLeftOvers);

const sawFiring = async (tocsin: Tocsin, names: readonly string[]) => {
  const answer = (await (await fetch(`${tocsin.url}/api/v1/alerts`)).json()) as {
    data: { alerts: { labels: { alertname: string } }[] };
  };
  return JSON.stringify(answer.data.alerts.map((a) => a.labels.alertname).sort()) === JSON.stringify([...names].sort());
};

/** How many notifications it has left to the other. */
const leftToAnother = async ({ url }: Tocsin): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^tocsin_notification_claims_total\{result="left_to_another"\} (\d+)/m.exec(text)?.[1]);
};

it("tell each thing once, also when one dies before or after it has told", { timeout: 120_000 }, () =>
  withNatsServer(async (nats) => {
    const pager: Pager = await startPager();
    const files = { "rules.yml": RULES, "alertmanager.yml": alertmanagerFor(pager.port) };
    const streams = `claims_url: "${nats.url}", claims_lease: 2s`;
    const start = (dir?: string) => startTocsin({ config: configWith(), files, streams, ...(dir && { dir }) });
    const both = await Promise.all([start(), start()]);
    const alive = new Set(both);
    const level = (value: number) =>
      Promise.all(
        [...alive].map((t) => push(t.url, [{ labels: { __name__: "level" }, samples: [[Date.now(), value]] }])),
      );
    const told = (name: string) => pager.pages.filter((p) => p.groupLabels.alertname === name);

    // Both see it; one tells.
    await level(15);
    await until(
      async () => (await sawFiring(both[0], ["First"])) && (await sawFiring(both[1], ["First"])),
      "both see it",
    );
    await until(
      async () => (await leftToAnother(both[0])) + (await leftToAnother(both[1])) >= 1,
      "one has left it to the other",
    );
    expect(pager.said()).toEqual(["firing First"]);

    // Somebody has claimed it, and is gone before it has told: one of the two takes over.
    const store = openClaimStore(nats.url, saySilently);
    await until(() => store.connected(), "the claims can be read");
    const key = JSON.stringify(['{}:{alertname="Second"}', "hook", "webhook[0]"]);
    expect(await store.write(key, { by: "somebody", held: true }, 0)).toBeGreaterThan(0);
    await level(25);
    await until(() => told("Second").length > 0, "the claim is taken over");
    await until(
      async () => (await leftToAnother(both[0])) + (await leftToAnother(both[1])) >= 2,
      "one has left it to the other again",
    );
    expect(told("Second")).toHaveLength(1);
    await store.close();

    // Killed after it has told and before it knows: the other tells it again, with the same key.
    pager.silent = true;
    await level(35);
    await until(() => told("Third").length > 0, "one tells");
    const teller = both.find((t) => t.url === told("Third")[0]?.externalURL) as Tocsin;
    await teller.killGroup();
    alive.delete(teller);
    pager.silent = false;
    await until(() => told("Third").length > 1, "the other takes over");

    // The one that died comes back, with what it had not ended: nobody is told again.
    const back = await start(teller.dir);
    alive.add(back);
    await level(35);
    await until(() => sawFiring(back, ["First", "Second", "Third"]), "it sees them again");
    expect(told("Third")).toHaveLength(2);

    // Without the server of claims: rather twice than never.
    await nats.kill();
    await level(45);
    await until(() => told("Fourth").length === 2, "both tell");
    await nats.restart();
    await level(1);
    await until(() => NAMES.every((name) => told(name).some((p) => p.status === "resolved")), "all ends are told");
    expect(told("First").map((p) => p.status)).toEqual(["firing", "resolved"]);
    expect(told("Second").map((p) => p.status)).toEqual(["firing", "resolved"]);
    await Promise.all([...alive].map((t) => t.stop()));
    expect(NAMES.map((name) => told(name).filter((p) => p.status === "resolved").length)).toEqual([1, 1, 1, 1]);
    pager.close();
  }),
);
