import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { afterEach, beforeEach, describe } from "vitest";
import { makeScrapeManager } from "../../../src/actors/collector/scrape-manager.ts";
import type { DeathNotice } from "../../../src/actors/runtime/death.ts";
import { makeDynamicSupervisor } from "../../../src/actors/runtime/dynamic-supervisor.ts";
import { KEEP_TRYING } from "../../../src/actors/runtime/supervisor.ts";
import type { Config } from "../../../src/model/config.ts";
import { findNodeExporter, seriesByName, startNodeExporter } from "../../agent/node-exporter.ts";
import { type RecordingIngest, recordingIngest } from "../../streams/outbox/recording-ingest.ts";
import { configOf } from "./jobs.ts";

/** A target whose answers the test decides. */
interface TestTarget {
  readonly address: string;
  body: string;
  answer: ((response: ServerResponse) => void) | undefined;
  close(): void;
}

async function startTarget(body: string): Promise<TestTarget> {
  const server = createServer((_, response) => {
    if (target.answer !== undefined) target.answer(response);
    else response.writeHead(200, { "content-type": "text/plain" }).end(target.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const target: TestTarget = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    body,
    answer: undefined,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return target;
}

let ingest: RecordingIngest;
let targets: TestTarget[];
let dir: string;
let deaths: DeathNotice[];
let problems: string[];
beforeEach(() => {
  ingest = recordingIngest();
  targets = [];
  deaths = [];
  problems = [];
  dir = mkdtempSync(join(tmpdir(), "tocsin-scrape-"));
});
afterEach(() => {
  for (const target of targets) target.close();
  rmSync(dir, { recursive: true });
});

const newTarget = (body = "a 1\n") =>
  Effect.promise(async () => {
    const target = await startTarget(body);
    targets.push(target);
    return target;
  });

const startManager = Effect.fnUntraced(function* (config: Config) {
  const supervisor = yield* makeDynamicSupervisor("scrape", KEEP_TRYING, (notice) => void deaths.push(notice));
  return yield* makeScrapeManager({
    ingest,
    config,
    supervisor,
    selfAddress: "127.0.0.1:1",
    onProblem: (message) => problems.push(message),
  });
});

/** Lets one interval of 10 s pass and waits until `appends` more batches are with the gateway. */
const interval = (appends: number) =>
  Effect.gen(function* () {
    const before = ingest.appends;
    yield* TestClock.adjust("10 seconds");
    yield* Effect.promise(() => ingest.until(() => ingest.appends >= before + appends));
  });

const jobOf = (name: string, keys: string) =>
  `{ job_name: ${name}, scrape_interval: 10s, scrape_timeout: 5s, ${keys} }`;
const statics = (...addresses: string[]) =>
  `static_configs: [{ targets: [${addresses.map((a) => `"${a}"`).join(", ")}] }]`;
const config = (...jobs: string[]) => configOf(`scrape_configs: [${jobs.join(", ")}]`, dir);
const values = (series: string) => ingest.of(series).map(([, value]) => value);

describe("the scrape manager", () => {
  it.effect("scrapes each target once an interval, at equal distances", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* newTarget(), yield* newTarget("b 2\n")];
      const manager = yield* startManager(config(jobOf("j", statics(one.address, two.address))));
      assert.deepStrictEqual(
        manager.targets().map((t) => t.health),
        ["unknown", "unknown"],
      );
      for (let i = 0; i < 3; i++) yield* interval(2);
      const times = ingest.of("a{").map(([t]) => t);
      assert.deepStrictEqual(
        times.map((t) => t - (times[0] ?? 0)),
        [0, 10_000, 20_000],
      );
      assert.deepStrictEqual(values("b{"), [2, 2, 2]);
      assert.deepStrictEqual(values(`up{instance="${one.address}", job="j"}`), [1, 1, 1]);
      const status = manager.targets()[0];
      assert.strictEqual(status?.health, "up");
      assert.strictEqual(status?.scrapeUrl, `http://${one.address}/metrics`);
      assert.strictEqual(status?.lastScrape, new Date(times[2] ?? 0).toISOString());
      assert.strictEqual(status?.scrapeInterval, "10s");
      assert.deepStrictEqual({ ...status?.labels }, { instance: one.address, job: "j" });
      assert.strictEqual(manager.stats().scrapes, 6);
      assert.strictEqual(manager.stats().outbox.waiting, 0);
    }),
  );

  it.effect("one bad target leaves the others alone, and shows why it is down until it is back", () =>
    Effect.gen(function* () {
      const [good, bad] = [yield* newTarget(), yield* newTarget("b 1\n")];
      bad.answer = (response) => void response.writeHead(500).end();
      const manager = yield* startManager(config(jobOf("j", statics(good.address, bad.address))));
      yield* interval(2);
      bad.body = "???";
      bad.answer = undefined;
      yield* interval(2);
      assert.match(manager.targets()[1]?.lastError ?? "", /^line 1: /);
      bad.body = "b 1\n";
      yield* interval(2);
      bad.answer = (response) => void response.destroy();
      yield* interval(2);
      assert.deepStrictEqual(values(`up{instance="${bad.address}"`), [0, 0, 1, 0]);
      assert.deepStrictEqual(values("b{"), [1, "stale"]);
      assert.deepStrictEqual(values(`up{instance="${good.address}"`), [1, 1, 1, 1]);
      assert.deepStrictEqual(
        problems.map((p) => p.replace(/.* of job j /, "").replace(/: .*/, "")),
        ["is down", "is up again", "is down"],
      );
      assert.deepStrictEqual(deaths, []);
    }),
  );

  it.effect("a job that did not change is not disturbed by a reload; series of a target that is gone end", () =>
    Effect.gen(function* () {
      const [keep, gone] = [yield* newTarget("k 1\n"), yield* newTarget("g 1\n")];
      const kept = jobOf("kept", statics(keep.address));
      const manager = yield* startManager(config(kept, jobOf("gone", statics(gone.address))));
      yield* interval(2);
      yield* manager.reload(config(jobOf("new", statics(gone.address)), kept));
      yield* interval(3);
      assert.deepStrictEqual(values("k{"), [1, 1]);
      assert.deepStrictEqual(values(`g{instance="${gone.address}", job="gone"}`), [1, "stale"]);
      assert.deepStrictEqual(values(`up{instance="${gone.address}", job="gone"}`), [1, "stale"]);
      assert.deepStrictEqual(values(`g{instance="${gone.address}", job="new"}`), [1]);
      assert.deepStrictEqual(
        manager.targets().map((t) => t.scrapePool),
        ["new", "kept"],
      );
    }),
  );

  it.effect("a target that stays when its job changes keeps its series: no gap, no marker, vanished ones end", () =>
    Effect.gen(function* () {
      const target = yield* newTarget("a 1\nb 1\n");
      const manager = yield* startManager(config(jobOf("j", statics(target.address))));
      yield* interval(1);
      const dropB = "metric_relabel_configs: [{ source_labels: [__name__], regex: b, action: drop }]";
      yield* manager.reload(config(jobOf("j", `${statics(target.address)}, ${dropB}`)));
      yield* interval(1);
      assert.deepStrictEqual(values("a{"), [1, 1]);
      assert.deepStrictEqual(values("b{"), [1, "stale"]);
      assert.deepStrictEqual(values("up{"), [1, 1]);
    }),
  );

  it.effect("targets come and go with the files that name them", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* newTarget("a 1\n"), yield* newTarget("b 1\n")];
      const file = join(dir, "t.json");
      const write = (...addresses: string[]) => writeFileSync(file, JSON.stringify([{ targets: addresses }]));
      write(one.address);
      const manager = yield* startManager(config(jobOf("j", `file_sd_configs: [{ files: ["*.json"] }]`)));
      // The files are watched in real time, the clock of the scrapes is the test's.
      const settled = (n: number) =>
        Effect.gen(function* () {
          while (manager.targets().length !== n) {
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)));
            yield* TestClock.adjust("100 millis");
          }
        });
      yield* settled(1);
      yield* interval(1);
      write(one.address, two.address);
      yield* settled(2);
      yield* interval(2);
      assert.include(values("b{"), 1);
      write(two.address);
      yield* settled(1);
      yield* interval(1);
      yield* Effect.promise(() => ingest.until(() => values("a{").at(-1) === "stale"));
      assert.strictEqual(values("b{").at(-1), 1);
    }),
  );

  it.effect("relabeling drops targets, and too many of them fail as a whole", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* newTarget(), yield* newTarget()];
      const drop = `relabel_configs: [{ source_labels: [__address__], regex: '${two.address}', action: drop }]`;
      const both = statics(one.address, two.address);
      const manager = yield* startManager(
        config(jobOf("j", `${both}, ${drop}`), jobOf("l", `${both}, target_limit: 1`)),
      );
      yield* interval(3);
      assert.strictEqual(manager.dropped()[0]?.discoveredLabels.__address__, two.address);
      assert.deepStrictEqual(
        manager.targets().map((t) => `${t.scrapePool} ${t.health} ${t.lastError}`),
        [
          "j up ",
          "l down target_limit exceeded: 2 targets, the limit is 1",
          "l down target_limit exceeded: 2 targets, the limit is 1",
        ],
      );
    }),
  );

  it.effect("the address self is this server", () =>
    Effect.gen(function* () {
      const manager = yield* startManager(config(jobOf("j", statics("self"))));
      assert.strictEqual(manager.targets()[0]?.scrapeUrl, "http://127.0.0.1:1/metrics");
    }),
  );

  it.effect("a target's actor that crashes is restarted, and what it knew of its series is not lost", () =>
    Effect.gen(function* () {
      const target = yield* newTarget("a 1\nb 1\n");
      yield* startManager(config(jobOf("j", statics(target.address))));
      yield* interval(1);
      const { series } = ingest;
      ingest.series = () => {
        throw new RangeError("a bug");
      };
      target.body = "c 1\n";
      yield* TestClock.adjust("10 seconds");
      while (deaths.length === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)));
      ingest.series = series;
      target.body = "a 2\n";
      yield* interval(1);
      assert.match(deaths[0]?.reason ?? "", /a bug/);
      assert.deepStrictEqual(values("a{"), [1, 2]);
      assert.deepStrictEqual(values("b{"), [1, "stale"]);
    }),
  );
});

const binary = findNodeExporter();

describe.skipIf(binary === undefined)(
  `a real node_exporter${binary === undefined ? " (none is installed)" : ""}`,
  () => {
    it.effect("is scraped in full, and goes down with it", () =>
      Effect.gen(function* () {
        const exporter = yield* Effect.promise(() => startNodeExporter(binary as string));
        yield* Effect.addFinalizer(() => Effect.sync(exporter.stop));
        const text = yield* Effect.promise(async () => (await fetch(`http://${exporter.address}/metrics`)).text());
        const expected = [...seriesByName(text).keys()].sort();
        const manager = yield* startManager(config(jobOf("node", statics(exporter.address))));
        yield* interval(1);
        assert.strictEqual(manager.targets()[0]?.lastError, "");
        const scraped = new Set(ingest.samples.map((s) => s.labels.__name__ ?? ""));
        for (const name of ["up", "scrape_duration_seconds", "scrape_series_added"])
          assert.isTrue(scraped.delete(name));
        for (const name of ["scrape_samples_scraped", "scrape_samples_post_metric_relabeling"]) scraped.delete(name);
        assert.deepStrictEqual([...scraped].sort(), expected);
        assert.isAbove(ingest.samples.length, 300);
        exporter.stop();
        yield* interval(1);
        assert.deepStrictEqual(values("up{"), [1, 0]);
        assert.strictEqual(values("node_load1{").at(-1), "stale");
      }),
    );
  },
);
