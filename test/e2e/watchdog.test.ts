import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { freePort, killLeftOvers, startTocsin, tempDir, until } from "./tocsin.ts";

const children: ChildProcess[] = [];
const servers: Server[] = [];
afterAll(() => {
  for (const c of children) c.kill("SIGKILL");
  for (const s of servers) s.close();
  killLeftOvers();
});

/** Takes pages at this port; they are in the list as they come. */
async function startPager(port: number): Promise<{ status: string }[]> {
  const pages: { status: string }[] = [];
  const pager = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => {
      body += part;
    });
    request.on("end", () => {
      pages.push(JSON.parse(body) as { status: string });
      response.end();
    });
  });
  servers.push(pager);
  await new Promise<void>((resolve) => pager.listen(port, "127.0.0.1", resolve));
  return pages;
}

function startDog(of: { watched: number; paged: number; timeout: string; state: string }): ChildProcess {
  const args = ["watchdog", "--listen", `127.0.0.1:${of.watched}`, "--timeout", of.timeout, "--state", of.state];
  const dog = spawn(
    join(import.meta.dirname, "../../bin/tocsin"),
    [...args, "--page", `http://127.0.0.1:${of.paged}/`],
    { stdio: "ignore" },
  );
  children.push(dog);
  return dog;
}

// Side by side: both wait for most of their time.
describe.concurrent("a watchdog beside a real Tocsin", () => {
  it("pages when it is killed, and resolves when it is back; dead letters are told", async () => {
    const [watched, paged] = [await freePort(), await freePort()];
    const pages = await startPager(paged);
    startDog({ watched, paged, timeout: "20s", state: join(tempDir(), "state.json") });
    const alertmanager = `route: { receiver: nobody }
receivers:
  - name: nobody
  - name: watchdog
    webhook_configs: [{ url: "http://127.0.0.1:${watched}/heartbeat" }]
heartbeat: { receiver: watchdog, interval: 1s }
`;
    const config = "agent: { enabled: false }\nalertmanager_config_file: alertmanager.yml\n";
    let tocsin = await startTocsin({ config, files: { "alertmanager.yml": alertmanager } });
    const beats = async () => {
      const text = await (await fetch(`http://127.0.0.1:${watched}/metrics`)).text();
      return Number(/^tocsin_watchdog_heartbeats_total (\d+)$/m.exec(text)?.[1]);
    };
    await until(async () => (await beats()) >= 3, "three heartbeats");
    const letters = await fetch(`${tocsin.url}/api/v1/notifications/dead-letters`);
    expect(await letters.json()).toEqual({ status: "success", data: { deadLetters: [] } });
    const redrive = (query: string) =>
      fetch(`${tocsin.url}/api/v1/notifications/dead-letters/redrive${query}`, { method: "POST" });
    expect((await redrive("")).status).toBe(400);
    expect((await redrive("?id[]=none")).status).toBe(404);
    expect(pages).toEqual([]);
    await tocsin.killGroup();
    await until(() => pages.length === 1, "the page");
    expect(pages[0]?.status).toBe("firing");
    tocsin = await startTocsin({ config, dir: tocsin.dir });
    await until(() => pages.length === 2, "the end of the page");
    expect(pages[1]?.status).toBe("resolved");
    await tocsin.stop();
  });

  it("pages when the network between them is gone, and resolves when it is back", async () => {
    const [between, watched, paged] = [await freePort(), await freePort(), await freePort()];
    const pages = await startPager(paged);
    // What goes through it is lost without a word while it is cut.
    let cut = false;
    const sockets = new Set<Socket>();
    const wire = createTcpServer((from) => {
      sockets.add(from);
      from.on("error", () => from.destroy());
      if (cut) return;
      const to = connect(watched, "127.0.0.1");
      to.on("error", () => to.destroy());
      from.on("data", (piece) => void (cut || to.write(piece)));
      to.on("data", (piece) => void (cut || from.write(piece)));
      from.on("close", () => to.destroy());
      to.on("close", () => from.destroy());
    });
    await new Promise<void>((resolve) => wire.listen(between, "127.0.0.1", resolve));
    const state = join(tempDir(), "state.json");
    const watch = () => startDog({ watched, paged, timeout: "15s", state });
    const dog = watch();
    const tocsin = await startTocsin({
      config: "agent: { enabled: false }\nalertmanager_config_file: alertmanager.yml\n",
      files: {
        "alertmanager.yml": `route: { receiver: nobody }
receivers:
  - name: nobody
  - name: watchdog
    webhook_configs: [{ url: "http://127.0.0.1:${between}/heartbeat", timeout: 2s }]
heartbeat: { receiver: watchdog, interval: 1s }
`,
      },
    });
    const metric = async (name: string) => {
      const text = await (await fetch(`http://127.0.0.1:${watched}/metrics`)).text();
      return Number(new RegExp(`^tocsin_watchdog_${name} (\\d+)$`, "m").exec(text)?.[1]);
    };
    await until(async () => (await metric("heartbeats_total")) >= 2, "two heartbeats");
    cut = true;
    await until(() => pages.length === 1, "the page");
    expect(pages[0]?.status).toBe("firing");
    expect((await fetch(`${tocsin.url}/-/ready`)).status).toBe(200);
    // A watchdog that is started again in the outage pages no second time.
    await until(() => readFileSync(state, "utf8").includes('"paged":true'), "it is known that it was paged");
    dog.kill("SIGKILL");
    await new Promise((resolve) => dog.once("exit", resolve));
    watch();
    await until(async () => (await metric("heartbeat_missing")) === 1, "the watchdog is back");
    expect(pages).toHaveLength(1);
    cut = false;
    for (const s of sockets) s.destroy();
    await until(() => pages.length === 2, "the end of the page");
    expect(pages[1]?.status).toBe("resolved");
    await tocsin.stop();
    wire.close();
  });
});
