import { chmodSync, mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { freePort, killLeftOvers, processesOf, push, query, startTocsin, tempDir, until } from "./tocsin.ts";

afterAll(killLeftOvers);

describe("start and stop", () => {
  /** Unix seconds. */
  let pushedAt: number;
  let dir: string;

  it("stops cleanly on SIGTERM and leaves nothing running", async () => {
    const first = await startTocsin();
    const now = Date.now();
    const labels = { __name__: "history", host: "a" };
    expect(
      (
        await push(first.url, [
          {
            labels,
            samples: [
              [now - 1000, 1],
              [now, 2],
            ],
          },
        ])
      ).status,
    ).toBe(204);
    await until(async () => (await query(first.url, "history", now / 1000)).length === 1, "the sample is there");
    expect(await first.stop()).toBe(0);
    expect(processesOf(first.dir)).toEqual([]);
    ({ dir } = first);
    pushedAt = now / 1000;
  });

  it("has its history when started again, refuses others its data dir, and takes its children along when killed", async () => {
    const tocsin = await startTocsin({ dir });
    const found = await query(tocsin.url, "count_over_time(history[1m])", pushedAt);
    expect(found).toEqual([{ metric: { host: "a" }, value: [pushedAt, "2"] }]);

    const second = await startTocsin({ dir, wait: false });
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain("another tocsin process uses the data dir");
    expect((await fetch(`${tocsin.url}/-/ready`)).status).toBe(200);

    expect(processesOf(tocsin.dir).length).toBeGreaterThan(1);
    process.kill(tocsin.pid, "SIGKILL");
    expect(await tocsin.ended).toBe("SIGKILL");
    await until(() => processesOf(tocsin.dir).length === 0, "its nats-server ended too");
  });

  it("refuses a port in use", async () => {
    const port = await freePort();
    const other = createServer().listen(port, "127.0.0.1");
    const tocsin = await startTocsin({ port, wait: false });
    expect(await tocsin.ended).toBe(1);
    expect(tocsin.output()).toContain(`127.0.0.1:${port} is in use`);
    other.close();
  });

  it.skipIf(process.getuid?.() === 0)(
    "refuses a data dir that it cannot write (passed over as root, who can)",
    async () => {
      const dir = tempDir();
      mkdirSync(join(dir, "data"));
      chmodSync(join(dir, "data"), 0o500);
      const tocsin = await startTocsin({ dir, wait: false });
      expect(await tocsin.ended).toBe(1);
      expect(tocsin.output()).toContain("cannot write to the data dir");
    },
  );

  it("names every problem of a configuration with its line", async () => {
    const tocsin = await startTocsin({
      config: "global:\n  scrape_intervall: 5s\nagent: { enabled: 7 }\n",
      wait: false,
    });
    expect(await tocsin.ended).toBe(1);
    expect(tocsin.output()).toMatch(/tocsin\.yml:3:\d+: .*scrape_intervall/);
    expect(tocsin.output()).toMatch(/tocsin\.yml:4:\d+: expected true or false/);
  });
});
