// The client library over HTTP/2: through Caddy, with the configuration of docs/proxies/.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { join } from "node:path";
import { launchBrowser } from "./support/browser.mjs";
import { SOURCE } from "./support/pages.mjs";
import { run } from "./support/process.mjs";
import { range, startPublisher } from "./support/publisher.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { openTab, serveClient } from "./support/weir_page.mjs";

// Where the packages can't be had, the test says so and is skipped, as tests/proxies does.
async function unpackProxies() {
  try {
    return (await run(join(SOURCE, "tests/proxies/unpack"), [])).trim();
  } catch (error) {
    if (/ended with 77/.test(error.message)) return undefined;
    throw error;
  }
}
const unpacked = await unpackProxies();
const skip = !unpacked && "caddy can't be had";

describe("a client over HTTP/2", { skip }, () => {
  let browser, pages, redis, broker, caddy, context, tabs, channel;

  before(async () => {
    process.env.WEIR_PROXIES = unpacked;
    const { startProxy } = await import("../proxies/proxies.mjs");
    redis = await startRedis();
    pages = await serveClient();
    broker = await startBroker({ redis, args: ["--cors-origin", pages.url, "--retry-ms", "100", "--history-messages", "10000"] });
    caddy = await startProxy("caddy", [broker]);
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await caddy?.stop();
    await broker?.stop();
    await redis?.stop();
    await pages?.stop();
  });
  beforeEach(async () => {
    channel = `http2-${Math.random().toString(36).slice(2)}`;
    context = await browser.newContext({ ignoreHTTPSErrors: true });
    tabs = [];
  });
  afterEach(async () => {
    await context.close();
    for (const tab of tabs) assert.deepEqual(tab.problems, []);
  });

  async function following(options) {
    const tab = await openTab(context, pages);
    tabs.push(tab);
    const protocols = [];
    const session = await context.newCDPSession(tab.page);
    await session.send("Network.enable");
    session.on("Network.responseReceived", ({ response: { url, protocol } }) => url.startsWith(caddy.url) && protocols.push(protocol));
    await tab.connect(caddy.url, options);
    await tab.listen(channel);
    await tab.wait(channel, "live");
    return Object.assign(tab, { protocols });
  }
  const hasAll = async (tab, count) => {
    assert.deepEqual(await tab.waitMessages(channel, count), range(count));
    assert.deepEqual(await tab.told(channel, "gap"), []);
  };

  it("gets what is published, and publishes", async () => {
    const tab = await following();
    await redis.publish(channel, "0");
    assert.equal((await tab.call("publish", channel, 1)).value.subscribers, 1);
    await hasAll(tab, 2);
    assert.deepEqual([...new Set(tab.protocols)], ["h2"]);
  });

  it("shares one stream with the other tabs, and loses nothing when its tab is closed", async () => {
    for (let n = 0; n < 3; n++) await following();
    await broker.subscribers(channel, 1);
    const publisher = startPublisher(redis, channel, 100);
    await publisher.more(50);
    const [leader, ...others] = tabs;
    await leader.close();
    await publisher.more(50);
    const count = await publisher.stop();
    for (const tab of others) await hasAll(tab, count);
    await broker.subscribers(channel, 1);
  });

  it("may have more streams than HTTP/1.1 allows connections", async () => {
    for (let n = 0; n < 8; n++) await following({ share: false });
    await broker.subscribers(channel, 8);
    await redis.publish(channel, "0");
    for (const tab of tabs) await hasAll(tab, 1);
    assert.equal((await tabs[0].call("publish", channel, 1)).value.subscribers, 8);
  });
});
