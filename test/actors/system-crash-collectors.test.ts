import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import { TestClock } from "effect/testing";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { makeScrapeManager } from "../../src/actors/collector/scrape-manager.ts";
import { makeDynamicSupervisor } from "../../src/actors/runtime/dynamic-supervisor.ts";
import { KEEP_TRYING, oneForOne } from "../../src/actors/runtime/supervisor.ts";
import { makeHostCollector } from "../../src/agent/host-collector.ts";
import type { Labels } from "../../src/model/labels.ts";
import { type RecordingIngest, recordingIngest } from "../streams/outbox/recording-ingest.ts";
import { configOf } from "./collector/jobs.ts";
import { type DeathWatch, failsOnce, pass, until, wait, watchDeaths } from "./crash-watch.ts";

let ingest: RecordingIngest;
let watch: DeathWatch;
let dir: string;
let servers: Server[];
beforeEach(() => {
  ingest = recordingIngest();
  watch = watchDeaths();
  dir = mkdtempSync(join(tmpdir(), "tocsin-crash-"));
  servers = [];
});
afterEach(() => {
  for (const server of servers) server.close().closeAllConnections();
  rmSync(dir, { recursive: true });
});

/** A target that answers with the body it has at the time; returns its address. */
const startTarget = (target: { body: string }) =>
  Effect.promise(async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/plain" }).end(target.body);
    });
    servers.push(server);
    await new Promise<void>((up) => server.listen(0, "127.0.0.1", up));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

const startScrapes = Effect.fnUntraced(function* (jobKeys: string, onProblem: (line: string) => void = () => {}) {
  const supervisor = yield* makeDynamicSupervisor("scrapes", KEEP_TRYING, watch.onDeath);
  const job = `{ job_name: j, scrape_interval: 10s, scrape_timeout: 5s, ${jobKeys} }`;
  const config = configOf(`scrape_configs: [${job}]`, dir);
  return yield* makeScrapeManager({ ingest, config, supervisor, onProblem });
});

/** Lets an interval of 10 s pass and waits for so many scrapes to be with the gateway. */
const interval = (appends: number) =>
  Effect.suspend(() => {
    const before = ingest.appends;
    return Effect.andThen(
      wait(10_000),
      until(() => ingest.appends >= before + appends),
    );
  });
/** A gateway whose first answer is none. */
const answersNothingOnce = (append: RecordingIngest["append"]): RecordingIngest["append"] => {
  let answers = 0;
  return (refs, ts, v) => (answers++ === 0 ? Promise.resolve(undefined as never) : append(refs, ts, v));
};
const named = (name: string) => (_tenant: string, labels: Labels) => labels.includes(name);
const values = (series: string) => ingest.of(series).map(([, value]) => value);

describe("a scrape target that dies", () => {
  it.effect("is scraped again at its next tick, knows its series, and its sibling notices nothing", () =>
    Effect.gen(function* () {
      const [one, two] = [{ body: "a 1\nb 1\n" }, { body: "sibling 1\n" }];
      const [first, second] = [yield* startTarget(one), yield* startTarget(two)];
      ingest.series = failsOnce(ingest.series, named("poison"));
      const manager = yield* Effect.provide(
        startScrapes(`static_configs: [{ targets: ["${first}", "${second}"] }]`),
        watch.log,
      );
      yield* interval(2);
      one.body = "a 2\nb 2\npoison 1\n";
      yield* interval(1);
      yield* until(() => watch.notices.length === 1);
      one.body = "a 3\npoison 3\n";
      yield* wait(10_200);
      yield* until(() => values("a{").length === 2);
      expect(values("a{")).toEqual([1, 3]);
      expect(values("poison{")).toEqual([3]);
      // It was there before the death and is not any more.
      expect(values("b{")).toEqual([1, "stale"]);
      expect(values("sibling{").length).toBeGreaterThanOrEqual(3);
      expect(manager.stats()).toMatchObject({ targets: 2, failures: 0 });
      const child = `j http://${first}/metrics #1`;
      expect(watch.notices).toMatchObject([{ supervisor: "scrapes", child, kind: "failure", action: "restart" }]);
      expect(yield* Effect.promise(watch.counted)).toEqual({ [`scrapes/${child}`]: 1 });
      expect(watch.lines).toContainEqual(
        expect.stringMatching(/^scrapes\/j http:.* died \(TypeError: a fault for the test\); restarting/),
      );
    }),
  );
});

describe("a file discovery that dies", () => {
  it.effect("comes back with the last good targets of a file that is broken", () =>
    Effect.gen(function* () {
      const address = yield* startTarget({ body: "a 1\n" });
      const file = join(dir, "targets.yml");
      writeFileSync(file, `[{ targets: ["${address}"] }]`);
      const problems: string[] = [];
      const onProblem = failsOnce((line: string) => void problems.push(line));
      const manager = yield* startScrapes(
        "file_sd_configs: [{ files: [targets.yml], refresh_interval: 1m }]",
        onProblem,
      );
      yield* until(() => manager.targets().length === 1);
      yield* interval(1);
      writeFileSync(file, "[{ targets: ");
      yield* pass(() => watch.notices.length === 1);
      expect(watch.notices).toMatchObject([{ supervisor: "scrapes", child: "j file_sd #1", action: "restart" }]);
      // The next incarnation reads the broken file, says so, and keeps what it knew.
      yield* pass(() => problems.length > 0);
      expect(problems[0]).toContain(file);
      expect(manager.targets().map((t) => t.scrapeUrl)).toEqual([`http://${address}/metrics`]);
      yield* interval(1);
      expect(values("a{").every((v) => v === 1)).toBe(true);
      writeFileSync(file, `[{ targets: ["${address}", "127.0.0.1:1"] }]`);
      yield* pass(() => manager.targets().length === 2);
      expect(watch.notices).toHaveLength(1);
    }),
  );
});

describe("an outbox that dies", () => {
  it.effect("loses the batch that killed it and sends what comes and what waits", () =>
    Effect.gen(function* () {
      const address = yield* startTarget({ body: "a 1\n" });
      ingest.append = answersNothingOnce(ingest.append);
      yield* startScrapes(`static_configs: [{ targets: ["${address}"] }]`);
      yield* wait(10_000);
      yield* until(() => watch.notices.length === 1);
      expect(watch.notices).toMatchObject([{ supervisor: "scrapes", child: "outbox", action: "restart" }]);
      yield* wait(200);
      yield* interval(1);
      yield* interval(1);
      expect(values("a{")).toEqual([1, 1]);
    }),
  );
});

describe("a host collector that dies", () => {
  it.effect("collects again after the backoff and knows its series; its sibling goes on", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_000);
      mkdirSync(join(dir, "proc"));
      const disks = (...names: string[]) =>
        writeFileSync(join(dir, "proc/diskstats"), names.map((d) => `8 0 ${d} 1 2 3 4 5 6 7 8 9 10 11\n`).join(""));
      const roots = { proc: join(dir, "proc"), sys: join(dir, "sys"), root: dir };
      ingest.series = failsOnce(ingest.series, named("up"));
      const host = makeHostCollector({ ingest, intervalMs: 5000, instance: "i", host: roots });
      disks("sda", "sdb");
      const siblings: number[] = [];
      const sibling = Effect.forever(
        Effect.andThen(
          Effect.sleep(1000),
          Effect.sync(() => siblings.push(0)),
        ),
      );
      const tree = oneForOne(
        "collectors",
        [
          { id: "host", restart: "permanent", run: host.run },
          { id: "scrapes", restart: "permanent", run: sibling },
        ],
        KEEP_TRYING,
        watch.onDeath,
      );
      yield* Effect.forkChild(Effect.provide(tree, watch.log));
      yield* until(() => watch.notices.length === 1);
      expect(watch.notices).toMatchObject([{ supervisor: "collectors", child: "host", action: "restart" }]);
      disks("sda", "sdc");
      yield* wait(200);
      yield* until(() => ingest.appends === 1);
      const io = (device: string) => values(`node_disk_io_now{device="${device}", instance="i", job="node"}`);
      expect(io("sda")).toEqual([9]);
      // Known to the round that died, and gone.
      expect(io("sdb")).toEqual(["stale"]);
      expect(io("sdc")).toEqual([9]);
      // Its sender dies of an answer that is none: the batch is lost, the collector goes on.
      const { append } = ingest;
      ingest.append = answersNothingOnce(append);
      yield* wait(5000);
      yield* until(() => watch.notices.length === 2);
      yield* wait(500);
      yield* until(() => ingest.appends === 2);
      expect(io("sda")).toEqual([9, 9]);
      expect(siblings.length).toBeGreaterThan(0);
      expect(yield* Effect.promise(watch.counted)).toEqual({ "collectors/host": 2 });
    }),
  );
});
