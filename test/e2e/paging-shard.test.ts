/** With one of two shards dead, Tocsin pages for what it can see, resolves nothing that it cannot, and tells nothing twice. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { crc32c } from "../../src/lib/crc32c.ts";
import { labelsFromObject } from "../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../src/model/sample.ts";
import { partitionOf, seriesHash } from "../../src/streams/codec/series-hash.ts";
import { alertmanagerFor, configWith, startPager, toldInLedger } from "./paging-support.ts";
import { killLeftOvers, push, startTocsin, tempDir, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const RULES = `groups:
- name: levels
  interval: 1s
  rules:
  - { alert: High, expr: level > 10 }
  - { alert: VeryHigh, expr: level > 50 }
  - { alert: Sum, expr: sum(level) > 70 }
`;

/** A tank whose series lies in the partition. */
function tankIn(partition: number): string {
  for (let n = 0; ; n++) {
    const { hi } = seriesHash(DEFAULT_TENANT, labelsFromObject({ __name__: "level", tank: `t${n}` }));
    if (partitionOf(hi, 2) === partition) return `t${n}`;
  }
}

/** Says that a later version wrote the newest segment of the log, so that the shard refuses to start; returns what mends it. */
function breakLog(dir: string): () => void {
  const folder = join(dir, "data/shards/1/wal");
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith(".wal"))
    .sort()
    .at(-1) as string;
  const path = join(folder, newest);
  const good = readFileSync(path);
  const bad = Buffer.from(good);
  bad.writeUInt32LE(99, 4);
  bad.writeUInt32LE(crc32c(bad, 0, 28), 28);
  writeFileSync(path, bad);
  return () => writeFileSync(path, good);
}

it("pages for living shards, and makes up for the dead one when it is back", { timeout: 120_000 }, async () => {
  const pager = await startPager();
  const dying = join(tempDir(), "dying");
  const preload = `--import=${join(import.meta.dirname, "dying-shard.fixture.mjs")}`;
  const options = {
    config: configWith("global: { evaluation_interval: 1s }\nstorage: { partitions: 2 }\n"),
    files: {
      "rules.yml": RULES,
      "alertmanager.yml": alertmanagerFor(pager.port).replace("[alertname]", "[alertname, tank]"),
    },
    wrapper: () => ["env", `DYING_SHARD=${dying}`, `NODE_OPTIONS=${preload}`],
  };
  let tocsin = await startTocsin(options);
  const [living, dead] = [tankIn(0), tankIn(1)];
  const level = async (tank: string, value: number) => {
    const { status } = await push(tocsin.url, [
      { labels: { __name__: "level", tank }, samples: [[Date.now(), value]] },
    ]);
    expect(status).toBe(204);
  };
  const said = () =>
    pager.pages.map((p) => `${p.status} ${p.groupLabels.alertname} ${p.groupLabels.tank ?? ""}`.trim()).sort();
  const told = (what: string) => until(() => said().includes(what), what, 40_000);
  const shown = async (alert: string) => {
    const { data } = (await (await fetch(`${tocsin.url}/api/v1/alerts`)).json()) as {
      data: { alerts: { labels: Record<string, string>; state: string; reason?: string }[] };
    };
    return data.alerts.find((a) => `${a.labels.alertname} ${a.labels.tank ?? ""}`.trim() === alert);
  };

  await level(dead, 42);
  await level(living, 1);
  await told(`firing High ${dead}`);
  writeFileSync(dying, "");
  await until(async () => (await shown(`High ${dead}`))?.reason === "shard_missing", "it is known why it is not seen");

  // What the living shard has pages as before; what is sent to the dead one waits in its stream.
  const begun = performance.now();
  await level(living, 42);
  await told(`firing High ${living}`);
  // An interval and room for a busy machine: less than TocsinShardsDown is held back, so nothing here waits for the dead one.
  expect(performance.now() - begun).toBeLessThan(10_000);
  await level(dead, 60);
  await told("firing TocsinShardsDown");
  const before = ["firing TocsinShardsDown", `firing High ${dead}`, `firing High ${living}`].sort();
  expect(said()).toEqual(before);

  // Killed, and dead from its start: what fires is neither told again nor resolved, and what can be seen pages.
  // Killed before that is written down, it would be told again under the same key.
  await until(() => toldInLedger(tocsin.dir) >= 3, "all is written down");
  await tocsin.killGroup();
  rmSync(dying);
  const mend = breakLog(tocsin.dir);
  tocsin = await startTocsin({ ...options, dir: tocsin.dir, wait: false });
  await until(async () => (await fetch(`${tocsin.url}/-/healthy`)).ok, "it is there");
  await until(async () => (await shown(`High ${dead}`))?.reason === "shard_missing", "it knows of it");
  await level(living, 61);
  await told(`firing VeryHigh ${living}`);
  expect(said()).toEqual([...before, `firing VeryHigh ${living}`].sort());

  // Mended: it starts by itself, and what was sent meanwhile is seen.
  mend();
  await told(`firing VeryHigh ${dead}`);
  await told("firing Sum");
  await until(async () => (await fetch(`${tocsin.url}/-/ready`)).ok, "it is ready");
  await level(living, 1);
  await level(dead, 1);
  // Told by the process before.
  await told("resolved TocsinShardsDown");
  for (const what of [`High ${dead}`, `High ${living}`, `VeryHigh ${dead}`, `VeryHigh ${living}`, "Sum"]) {
    await told(`resolved ${what}`);
  }
  await tocsin.stop();
  // Once each, and the end of each.
  expect(new Set(said()).size).toBe(pager.pages.length);
  expect(said().filter((s) => s.startsWith("firing"))).toHaveLength(6);
  pager.close();
});
