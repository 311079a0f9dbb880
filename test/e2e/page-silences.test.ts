import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProgram, killLeftOvers, startTocsin, type Tocsin } from "./tocsin.ts";

const executablePath = findProgram("chromium");
const ARGS = ["--no-sandbox", "--disable-dev-shm-usage"];

describe.skipIf(executablePath === undefined)("alerts and silences on the page (needs chromium on PATH)", () => {
  let tocsin: Tocsin;
  let browser: Browser;
  beforeAll(async () => {
    tocsin = await startTocsin();
    browser = await chromium.launch({ executablePath: executablePath!, args: ARGS });
  });
  afterAll(async () => {
    await browser?.close();
    await tocsin?.stop();
    killLeftOvers();
  });

  it("shows what fires, silences it and ends the silence", async () => {
    await fetch(`${tocsin.url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([{ labels: { alertname: "Burning", host: 'a"b' }, annotations: { summary: "it burns" } }]),
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
    const errors: string[] = [];
    page.on("pageerror", (e) => errors.push(String(e)));
    await page.goto(tocsin.url);
    const row = page.locator("#alerts-list tr", { hasText: "Burning" });
    await row.locator(".state.firing").waitFor();
    expect(await row.textContent()).toContain("it burns");

    await row.getByRole("button", { name: "silence Burning" }).click();
    expect(await page.inputValue("#silence-matchers")).toBe('alertname="Burning", host="a\\"b"');
    await page.fill("#silence-form input[name=author]", "me");
    await page.selectOption("#silence-form select", "0");
    await page.click("#silence-form button[type=submit]");
    await row.locator(".state.silenced").waitFor();
    const silence = page.locator("#silences-list tr", { hasText: "Burning" });
    expect(await silence.textContent()).toContain("resolved, at the latest");

    await page.fill("#silence-matchers", 'a=~"("');
    await page.click("#silence-form button[type=submit]");
    await page.locator("#silence-error:not([hidden])").waitFor();
    expect(await page.locator("#silence-error").textContent()).toContain("invalid regular expression");

    await silence.locator("button").click();
    await row.locator(".state.firing").waitFor();
    expect(errors).toEqual([]);
  });
});
