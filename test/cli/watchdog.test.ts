import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

// Real processes: the program that watches, the provider that it pages, and heartbeats.
const ROOT = join(import.meta.dirname, "../..");
const servers: Server[] = [];
const children: ChildProcess[] = [];
afterEach(() => {
  for (const s of servers.splice(0)) {
    s.close();
    s.closeAllConnections();
  }
  for (const c of children.splice(0)) c.kill("SIGKILL");
});

async function provider() {
  const pages: { path: string; body: Record<string, unknown> }[] = [];
  const answers: number[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      const status = answers.shift() ?? 202;
      if (status < 300) pages.push({ path: request.url ?? "", body: JSON.parse(text) as Record<string, unknown> });
      response.writeHead(status).end("{}");
      for (const w of waiting) if (pages.length >= w.count) w.resolve();
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const waitFor = (count: number) =>
    pages.length >= count ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ count, resolve }));
  return { url, pages, answers, waitFor };
}

async function startWatchdog(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(join(ROOT, "bin/tocsin"), ["watchdog", "--listen", "127.0.0.1:0", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  children.push(child);
  let output = "";
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const url = await new Promise<string>((resolve) => {
    child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
      output += piece;
      const found = /heartbeats to (http:\S+)\/heartbeat/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => resolve(""));
  });
  return {
    url,
    output: () => output,
    ended,
    beat: (body = '{"status":"firing"}') => fetch(`${url}/heartbeat`, { method: "POST", body }),
    text: async (path: string) => {
      const response = await fetch(`${url}${path}`);
      return { status: response.status, text: await response.text() };
    },
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    stop: (signal: NodeJS.Signals) => {
      child.kill(signal);
      return ended;
    },
  };
}

/** Resolves when so many pages of this process could not be sent. */
async function failures(dog: Awaited<ReturnType<typeof startWatchdog>>, count: number): Promise<void> {
  for (;;) {
    const found = /^tocsin_watchdog_page_failures_total (\d+)$/m.exec((await dog.text("/metrics")).text)?.[1];
    if (Number(found) >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const stateFile = () => join(mkdtempSync(join(tmpdir(), "tocsin-watchdog-")), "state.json");

describe("tocsin watchdog", () => {
  it("pages PagerDuty once when heartbeats stop, over kill -9, and resolves when they come back", async () => {
    const pager = await provider();
    pager.answers.push(500); // the first attempt fails
    const state = stateFile();
    const args = ["--timeout", "1s", "--page", `pagerduty:KEY123@${pager.url}/v2/enqueue`, "--state", state];
    let dog = await startWatchdog(args);
    await dog.beat();
    expect((await dog.text("/healthz")).text).toMatch(/^ok\nlast heartbeat: 20/);
    await pager.waitFor(1);
    const page = pager.pages[0]?.body as Record<string, unknown>;
    expect(page).toMatchObject({
      routing_key: "KEY123",
      event_action: "trigger",
      payload: { severity: "critical", source: "tocsin", summary: expect.stringContaining("no heartbeat for 1s") },
    });
    expect((await dog.text("/healthz")).text).toMatch(/^heartbeat missing/);
    const metrics = (await dog.text("/metrics")).text;
    expect(metrics).toMatch(/^tocsin_watchdog_heartbeat_missing 1$/m);
    expect(metrics).toMatch(/^tocsin_watchdog_page_failures_total 1$/m);
    // One that is killed before that is on disk pages again, under the same key.
    while (!readFileSync(state, "utf8").includes('"paged":true'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    await dog.stop("SIGKILL");
    dog = await startWatchdog(args);
    expect((await dog.text("/metrics")).text).toMatch(/^tocsin_watchdog_heartbeat_missing 1$/m);
    // The end of the alert that always fires is no sign of life.
    expect(await (await dog.beat('{"status":"resolved"}')).text()).toMatch(/not a heartbeat/);
    await dog.beat();
    await pager.waitFor(2);
    expect(pager.pages[1]?.body).toMatchObject({ event_action: "resolve", dedup_key: page.dedup_key });
    expect(pager.pages.length).toBe(2);
    expect(await dog.stop("SIGTERM")).toBe(0);
  });

  it("pages a webhook when no heartbeat ever came, with the target from a file", async () => {
    const pager = await provider();
    const state = stateFile();
    const target = `${state}.target`;
    writeFileSync(target, `${pager.url}/hook\n`);
    const dog = await startWatchdog(["--timeout", "300ms", "--page-file", target, "--state", state, "--name", "prod"]);
    await pager.waitFor(1);
    expect(pager.pages[0]).toMatchObject({
      path: "/hook",
      body: {
        version: "4",
        status: "firing",
        alerts: [{ status: "firing", annotations: { summary: expect.stringContaining("prod: no heartbeat") } }],
      },
    });
    await dog.stop("SIGTERM");
    expect(JSON.parse(readFileSync(state, "utf8"))).toMatchObject({ version: 1, incident: { paged: true } });
  });

  it("sends a page that nobody took after a restart, once, under its key, and no end of one that nobody heard", async () => {
    const pager = await provider();
    pager.answers.push(...Array<number>(1000).fill(503));
    const state = stateFile();
    const args = ["--timeout", "300ms", "--page", `pagerduty:KEY@${pager.url}/`, "--state", state];
    let dog = await startWatchdog(args);
    await failures(dog, 1);
    expect((await dog.text("/healthz")).status).toBe(503);
    const { incident } = JSON.parse(readFileSync(state, "utf8")) as { incident: { key: string } };
    await dog.stop("SIGKILL");
    dog = await startWatchdog(args);
    await failures(dog, 1);
    await dog.stop("SIGKILL");
    expect(pager.pages).toEqual([]);
    pager.answers.length = 0;
    dog = await startWatchdog(args);
    await pager.waitFor(1);
    expect(pager.pages[0]?.body).toMatchObject({ event_action: "trigger", dedup_key: incident.key });
    await dog.stop("SIGTERM");
    dog = await startWatchdog(args);
    await dog.beat();
    await pager.waitFor(2);
    expect(pager.pages.map((p) => p.body.event_action)).toEqual(["trigger", "resolve"]);
  });

  it("that stood still reads the heartbeats of meanwhile before it pages", async () => {
    const pager = await provider();
    const dog = await startWatchdog(["--timeout", "3s", "--page", pager.url, "--state", stateFile()]);
    await dog.beat();
    dog.signal("SIGSTOP");
    // It comes while nobody reads, in time.
    const beat = dog.beat();
    await new Promise((resolve) => setTimeout(resolve, 4000));
    dog.signal("SIGCONT");
    expect((await beat).status).toBe(200);
    expect((await dog.text("/metrics")).text).toMatch(/^tocsin_watchdog_heartbeats_total 2$/m);
    expect((await dog.text("/metrics")).text).toMatch(/^tocsin_watchdog_heartbeat_missing 0$/m);
    expect(pager.pages).toEqual([]);
  });

  it("says what is wrong with what it is given", async () => {
    const bad = async (...args: string[]) => {
      const dog = await startWatchdog([...args, "--state", stateFile()]);
      return [await dog.ended, dog.output()];
    };
    expect(await bad()).toEqual([1, expect.stringContaining("whom to page")]);
    expect(await bad("--page", "mailto:x")).toEqual([1, expect.stringContaining("pagerduty:ROUTING_KEY")]);
    expect(await bad("--page", "http://x", "--timeout", "soon")).toEqual([1, expect.stringContaining("soon")]);
    expect(await bad("--page", "http://x", "--timeout", "0s")).toEqual([1, expect.stringContaining("--timeout")]);
    expect(await bad("--page", "http://x", "--listen", "nowhere")).toEqual([1, expect.stringContaining("--listen")]);
    expect(await bad("--page-file", "/nowhere/target")).toEqual([1, expect.stringContaining("--page-file")]);
    // The key is not told to those who read logs.
    expect(await bad("--page", "pagerduty:a secret")).toEqual([1, expect.not.stringContaining("a secret")]);
    const pager = await provider();
    const taken = new URL(pager.url).host;
    expect(await bad("--page", pager.url, "--listen", taken)).toEqual([1, expect.stringContaining("EADDRINUSE")]);
    const dog = await startWatchdog(["--page", pager.url, "--state", "/nowhere/state.json"]);
    expect([await dog.ended, dog.output()]).toEqual([1, expect.stringContaining("--state")]);
  });
});
