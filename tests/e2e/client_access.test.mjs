// The client library with tokens: renewed in time, refused, of several users in one browser.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { CUT, startFaultProxy } from "./support/fault_proxy.mjs";
import { startLogin } from "./support/login.mjs";
import { range, startPublisher } from "./support/publisher.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { openTab, serveClient } from "./support/weir_page.mjs";

let browser, pages, redis, login, broker;
let proxy, context, tabs, channel, own; // `own`: another gateway, of one test alone.
const CORS = () => ["--cors-origin", pages.url, "--retry-ms", "100"];

before(async () => {
  redis = await startRedis();
  pages = await serveClient();
  login = await startLogin();
  broker = await startBroker({ redis, args: [...CORS(), "--jwt-secret-file", login.secretFile] });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await broker?.stop();
  await redis?.stop();
  await login?.stop();
  await pages?.stop();
});
beforeEach(async () => {
  channel = `access-${Math.random().toString(36).slice(2)}`;
  proxy = await startFaultProxy(broker.url);
  context = await browser.newContext();
  tabs = [];
});
afterEach(async () => {
  await context.close();
  await proxy.stop();
  await own?.stop();
  own = undefined;
  for (const tab of tabs) assert.deepEqual(tab.problems, []);
});

// A tab of a user who may follow these channels. `seconds` are those of each token in turn, the last one for all others.
async function signedIn({ subscribe = [`${channel}*`], publish = [], seconds = [600], token, ...options } = {}) {
  const given = [];
  const next = () => {
    const lifetime = seconds[Math.min(given.length, seconds.length - 1)];
    given.push(login.tokenFor({ subscribe, publish }, lifetime));
    return given.at(-1);
  };
  const tab = await openTab(context, pages, { token: token ?? next });
  tabs.push(tab);
  await tab.connect(proxy.url, options);
  return Object.assign(tab, { given });
}
async function following(options) {
  const tab = await signedIn(options);
  await tab.listen(channel);
  await tab.wait(channel, "live");
  return tab;
}
const hasAll = async (tab, count, name = channel) => {
  assert.deepEqual(await tab.waitMessages(name, count), range(count));
  assert.deepEqual(await tab.told(name, "gap"), []);
};

describe("a token", () => {
  it("goes in a header, and is nowhere else", async () => {
    const tab = await following({ publish: [channel] });
    await redis.publish(channel, "0");
    await hasAll(tab, 1);
    proxy.cut();
    await proxy.begun(2);
    assert.equal((await tab.call("publish", channel, 1)).value.subscribers, 1);
    await hasAll(tab, 2);
    await tab.load(); // What it keeps for its next page is kept now.
    const [token] = tab.given;
    assert.deepEqual(tab.given, [token]);
    const signature = token.split(".")[2];
    for (const { url, headers } of proxy.requests) {
      assert.equal(headers.authorization, `Bearer ${token}`);
      assert.equal(headers.cookie, undefined);
      assert.ok(!url.includes(signature));
    }
    for (const { url } of proxy.preflights) assert.ok(!url.includes(signature));
    const stored = await tab.page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie]));
    assert.match(stored, new RegExp(channel)); // The position.
    assert.ok(!stored.includes(signature));
  });

  it("that expires every 5 s for 15 s is renewed in time, and no message is missing or comes twice", async () => {
    const tab = await following({ seconds: [5] });
    const publisher = startPublisher(redis, channel, 50);
    await publisher.more(15 * 50);
    const count = await publisher.stop();
    await hasAll(tab, count);
    assert.ok(tab.given.length >= 3, `${tab.given.length} tokens`);
    assert.ok(proxy.asked.length <= 20, `${proxy.asked.length} requests`);
    assert.deepEqual(await tab.told(channel, "refused"), []);
  });

  it("is renewed before it expires: no stream is ended for it", async () => {
    own = await startBroker({ redis, args: [...CORS(), "--jwt-secret-file", login.secretFile] });
    proxy.target = own.url;
    const tab = await following({ seconds: [20, 600] });
    await proxy.begun(2);
    assert.deepEqual(proxy.asked.map(({ headers }) => headers.authorization), tab.given.map((token) => `Bearer ${token}`));
    const metrics = await (await fetch(`${own.admin}/metrics`)).text();
    assert.match(metrics, /weir_streams_closed_total\{reason="token-expired"\} 0\n/);
    await redis.publish(channel, "0");
    await hasAll(tab, 1);
  });

  it("that can't be renewed at first is renewed later, and nothing is missing", async () => {
    const tokens = [2, 0, 0, 600]; // In s; 0: the login is away.
    let asked = 0;
    const tab = await following({
      token() {
        const seconds = tokens[Math.min(asked++, tokens.length - 1)];
        if (!seconds) throw new Error("the login is away");
        return login.tokenFor({ subscribe: [channel], publish: [] }, seconds);
      },
    });
    const publisher = startPublisher(redis, channel, 20);
    await proxy.stream(1);
    await publisher.more(20);
    await hasAll(tab, await publisher.stop());
    assert.equal(asked, 4);
  });

  it("that can't be had at the start is asked for again", async () => {
    let asked = 0;
    const tab = await following({
      token() {
        if (++asked === 1) throw new Error("the login is away");
        return login.tokenFor({ subscribe: [channel], publish: [] }, 600);
      },
    });
    assert.match((await tab.states()).find(({ error }) => error).error.detail, /the login is away/);
    await redis.publish(channel, "0");
    await hasAll(tab, 1);
  });

  it("that is refused with 401 is asked for once more", async () => {
    const tab = await following({ seconds: [-60, 600] });
    assert.equal(tab.given.length, 2);
    assert.equal(proxy.asked.length, 2);
    await redis.publish(channel, "0");
    await hasAll(tab, 1);
    assert.deepEqual(await tab.told(channel, "refused"), []);
  });

  it("that is refused with 401 twice is the end, without a storm", async () => {
    const tab = await signedIn({ seconds: [-60] });
    await tab.listen(channel);
    await tab.wait(channel, "refused");
    await tab.waitState({ state: "refused" });
    const [refusal] = await tab.told(channel, "refused");
    assert.equal(refusal.status, 401);
    assert.match(refusal.detail, /\w/);
    await tab.fire("online");
    await tab.fire("visibilitychange", "document");
    // Another one fails and tries again meanwhile. It has a stream of its own.
    const other = await following({ key: "another" });
    const isOther = ({ headers }) => headers.authorization === `Bearer ${other.given[0]}`;
    proxy.fail({ status: 503 }, 3, isOther);
    proxy.cut();
    await proxy.until(() => proxy.asked.filter(isOther).length === 5, "fifth request of the other client");
    assert.equal(proxy.asked.length, 2 + 5);
    assert.equal(tab.given.length, 2);
  });

  it("of a publish is asked for once more after a 401, too", async () => {
    const tab = await following({ publish: [channel] });
    proxy.fail({ status: 401 }, 1);
    assert.equal((await tab.call("publish", channel, 0)).value.channel, channel);
    await hasAll(tab, 1);
    assert.equal(tab.given.length, 2);
    const { refusal } = await tab.call("publish", `${channel}.forbidden`, 1);
    assert.equal(refusal.status, 403);
  });
});

describe("a channel that is forbidden", () => {
  const names = () => ["a", "b", "c"].map((name) => `${channel}.${name}`);

  it("takes nobody else's stream away, and its listener is told", async () => {
    const [a, b, c] = names();
    const tab = await signedIn({ subscribe: [a, c] });
    for (const name of names()) await tab.listen(name);
    await tab.wait(b, "refused");
    for (const name of [a, c]) {
      await tab.wait(name, "live");
      await redis.publish(name, "0");
      await hasAll(tab, 1, name);
      assert.deepEqual(await tab.told(name, "refused"), []);
    }
    const [refusal] = await tab.told(b, "refused");
    assert.equal(refusal.status, 403);
    assert.equal(refusal.channel, b);
    assert.equal((await tab.states()).at(-1).state, "open");
  });

  it("is told in each tab that wanted it, and the others go on", async () => {
    const [a, b, c] = names();
    const first = await signedIn({ subscribe: [a, c] });
    await first.listen(a);
    await first.wait(a, "live");
    const second = await signedIn({ subscribe: [a, c] });
    for (const name of [b, c]) await second.listen(name);
    await second.wait(b, "refused");
    await second.wait(c, "live");
    for (const [tab, name] of [[first, a], [second, c]]) {
      await redis.publish(name, "0");
      await hasAll(tab, 1, name);
    }
    // The first one hears nothing of it, until it asks for itself.
    assert.ok((await first.states()).every(({ state }) => state !== "refused"));
    await first.listen(b);
    await first.wait(b, "refused");
    await redis.publish(a, "1");
    await hasAll(first, 2, a);
    assert.ok(proxy.asked.length <= 8, `${proxy.asked.length} requests`);
  });

  it("is one of two that are refused, and the third goes on", async () => {
    const [a, b, c] = names();
    const tab = await signedIn({ subscribe: [c] });
    for (const name of names()) await tab.listen(name);
    for (const name of [a, b]) await tab.wait(name, "refused");
    await tab.wait(c, "live");
    await redis.publish(c, "0");
    await hasAll(tab, 1, c);
  });

  it("throws in read()", async () => {
    const tab = await signedIn({ subscribe: ["elsewhere"] });
    const outcome = await tab.page.evaluate(
      (name) => window.recorder.outcome((async () => { for await (const _ of window.weir.read(name)); })()),
      channel,
    );
    assert.equal(outcome.error, "RefusedError");
    assert.equal(outcome.refusal.status, 403);
  });
});

describe("two users in one browser", () => {
  it("have streams of their own, and neither gets the other's messages", async () => {
    const [mine, yours] = [`${channel}.mine`, `${channel}.yours`];
    const one = await signedIn({ subscribe: [mine] });
    const two = await signedIn({ subscribe: [yours] });
    const names = [mine, yours];
    for (const tab of [one, two]) for (const name of names) await tab.listen(name);
    await one.wait(mine, "live");
    await two.wait(yours, "live");
    await one.wait(yours, "refused");
    await two.wait(mine, "refused");
    await redis.publish(mine, "0");
    await redis.publish(yours, "0");
    await hasAll(one, 1, mine);
    await hasAll(two, 1, yours);
    assert.deepEqual(await one.messages(yours), []);
    assert.deepEqual(await two.messages(mine), []);
  });

  it("share a stream with their own tabs alone, also under keys of their own", async () => {
    const subscribe = [channel];
    for (const key of ["one", "one", "two", "two"]) await following({ subscribe, key });
    assert.equal(proxy.streamsOpen, 2);
    await redis.publish(channel, "0");
    for (const tab of tabs) await hasAll(tab, 1);
  });

  it("share one with their other tabs, though each has a token of its own", async () => {
    await following();
    await following();
    assert.equal(proxy.streamsOpen, 1);
    await redis.publish(channel, "0");
    for (const tab of tabs) await hasAll(tab, 1);
  });

  it("have positions of their own in one tab", async () => {
    const [mine, yours] = [`${channel}.mine`, `${channel}.yours`];
    const tab = await signedIn({ subscribe: [mine, yours], key: "one" });
    await tab.listen(mine);
    await tab.wait(mine, "live");
    await tab.load();
    await redis.publish(mine, "0"); // For the one, who is away.
    await tab.connect(proxy.url, { key: "two" });
    await tab.listen(mine);
    await tab.wait(mine, "live");
    await redis.publish(mine, "1");
    assert.deepEqual(await tab.waitMessages(mine, 1), [1]);
    await tab.load();
    await tab.connect(proxy.url, { key: "one" });
    await tab.listen(mine);
    assert.deepEqual(await tab.waitMessages(mine, 2), [0, 1]);
  });

  it("whose token is no JWT never share", async () => {
    own = await startBroker({ redis, args: CORS() }); // Without keys it does not look at tokens.
    proxy.target = own.url;
    await following({ token: () => "opaque" });
    await following({ token: () => "opaque" });
    assert.equal(proxy.streamsOpen, 2);
  });
});

describe("a client without tokens", () => {
  it("sends cookies along", async () => {
    const token = login.tokenFor({ subscribe: [channel], publish: [] }, 600);
    await context.addCookies([{ name: "weir_token", value: token, url: proxy.url, sameSite: "Lax" }]);
    const tab = await openTab(context, pages);
    await tab.connect(proxy.url);
    await tab.listen(channel);
    await tab.wait(channel, "live");
    await redis.publish(channel, "0");
    await hasAll(tab, 1);
    // A simple request: nobody asks beforehand whether it may be made.
    assert.deepEqual(proxy.preflights, []);
  });

  it("is refused with 401 at once", async () => {
    const tab = await openTab(context, pages);
    await tab.connect(proxy.url);
    await tab.listen(channel);
    await tab.wait(channel, "refused");
    assert.equal((await tab.told(channel, "refused"))[0].status, 401);
    assert.equal(proxy.asked.length, 1);
  });

  it("follows a gateway that allows any origin, with credentials: omit", async () => {
    own = await startBroker({ redis, args: ["--cors-origin", "*"] });
    proxy.target = own.url;
    const tab = await openTab(context, pages);
    await tab.connect(proxy.url, { credentials: "omit" });
    await tab.listen(channel);
    await tab.wait(channel, "live");
    await redis.publish(channel, "0");
    await hasAll(tab, 1);
  });
});
