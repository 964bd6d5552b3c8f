// What a browser's own EventSource does with weir's streams: cut, resumed, ended, turned away.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { launchBrowser, openPage, openSource } from "./support/browser.mjs";
import { servePages } from "./support/pages.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";

describe("a browser's EventSource", () => {
  let redis, broker, browser, pages, proxy, page;
  let number = 0;
  let channel;

  before(async () => {
    redis = await startRedis();
    pages = await servePages("");
    broker = await startBroker({ redis, args: ["--cors-origin", pages.url] });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await broker?.stop();
    await redis?.stop();
    await pages?.stop();
  });
  beforeEach(async () => {
    channel = `resume-${++number}`;
    proxy = await startProxy(broker.url);
    page = await openPage(browser, `${pages.url}/blank`, { expected: /net::ERR_/ });
  });
  afterEach(async () => {
    assert.deepEqual(page.problems, []);
    await page.context().close();
    await proxy.stop();
  });

  const openChannel = (query = "") => openSource(page, `${proxy.url}/channels/${channel}${query}`);
  // Await the first result, open a stream, then await the second: the page then has the first block. That it has passed
  // the proxy is not enough: of a response that is cut, Chromium throws away what the page was not yet handed.
  async function firstBlock() {
    const session = await page.context().newCDPSession(page);
    await session.send("Network.enable");
    return { arrived: new Promise((resolve) => session.once("Network.dataReceived", resolve)) };
  }
  const datas = (events) => events.map((event) => event.data);

  it("that was cut before its first message gets what was published meanwhile", async () => {
    const { arrived } = await firstBlock();
    const source = await openChannel();
    await arrived;
    proxy.hold();
    proxy.cut();
    assert.equal(await redis.publish(channel, "one"), 1);
    assert.equal(await redis.publish(channel, "two"), 1);
    proxy.release();
    assert.deepEqual(datas(await source.wait("message", 2)), ["one", "two"]);
    assert.match((await proxy.request(1)).lastEventId, /^g\w+\.\d+$/);
    assert.deepEqual(await source.seen("weir:gap"), []);
  });

  it("that was cut twice in a row before its first message misses nothing either", async () => {
    const { arrived } = await firstBlock();
    const source = await openChannel();
    await arrived;
    proxy.cut();
    await proxy.streams(2);
    proxy.hold();
    proxy.cut();
    await redis.publish(channel, "one");
    proxy.release();
    assert.deepEqual(datas(await source.wait("message", 1)), ["one"]);
    assert.deepEqual(await source.seen("weir:gap"), []);
  });

  it("that was cut between messages goes on after the last one, twice in a row", async () => {
    const source = await openChannel();
    await proxy.streams(1);
    await redis.publish(channel, "one");
    for (const [count, data] of [[2, "two"], [3, "three"]]) {
      const last = (await source.wait("message", count - 1)).at(-1);
      proxy.hold();
      proxy.cut();
      await redis.publish(channel, data);
      proxy.release();
      await source.wait("message", count);
      assert.equal((await proxy.request(count - 1)).lastEventId, last.id);
    }
    await redis.publish(channel, "live");
    assert.deepEqual(datas(await source.wait("message", 4)), ["one", "two", "three", "live"]);
    assert.deepEqual(await source.seen("weir:gap"), []);
  });

  it("resumes several channels at once, in the order of publishing", async () => {
    const channels = [`${channel}.a`, `${channel}.b`];
    const source = await openSource(page, `${proxy.url}/events?form=json&channel=${channels.join("&channel=")}`);
    await proxy.streams(1);
    await redis.publish(channels[0], "1");
    await source.wait("message", 1);
    proxy.hold();
    proxy.cut();
    for (const [index, data] of [[1, "2"], [0, "3"], [1, "4"], [0, "5"]]) await redis.publish(channels[index], data);
    proxy.release();
    const messages = datas(await source.wait("message", 5)).map((text) => JSON.parse(text));
    assert.deepEqual(messages.map(({ data }) => data), [1, 2, 3, 4, 5]);
    assert.deepEqual(messages.map((message) => message.channel.at(-1)), ["a", "b", "a", "b", "a"]);
  });

  it("that comes back to a gateway that was started anew is told of a gap, and goes on", async () => {
    const next = await startBroker({ redis, args: ["--cors-origin", pages.url] });
    const source = await openChannel();
    await proxy.streams(1);
    await redis.publish(channel, "old");
    await source.wait("message", 1);
    proxy.target = next.url;
    proxy.cut();
    const [gap] = await source.wait("weir:gap", 1);
    assert.deepEqual(JSON.parse(gap.data), { channel, missed: null, reason: "history" });
    await redis.publish(channel, "new");
    assert.deepEqual(datas(await source.wait("message", 2)), ["old", "new"]);
    await next.stop();
  });

  it("gets the end of a channel, is told 204 once, and never asks again", async () => {
    const source = await openChannel();
    await proxy.streams(1);
    await redis.publish(channel, '{"data":"last words","type":"weir:end"}');
    const [end] = await source.wait("weir:end", 1);
    assert.equal(end.data, "last words");
    assert.match(end.id, /~end$/);
    await source.closed(); // For good: a browser makes no request for a closed EventSource.
    assert.equal(proxy.requests.length, 2);
    assert.equal(proxy.requests[1].lastEventId, end.id);
  });

  it("on /events gets the end of each channel, and keeps the stream until the last one", async () => {
    const channels = [`${channel}.a`, `${channel}.b`];
    const source = await openSource(page, `${proxy.url}/events?form=json&channel=${channels.join("&channel=")}`);
    await proxy.streams(1);
    await redis.publish(channels[0], '{"type":"weir:end"}');
    const [end] = await source.wait("weir:end", 1);
    assert.equal(JSON.parse(end.data).channel, channels[0]);
    await redis.publish(channels[1], "still there");
    const [message] = await source.wait("message", 1);
    assert.equal(JSON.parse(message.data).channel, channels[1]);
    assert.equal(proxy.requests.length, 1);
    await redis.publish(channels[1], '{"type":"weir:end"}');
    const [, last] = await source.wait("weir:end", 2);
    assert.equal(JSON.parse(last.data).channel, channels[1]);
    await proxy.request(1); // The stream was closed: the browser asks again.
  });

  it("that finds the gateway full is told so, and comes back by itself", async () => {
    const small = await startBroker({ redis, args: ["--cors-origin", pages.url, "--max-clients", "1"] });
    proxy.target = small.url;
    const abort = new AbortController();
    const first = await fetch(`${small.url}/channels/${channel}`, { signal: abort.signal });
    assert.equal(first.status, 200);
    const source = await openChannel();
    await source.wait("weir:overloaded", 1);
    abort.abort(); // The place is free again. The browser was told to come back in 10 to 30 s.
    await proxy.request(1, 60_000);
    await proxy.streams(2);
    await redis.publish(channel, "in");
    assert.deepEqual(datas(await source.wait("message", 1)), ["in"]);
    await small.stop();
  });

  it("is closed cleanly by a gateway that drains, and ends up at the next one", async () => {
    const leaving = await startBroker({ redis, args: ["--cors-origin", pages.url] });
    proxy.target = leaving.url;
    const source = await openChannel();
    await proxy.streams(1);
    proxy.target = broker.url;
    assert.equal(await leaving.stop(), 0);
    await proxy.streams(2);
    await redis.publish(channel, "here");
    assert.deepEqual(datas(await source.wait("message", 1)), ["here"]);
  });
});
