// The page that the gateway serves at "/".
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { hasText, launchBrowser, openPage, screenshotPath } from "./support/browser.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";

describe("the console", () => {
  let redis, broker, browser;
  let number = 0;
  let channel; // A fresh one for each test.

  before(async () => {
    redis = await startRedis();
    broker = await startBroker({ redis });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await broker?.stop();
    await redis?.stop();
  });
  beforeEach(() => (channel = `console:${++number}`));

  // The console with these channels open.
  async function open(channels, options) {
    const page = await openPage(browser, `${broker.url}/?channel=${channels}`, options);
    await hasText(page.getByTestId("state"), /^open$/);
    return page;
  }
  const rows = (page, type) => page.locator(`[data-testid=list] li${type ? `[data-type="${type}"]` : ""}`);
  async function close(page) {
    assert.deepEqual(page.problems, []);
    await page.context().close();
  }

  it("shows what redis-cli publishes to the channel of its URL", async () => {
    const page = await open(channel);
    assert.equal(await redis.publish(channel, '{"msg":"aaa"}'), 1);
    await hasText(rows(page).locator(".data"), /^\{"msg":"aaa"\}$/);
    await redis.publish(channel, '{"type":"alert","data":{"digits":1234567890123456789012345}}');
    await hasText(rows(page, "alert").locator(".data"), /^\{"digits":1234567890123456789012345\}$/);
    await hasText(rows(page, "alert").locator(".tag"), /^alert$/);
    await redis.publish(channel, "two\nlines");
    await hasText(rows(page).locator(".data"), /^two\nlines$/);
    assert.equal(await page.getByTestId("received").textContent(), "3");
    const id = await rows(page).last().locator(".id").textContent();
    assert.match(id, /^g\w+\.\d+$/);
    assert.equal(await page.getByTestId("last-id").textContent(), id);
    await close(page);
  });

  it("works behind a base path", async () => {
    const other = await startBroker({ redis, args: ["--base-path", "/push/v1"] });
    const page = await openPage(browser, `${other.url}/push/v1?channel=${channel}`);
    await hasText(page.getByTestId("state"), /^open$/);
    await page.getByLabel("Payload").fill("from behind a path");
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await hasText(page.getByTestId("answer"), /^Published: 1 gateway, 1 subscriber of this one$/);
    await hasText(rows(page).locator(".data"), /^from behind a path$/);
    assert.match(await page.getByTestId("curl").textContent(), new RegExp(`/push/v1/channels/${channel}$`));
    await close(page);
    await other.stop();
  });

  it("never takes what is published for HTML", async () => {
    const page = await open(channel);
    const payload = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    await redis.publish(channel, payload);
    await redis.publish(channel, JSON.stringify({ type: payload, data: { html: payload } }));
    await hasText(rows(page).locator(".tag"), payload);
    assert.equal(await rows(page).first().locator(".data").textContent(), payload);
    assert.equal(await rows(page).locator("img, script").count(), 0);
    assert.equal(await page.title(), "weir console");
    await close(page);
  });

  it("is served with a Content-Security-Policy that allows its own script and style only", async () => {
    const policy = (await fetch(broker.url)).headers.get("content-security-policy");
    assert.match(policy, /script-src 'sha256-[\w+/]{43}='/);
    assert.doesNotMatch(policy, /unsafe/);
  });

  it("publishes, and shows the answer", async () => {
    const page = await open(channel);
    await page.getByLabel("Payload").fill('{"msg":"from the box"}');
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await hasText(page.getByTestId("answer"), /^Published: 1 gateway, 1 subscriber of this one$/);
    await hasText(rows(page).locator(".data"), /^\{"msg":"from the box"\}$/);
    await close(page);
  });

  it("shows why a publish was refused", async () => {
    const page = await open(channel, { expected: /status of 4\d\d/ });
    await page.getByLabel("To channel").fill("__sentinel__:hello");
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await hasText(page.getByTestId("answer"), /^4\d\d .*channel/);
    assert.equal(await page.getByTestId("answer").getAttribute("data-ok"), "false");
    await close(page);
  });

  it("follows several channels at once, and names the channel of each message", async () => {
    const page = await open(`${channel}.a,${channel}.b`);
    await redis.publish(`${channel}.a`, '{"n":1}');
    await redis.publish(`${channel}.b`, '{"type":"note","data":"two"}');
    await hasText(rows(page, "note").locator(".data"), /^two$/);
    assert.deepEqual(await rows(page).locator(".tag").allTextContents(), [`${channel}.a`, `${channel}.b / note`]);
    await close(page);
  });

  it("shows a gap and goes on when the gateway has lost Redis for a moment", async () => {
    const page = await open(channel);
    await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    await hasText(rows(page, "weir:gap").locator(".data"), new RegExp(`^An unknown number of messages of ${channel} missed: bus-down$`));
    await redis.publish(channel, '{"msg":"after"}');
    await hasText(rows(page).locator(".data"), /^\{"msg":"after"\}$/);
    assert.equal(await page.getByTestId("state").textContent(), "open");
    await close(page);
  });

  it("says that nothing arrives while Redis is away, also to who comes meanwhile", async () => {
    const own = await startRedis();
    const gateway = await startBroker({ redis: own });
    const page = await openPage(browser, `${gateway.url}/?channel=${channel}`);
    await hasText(page.getByTestId("state"), /^open$/);
    await gateway.subscribers(channel, 1);
    await own.stop();
    await hasText(page.getByTestId("state"), /^waiting$/);
    await hasText(rows(page, "weir:bus").locator(".data"), /^The gateway has lost Redis/);
    const late = await openPage(browser, `${gateway.url}/?channel=${channel}`);
    await hasText(late.getByTestId("state"), /^waiting$/);
    await close(late);
    await close(page);
    await gateway.stop();
  });

  it("counts a reconnect, and shows what was published meanwhile", async () => {
    const proxy = await startProxy(broker.url);
    const page = await openPage(browser, `${proxy.url}/?channel=${channel}`, { expected: /net::ERR_/ });
    await hasText(page.getByTestId("state"), /^open$/);
    await redis.publish(channel, "before");
    await hasText(rows(page).locator(".data"), /^before$/);
    proxy.hold();
    proxy.cut();
    await hasText(page.getByTestId("state"), /^connecting$/);
    await redis.publish(channel, "meanwhile");
    proxy.release();
    await hasText(rows(page).locator(".data"), /^meanwhile$/);
    await hasText(page.getByTestId("state"), /^open$/);
    assert.equal(await page.getByTestId("reconnects").textContent(), "1");
    assert.deepEqual(await rows(page, "message").locator(".data").allTextContents(), ["before", "meanwhile"]);
    await close(page);
    await proxy.stop();
  });

  it("says that the gateway is full", async () => {
    const small = await startBroker({ redis, args: ["--max-clients", "1"] });
    const first = await openPage(browser, `${small.url}/?channel=${channel}`);
    await hasText(first.getByTestId("state"), /^open$/);
    const page = await openPage(browser, `${small.url}/?channel=${channel}`);
    await hasText(rows(page, "weir:overloaded").locator(".data"), /^The gateway takes no more clients now/);
    await hasText(page.getByTestId("state"), /^connecting$/);
    await close(page);
    await close(first);
    await small.stop();
  });

  it("shows the end of a channel, and stops", async () => {
    const page = await open(channel);
    await redis.publish(channel, '{"type":"weir:end","data":{"result":"ok"}}');
    await hasText(rows(page, "weir:end").locator(".data"), new RegExp(`^${channel} has ended\\. \\{"result":"ok"\\}$`));
    await hasText(page.getByTestId("state"), /^closed$/);
    await hasText(page.getByTestId("note"), /^The channel has ended\.$/);
    await close(page);
  });

  it("replays on request, and shows where live begins", async () => {
    const page = await open(channel);
    await redis.publishAll(channel, ['{"n":1}', '{"n":2}', '{"n":3}']);
    await hasText(rows(page).locator(".data"), /^\{"n":3\}$/);
    await page.getByLabel("Replay last").fill("2");
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    await rows(page, "weir:live").waitFor();
    assert.deepEqual(await rows(page, "message").locator(".data").allTextContents(), ['{"n":2}', '{"n":3}']);
    await close(page);
  });

  it("says why a stream was refused", async () => {
    const page = await openPage(browser, `${broker.url}/?channel=__sentinel__:hello`, { expected: /status of 4\d\d/ });
    await hasText(page.getByTestId("note"), /^The gateway refused: 4\d\d .*channel/);
    assert.equal(await page.getByTestId("state").textContent(), "closed");
    await close(page);
  });

  it("keeps the last 500 messages, and none of them twice", async () => {
    const page = await open(channel);
    await redis.publishAll(channel, Array.from({ length: 1200 }, (_, n) => `${n}`));
    await hasText(rows(page).locator(".data"), /^1199$/);
    const kept = await rows(page).locator(".data").allTextContents();
    assert.deepEqual(kept, Array.from({ length: 500 }, (_, n) => `${700 + n}`));
    assert.equal(await page.getByTestId("received").textContent(), "1,200");
    await close(page);
  });

  it("holds what comes while it is paused, and clears", async () => {
    const page = await open(channel);
    await redis.publish(channel, "one");
    await hasText(rows(page).locator(".data"), /^one$/);
    await page.getByRole("button", { name: "Pause" }).click();
    await redis.publish(channel, "two");
    await hasText(page.getByTestId("waiting"), /^1 arrived meanwhile$/);
    assert.deepEqual(await rows(page).locator(".data").allTextContents(), ["one"]);
    await page.getByRole("button", { name: "Resume" }).click();
    await hasText(rows(page).locator(".data"), /^two$/);
    await page.getByRole("button", { name: "Clear" }).click();
    assert.equal(await rows(page).count(), 0);
    await close(page);
  });

  it("shows the beginning of a long message, and all of it on request", async () => {
    const page = await open(channel);
    const long = "0123456789".repeat(1000);
    await redis.publish(channel, long);
    await rows(page).getByRole("button", { name: "show all 10,000 characters" }).click();
    assert.equal(await rows(page).locator(".data").textContent(), long);
    await close(page);
  });

  it("shows no redis-cli where there is no Redis", async () => {
    const page = await open(channel);
    assert.equal(await page.getByTestId("redis-cli").isVisible(), true);
    await close(page);
    const alone = await startBroker();
    try {
      const other = await openPage(browser, `${alone.url}/?channel=${channel}`);
      await other.getByTestId("redis-cli").waitFor({ state: "hidden" });
      assert.equal(await other.getByTestId("curl-publish").isVisible(), true);
      await close(other);
    } finally {
      await alone.stop();
    }
  });

  it("shows commands that can be pasted", async () => {
    const page = await open(`${channel}.a,${channel}.b`);
    await page.getByLabel("Payload").fill("it's");
    assert.equal(await page.getByTestId("redis-cli").textContent(), `redis-cli PUBLISH ${channel}.a 'it'\\''s'`);
    assert.equal(
      await page.getByTestId("curl").textContent(),
      `curl -N '${broker.url}/events?channel=${channel}.a&channel=${channel}.b'`,
    );
    assert.equal(
      await page.getByTestId("curl-publish").textContent(),
      `curl -d 'it'\\''s' ${broker.url}/channels/${channel}.a`,
    );
    await close(page);
  });

  it("can be used with the keyboard alone", async () => {
    const page = await openPage(browser, broker.url);
    assert.equal(await page.getByTestId("state").textContent(), "closed");
    await page.keyboard.type(channel); // The first field has the focus.
    await page.keyboard.press("Enter");
    await hasText(page.getByTestId("state"), /^open$/);
    assert.equal(new URL(page.url()).search, `?channel=${channel}`);
    await page.getByLabel("Payload").focus();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("typed");
    await page.keyboard.press("Control+Enter");
    await hasText(rows(page).locator(".data"), /^typed$/);
    await page.getByRole("button", { name: "Disconnect" }).focus();
    await page.keyboard.press("Space");
    await hasText(page.getByTestId("state"), /^closed$/);
    await close(page);
  });

  for (const [colorScheme, viewport] of [
    ["light", { width: 1280, height: 800 }],
    ["dark", { width: 1280, height: 800 }],
    ["light", { width: 420, height: 900 }],
  ]) {
    it(`fits a window of ${viewport.width} pixels, ${colorScheme}`, async () => {
      const page = await open(`${channel},${channel}.builds`, { colorScheme, viewport });
      await redis.publish(channel, '{"msg":"aaa"}');
      await redis.publish(channel, '{"type":"alert","data":{"title":"Disk almost full","host":"db-2","used":0.93}}');
      await redis.publish(`${channel}.builds`, "compiling 12 of 40\nlinking");
      await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
      await rows(page, "weir:gap").nth(1).waitFor();
      await redis.publish(channel, `{"text":"${"a long line that has to be wrapped somewhere ".repeat(8)}"}`);
      await redis.publish(`${channel}.builds`, '{"type":"weir:end"}');
      await rows(page, "weir:end").waitFor();
      await page.getByRole("button", { name: "Publish", exact: true }).click();
      await hasText(page.getByTestId("answer"), /^Published/);
      await hasText(rows(page).locator(".data"), /^\{"msg":"hello"\}$/);
      const path = screenshotPath(`console-${colorScheme}-${viewport.width}`);
      await page.screenshot({ path });
      const widths = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
      assert.ok(widths[0] <= widths[1], `the page is ${widths[0]} wide in a window of ${widths[1]} (${path})`);
      await close(page);
    });
  }
});
