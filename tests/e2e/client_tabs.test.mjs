// The client library in several tabs of one origin: one stream for all of them, and what becomes of it when tabs come and go.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { launchBrowser, launchPlainBrowser } from "./support/browser.mjs";
import { startFaultProxy } from "./support/fault_proxy.mjs";
import { range, startPublisher } from "./support/publisher.mjs";
import { within } from "./support/process.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { openTab, serveClient } from "./support/weir_page.mjs";

let browser, pages, redis, broker;
const args = () => ["--cors-origin", pages.url, "--retry-ms", "100", "--history-messages", "10000"];
let proxy, context, tabs, channel;

before(async () => {
  redis = await startRedis();
  pages = await serveClient();
  broker = await startBroker({
    redis, args: [...args(), "--durable", "kept.*"],
  });
  // To come back to a page as it was; playwright turns it off.
  browser = await launchBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
});
after(async () => {
  await browser?.close();
  await broker?.stop();
  await redis?.stop();
  await pages?.stop();
});
beforeEach(async () => {
  channel = `tabs-${Math.random().toString(36).slice(2)}`;
  proxy = await startFaultProxy(broker.url);
  context = await browser.newContext();
  tabs = [];
});
afterEach(async () => {
  if (browser.contexts().includes(context)) await context.close();
  await proxy.stop();
  for (const tab of tabs) assert.deepEqual(tab.problems, []);
});

// A tab that is connected, and one that follows `channel` and is live there.
async function connected(options) {
  const tab = await openTab(context, pages);
  tabs.push(tab);
  return tab.connect(proxy.url, options);
}
async function following(listening = {}, options = {}) {
  const tab = await connected(options);
  await tab.listen(channel, listening);
  await tab.wait(listening.name ?? channel, "live");
  return tab;
}
// The tab whose stream it is: it asked last.
function leader(among = tabs) {
  const last = proxy.asked.at(-1).url;
  const [found] = among.filter(({ asked }) => asked.some((url) => url.endsWith(last)));
  return found;
}
const gaps = (tab, name = channel) => tab.told(name, "gap");
// It got 0 … count - 1, in order, nothing missing, nothing twice, and was told of no gap.
async function hasAll(tab, count, name = channel) {
  assert.deepEqual(await tab.waitMessages(name, count), range(count));
  assert.deepEqual(await gaps(tab, name), []);
}

describe("tabs of one origin", () => {
  it("share one stream, and each gets each message", async () => {
    for (let n = 0; n < 8; n++) await following();
    await redis.publishAll(channel, range(100).map(String));
    for (const tab of tabs) await hasAll(tab, 100);
    assert.equal(proxy.streamsOpen, 1);
    assert.equal(proxy.asked.length, 1);
    await broker.subscribers(channel, 1);
  });

  it("share it with several clients of one page", async () => {
    const tab = await following();
    await tab.connect(proxy.url);
    await tab.listen(channel, { name: "second" });
    await tab.wait("second", "live");
    await redis.publish(channel, "0");
    await hasAll(tab, 1);
    await hasAll(tab, 1, "second");
    assert.equal(proxy.asked.length, 1);
  });

  it("ask once for what several of them begin to follow at the same time", async () => {
    await following();
    for (let n = 0; n < 4; n++) await connected();
    await Promise.all(tabs.slice(1).map((tab, n) => tab.listen(`${channel}.${n}`)));
    for (const [n, tab] of tabs.slice(1).entries()) await tab.wait(`${channel}.${n}`, "live");
    assert.ok(proxy.asked.length < 2 + tabs.length - 1, `${proxy.asked.length} requests`);
    for (const n of range(4)) {
      await redis.publish(`${channel}.${n}`, "0");
      await hasAll(tabs[n + 1], 1, `${channel}.${n}`);
    }
    assert.equal(proxy.streamsOpen, 1);
  });

  it("that get their locks late are not taken for gone", async () => {
    await following();
    const late = await openTab(context, pages);
    tabs.push(late);
    await late.page.evaluate(() => {
      const { request } = LockManager.prototype;
      LockManager.prototype.request = async function (...args) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return request.apply(this, args);
      };
    });
    await late.connect(proxy.url);
    await late.listen(`${channel}.late`);
    await late.wait(`${channel}.late`, "live");
    await tabs[0].listen(`${channel}.more`); // The stream is opened anew for what all tabs want.
    await tabs[0].wait(`${channel}.more`, "live");
    await redis.publish(`${channel}.late`, "0");
    await hasAll(late, 1, `${channel}.late`);
  });

  it("lose the stream when the last one has left, and open it again", async () => {
    const tab = await following();
    await tab.unlisten(channel);
    await broker.subscribers(channel, 0);
    await tab.listen(channel, { name: "again" });
    await tab.wait("again", "live");
    await redis.publish(channel, "0");
    await hasAll(tab, 1, "again");
  });

  it("all learn the state of the stream", async () => {
    for (let n = 0; n < 3; n++) await following();
    proxy.fail({ status: 503 }, 2);
    proxy.cut();
    for (const tab of tabs) await tab.waitState({ state: "connecting" }, { after: 2 });
    for (const tab of tabs) await tab.waitOpen();
  });

  it("of different keys share nothing", async () => {
    await following({}, { key: "one" });
    await following({}, { key: "two" });
    await following({}, { key: "two" });
    assert.equal(proxy.asked.length, 2);
    await broker.subscribers(channel, 2);
  });

  it("have streams of their own if they want to", async () => {
    await following({}, { share: false });
    await following({}, { share: false });
    await broker.subscribers(channel, 2);
    await redis.publish(channel, "0");
    for (const tab of tabs) await hasAll(tab, 1);
  });

  it("have streams of their own without Web Locks, and each says so once", async () => {
    await context.addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
    await following();
    await following();
    for (const tab of tabs) {
      await tab.connect(proxy.url);
      await tab.listen(channel, { name: "second" });
      await tab.wait("second", "live");
    }
    await redis.publish(channel, "0");
    for (const tab of tabs) {
      await hasAll(tab, 1);
      await hasAll(tab, 1, "second");
      assert.equal(tab.console.filter((text) => /Web Locks/.test(text)).length, 1);
    }
  });

  it("share nothing with a worker, which has a stream of its own and says nothing of it", async () => {
    const tab = await following();
    const code = (library, gateway, name) => `
      import { connect } from "${library}";
      const tell = (kind) => (value) => postMessage([kind, value]);
      connect("${gateway}").on("${name}", { live: tell("live"), message: tell("message"), batch: (all) => tell("batch")(all.length) });`;
    const text = code(`${pages.url}/weir.js`, proxy.url, channel);
    await tab.page.evaluate((source) => {
      window.told = [];
      const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
      worker.onmessage = ({ data }) => window.told.push(data);
      worker.onerror = ({ message }) => window.told.push(["error", message]);
    }, text);
    await tab.page.waitForFunction(() => window.told.length >= 1);
    await redis.publish(channel, "0");
    await tab.page.waitForFunction(() => window.told.length >= 3);
    assert.deepEqual(await tab.page.evaluate(() => window.told), [["live", { replayed: 0 }], ["message", 0], ["batch", 1]]);
    await hasAll(tab, 1);
    await broker.subscribers(channel, 2);
    assert.deepEqual(tab.console, []);
  });
});

describe("the end of the tab that has the stream", () => {
  it("loses and doubles nothing for the others, twice in a row", async () => {
    for (let n = 0; n < 4; n++) await following();
    const publisher = startPublisher(redis, channel, 100);
    const left = new Set(tabs);
    for (let n = 0; n < 2; n++) {
      await publisher.more(100);
      const leaving = leader([...left]);
      left.delete(leaving);
      const requests = proxy.asked.length;
      await leaving.close();
      await proxy.stream(requests); // Another one has taken over.
    }
    await publisher.more(100);
    const count = await publisher.stop();
    for (const tab of left) await hasAll(tab, count);
    await broker.subscribers(channel, 1);
  });

  it("by a crash loses and doubles nothing either", async () => {
    for (let n = 0; n < 3; n++) await following();
    const publisher = startPublisher(redis, channel, 100);
    await publisher.more(100);
    const leaving = leader();
    const crashed = new Promise((resolve) => leaving.page.once("crash", resolve));
    const session = await context.newCDPSession(leaving.page);
    session.send("Page.crash").catch(() => {}); // It is never answered.
    await within(crashed, "crash");
    await proxy.stream(1);
    await publisher.more(100);
    const count = await publisher.stop();
    for (const tab of tabs) if (tab !== leaving) await hasAll(tab, count);
  });

  it("in the middle of a replay loses and doubles nothing of it", async () => {
    await redis.publishAll(channel, []);
    await following();
    await redis.publishAll(channel, range(2_000).map(String));
    await hasAll(tabs[0], 2_000);
    const second = await connected();
    await second.listen(channel, { replay: "all" });
    await tabs[0].close();
    await hasAll(second, 2_000);
    await second.wait(channel, "live");
    await redis.publish(channel, "2000");
    await hasAll(second, 2_001);
  });

  it("by close() of its client hands the stream on", async () => {
    await following();
    await following();
    await redis.publish(channel, "0");
    for (const tab of tabs) await tab.wait(channel, "message", 1);
    await tabs[0].call("close");
    await redis.publish(channel, "1");
    await hasAll(tabs[1], 2);
    assert.deepEqual(await tabs[0].messages(channel), [0]); // Nothing is told after it.
  });

  it("while it had no connection loses nothing of what came meanwhile", async () => {
    await following();
    await following();
    await redis.publish(channel, "0");
    for (const tab of tabs) await tab.wait(channel, "message", 1);
    proxy.hold();
    proxy.cut();
    await redis.publish(channel, "1");
    await tabs[0].close();
    await redis.publish(channel, "2");
    proxy.release();
    await hasAll(tabs[1], 3);
  });
});

describe("what tabs of one stream are told", () => {
  let other;
  afterEach(() => other?.stop());

  it("of a gap is told once to each", async () => {
    other = await startBroker({ redis, args: args() });
    const added = `${channel}.added`;
    await following();
    await following();
    await tabs[1].listen(added);
    await tabs[1].wait(added, "live");
    await redis.publish(channel, "0");
    for (const tab of tabs) await tab.wait(channel, "message", 1);
    proxy.target = other.url;
    proxy.cut();
    for (const tab of tabs) await tab.wait(channel, "gap");
    await tabs[1].wait(added, "gap");
    await redis.publish(channel, "1");
    await redis.publish(added, "2");
    for (const tab of tabs) assert.deepEqual(await tab.waitMessages(channel, 2), [0, 1]);
    assert.deepEqual(await tabs[1].waitMessages(added, 1), [2]);
    for (const tab of tabs) assert.deepEqual(await gaps(tab), [{ channel, missed: null, reason: "history" }]);
    assert.equal((await gaps(tabs[1], added)).length, 1);
  });

  it("of a stream that comes back is nothing but what was missed: it is live once", async () => {
    await following();
    await following();
    for (let n = 0; n < 3; n++) {
      await redis.publish(channel, `${n}`);
      for (const tab of tabs) await tab.wait(channel, "message", n + 1);
      proxy.cut();
      await proxy.begun(n + 2);
    }
    for (const tab of tabs) assert.deepEqual((await tab.told(channel)).map(({ kind }) => kind), ["live", "message", "message", "message"]);
  });
});

describe("channels that tabs add and leave", () => {
  it("take nothing away from the others", async () => {
    await following();
    await following();
    const publisher = startPublisher(redis, channel, 100);
    for (let n = 0; n < 5; n++) {
      const name = `${channel}.${n}`;
      await tabs[1].listen(name);
      await tabs[1].wait(name, "live");
      await redis.publish(name, "0");
      await hasAll(tabs[1], 1, name);
      if (n % 2) await tabs[1].unlisten(name);
    }
    await publisher.more(50);
    const count = await publisher.stop();
    for (const tab of tabs) await hasAll(tab, count);
    assert.equal(proxy.streamsOpen, 1);
  });

  it("give each listener its replay, and nobody else's", async () => {
    await redis.cli("PUBLISH", channel, "");
    const first = await following();
    await redis.publishAll(channel, range(50).map(String));
    await hasAll(first, 50);
    await first.listen(channel, { name: "three", replay: 3 });
    await first.listen(channel, { name: "none" });
    const second = await following({ replay: "all" });
    await first.wait("three", "live");
    await first.wait("none", "live");
    await redis.publish(channel, "50");
    await hasAll(first, 51);
    await hasAll(second, 51);
    assert.deepEqual(await first.waitMessages("three", 4), [47, 48, 49, 50]);
    assert.deepEqual(await first.waitMessages("none", 1), [50]);
    assert.deepEqual(await first.told("three", "live"), [{ replayed: 3 }]);
    assert.deepEqual(await second.told(channel, "live"), [{ replayed: 50 }]);
  });

  it("give a listener that joins under load its replay and all that follows", async () => {
    const first = await following();
    const publisher = startPublisher(redis, channel, 200);
    await publisher.more(200);
    for (let n = 0; n < 3; n++) await first.listen(channel, { name: `joined ${n}`, replay: "all" });
    const second = await connected();
    await second.listen(channel, { replay: "all" });
    await publisher.more(200);
    const count = await publisher.stop();
    await hasAll(first, count);
    await hasAll(second, count);
    for (let n = 0; n < 3; n++) await hasAll(first, count, `joined ${n}`);
    assert.equal((await second.told(channel, "live")).length, 1);
  });

  it("give a listener that joins a durable channel under load its replay and all that follows", async () => {
    channel = `kept.${channel}`;
    const first = await following();
    let count = 0;
    let isStopped = false;
    const publishing = (async () => {
      while (!isStopped) await redis.cli("FCALL", "weir_publish", "1", channel, `${count++}`, "100000");
    })();
    await first.wait(channel, "message", 50);
    await first.listen(channel, { name: "joined", replay: "all" });
    const second = await connected();
    await second.listen(channel, { replay: "all" });
    await first.wait("joined", "message", 100);
    await second.wait(channel, "message", 100);
    isStopped = true;
    await publishing;
    await hasAll(first, count);
    await hasAll(first, count, "joined");
    await hasAll(second, count);
  });

  it("may be left and followed again in one turn, as frameworks do", async () => {
    const tab = await connected();
    await tab.page.evaluate((name) => {
      const { recorder } = window;
      recorder.listen(name, { name: "first" });
      recorder.listeners.first.off();
      recorder.listen(name, { name: "second" });
    }, channel);
    await tab.wait("second", "live");
    await redis.publish(channel, "0");
    await hasAll(tab, 1, "second");
    assert.deepEqual(await tab.told("first"), []);
    await tab.page.evaluate((name) => {
      const { recorder } = window;
      recorder.listeners.second.off();
      recorder.listen(name, { name: "third", replay: "all" });
    }, channel);
    await redis.publish(channel, "1");
    await hasAll(tab, 2, "third");
    assert.deepEqual(await tab.messages("second"), [0]);
  });

  it("that have ended can be followed again", async () => {
    await following();
    await following();
    await redis.publish(channel, "0");
    await redis.publish(channel, '{"type":"weir:end","data":"over"}');
    for (const tab of tabs) {
      await tab.wait(channel, "end");
      assert.deepEqual((await tab.told(channel)).map(({ kind }) => kind), ["live", "message", "end"]);
      await tab.waitState({ state: "ended" });
    }
    for (const tab of tabs) await tab.listen(channel, { name: "again" });
    for (const tab of tabs) await tab.wait("again", "live");
    await redis.publish(channel, "1");
    for (const tab of tabs) assert.deepEqual(await tab.waitMessages("again", 1), [1]);
    assert.deepEqual(await tabs[1].messages(channel), [0]);
  });

  it("are replayed whole though the connection is cut in the middle of the replay, and another one is added", async () => {
    const large = (n) => JSON.stringify([n, "x".repeat(1_000)]);
    const first = await following({}, { key: "first" });
    await redis.publishAll(channel, range(900).map(large)); // As much as a history has, in bytes.
    await first.wait(channel, "message", 900);
    const second = await connected({ key: "second" });
    const passed = proxy.bytes;
    await second.listen(channel, { replay: "all" });
    await proxy.passed(passed + 200_000);
    proxy.cut();
    await proxy.passed(passed + 600_000);
    await second.listen(`${channel}.added`);
    await second.wait(channel, "live");
    await second.wait(`${channel}.added`, "live");
    await redis.publish(channel, large(900));
    const data = await second.waitMessages(channel, 901);
    assert.deepEqual(data.map(([n]) => n), range(901));
    assert.deepEqual(await gaps(second), []);
    assert.equal((await second.told(channel, "live")).length, 1);
  });

  it("beyond 100 make a second stream", async () => {
    const tab = await connected();
    const names = range(150).map((n) => `many.${n}`); // Short: a URL has its limit, too.
    for (const name of names) await tab.listen(name);
    for (const name of names) await tab.wait(name, "live");
    assert.equal(proxy.streamsOpen, 2);
    for (const { query } of proxy.asked) assert.ok(query.getAll("channel").length <= 100);
    for (const name of names) await redis.publish(name, "0");
    for (const name of names) await hasAll(tab, 1, name);
  });

  it("beyond 6 KB of names make a second stream", async () => {
    const tab = await connected();
    const names = range(50).map((n) => `${channel}.${"long".repeat(25)}.${n}`);
    for (const name of names) await tab.listen(name);
    for (const name of names) await tab.wait(name, "live");
    assert.ok(proxy.streamsOpen >= 2);
    for (const { url } of proxy.asked) assert.ok(url.length < 8_000, `${url.length} bytes`);
    for (const name of names) await redis.publish(name, "0");
    for (const name of names) await hasAll(tab, 1, name);
  });
});

describe("a load of the page", () => {
  it("without replay goes on where this tab was", async () => {
    const tab = await following();
    await redis.publish(channel, "0");
    await tab.wait(channel, "message", 1);
    await tab.load();
    await redis.publish(channel, "1");
    await redis.publish(channel, "2");
    await tab.connect(proxy.url);
    await tab.listen(channel);
    assert.deepEqual(await tab.waitMessages(channel, 2), [1, 2]);
    await tab.wait(channel, "live");
    await redis.publish(channel, "3");
    assert.deepEqual(await tab.waitMessages(channel, 3), [1, 2, 3]);
    assert.deepEqual(await gaps(tab), []);
  });

  it("before the first message goes on where this tab was", async () => {
    const tab = await following();
    await tab.load();
    await redis.publish(channel, "0");
    await tab.connect(proxy.url);
    await tab.listen(channel);
    await hasAll(tab, 1);
  });

  it("goes on where this tab was, though another one has the stream", async () => {
    const other = await following();
    const tab = await following();
    await redis.publish(channel, "0");
    for (const each of tabs) await each.wait(channel, "message", 1);
    await tab.load();
    await redis.publish(channel, "1");
    await other.wait(channel, "message", 2);
    await tab.connect(proxy.url);
    await tab.listen(channel);
    assert.deepEqual(await tab.waitMessages(channel, 1), [1]);
    await tab.wait(channel, "live");
    await redis.publish(channel, "2");
    assert.deepEqual(await tab.waitMessages(channel, 2), [1, 2]);
    await hasAll(other, 3);
    assert.deepEqual(await gaps(tab), []);
  });

  // What was told before a load is kept by the page itself, at the moment when it is told.
  const keepLedger = (tab, kind) =>
    tab.page.evaluate(
      ([name, by]) => {
        const add = ({ data }) => (localStorage.ledger = `${localStorage.ledger ?? ""}${data} `);
        const isLive = new Promise((live) =>
          window.weir.on(name, {
            live,
            ...(by === "batch" ? { batch: (messages) => messages.forEach(add) } : { message: (_, message) => add(message) }),
            gap: ({ missed }) => add({ data: `gap of ${missed}` }),
          }),
        );
        window.ledgerHas = (count) => (localStorage.ledger ?? "").split(" ").length > count;
        return isLive;
      },
      [channel, kind],
    );
  for (const kind of ["message", "batch"]) {
    for (const hasStream of [true, false]) {
      it(`under load loses and doubles nothing, told by ${kind}, of a tab that ${hasStream ? "has" : "does not have"} the stream`, async () => {
        const tab = await connected();
        if (hasStream) await keepLedger(tab, kind);
        const other = await following();
        if (!hasStream) await keepLedger(tab, kind);
        const publisher = startPublisher(redis, channel, 200);
        for (let n = 0; n < 5; n++) {
          await publisher.more(50);
          await tab.load();
          await tab.connect(proxy.url);
          await keepLedger(tab, kind);
        }
        await publisher.more(50);
        const count = await publisher.stop();
        await hasAll(other, count);
        await tab.page.waitForFunction((all) => window.ledgerHas(all), count, { polling: 100 });
        const ledger = await tab.page.evaluate(() => localStorage.ledger.trim().split(" ").map(Number));
        assert.deepEqual(ledger, range(count));
      });
    }
  }

  it("before the frame in which a batch would have come loses nothing of it", async () => {
    const tab = await connected();
    await tab.page.evaluate(() => (window.requestAnimationFrame = () => 1)); // No frame comes any more.
    await keepLedger(tab, "batch");
    await tab.listen(channel);
    await tab.wait(channel, "live");
    await redis.publishAll(channel, range(3).map(String));
    await tab.wait(channel, "message", 3);
    await tab.load();
    await tab.connect(proxy.url);
    await keepLedger(tab, "batch");
    await redis.publish(channel, "3");
    await tab.page.waitForFunction(() => localStorage.ledger?.endsWith("3 "), undefined, { polling: 100 });
    assert.equal(await tab.page.evaluate(() => localStorage.ledger), "0 1 2 3 ");
  });

  it("goes on in each channel, also where its listener comes late", async () => {
    const [live, kept, late] = [`${channel}.live`, `kept.${channel}`, `kept.${channel}.late`];
    const publish = (name, n) => (name === live ? redis.publish(live, `${n}`) : redis.cli("FCALL", "weir_publish", "1", name, `${n}`));
    const tab = await connected();
    for (const name of [live, kept, late]) await tab.listen(name);
    for (const name of [live, kept, late]) await tab.wait(name, "live");
    for (const name of [live, kept, late]) await publish(name, 0);
    for (const name of [live, kept, late]) await hasAll(tab, 1, name);
    await tab.load();
    for (const n of [1, 2]) for (const name of [live, kept, late]) await publish(name, n);
    await tab.connect(proxy.url);
    for (const name of [kept, live]) await tab.listen(name);
    for (const name of [kept, live]) assert.deepEqual(await tab.waitMessages(name, 2), [1, 2]);
    for (const name of [live, kept, late]) await publish(name, 3);
    await tab.listen(late);
    for (const name of [live, kept, late]) {
      assert.deepEqual(await tab.waitMessages(name, 3), [1, 2, 3]);
      assert.deepEqual(await gaps(tab, name), []);
    }
  });

  it("with replay begins with the replay again", async () => {
    const tab = await following();
    await redis.publishAll(channel, range(10).map(String));
    await tab.wait(channel, "message", 10);
    for (let n = 0; n < 2; n++) {
      await tab.load();
      await tab.connect(proxy.url);
      await tab.listen(channel, { replay: 4 });
      await tab.wait(channel, "live");
      assert.deepEqual(await tab.messages(channel), [6, 7, 8, 9]);
      assert.deepEqual(await tab.told(channel, "live"), [{ replayed: 4 }]);
    }
  });

  it("gives a listener with replay and one without what each wants", async () => {
    const tab = await following();
    await redis.publishAll(channel, range(3).map(String));
    await tab.wait(channel, "message", 3);
    await tab.load();
    await redis.publish(channel, "3");
    await tab.connect(proxy.url);
    await tab.listen(channel, { name: "all", replay: "all" });
    await tab.listen(channel, { name: "on" });
    await tab.wait("all", "live");
    await tab.wait("on", "live");
    await redis.publish(channel, "4");
    await hasAll(tab, 5, "all");
    assert.deepEqual(await tab.waitMessages("on", 2), [3, 4]);
  });

  it("without resume begins live", async () => {
    const tab = await following({}, { resume: false });
    await redis.publish(channel, "0");
    await tab.wait(channel, "message", 1);
    await tab.load();
    await redis.publish(channel, "1");
    await tab.connect(proxy.url, { resume: false });
    await tab.listen(channel);
    await tab.wait(channel, "live");
    await redis.publish(channel, "2");
    assert.deepEqual(await tab.waitMessages(channel, 1), [2]);
    assert.deepEqual(await gaps(tab), []);
    assert.equal(await tab.page.evaluate(() => sessionStorage.length), 0);
  });
});

describe("a tab that was frozen", () => {
  let plain, quick;
  before(async () => {
    plain = await launchPlainBrowser();
    // Chromium does not go on with a response after it was frozen: it is silent, which a heartbeat shows.
    quick = await startBroker({ redis, args: [...args(), "--heartbeat-seconds", "1"] });
  });
  after(async () => {
    await plain?.stop();
    await quick?.stop();
  });
  beforeEach(async () => {
    await context.close();
    ({ context } = plain);
    proxy.target = quick.url;
  });
  afterEach(async () => {
    for (const tab of tabs) {
      await thaw(tab);
      await within(tab.close(), "closed tab");
    }
  });

  async function freeze(tab) {
    const isFrozen = tab.page.evaluate(() => new Promise((resolve) => document.addEventListener("freeze", resolve, { once: true })));
    tab.session ??= await context.newCDPSession(tab.page);
    await tab.session.send("Page.setWebLifecycleState", { state: "frozen" });
    await within(isFrozen, "freeze");
  }
  const thaw = (tab) => tab.session?.send("Page.setWebLifecycleState", { state: "active" });

  it("and has no stream of its own gets what came meanwhile", async () => {
    const other = await following();
    const tab = await following();
    await freeze(tab);
    await redis.publishAll(channel, range(1_000).map(String));
    await hasAll(other, 1_000);
    await thaw(tab);
    await hasAll(tab, 1_000);
  });

  it("and has the stream gets what came meanwhile, and so do the others", async () => {
    const tab = await following();
    const other = await following();
    await freeze(tab);
    await redis.publishAll(channel, range(1_000).map(String));
    await thaw(tab);
    await hasAll(tab, 1_000);
    await hasAll(other, 1_000);
  });

  it("for long loses the stream to another one, and nobody misses anything", async () => {
    const tab = await following();
    const other = await following();
    await freeze(tab);
    await redis.publishAll(channel, range(100).map(String));
    // Two minutes have passed without a word from it. (The clock of playwright hangs while a tab is frozen.)
    await other.page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 120_000;
    });
    await proxy.stream(1);
    await hasAll(other, 100);
    await thaw(tab);
    await hasAll(tab, 100);
    await redis.publish(channel, "100");
    await hasAll(other, 101);
    await hasAll(tab, 101);
    await quick.subscribers(channel, 1);
  });
});

describe("a page that was left and is shown again as it was", () => {
  for (const hasStream of [true, false]) {
    it(`gets what was published meanwhile, and others lose nothing, when it ${hasStream ? "had" : "did not have"} the stream`, async () => {
      for (let n = 0; n < 2; n++) await following();
      const tab = hasStream ? leader() : tabs.find((each) => each !== leader());
      const other = tabs.find((each) => each !== tab);
      await redis.publish(channel, "0");
      for (const each of tabs) await each.wait(channel, "message", 1);
      await tab.page.goto(`${pages.url}/blank?elsewhere`);
      await redis.publish(channel, "1");
      await other.wait(channel, "message", 2);
      await tab.page.goBack({ waitUntil: "commit" }); // There is no load.
      await redis.publish(channel, "2");
      await hasAll(tab, 3);
      await hasAll(other, 3);
    });
  }
});
