import { spawnSync } from "node:child_process";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { often } from "../support/often.ts";
import { freePort, killLeftOvers, startTocsin, until } from "./tocsin.ts";

interface Page {
  readonly to: string;
  readonly status: string;
  readonly step: number;
  readonly ackURL: string;
  readonly escalation: string;
}

const hooks: Server[] = [];
afterEach(() => {
  for (const hook of hooks.splice(0)) hook.close();
});
afterAll(killLeftOvers);

async function startHook(): Promise<{ port: number; pages: Page[] }> {
  const port = await freePort();
  const pages: Page[] = [];
  const seen = new Set<string>();
  const hook = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      // What was sent right when the process was killed is sent again with the same key, as a real receiver knows it.
      const key = String(request.headers["idempotency-key"]);
      if (!seen.has(key)) pages.push({ to: (request.url ?? "").slice(1), ...JSON.parse(body) });
      seen.add(key);
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
  hooks.push(hook);
  return { port, pages };
}

const PEOPLE = ["fallback", "ann", "bob", "boss"];
const alertmanager = (port: number) => `route:
  receiver: fallback
  escalation: ops
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
receivers:
${PEOPLE.map((name) => `- { name: ${name}, webhook_configs: [{ url: "http://127.0.0.1:${port}/${name}" }] }`).join("\n")}
schedules:
- name: primary
  time_zone: Europe/Berlin
  rotations: [{ receivers: [ann], start: 2024-01-01, shift: 1w }]
escalations:
- name: ops
  steps:
  - notify: ["schedule:primary"]
  - { after: 2s, notify: [bob] }
  - { after: 4s, notify: [boss] }
  repeat_after: 2s
  ack_timeout: 3s
`;
const CONFIG = "agent: { enabled: false }\nalertmanager_config_file: alertmanager.yml\n";
const TOCSIN = join(import.meta.dirname, "../../bin/tocsin");

describe("an escalation", () => {
  it("is paged up the chain until somebody acknowledges, with the process killed in between", async () => {
    const { port, pages } = await startHook();
    const files = { "alertmanager.yml": alertmanager(port) };
    let tocsin = await startTocsin({ config: CONFIG, files });
    const post = (endsAt?: string) =>
      fetch(`${tocsin.url}/api/v2/alerts`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify([{ labels: { alertname: "Fire" }, ...(endsAt === undefined ? {} : { endsAt }) }]),
      });
    const kill = async () => {
      await tocsin.killGroup();
      tocsin = await startTocsin({ dir: tocsin.dir, config: CONFIG });
    };
    const to = () => pages.map((p) => p.to);
    const state = async () => {
      const response = await fetch(`${tocsin.url}/api/v1/escalations`);
      const { data } = (await response.json()) as {
        data: { escalations: { id: string; state: string; history: { what: string; detail: string }[] }[] };
      };
      return data.escalations[0]!;
    };

    expect((await post()).status).toBe(200);
    await until(() => pages.length >= 1, "the first one is paged");
    await kill(); // right behind the first page
    await until(() => pages.length >= 2, "the second one is paged after a restart");
    for (let n = often(0, 1); n > 0; n--) await kill();
    await until(() => pages.length >= 4, "the third one is, and then the first again");
    // Each step once, in order, over the kills.
    expect(to().slice(0, 4)).toEqual(["ann", "bob", "boss", "ann"]);
    expect(pages[0]).toMatchObject({ status: "firing", step: 1 });
    expect(pages.slice(0, 4).every((p) => p.escalation === pages[0]!.escalation)).toBe(true);

    // The link of the first page, on the server of now: it looks first, and then presses the button.
    const link = new URL(pages[0]!.ackURL);
    const onServer = `${tocsin.url}${link.pathname}${link.search}`;
    expect(await (await fetch(onServer)).text()).toContain("Acknowledge as ann");
    expect((await state()).state).toBe("triggered");
    expect((await fetch(onServer, { method: "POST" })).status).toBe(200);
    const told = pages.length;
    await kill();
    expect((await state()).history.filter((h) => h.what === "acknowledged").map((h) => h.detail)).toEqual([
      "ann (link)",
    ]);
    // The acknowledgement runs out, and it begins anew.
    await until(() => to().slice(told).includes("ann"), "it is paged again, from the first step");

    const cli = spawnSync(TOCSIN, ["ack", pages[0]!.escalation, "--by", "carl", "--url", tocsin.url], {
      encoding: "utf8",
    });
    expect(cli.stdout).toContain("acknowledged by carl");
    expect((await post(new Date(Date.now() - 1).toISOString())).status).toBe(200);
    await until(() => pages.filter((p) => p.status === "resolved").length >= 3, "all who were paged hear of the end");
    expect(
      pages
        .filter((p) => p.status === "resolved")
        .map((p) => p.to)
        .sort(),
    ).toEqual(["ann", "bob", "boss"]);
    expect(to()).not.toContain("fallback");
    await until(async () => (await state()).state === "resolved", "it is over");
    await tocsin.stop();
  });
});
