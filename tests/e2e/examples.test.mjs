// The pages of examples, served from another origin than the gateway.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { hasText, launchBrowser, openPage, screenshotPath } from "./support/browser.mjs";
import { SOURCE, servePages } from "./support/pages.mjs";
import { LIMIT_MS, PLAIN_ENVIRONMENT, run } from "./support/process.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";

describe("the example pages", () => {
  const built = mkdtempSync(join(tmpdir(), "weir-e2e-react-"));
  const files = mkdtempSync(join(tmpdir(), "weir-e2e-files-"));
  let redis, broker, browser, pages, react;

  before(async () => {
    const source = join(SOURCE, "examples/react");
    await run("npm", ["run", "build", "--prefix", source, "--", "--outDir", built, "--emptyOutDir"]);
    pages = await servePages(join(SOURCE, "examples"));
    react = await servePages(built);
    redis = await startRedis();
    writeFileSync(history(), '[[channel]]\nmatch = "build:*"\nsource = "stream"\nstream-field = "line"\n');
    broker = await startBroker({ redis, args: brokerArgs() });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await broker?.stop();
    await redis?.stop();
    await pages?.stop();
    await react?.stop();
    for (const folder of [built, files]) rmSync(folder, { recursive: true, force: true });
  });

  const history = () => join(files, "history.toml");
  const open = (origin, path, channel, options) =>
    openPage(browser, `${origin.url}/${path}?gateway=${broker.url}&channel=${channel}`, options);
  // One of the publishers, with a file of this content, to its end.
  function publishFile(program, channel, content, args) {
    const file = join(files, channel.replace(":", "-"));
    writeFileSync(file, content);
    const all = ["--to", redis.url, "--channel", channel, ...args.map((arg) => (arg === "FILE" ? file : arg))];
    return run(join(process.env.WEIR_BIN, program), all, { env: PLAIN_ENVIRONMENT });
  }
  const brokerArgs = () => [
    "--cors-origin", pages.url, "--cors-origin", react.url, "--durable", "inbox:*", "--config", history(),
  ];
  async function close(page, name) {
    await page.screenshot({ path: screenshotPath(name) });
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }

  it("feed.html shows notifications as they come, gaps, and the end", async () => {
    const page = await open(pages, "feed.html", "feed:1");
    await hasText(page.getByRole("status"), /^live$/);
    await redis.publish("feed:1", '{"msg":"Anna has answered you"}');
    await hasText(page.locator("li.new"), /Anna has answered you$/);
    await redis.publish("feed:1", '{"title":"<b>Build 7</b> is done"}');
    await hasText(page.locator("li.new").first(), /<b>Build 7<\/b> is done$/);
    await page.reload();
    await hasText(page.locator("li.old").first(), /<b>Build 7<\/b> is done$/);
    assert.equal(await page.locator("li").count(), 2);
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await hasText(page.locator("li.gap"), /Some notifications were missed \(bus-down\)\.$/);
    await redis.publish("feed:1", '{"type":"weir:end"}');
    await hasText(page.getByRole("status"), /^ended$/);
    await close(page, "feed");
  });

  it("log.html colours the lines, and stays at the end of a long log", async () => {
    const page = await open(pages, "log.html", "log:1");
    await hasText(page.getByRole("status"), /^running$/);
    const lines = Array.from({ length: 300 }, (_, n) => JSON.stringify({ msg: `[${n + 1}/300] compiling part_${n + 1}.cpp` }));
    await redis.publishAll("log:1", [...lines, JSON.stringify({ msg: "\u001b[1;31merror:\u001b[0m no such file\u001b[K" })]);
    await hasText(page.locator(".line").last(), /^error: no such file$/);
    assert.equal(await page.locator(".line").count(), 301);
    await hasText(page.locator("span.c1.bold"), /^error:$/);
    assert.equal(await page.locator(".line").last().locator("span").count(), 1);
    await page.waitForFunction(() => {
      const box = document.scrollingElement;
      return box.scrollHeight > innerHeight && box.scrollTop + innerHeight >= box.scrollHeight - 1;
    });
    // Who has scrolled up to read is left there.
    await page.evaluate(() => (document.scrollingElement.scrollTop = 100));
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await hasText(page.locator(".gap"), /^--- some lines are missing here \(bus-down\) ---$/);
    assert.equal(await page.evaluate(() => document.scrollingElement.scrollTop), 100);
    await redis.publish("log:1", '{"type":"weir:end"}');
    await hasText(page.getByRole("status"), /^finished$/);
    await page.evaluate(() => (document.scrollingElement.scrollTop = 1e9));
    await close(page, "log");
  });

  it("log.html shows a log of 100,000 lines, and stays at its end", async () => {
    const page = await open(pages, "log.html", "build:long");
    page.setDefaultTimeout(4 * LIMIT_MS); // It is much work for a busy machine.
    await hasText(page.getByRole("status"), /^running$/);
    // As build.sh does it, but faster.
    const lines = Array.from({ length: 100 }, (_, n) => Array.from({ length: 1000 }, (_, m) => `line \u001b[32m${n * 1000 + m + 1}\u001b[0m`).join("\n"));
    for (const text of lines) await redis.cli("XADD", "build:long", "*", "line", text);
    await redis.cli("XADD", "build:long", "*", "line", '{"type":"weir:end"}');
    await hasText(page.getByRole("status"), /^finished$/);
    await page.waitForFunction(() => document.querySelector("pre").lastChild?.lastChild?.textContent === "line 100000");
    assert.equal(await page.locator(".line").count(), 100_000);
    assert.equal(await page.locator("pre > *").count(), 500);
    await page.waitForFunction(() => scrollY + innerHeight >= document.scrollingElement.scrollHeight - 1);
    await close(page, "log-long");
  });

  it("log.html shows who comes later what was logged before", async () => {
    const early = await open(pages, "log.html", "log:2");
    await hasText(early.getByRole("status"), /^running$/);
    await redis.publishAll("log:2", ['{"msg":"one"}', '{"msg":"two"}']);
    await hasText(early.locator(".line"), /^two$/);
    const late = await open(pages, "log.html", "log:2");
    await hasText(late.locator(".line"), /^two$/);
    assert.deepEqual(await late.locator(".line").allTextContents(), ["one", "two"]);
    await early.context().close();
    await late.context().close();
  });

  it("log.html shows what weir-publish-log read, to the last byte", async () => {
    const page = await open(pages, "log.html", "log:3");
    await hasText(page.getByRole("status"), /^running$/);
    const lines = ["configuring", "", "  \u001b[32m\u2713\u001b[0m 12 tests <ok> & \u00fcber \u{1F30A}", '"quoted" \\ {"a":1}'];
    const args = ["--from-start", "--follow=false", "--end", "FILE"];
    await publishFile("weir-publish-log", "log:3", lines.map((line) => `${line}\n`).join(""), args);
    await hasText(page.getByRole("status"), /^finished$/);
    await hasText(page.locator(".line"), /quoted/);
    const shown = await page.locator(".line").allTextContents();
    assert.deepEqual(shown, ["configuring", "", "  \u2713 12 tests <ok> & \u00fcber \u{1F30A}", lines[3]]);
    await hasText(page.locator("span.c2"), /^\u2713$/);
    await close(page, "log-program");
  });

  it("inbox.html shows once what came while it was closed and while there was no gateway", async () => {
    const publish = (n) => redis.cli("FCALL", "weir_publish", "1", "inbox:1", `{"msg":"order ${n}"}`);
    const gateway = await startBroker({ redis, args: brokerArgs() });
    const context = await browser.newContext();
    const visit = async () => {
      const page = await context.newPage();
      await page.goto(`${pages.url}/inbox.html?gateway=${gateway.url}&channel=inbox:1`);
      return page;
    };
    for (const n of [1, 2]) await publish(n);
    const first = await visit();
    await hasText(first.locator("li.old"), /order 2$/);
    await gateway.stop();
    await publish(3);
    const again = await startBroker({ redis, args: [...brokerArgs(), "--listen", new URL(gateway.url).host] });
    await hasText(first.locator("li"), /order 3$/);
    assert.equal(await first.locator("li").count(), 3);
    await first.close();
    await publish(4);
    const second = await visit();
    await hasText(second.locator("li.new"), /order 4$/);
    await publish(5);
    await hasText(second.locator("li.new").first(), /order 5$/);
    const shown = await second.locator("li").evaluateAll((all) => all.map((item) => `${item.className} ${item.lastChild.textContent}`));
    assert.deepEqual(shown, ["new order 5", "new order 4", "old order 3", "old order 2", "old order 1"]);
    await second.screenshot({ path: screenshotPath("inbox") });
    await context.close();
    await again.stop();
  });

  it("log.html shows a build that build.sh has written to a Redis Stream", async () => {
    const script = join(SOURCE, "examples/build.sh");
    const lines = ["compiling a.cpp", "\u001b[32mok\u001b[0m", "no newline"];
    const env = { ...PLAIN_ENVIRONMENT, REDIS_URL: redis.url };
    await run(script, ["build:1", "printf", `${lines.join("\n").replaceAll("%", "%%")}`], { env });
    const page = await open(pages, "log.html", "build:1");
    await hasText(page.getByRole("status"), /^finished$/);
    await hasText(page.locator(".line"), /^no newline$/);
    assert.deepEqual(await page.locator(".line").allTextContents(), ["compiling a.cpp", "ok", "no newline"]);
    await close(page, "log-stream");
  });

  it("answer.html writes what weir-publish-demo publishes word by word", async () => {
    const page = await open(pages, "answer.html", "answer:3");
    await hasText(page.getByRole("status"), /^writing$/);
    const text = "First, a list:\n\n  1. caf\u00e9\n  2. a \u{1F30A}\n\nThat is all.";
    await publishFile("weir-publish-demo", "answer:3", text, ["--words", "FILE", "--words-per-second", "1000", "--end"]);
    await hasText(page.getByRole("status"), /^done$/);
    assert.equal(await page.locator("#answer").textContent(), text);
    await close(page, "answer-program");
  });

  it("answer.html writes an answer word by word, and all of it after a load", async () => {
    const page = await open(pages, "answer.html", "answer:1");
    await hasText(page.getByRole("status"), /^writing$/);
    const words = "A weir is a low dam, and lets a stream pass at the rate each side can take.".match(/\S+\s*/g);
    for (const word of words.slice(0, 7)) await redis.publish("answer:1", JSON.stringify({ msg: word }));
    await hasText(page.locator("#answer.writing"), /^A weir is a low dam, and $/);
    await page.reload();
    await hasText(page.locator("#answer.writing"), /^A weir is a low dam, and $/);
    await redis.publishAll("answer:1", words.slice(7).map((word) => JSON.stringify({ msg: word })));
    await redis.publish("answer:1", '{"type":"weir:end"}');
    await hasText(page.getByRole("status"), /^done$/);
    assert.equal(await page.locator("#answer").textContent(), words.join(""));
    assert.equal(await page.locator("#answer.writing").count(), 0);
    await close(page, "answer");
  });

  it("answer.html says where words are missing", async () => {
    const page = await open(pages, "answer.html", "answer:2");
    await hasText(page.getByRole("status"), /^writing$/);
    await redis.publish("answer:2", '{"msg":"before"}');
    await hasText(page.locator("#answer"), /^before$/);
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await hasText(page.locator("#answer .gap"), /some words are missing here/);
    assert.match(await page.locator("#answer").textContent(), /^before \[/);
    await close(page, "answer-gap");
  });

  it("file.html receives what weir-publish-file sends, in parts and in one message", async () => {
    const content = "\u{1F30A} bytes\n".repeat(20_000);
    for (const [channel, form] of [["file:1", ["--form", "parts", "--rate", "0"]], ["file:2", []]]) {
      const page = await open(pages, "file.html", channel);
      await hasText(page.getByRole("status"), /^receiving$/);
      await publishFile("weir-publish-file", channel, content, [...form, "FILE"]);
      await hasText(page.getByRole("status"), /^received$/);
      assert.equal(await page.locator("a").textContent(), form.length > 0 ? "file-1" : "file:2");
      const got = await page.locator("a").evaluate(async ({ href }) => (await fetch(href)).text());
      assert.equal(got, content);
      await close(page, `file-${form.length > 0 ? "parts" : "small"}`);
    }
  });

  it("file.html says what is missing, and receives the file when it is sent again", async () => {
    const page = await open(pages, "file.html", "file:3");
    await hasText(page.getByRole("status"), /^receiving$/);
    const sha256 = createHash("sha256").update("aaaabbbbcc").digest("hex");
    const head = JSON.stringify({ type: "file", data: { name: "abc.txt", size: 10, sha256, parts: 3 } });
    const parts = ["aaaa", "bbbb", "cc"].map((text, n) => JSON.stringify({ type: "part", data: { n, offset: n * 4, base64: btoa(text) } }));
    const end = '{"type":"weir:end"}';
    await redis.publishAll("file:3", [head, parts[0], end]);
    await hasText(page.getByRole("status"), /^failed: parts 1-2 of 3 are missing$/);
    await redis.publishAll("file:3", [head, ...parts, end]);
    await page.getByRole("button").click();
    await hasText(page.getByRole("status"), /^received$/);
    await close(page, "file-missing");
  });

  it("the React page shows messages over CORS, a gap, and the end", async () => {
    const page = await open(react, "", "react:1");
    await hasText(page.getByRole("status"), /^open$/);
    await redis.publish("react:1", '{"msg":"aaa"}');
    await hasText(page.locator("li.message"), /aaa$/);
    await redis.publish("react:1", '{"n":[1,2]}');
    await hasText(page.locator("li.message"), /\{"n":\[1,2\]\}$/);
    await redis.publish("react:1", "no JSON");
    await hasText(page.locator("li.message").first(), /no JSON$/);
    await page.getByRole("button", { name: "3 new" }).click();
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await hasText(page.locator(".gap"), /^Some messages were missed \(bus-down\)\.$/);
    await redis.publish("react:1", '{"msg":"after"}');
    await hasText(page.locator("li.message.new"), /after$/);
    assert.equal(await page.locator("li.message").count(), 4);
    assert.equal(await page.locator("li.new").count(), 1);
    await redis.publish("react:1", '{"type":"weir:end"}');
    await hasText(page.getByRole("status"), /^ended$/);
    await close(page, "react");
  });

  it("the React page shows an answer", async () => {
    const page = await openPage(browser, `${react.url}/?gateway=${broker.url}&answer=answer:4`);
    await hasText(page.getByRole("status"), /^writing$/);
    await publishFile("weir-publish-demo", "answer:4", "Word by word.\n", ["--words", "FILE", "--words-per-second", "1000", "--end"]);
    await hasText(page.getByRole("status"), /^done$/);
    assert.equal(await page.locator(".text").textContent(), "Word by word.\n");
    await close(page, "react-answer");
  });

  it("the React page stays without messages from a gateway that does not allow its origin", async () => {
    const stranger = await startBroker({ redis, args: ["--cors-origin", pages.url] });
    const url = `${react.url}/?gateway=${stranger.url}&channel=react:2`;
    const page = await openPage(browser, url, { expected: /CORS|ERR_FAILED/ });
    await hasText(page.getByRole("status"), /^reconnecting$/);
    await close(page, "react-refused");
    await stranger.stop();
  });
});
