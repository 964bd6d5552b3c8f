// Debian's Chromium without a window, and what tests need on a page.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { LIMIT_MS, Program, within } from "./process.mjs";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

function chromiumPath() {
  const path = process.env.WEIR_CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(path)) throw new Error(`${path} is missing (Debian package chromium)`);
  return path;
}

// The profile is a new empty folder, removed again by playwright.
export async function launchBrowser(options = {}) {
  return chromium.launch({ executablePath: chromiumPath(), args: FLAGS, timeout: LIMIT_MS, ...options });
}

// A browser with one context in which tabs are hidden and frozen as a person's are: playwright makes each page that it
// starts itself believe that it is seen. stop() ends it.
export async function launchPlainBrowser() {
  const profile = mkdtempSync(join(tmpdir(), "weir-e2e-chromium-"));
  const program = new Program(chromiumPath(), [...FLAGS, "--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"]);
  const [, address] = await program.printed(/DevTools listening on (ws:\S+)/);
  const browser = await chromium.connectOverCDP(address, { noDefaults: true, timeout: LIMIT_MS });
  return {
    context: browser.contexts()[0],
    async stop() {
      await browser.close();
      await program.stop();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

// A new page in a context of its own. `page.problems` gathers uncaught exceptions, and what the browser complained
// about: a refused inline script (CSP), a missing CORS header. `expected` says which complaints belong to the test.
export async function openPage(browser, url, { expected, ...options } = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !expected?.test(message.text()))
      page.problems.push(message.text());
  });
  await page.goto(url);
  return page;
}

// Where a picture of this name goes, for people to look at.
export function screenshotPath(name) {
  const folder = process.env.WEIR_SCREENSHOTS ?? join(tmpdir(), "weir-e2e-screenshots");
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

// Waits until the element (a locator) has a text that matches.
export async function hasText(locator, pattern) {
  try {
    await locator.filter({ hasText: pattern }).first().waitFor();
  } catch (error) {
    throw new Error(`${error.message}\nit has: ${JSON.stringify(await locator.allTextContents())}`);
  }
}

// An EventSource in a page whose events are kept there, in the order in which they came.
export async function openSource(page, url, options = {}) {
  await page.evaluate(([address, init]) => {
    const seen = [];
    const source = new EventSource(address, init);
    const add = (event) => seen.push({ type: event.type, data: event.data, id: event.lastEventId });
    source.onopen = () => seen.push({ type: "open" });
    for (const type of ["message", "weir:gap", "weir:live", "weir:end", "weir:overloaded", "weir:token-expiring"])
      source.addEventListener(type, add);
    Object.assign(window, { seen, source });
  }, [url, options]);
  return {
    seen: (type) => page.evaluate((wanted) => window.seen.filter((event) => event.type === wanted), type),
    // Waits until `count` events of this type have come.
    async wait(type, count) {
      const enough = ([wanted, least]) => window.seen.filter((event) => event.type === wanted).length >= least;
      try {
        await page.waitForFunction(enough, [type, count]);
      } catch (error) {
        throw new Error(`${error.message}\nseen: ${JSON.stringify(await page.evaluate(() => window.seen))}`);
      }
      return this.seen(type);
    },
    // Waits until the browser has given up for good.
    async closed() {
      await within(page.waitForFunction(() => window.source.readyState === EventSource.CLOSED), "closed EventSource");
    },
  };
}
