// A browser without a window, and pages that note whatever goes wrong in them.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

export async function launch() {
  const args = ["--disable-gpu", "--disable-dev-shm-usage"];
  if (process.getuid() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/**
 * A page at `url` in a window of its own. `faults` lists errors of scripts and of the console, violations of the policy, and
 * requests to anywhere else; `expected` says which of them belong to the test.
 */
export async function open(browser, url, { width = 1440, height = 1000, expected = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  const page = await context.newPage();
  const faults = [];
  const note = (kind, text) => {
    if (!expected.some((pattern) => pattern.test(text))) faults.push(`${kind}: ${text}`);
  };
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) note(message.type(), message.text());
  });
  page.on("pageerror", (error) => note("exception", error.stack ?? String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) note("elsewhere", request.url());
  });
  await page.exposeFunction("noteViolation", (text) => note("policy", text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.noteViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  await page.goto(url);
  page.faults = faults;
  return page;
}

/** Waits until the page shows figures. */
export async function ready(page) {
  await page.waitForSelector("body[data-ready]", { timeout: 30_000 });
}

/** All that an element says. */
export async function said(page, selector) {
  return (await page.locator(selector).first().innerText()).replace(/[\u202f\u00a0]/g, " ").trim();
}
