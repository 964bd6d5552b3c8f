// The client library in a browser, while networks, proxies, gateways and Redis fail.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { CUT, eventStream, HEAD_ONLY, SILENT, startFaultProxy } from "./support/fault_proxy.mjs";
import { within } from "./support/process.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { openTab, serveClient } from "./support/weir_page.mjs";

const RETRY = ["--retry-ms", "100"];
const REFUSED = { status: 403, headers: { "Content-Type": "application/json" }, body: '{"error":"forbidden","detail":"not for you"}' };
const EXPECTED = /net::ERR_|status of [45]\d\d|CORS policy/;

let browser, pages, redis;
before(async () => {
  redis = await startRedis();
  pages = await serveClient();
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await redis?.stop();
  await pages?.stop();
});

// A gateway, a proxy that fails in front of it, and a tab that follows `channel` through it.
function setUp(state, args = []) {
  let number = 0;
  before(async () => {
    state.broker = await startBroker({ redis, args: ["--cors-origin", pages.url, ...RETRY, ...args] });
  });
  after(() => state.broker?.stop());
  beforeEach(async () => {
    state.channel = `network-${++number}-${Math.random().toString(36).slice(2)}`;
    state.proxy = await startFaultProxy(state.broker.url);
    state.context = await browser.newContext();
    state.tab = await openTab(state.context, pages, { expected: EXPECTED });
  });
  afterEach(async () => {
    await state.context.close();
    await state.proxy.stop();
    await state.other?.stop();
    state.other = undefined;
    assert.deepEqual(state.tab.problems, []);
  });
}

describe("a client whose requests fail", () => {
  const t = {};
  setUp(t);
  const follow = async (options) => {
    await t.tab.connect(t.proxy.url, options);
    await t.tab.listen(t.channel);
  };
  const opened = async (options) => {
    await follow(options);
    await t.tab.waitOpen();
  };
  // Nothing that is published from now on is missed, if all is well.
  async function delivers(data = "hello") {
    await redis.publish(t.channel, data);
    await t.tab.wait(t.channel, "message", 1);
    assert.equal((await t.tab.messages(t.channel)).at(-1), data);
  }

  // Time enough for a client that should not try to do it. It has a stream of its own.
  async function anotherTriesThreeTimes() {
    const other = await openTab(t.context, pages, { expected: EXPECTED });
    await other.connect(t.proxy.url, { key: "another" });
    await other.listen(`${t.channel}.another`);
    await other.waitOpen();
    const isOther = ({ query }) => query.get("channel") === `${t.channel}.another`;
    t.proxy.fail({ status: 503 }, 3, isOther);
    t.proxy.cut();
    await t.proxy.until(() => t.proxy.asked.filter(isOther).length === 5, "fifth request of the other client");
    await other.close();
  }

  it("at the start, with 502, tries again until it is answered", async () => {
    t.proxy.fail({ status: 502, body: "<h1>Bad Gateway</h1>" }, 2);
    await opened();
    await delivers();
    assert.equal(t.proxy.asked.length, 3);
    const [first, failed, open] = await t.tab.states(); // What does not change is not said again.
    assert.deepEqual([first.state, first.error], ["connecting", undefined]);
    assert.deepEqual([failed.state, failed.error.status], ["connecting", 502]);
    assert.deepEqual([open.state, open.error], ["open", undefined]);
    assert.deepEqual(await t.tab.told(t.channel, "refused"), []);
  });

  it("with an error that a page of another origin may not read, tries again", async () => {
    t.proxy.fail({ status: 502, headers: { "Access-Control-Allow-Origin": "null" } }, 1);
    await opened();
    await delivers();
    assert.equal((await t.tab.states()).find(({ error }) => error).error.status, 0);
  });

  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    it(`with ${status}, when it was open before, comes back and misses nothing`, async () => {
      await opened();
      t.proxy.fail({ status }, 2);
      t.proxy.cut();
      await t.proxy.stream(1);
      await redis.publish(t.channel, "1");
      await redis.publish(t.channel, "2");
      assert.deepEqual(await t.tab.waitMessages(t.channel, 2), [1, 2]);
      assert.equal(t.proxy.asked.length, 4);
      assert.deepEqual(await t.tab.told(t.channel, "gap"), []);
    });
  }

  it("waits as long as Retry-After says, and until then only if nothing happens", async () => {
    const patient = `${t.channel}.patient`;
    const isPatient = ({ query }) => query.getAll("channel").includes(patient);
    t.proxy.fail({ status: 503, headers: { "Retry-After": "3600" } }, 1, isPatient);
    await t.tab.connect(t.proxy.url, { key: "patient" });
    await t.tab.listen(patient);
    await t.tab.waitFailure(503);
    await anotherTriesThreeTimes();
    assert.equal(t.proxy.asked.filter(isPatient).length, 1);
    // The network is back: now is the time to try.
    await t.tab.fire("online");
    await t.tab.waitOpen();
    assert.equal(t.proxy.asked.filter(isPatient).length, 2);
  });

  it("tries at once when the page is shown again", async () => {
    t.proxy.fail({ status: 503, headers: { "Retry-After": "3600" } }, 1);
    await follow();
    await t.tab.waitFailure(503);
    await t.tab.fire("visibilitychange", "document");
    await t.tab.waitOpen();
  });

  it("comes back after the time that Retry-After says", async () => {
    t.proxy.fail({ status: 429, headers: { "Retry-After": "1" } }, 1);
    await opened();
    await delivers();
    assert.equal(t.proxy.asked.length, 2);
  });

  it("with 403 tells why, and never asks again", async () => {
    t.proxy.fail(REFUSED, 1);
    await follow();
    await t.tab.waitState({ state: "refused" });
    assert.deepEqual(await t.tab.told(t.channel, "refused"), [{ status: 403, detail: "not for you" }]);
    // Nor if something happens that makes others try.
    await t.tab.fire("online");
    await t.tab.fire("visibilitychange", "document");
    await anotherTriesThreeTimes();
    assert.equal(t.tab.asked.length, 1);
  });

  for (const status of [400, 404]) {
    it(`with ${status} is refused, too`, async () => {
      t.proxy.fail({ ...REFUSED, status }, 1);
      await follow();
      await t.tab.waitState({ state: "refused" });
      assert.deepEqual(await t.tab.told(t.channel, "refused"), [{ status, detail: "not for you" }]);
    });
  }

  it("that was refused follows other channels later", async () => {
    t.proxy.fail(REFUSED, 1);
    await follow();
    await t.tab.waitState({ state: "refused" });
    await t.tab.listen(`${t.channel}.next`);
    await t.tab.waitOpen();
    await redis.publish(`${t.channel}.next`, "hello");
    assert.deepEqual(await t.tab.waitMessages(`${t.channel}.next`, 1), ["hello"]);
  });

  it("with 204 has ended, and never asks again", async () => {
    t.proxy.fail({ status: 204 }, 1);
    await follow();
    await t.tab.waitState({ state: "ended" });
    assert.equal((await t.tab.told(t.channel, "end")).length, 1);
    await t.tab.fire("online");
    await t.tab.listen(`${t.channel}.next`); // The next request is one for this channel.
    await t.tab.waitOpen();
    assert.deepEqual(t.proxy.asked.map(({ query }) => query.getAll("channel")), [[t.channel], [`${t.channel}.next`]]);
  });

  it("is refused a publish with the status and the gateway's words", async () => {
    await opened();
    t.proxy.fail(REFUSED, 1);
    const { error, refusal } = await t.tab.call("publish", t.channel, "hello");
    assert.equal(error, "RefusedError");
    assert.deepEqual(refusal, { status: 403, detail: "not for you" });
    t.proxy.fail(CUT);
    assert.equal((await t.tab.call("publish", t.channel, "hello")).error, "TypeError");
  });
});

describe("a client whose stream is cut", () => {
  const t = {};
  setUp(t, ["--heartbeat-seconds", "1"]);
  const opened = async (options) => {
    await t.tab.connect(t.proxy.url, options);
    await t.tab.listen(t.channel);
    await t.tab.waitOpen();
  };
  const noGaps = async () => assert.deepEqual(await t.tab.told(t.channel, "gap"), []);

  it("before its first message gets what was published meanwhile", async () => {
    await opened();
    t.proxy.hold();
    t.proxy.cut();
    await redis.publish(t.channel, "1");
    await redis.publish(t.channel, "2");
    t.proxy.release();
    assert.deepEqual(await t.tab.waitMessages(t.channel, 2), [1, 2]);
    await noGaps();
  });

  it("between messages goes on after the last one, each time", async () => {
    await opened();
    await redis.publish(t.channel, "0");
    for (const n of [1, 2, 3]) {
      await t.tab.wait(t.channel, "message", n);
      t.proxy.hold();
      t.proxy.cut();
      await redis.publish(t.channel, `${n}`);
      t.proxy.release();
    }
    assert.deepEqual(await t.tab.waitMessages(t.channel, 4), [0, 1, 2, 3]);
    await noGaps();
  });

  it("says where it was in the URL, so that nothing but the first request could cost a preflight", async () => {
    await opened();
    await redis.publish(t.channel, "1");
    const [{ id }] = await t.tab.wait(t.channel, "message", 1);
    t.proxy.cut();
    const { query, headers } = await t.proxy.stream(1);
    assert.match(id, /^g\w+\.\d+/);
    assert.equal(query.get("lastEventId"), id);
    assert.equal(headers["last-event-id"], undefined);
    assert.deepEqual(t.proxy.preflights, []);
  });

  it("by a clean end without a word comes back", async () => {
    await opened();
    t.proxy.hold();
    t.proxy.end();
    await redis.publish(t.channel, "1");
    t.proxy.release();
    assert.deepEqual(await t.tab.waitMessages(t.channel, 1), [1]);
    assert.deepEqual(await t.tab.told(t.channel, "end"), []);
    await noGaps();
  });

  it("by silence in its middle comes back after three heartbeats", async () => {
    await opened();
    t.proxy.mute();
    await redis.publish(t.channel, "1");
    assert.deepEqual(await t.tab.waitMessages(t.channel, 1), [1]);
    assert.equal(t.proxy.asked.length, 2);
    await noGaps();
  });

  it("by a proxy that takes requests and stays silent tries again", async () => {
    t.proxy.fail(SILENT, 1);
    await opened({ timeout: 1_000 });
    assert.equal(t.proxy.asked.length, 2);
  });

  it("by a proxy that passes the head and nothing else tries again", async () => {
    t.proxy.fail(HEAD_ONLY, 1);
    await opened({ timeout: 1_000 });
    assert.equal(t.proxy.asked.length, 2);
  });

  it("is told of the end of its channel, and asks no more", async () => {
    await opened();
    await redis.publish(t.channel, "1");
    await redis.publish(t.channel, '{"type":"weir:end","data":{"exit":0}}');
    await t.tab.wait(t.channel, "end");
    await redis.publish(t.channel, "after the end");
    await t.tab.waitState({ state: "ended" });
    assert.deepEqual((await t.tab.told(t.channel)).map(({ kind }) => kind), ["live", "message", "end"]);
    assert.deepEqual(await t.tab.told(t.channel, "end"), [{ exit: 0 }]);
    assert.equal(t.proxy.asked.length, 1);
  });

  it("gets messages with their type, id, time and bytes", async () => {
    await opened();
    await redis.publish(t.channel, '{"data":{"total":3},"type":"order","id":"o-1"}');
    await redis.publish(t.channel, '{"data":"plain text","type":"note"}');
    await redis.publish(t.channel, '{"msg":{"type":"Buffer","data":[1,2,255]}}');
    await t.tab.wait(t.channel, "message", 3);
    const [order, note, bytes] = await t.tab.told(t.channel, "message");
    assert.deepEqual([order.type, order.data], ["order", { total: 3 }]);
    assert.deepEqual([note.type, note.data], ["note", "plain text"]);
    assert.deepEqual([...Object.values(bytes.data.msg)], [1, 2, 255]);
    assert.equal(bytes.type, undefined);
    assert.equal(order.channel, t.channel);
    assert.equal(typeof order.time, "number");
    assert.match(order.id, /~o-1$/);
    assert.match(note.id, /^g\w+\.\d+$/);
  });
});

describe("a client of a gateway that is full", () => {
  const t = {};
  setUp(t);
  const FULL = eventStream('retry: 200\nevent: weir:overloaded\ndata: {"reason":"clients"}\n\n');
  const follow = async () => {
    await t.tab.connect(t.proxy.url);
    await t.tab.listen(t.channel);
  };

  it("is told so, which is no message, and is back by itself", async () => {
    t.proxy.fail(FULL, 3);
    await follow();
    await t.tab.waitOpen();
    assert.equal(t.proxy.asked.length, 4);
    assert.deepEqual((await t.tab.told(t.channel)).map(({ kind }) => kind), ["live"]);
    assert.deepEqual((await t.tab.states()).map(({ state }) => state), ["connecting", "open"]);
  });

  it("keeps its position meanwhile", async () => {
    await follow();
    await t.tab.waitOpen();
    t.proxy.fail(FULL, 2);
    t.proxy.cut();
    await t.proxy.stream(1);
    await redis.publish(t.channel, "1");
    assert.deepEqual(await t.tab.waitMessages(t.channel, 1), [1]);
    assert.equal(t.proxy.asked.length, 4);
    assert.deepEqual(await t.tab.told(t.channel, "gap"), []);
  });

  it("gets the place that became free", async () => {
    const small = (t.other = await startBroker({ redis, args: ["--cors-origin", pages.url, "--max-clients", "1"] }));
    t.proxy.target = small.url;
    const abort = new AbortController();
    assert.equal((await fetch(`${small.url}/channels/${t.channel}`, { signal: abort.signal })).status, 200);
    await follow();
    await t.proxy.begun(1);
    abort.abort();
    await small.subscribers(t.channel, 0);
    // It was told to come back in 10 to 30 s. Its network comes back before that, perhaps before it has read what it was told.
    const asksAgain = t.proxy.stream(1);
    const knocking = setInterval(() => t.tab.fire("online").catch(() => {}), 100);
    await asksAgain.finally(() => clearInterval(knocking));
    await t.tab.waitOpen();
    await redis.publish(t.channel, "in");
    assert.deepEqual(await t.tab.waitMessages(t.channel, 1), ["in"]);
  });
});

describe("a client whose gateway dies", () => {
  const t = {};
  let broker, port, context, tab;
  const args = () => ["--cors-origin", pages.url, ...RETRY, "--durable", "kept.*"];
  const again = async () => (broker = await startBroker({ redis, args: [...args(), "--listen", `127.0.0.1:${port}`] }));

  beforeEach(async () => {
    t.id = Math.random().toString(36).slice(2);
    broker = await startBroker({ redis, args: args() });
    port = new URL(broker.url).port;
    context = await browser.newContext();
    tab = await openTab(context, pages, { expected: EXPECTED });
  });
  afterEach(async () => {
    await context.close();
    await broker.stop();
    assert.deepEqual(tab.problems, []);
  });

  it("is told of a gap on a live channel, and goes on", async () => {
    const channel = `live.${t.id}`;
    await tab.connect(broker.url);
    await tab.listen(channel);
    await tab.waitOpen();
    await redis.publish(channel, '"before"');
    await tab.wait(channel, "message", 1);
    await broker.program.stop("SIGKILL");
    await redis.publish(channel, '"lost"');
    await again();
    await tab.wait(channel, "gap");
    await broker.subscribers(channel, 1);
    await redis.publish(channel, '"after"');
    await tab.wait(channel, "message", 2);
    const told = (await tab.told(channel)).filter(({ kind }) => kind !== "live");
    assert.deepEqual(told.map(({ kind, value }) => (kind === "gap" ? value : value.data)), [
      "before", { channel, missed: null, reason: "history" }, "after",
    ]);
  });

  it("misses nothing of a durable channel", async () => {
    const channel = `kept.${t.id}`;
    const publish = (payload) => redis.cli("FCALL", "weir_publish", "1", channel, payload);
    await tab.connect(broker.url);
    await tab.listen(channel);
    await tab.waitOpen();
    await publish("0");
    await tab.wait(channel, "message", 1);
    await broker.program.stop("SIGKILL");
    await publish("1");
    await publish("2");
    await again();
    await tab.wait(channel, "message", 3);
    await publish("3");
    assert.deepEqual(await tab.waitMessages(channel, 4), [0, 1, 2, 3]);
    assert.deepEqual(await tab.told(channel, "gap"), []);
  });

  it("of live and durable channels together is told of a gap on the live ones alone", async () => {
    const [live, kept] = [`live.${t.id}`, `kept.${t.id}`];
    const publish = (payload) => redis.cli("FCALL", "weir_publish", "1", kept, payload);
    await tab.connect(broker.url);
    await tab.listen(live);
    await tab.listen(kept);
    await tab.waitOpen();
    await publish("0");
    await tab.wait(kept, "message", 1);
    await broker.program.stop("SIGKILL");
    await publish("1");
    await again();
    assert.deepEqual(await tab.waitMessages(kept, 2), [0, 1]);
    await tab.wait(live, "gap");
    assert.deepEqual(await tab.told(kept, "gap"), []);
  });
});

describe("a client whose gateway loses Redis", () => {
  const channel = "orders";
  let own, broker, context, tab;

  beforeEach(async () => {
    own = await startRedis();
    broker = await startBroker({ redis: own, args: ["--cors-origin", pages.url, ...RETRY] });
    context = await browser.newContext();
    tab = await openTab(context, pages, { expected: EXPECTED });
    await tab.connect(broker.url);
    await tab.listen(channel);
    await tab.waitOpen();
  });
  afterEach(async () => {
    await context.close();
    await broker.stop();
    await own.stop();
    assert.deepEqual(tab.problems, []);
  });

  it("is told so before a publish is refused", async () => {
    await own.program.stop();
    await tab.waitState({ state: "open", bus: "down" });
    const { refusal } = await tab.call("publish", channel, 1);
    assert.equal(refusal.status, 503);
    assert.match(refusal.detail, /\w/);
  });

  it("keeps its stream, and is told when Redis is back, and that there may be a gap", async () => {
    assert.equal((await tab.call("publish", channel, 1)).value.subscribers, 1);
    await tab.wait(channel, "message", 1);
    await own.stop();
    await tab.waitState({ state: "open", bus: "down" });
    const before = (await tab.states()).length;
    own = await startRedis({ port: own.port });
    await tab.waitState({ state: "open", bus: "up" }, { after: before });
    assert.deepEqual(await tab.wait(channel, "gap"), [{ channel, missed: null, reason: "bus-down" }]);
    // The gateway may hear Redis before it can publish again.
    const published = (async () => { while (!(await tab.call("publish", channel, 2)).value); })();
    await within(published, "publish");
    assert.deepEqual(await tab.waitMessages(channel, 2), [1, 2]);
    assert.equal(tab.asked.length, 1);
  });
});
