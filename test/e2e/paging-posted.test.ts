/** What /api/v2/alerts has acknowledged survives a kill that comes right after. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { alertmanagerFor, configWith, startPager } from "./paging-support.ts";
import { killLeftOvers, startTocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

it("holds every posted alert that was answered 200, and tells none twice", { timeout: 120_000 }, async () => {
  const pager = await startPager();
  // They are told after the restart: the group waits.
  const files = { "rules.yml": "groups: []\n", "alertmanager.yml": alertmanagerFor(pager.port, "30s") };
  const config = configWith();
  let tocsin = await startTocsin({ config, files });
  const startsAt = new Date().toISOString();
  const post = (n: number) =>
    fetch(`${tocsin.url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([{ labels: { alertname: "Posted", n: String(n) }, startsAt }]),
    });
  const acknowledged = new Set<string>();
  let killed = false;
  const sender = async (from: number) => {
    for (let n = from; !killed; n += 8) {
      const status = await post(n).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) acknowledged.add(String(n));
    }
  };
  const senders = Array.from({ length: 8 }, (_, i) => sender(i));
  await until(() => acknowledged.size > 100, "some are acknowledged");
  const death = tocsin.killGroup();
  killed = true;
  await Promise.all([death, ...senders]);

  writeFileSync(join(tocsin.dir, "alertmanager.yml"), alertmanagerFor(pager.port));
  tocsin = await startTocsin({ dir: tocsin.dir, config });
  const held = async () => {
    const alerts = (await (await fetch(`${tocsin.url}/api/v2/alerts`)).json()) as { labels: { n: string } }[];
    return new Set(alerts.map((a) => a.labels.n));
  };
  await until(async () => (await held()).size >= acknowledged.size, "they are there");
  const there = await held();
  expect([...acknowledged].filter((n) => !there.has(n))).toEqual([]);
  await until(() => pager.pages.length > 0, "they are told");
  expect(pager.pages[0]?.alerts).toHaveLength(there.size);
  await tocsin.stop();
  expect(pager.pages).toHaveLength(1);
  pager.close();
});
