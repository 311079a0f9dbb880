import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProgram, killLeftOvers, startTocsin, type Tocsin, until } from "./tocsin.ts";

const executablePath = findProgram("chromium");
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"];

describe.skipIf(executablePath === undefined)("the page in a real browser (needs chromium on PATH)", () => {
  let tocsin: Tocsin;
  let browser: Browser;
  beforeAll(async () => {
    tocsin = await startTocsin({
      config:
        "agent: { enabled: true, interval: 1s }\nrule_files: [rules.yml]\nscrape_configs:\n- job_name: itself\n  static_configs:\n  - targets: [127.0.0.1:1]\n    labels: { a_rather_long_label_name: a_value_that_is_longer_than_the_screen_is_wide_by_far }\n",
      files: {
        "rules.yml":
          "groups:\n- name: host\n  interval: 1s\n  rules:\n  - alert: AlwaysOn\n    expr: vector(1)\n  - alert: NeverOn\n    expr: vector(1) > 2\n  - alert: LongOne\n    expr: histogram_quantile(0.99, sum without (partition) (rate(tocsin_wal_fsync_duration_seconds_bucket[5m]))) > 0.25\n",
      },
    });
    browser = await chromium.launch({ executablePath: executablePath!, args: ARGS });
  });
  afterAll(async () => {
    await browser?.close();
    await tocsin?.stop();
    killLeftOvers();
  });

  it("shows live graphs of this host, the rules and their states, and answers a query as graph and table", async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
    const errors: string[] = [];
    page.on("pageerror", (e) => errors.push(String(e)));
    page.on("console", (m) => {
      if (m.type() === "error") errors.push(m.text());
    });
    await page.goto(tocsin.url);
    for (const title of ["CPU", "Memory", "Disk", "Network"]) {
      const card = page.locator(".card", { has: page.locator("h3", { hasText: title }) });
      await card.locator("canvas").waitFor({ timeout: 90_000 });
      expect(await card.locator("output").textContent()).toMatch(/\d/);
    }
    await page.locator("#rules-list tr", { hasText: "AlwaysOn" }).locator(".state.firing").first().waitFor();
    await page.locator("#rules-list tr", { hasText: "NeverOn" }).locator(".state.inactive").first().waitFor();

    await page.fill("#expr", "sum(node_memory_MemTotal_bytes)");
    // A graph's newest step may lie before the first sample of a fresh start: asked again until it does not.
    await until(async () => {
      await page.click("button[type=submit]");
      return (await page.locator("#query-graph canvas").count()) > 0;
    }, "the query's graph");
    await page.check("input[value=table]");
    await page.locator("#query-table td.number").waitFor();
    expect(Number(await page.locator("#query-table td.number").textContent())).toBeGreaterThan(1e6);

    await page.fill("#expr", "sum(rate(x[5m])");
    await page.click("button[type=submit]");
    await page.locator("#query-error:not([hidden])").waitFor();
    expect(await page.locator("#query-error").textContent()).toContain("parse error");
    // The failed query's 400 is the one thing that the console may tell.
    expect(errors.filter((e) => !e.includes("400"))).toEqual([]);
  });

  it("fits on a phone: rules and targets are not cut off at the right", async () => {
    const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
    await page.goto(tocsin.url);
    await page.locator("#rules-list tr", { hasText: "LongOne" }).locator("code").first().waitFor();
    await page.locator("#targets-list tr", { hasText: "127.0.0.1" }).locator("code").first().waitFor();
    // Right edges of everything in the two lists, in pixels.
    const edges = await page
      .locator("#rules-list td, #rules-list td *, #targets-list td, #targets-list td *")
      .evaluateAll((all) => all.map((e) => e.getBoundingClientRect().right));
    expect(edges.length).toBeGreaterThan(10);
    expect(Math.max(...edges)).toBeLessThanOrEqual(390);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    await page.close();
  });
});
