// Tokens in a browser: a cookie from a login, a token in the URL, and what a page does when one of them expires.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { launchBrowser, openPage, openSource } from "./support/browser.mjs";
import { startLogin } from "./support/login.mjs";
import { servePages } from "./support/pages.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";

describe("a browser with a token", () => {
  let redis, broker, browser, login, foreign, proxy, page;
  let number = 0;
  let channel, url;

  before(async () => {
    redis = await startRedis();
    login = await startLogin();
    foreign = await servePages("");
    broker = await startBroker({
      redis, args: ["--cors-origin", login.url, "--jwt-secret-file", login.secretFile, "--retry-ms", "200"],
    });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await broker?.stop();
    await redis?.stop();
    await login?.stop();
    await foreign?.stop();
  });
  beforeEach(async () => {
    channel = `access-${++number}`;
    login.weir = { subscribe: [channel], publish: [channel] };
    login.seconds = 600;
    // To see what the browser asks for; the gateway is another origin than the login in any case.
    proxy = await startProxy(broker.url);
    url = `${proxy.url}/channels/${channel}`;
    page = await openPage(browser, login.url, { expected: /status of 40[13]|net::ERR_|CORS/ });
  });
  afterEach(async () => {
    assert.deepEqual(page.problems, []);
    await page.context().close();
    await proxy.stop();
  });

  const signIn = () => page.evaluate(async () => (await fetch("/login", { method: "POST" })).status);
  const datas = (events) => events.map((event) => event.data);

  it("in an HttpOnly cookie subscribes across origins", async () => {
    assert.equal(await signIn(), 204);
    assert.equal(await page.evaluate(() => document.cookie), "", "No script can read it.");
    const source = await openSource(page, url, { withCredentials: true });
    await source.wait("open", 1);
    await redis.publish(channel, "hello");
    assert.deepEqual(datas(await source.wait("message", 1)), ["hello"]);
  });

  it("in a cookie that is not sent along is turned away for good", async () => {
    await signIn();
    await (await openSource(page, url)).closed();
    // Nor before there is a cookie.
    await page.context().clearCookies();
    await (await openSource(page, url, { withCredentials: true })).closed();
    assert.equal(proxy.requests.length, 2);
  });

  it("in a cookie is no help to a page of another origin", async () => {
    await signIn();
    const source = await openSource(page, url, { withCredentials: true });
    await source.wait("open", 1);
    const other = await page.context().newPage();
    await other.goto(`${foreign.url}/blank`);
    // "no-cors" asks nobody whether it may: the cookie goes along, and the answer can't be read.
    const publish = (target) => fetch(target, { method: "POST", body: "forged", mode: "no-cors", credentials: "include" });
    await other.evaluate(`(${publish})(${JSON.stringify(url)})`);
    const refused = await (await fetch(`${broker.admin}/metrics`)).text();
    assert.match(refused, /weir_http_refused_total\{reason="origin"\} 1\n/);
    const answer = await page.evaluate(async (target) => {
      return (await fetch(target, { method: "POST", body: "meant", credentials: "include" })).status;
    }, url);
    assert.equal(answer, 202);
    assert.deepEqual(datas(await source.wait("message", 1)), ["meant"]);
  });

  it("in the URL subscribes without cookies", async () => {
    const source = await openSource(page, `${url}?access_token=${login.token()}`);
    await source.wait("open", 1);
    await redis.publish(channel, "hello");
    assert.deepEqual(datas(await source.wait("message", 1)), ["hello"]);
    assert.ok(!broker.program.output.includes(login.token().split(".")[2]));
  });

  it("that expires in the URL opens a new one in time, and misses nothing", async () => {
    login.seconds = 8; // Less than 30 s: it is told at once.
    const first = `${url}?access_token=${login.token()}`;
    // As docs/access.md has it.
    await page.evaluate((begin) => {
      window.received = [];
      window.reopened = 0;
      function follow(address, onMessage) {
        const source = new EventSource(address);
        source.onmessage = onMessage;
        source.addEventListener("weir:token-expiring", async (event) => {
          source.close();
          await window.mayGoOn;
          const next = new URL(address, location);
          next.searchParams.set("access_token", await (await fetch("/token", { method: "POST" })).text());
          next.searchParams.set("lastEventId", event.lastEventId);
          follow(next, onMessage);
          window.reopened += 1;
        });
      }
      window.mayGoOn = new Promise((resolve) => (window.goOn = resolve));
      follow(begin, (event) => window.received.push(event.data));
    }, first);
    // Before the first message: the id is that of the place where the stream began.
    await proxy.streams(1);
    login.seconds = 600;
    await redis.publish(channel, "while it was closed");
    await page.evaluate(() => window.goOn());
    await proxy.streams(2);
    await redis.publish(channel, "afterwards");
    await page.waitForFunction(() => window.received.length >= 2);
    assert.deepEqual(await page.evaluate(() => window.received), ["while it was closed", "afterwards"]);
    assert.equal(await page.evaluate(() => window.reopened), 1);
    const [, second] = proxy.requests.filter(({ method, path }) => method === "GET" && path.includes("access_token"));
    assert.match(second.path, /lastEventId=g\w+\.\d+/);
  });

  it("that expires in a cookie goes on by itself once the cookie is renewed", async () => {
    login.seconds = 6;
    await signIn();
    const source = await openSource(page, url, { withCredentials: true });
    await source.wait("weir:token-expiring", 1);
    await redis.publish(channel, "one");
    await source.wait("message", 1);
    login.seconds = 600;
    await signIn();
    await proxy.request(1); // The gateway ended the stream, and the browser came back.
    await redis.publish(channel, "two");
    assert.deepEqual(datas(await source.wait("message", 2)), ["one", "two"]);
    assert.match(proxy.requests[1].lastEventId, /^g\w+\.\d+$/);
    assert.deepEqual(await source.seen("weir:gap"), []);
  });

  it("that nobody renews is turned away for good", async () => {
    login.seconds = 5;
    const source = await openSource(page, `${url}?access_token=${login.token()}`);
    await source.wait("weir:token-expiring", 1);
    await source.closed();
    assert.equal(proxy.requests.length, 2);
  });
});
