// The React hooks of the client library in a browser, under StrictMode, which mounts each component twice.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { hasText, launchBrowser, openPage } from "./support/browser.mjs";
import { servePages, SOURCE } from "./support/pages.mjs";
import { startBroker } from "./support/servers.mjs";
import { CLIENT } from "./support/weir_page.mjs";

// A page with one component: ?hook=useText&channel=a. `window.props` are the last properties, to be changed by the test.
const PAGE = `
  import { createElement, StrictMode } from "react";
  import { createRoot } from "react-dom/client";
  import { connect } from "@weir/client";
  import * as hooks from "@weir/client/react";

  const query = Object.fromEntries(new URLSearchParams(location.search));
  const weir = connect(query.gateway);
  const on = weir.on;
  window.opened = [];
  weir.on = (channel, ...rest) => (window.opened.push(channel), on(channel, ...rest));
  window.renders = 0;
  function View({ hook, channel, options }) {
    const view = hooks[hook](weir, channel, options);
    window.view = view;
    ++window.renders;
    return createElement("pre", null, view.text ?? "");
  }
  const root = createRoot(document.getElementById("root"));
  window.show = (props) => root.render(createElement(StrictMode, null, props && createElement(View, props)));
  window.show({ hook: query.hook, channel: query.channel, options: JSON.parse(query.options ?? "{}") });
`;

describe("the React hooks", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-e2e-hooks-"));
  let broker, browser, pages;

  before(async () => {
    // Vite, which the example has, brings esbuild.
    const project = join(SOURCE, "examples/react/package.json");
    const { build } = createRequire(createRequire(project).resolve("vite"))("esbuild");
    await build({
      stdin: { contents: PAGE, resolveDir: join(SOURCE, "examples/react") },
      bundle: true,
      format: "esm",
      outfile: join(folder, "page.js"),
      define: { "process.env.NODE_ENV": '"development"' },
      external: ["./file.js"],
      alias: { "@weir/client/react": join(CLIENT, "react.js"), "@weir/client": join(CLIENT, "weir.js") },
      nodePaths: [join(SOURCE, "examples/react/node_modules")],
    });
    const html = '<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/page.js"></script>';
    writeFileSync(join(folder, "index.html"), html);
    pages = await servePages(folder);
    broker = await startBroker({ args: ["--cors-origin", pages.url, "--history-messages", "1000"] });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await broker?.stop();
    await pages?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (hook, channel, options = {}) =>
    openPage(browser, `${pages.url}/?gateway=${broker.url}&hook=${hook}&channel=${channel}&options=${JSON.stringify(options)}`);
  const view = (page) => page.evaluate(() => JSON.parse(JSON.stringify(window.view)));
  const until = (page, condition) => page.waitForFunction(condition);
  const post = async (path, data) => {
    const response = await fetch(`${broker.url}/channels/${path}`, { method: "POST", body: JSON.stringify(data) });
    assert.equal(response.status, 202);
  };
  async function close(page) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }

  it("show an answer of 300 words whole, though the page is loaded in its middle", async () => {
    const words = Array.from({ length: 300 }, (_, n) => `word ${n} `);
    const page = await open("useText", "answer");
    await broker.subscribers("answer", 1);
    for (const msg of words.slice(0, 150)) await post("answer", { msg });
    await hasText(page.locator("pre"), /word 149 /);
    const writing = (async () => {
      for (const msg of words.slice(150)) await post("answer", { msg });
      await post("answer/end");
    })();
    await page.reload();
    await writing;
    await until(page, () => window.view?.done);
    assert.equal(await page.locator("pre").textContent(), words.join(""));
    assert.deepEqual(await page.evaluate(() => window.opened), ["answer"]); // Once, under StrictMode.
    const { gap, gone, error } = await view(page);
    assert.deepEqual([gap, gone, error], [undefined, false, undefined]);
    await close(page);
  });

  it("render once for what comes in one frame", async () => {
    const page = await open("useChannel", "burst");
    await until(page, () => window.view?.live);
    const renders = await page.evaluate(() => window.renders);
    await Promise.all(Array.from({ length: 100 }, (_, n) => post("burst", n)));
    await until(page, () => window.view.messages.length === 100);
    // StrictMode renders twice. Frames are of 16 ms, and the messages come in much less than a second.
    const more = (await page.evaluate(() => window.renders)) - renders;
    assert.ok(more < 100, `${more} renderings`);
    assert.deepEqual(await page.evaluate(() => window.opened), ["burst"]);
    await close(page);
  });

  it("count what is unread, newest first", async () => {
    const page = await open("useFeed", "feed", { replay: 10 });
    await broker.subscribers("feed", 1);
    for (const n of [1, 2]) await post("feed", n);
    await until(page, () => window.view.unread === 2);
    await page.evaluate(() => window.view.markRead());
    await until(page, () => window.view.unread === 0);
    await page.reload();
    await until(page, () => window.view?.live && window.view.messages.length === 2);
    assert.equal((await view(page)).unread, 0);
    await post("feed", 3);
    await until(page, () => window.view.unread === 1);
    assert.deepEqual((await view(page)).messages.map(({ data }) => data), [3, 2, 1]);
    await close(page);
  });

  it("begin anew with another channel, and leave what is not shown", async () => {
    const page = await open("useChannel", "first");
    await until(page, () => window.view?.live);
    await post("first", "one");
    await until(page, () => window.view.messages.length === 1);
    await page.evaluate(() => window.show({ hook: "useChannel", channel: "second" }));
    await until(page, () => window.view.messages.length === 0 && window.view.live);
    await broker.subscribers("first", 0);
    await post("first", "two");
    await post("second", "three");
    await until(page, () => window.view.messages.length === 1);
    assert.equal((await view(page)).messages[0].data, "three");
    assert.deepEqual(await page.evaluate(() => window.opened), ["first", "second"]);
    await page.evaluate(() => window.show());
    await broker.subscribers("second", 0);
    await close(page);
  });

  it("follow the client's status, and tell that a text is gone", async () => {
    const page = await open("useText", "nothing", { timeout: 100 });
    await until(page, () => window.view?.gone);
    const { status, text, done } = await view(page);
    assert.deepEqual([status.state, text, done], ["open", "", false]);
    await close(page);
  });
});
