import { createServer, type Server } from "node:http";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProgram, freePort, killLeftOvers, startTocsin, type Tocsin, until } from "./tocsin.ts";

const executablePath = findProgram("chromium");
const ARGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];

const RULES = `groups:
- name: g
  interval: 1s
  rules:
  - alert: HostDown
    expr: vector(3.5)
    labels: { severity: page, host: a }
    annotations: { summary: host a is down, runbook_url: "https://runbooks.example.org/HostDown" }
  - { alert: SoonBad, expr: vector(1), for: 1h, labels: { severity: page } }
`;
const alertmanager = (port: number) => `route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
  routes: [{ matchers: [severity="page"], escalation: ops }]
receivers:
- name: team
- { name: ann, webhook_configs: [{ url: "http://127.0.0.1:${port}/ann" }] }
- { name: bob, webhook_configs: [{ url: "http://127.0.0.1:${port}/bob" }] }
inhibit_rules: [{ source_matchers: [alertname="HostDown"], target_matchers: [alertname="Quiet"] }]
escalations: [{ name: ops, steps: [{ notify: [ann] }, { after: 20m, notify: [bob] }] }]
`;
const HOSTILE = "<img src=x onerror=\"document.title='taken'\">";

describe.skipIf(executablePath === undefined)("alerts on the page (needs chromium on PATH)", () => {
  let tocsin: Tocsin;
  let browser: Browser;
  let hook: Server;
  const errors: string[] = [];

  beforeAll(async () => {
    const port = await freePort();
    hook = createServer((request, response) => {
      request.resume().on("end", () => response.end());
    });
    await new Promise<void>((resolve) => hook.listen(port, "127.0.0.1", resolve));
    tocsin = await startTocsin({
      config: `agent: { enabled: false }
global: { external_labels: { cluster: eu } }
rule_files: [rules.yml]
alertmanager_config_file: am.yml
`,
      files: { "rules.yml": RULES, "am.yml": alertmanager(port) },
    });
    await post([
      {
        labels: { alertname: "Burning", host: HOSTILE },
        annotations: {
          summary: HOSTILE,
          runbook_url: "javascript:alert(1)",
          dashboard: "https://boards.example.org/x",
        },
      },
      { labels: { alertname: "Quiet", host: "c" } },
    ]);
    browser = await chromium.launch({ executablePath: executablePath!, args: ARGS });
  });
  afterAll(async () => {
    await browser?.close();
    await tocsin?.stop();
    hook?.close();
    killLeftOvers();
  });

  const post = (alerts: readonly unknown[]) =>
    fetch(`${tocsin.url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(alerts),
    });

  const open = async (width = 1280): Promise<Page> => {
    const page = await browser.newPage({ viewport: { width, height: 1000 } });
    page.on("pageerror", (e) => errors.push(String(e)));
    page.on("console", (m) => {
      if (m.type() === "error") errors.push(m.text());
    });
    await page.goto(`${tocsin.url}/alerts`);
    await group(page, "HostDown").locator(".state").first().waitFor();
    return page;
  };
  const group = (page: Page, name: string) => page.locator("#alerts-list article", { hasText: name });

  it("shows states, values, links and who is paged, and takes hostile texts for texts", async () => {
    const page = await open();
    const down = group(page, "HostDown");
    await down.locator(".escalation .state.triggered").waitFor();
    expect(await down.locator(".escalation").textContent()).toMatch(/ops: paged ann.*next: step 2 at .*in 19 min/);
    const row = down.locator("tbody tr");
    expect(await row.textContent()).toContain("3.5");
    expect(await row.locator(".links a").first().getAttribute("href")).toBe("https://runbooks.example.org/HostDown");
    const why = await row.getByRole("link", { name: "why" }).getAttribute("href");
    expect(new URL(why as string, tocsin.url).searchParams.get("match[]")).toContain('alertname="HostDown"');
    expect((await fetch(new URL(why as string, tocsin.url))).status).toBe(200);
    await group(page, "SoonBad").locator(".state.pending").waitFor();
    await group(page, "Quiet").locator(".state.inhibited").waitFor();

    const burning = group(page, "Burning");
    expect(await burning.locator("tbody").textContent()).toContain(HOSTILE);
    expect(await burning.locator("img").count()).toBe(0);
    expect(await burning.locator(".links a").evaluateAll((all) => all.map((a) => a.getAttribute("href")))).toEqual([
      "https://boards.example.org/x",
    ]);
    expect(await page.title()).toBe("Tocsin");

    // New ones come without a reload, and what has the keyboard keeps it.
    await page.getByRole("button", { name: "silence Burning" }).focus();
    await post([{ labels: { alertname: "Later" } }]);
    await group(page, "Later").locator(".state.firing").waitFor();
    expect(await page.evaluate(`document.activeElement?.getAttribute("aria-label")`)).toContain("silence Burning");
    await page.close();
  });

  it("filters by matchers, texts and states, and says what it cannot read", async () => {
    const page = await open();
    const names = () => page.locator("#alerts-list article h3").allTextContents();
    await page.fill("#alerts-filter", 'severity="page", host=~"a|b"');
    expect(await names()).toEqual(["HostDown"]);
    expect(new URL(page.url()).searchParams.get("filter")).toBe('severity="page", host=~"a|b"');
    await page.fill("#alerts-filter", "is down");
    expect(await names()).toEqual(["HostDown"]);
    await page.fill("#alerts-filter", 'host=~"("');
    expect(await page.locator("#alerts-error").textContent()).toContain("nvalid regular expression");
    await page.fill("#alerts-filter", "");
    const pending = page.getByRole("button", { name: /^pending/ });
    expect(await pending.getAttribute("aria-pressed")).toBe("true");
    await pending.focus();
    await page.keyboard.press("Space");
    expect(await names()).not.toContain("SoonBad");
    await page.reload();
    await group(page, "HostDown").locator(".state").first().waitFor();
    expect(await names()).not.toContain("SoonBad");
    await page.close();
  });

  it("acknowledges by the keyboard alone, at the width of a phone", async () => {
    const page = await open(360);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    await page.getByRole("button", { name: "acknowledge: ops" }).first().focus();
    await page.keyboard.press("Enter");
    await page.locator("#ack-dialog[open]").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.locator("#ack-dialog[open]").count()).toBe(0);
    await page.keyboard.press("Enter");
    await page.keyboard.type("carl");
    await page.keyboard.press("Tab");
    await page.keyboard.type("on it");
    await page.keyboard.press("Enter");
    const line = group(page, "HostDown").locator(".escalation.acknowledged");
    await line.waitFor();
    expect(await line.textContent()).toContain("by carl “on it”");
    await group(page, "HostDown").locator("tbody .state.acknowledged").waitFor();
    const { data } = (await (await fetch(`${tocsin.url}/api/v1/escalations`)).json()) as {
      data: { escalations: { acknowledgement: unknown }[] };
    };
    expect(data.escalations[0]?.acknowledgement).toMatchObject({ by: "carl", comment: "on it", via: "ui" });
    await page.close();
  });

  it("works under a path of a proxy in front, whether that takes the path away or not", async () => {
    const port = await freePort();
    const own = await freePort();
    const inside = await startTocsin({
      port: own,
      config: `agent: { enabled: false }\nexternal_url: http://127.0.0.1:${port}/mon/\n`,
    });
    for (const strips of [true, false]) {
      const proxy = createServer((request, response) => {
        const path = request.url ?? "";
        if (!path.startsWith("/mon")) return void response.writeHead(404).end();
        const onward = strips ? path.slice("/mon".length) || "/" : path;
        void fetch(`http://127.0.0.1:${own}${onward}`, { redirect: "manual" }).then(async (answer) => {
          const { "content-encoding": _, "content-length": __, ...headers } = Object.fromEntries(answer.headers);
          response.writeHead(answer.status, headers).end(Buffer.from(await answer.arrayBuffer()));
        });
      });
      await new Promise<void>((resolve) => proxy.listen(port, "127.0.0.1", resolve));
      try {
        const page = await browser.newPage();
        const missing: string[] = [];
        page.on("response", (r) => {
          if (r.status() >= 400) missing.push(r.url());
        });
        await page.goto(`http://127.0.0.1:${port}/mon${strips ? "/" : ""}`);
        await page.locator("#status.ok").waitFor();
        await page.locator("#alerts-list .empty").waitFor();
        await page.fill("#expr", "vector(1)");
        await page.check("input[value=table]");
        await page.click("#query-form button[type=submit]");
        await until(() => page.url().includes("/mon/graph?"), "the query is in the page's address");
        expect(missing).toEqual([]);
        await page.close();
      } finally {
        proxy.close();
        proxy.closeAllConnections();
      }
    }
    await inside.stop();
  });

  it("logged no error", () => {
    expect(errors).toEqual([]);
  });
});
