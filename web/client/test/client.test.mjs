// Listeners, and what each of them is told, with a gateway that does as the test says. In Node there are no other tabs.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Events, startGateway, within } from "./support/gateway.mjs";
import { importSource } from "./support/modules.mjs";

const { connect, GapError, RefusedError } = await importSource("weir.ts");

describe("a client", () => {
  let gateway, weir;

  beforeEach(async () => {
    gateway = await startGateway();
    weir = connect(`${gateway.url}/`);
  });
  afterEach(async () => {
    weir.close();
    await gateway.stop();
  });

  // A listener that writes down what it is told, in order.
  function listen(channel, options) {
    const told = new Events();
    const note = (kind) => (value) => told.push([kind, value]);
    const handlers = Object.fromEntries(["message", "gap", "live", "end", "refused"].map((kind) => [kind, note(kind)]));
    told.off = weir.on(channel, handlers, options);
    told.has = (kind, value) =>
      told.until((all) => all.some((each) => each[0] === kind && (value === undefined || JSON.stringify(each[1]) === JSON.stringify(value))), `${kind} ${value}`);
    return told;
  }

  it("collects the channels of one turn in one stream", async () => {
    listen("a");
    listen("b", { replay: 2 });
    listen("a", { replay: 2 }).off();
    const first = await gateway.request(0);
    assert.deepEqual(first.query.getAll("channel").sort(), ["a", "b"]);
    assert.equal(first.query.get("replay.a"), null);
    assert.equal(first.query.get("replay.b"), "2");
  });

  it("tells each listener what comes on its channel, with type, id and time", async () => {
    const a = listen("a");
    const b = listen("b");
    let seen;
    weir.on("a", { message: (_, message) => (seen = message) });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.send('data: {"channel":"a","type":"t","id":"g1.2~own","time":5,"data":{"x":[1]}}\nid: g1.2~own\n\n');
    first.message("b", "g1.3", "text");
    await b.has("message", "text");
    assert.deepEqual(a.all, [["live", { replayed: 0 }], ["message", { x: [1] }]]);
    assert.deepEqual(b.all, [["live", { replayed: 0 }], ["message", "text"]]);
    assert.deepEqual(seen, { channel: "a", type: "t", id: "g1.2~own", time: 5, data: { x: [1] } });
  });

  it("counts what is replayed, and says when it is live, once", async () => {
    const a = listen("a", { replay: 5 });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.message("a", "g1.1", 1);
    first.message("a", "g1.2", 2);
    first.event("weir:live", { replayed: 2 });
    await a.has("live");
    first.cut();
    const second = await gateway.request(1);
    second.stream({ id: "g1.2" });
    second.event("weir:live", { replayed: 0 });
    second.message("a", "g1.3", 3);
    await a.has("message", 3);
    assert.deepEqual(a.all, [["message", 1], ["message", 2], ["live", { replayed: 2 }], ["message", 3]]);
  });

  it("joins a listener with a replay to a channel that is followed: nothing missing, nothing twice", async () => {
    const one = listen("a");
    const main = await gateway.request(0);
    main.stream({ id: "g1.10" });
    main.message("a", "g1.11", 11);
    await one.has("message", 11);
    const two = listen("a", { replay: 3 });
    const short = await gateway.request(1);
    assert.deepEqual([...short.query], [["form", "json"], ["channel", "a"], ["replay.a", "3"]]);
    main.message("a", "g1.12", 12);
    main.message("a", "g1.13", 13);
    await one.has("message", 13);
    short.stream({ id: "g1.9" });
    for (const n of [10, 11, 12]) short.message("a", `g1.${n}`, n);
    short.event("weir:live", { replayed: 3 });
    await two.has("message", 13);
    main.message("a", "g1.14", 14);
    await two.has("message", 14);
    await short.closed;
    assert.deepEqual(two.all, [
      ["message", 10], ["message", 11], ["message", 12], ["live", { replayed: 3 }], ["message", 13], ["message", 14],
    ]);
    assert.deepEqual(one.all.slice(1).map(([, data]) => data), [11, 12, 13, 14]);
  });

  it("gives a listener without a replay nothing of another's", async () => {
    const old = listen("a", { replay: 2 });
    const fresh = listen("a");
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.message("a", "g1.1", 1);
    first.event("weir:live", { replayed: 1 });
    first.message("a", "g1.2", 2);
    await fresh.has("message", 2);
    assert.deepEqual(fresh.all, [["live", { replayed: 0 }], ["message", 2]]);
    assert.deepEqual(old.all, [["message", 1], ["live", { replayed: 1 }], ["message", 2]]);
  });

  it("shares one short request among listeners with the same need", async () => {
    const a = listen("a");
    const b = listen("b");
    (await gateway.request(0)).stream({ id: "g1.1" });
    await a.has("live");
    await b.has("live");
    const all = [listen("a", { replay: 2 }), listen("b", { replay: 2 }), listen("b", { replay: 2 })];
    const short = await gateway.request(1);
    assert.deepEqual(short.query.getAll("channel").sort(), ["a", "b"]);
    short.stream({ id: "g1.1" });
    short.event("weir:live", { replayed: 0 });
    await Promise.all(all.map((each) => each.has("live")));
    assert.equal(gateway.count(), 2);
  });

  it("tells a gap where the gateway never said a position", async () => {
    const a = listen("a");
    const first = await gateway.request(0);
    first.stream();
    await a.has("live");
    first.cut();
    (await gateway.request(1)).stream({ id: "g1.9" });
    await a.has("gap", { channel: "a", missed: null, reason: "history" });
  });

  it("takes 204 for the end, also for listeners that were never open", async () => {
    const all = [listen("a"), listen("a", { replay: 1 }), listen("b")];
    (await gateway.request(0)).reply(204);
    (await gateway.request(1)).reply(204);
    await Promise.all(all.map((each) => each.has("end")));
    assert.equal(weir.status.state, "ended");
    assert.equal(gateway.count(), 2);
  });

  it("tells the end of a channel, and can follow it anew", async () => {
    const a = listen("a");
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.event("weir:end", { channel: "a", data: { code: 1 } });
    first.finish();
    await a.has("end", { code: 1 });
    const again = listen("a");
    const second = await gateway.request(1);
    assert.equal(second.query.get("channel"), "a");
    second.stream({ id: "g1.5" });
    await again.has("live");
  });

  it("tells the end also to who has just come, and gives the last run to who wants it", async () => {
    const one = listen("a");
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    await one.has("live");
    const two = listen("a");
    const three = listen("a", { replay: "all" });
    first.event("weir:end", { channel: "a" });
    await two.has("end");
    const second = await gateway.request(1);
    assert.equal(second.query.get("replay.a"), "all");
    second.stream({ id: "g1.3" });
    second.message("a", "g1.2", 2);
    second.event("weir:end", { channel: "a" });
    await three.has("end");
    assert.deepEqual(three.all.map(([kind]) => kind), ["message", "end"]);
  });

  it("tells a refused channel to its listeners alone", async () => {
    const a = listen("a");
    const b = listen("b");
    (await gateway.request(0)).reply(403, {}, { error: "forbidden", detail: "not b", channel: "b" });
    await b.has("refused", { status: 403, detail: "not b", channel: "b" });
    (await gateway.request(1)).stream({ id: "g1.1" });
    await a.has("live");
    assert.deepEqual(a.all, [["live", { replayed: 0 }]]);
    assert.equal(weir.status.state, "open");
  });

  it("goes on with the others when a listener throws", async () => {
    const thrown = new Promise((resolve) => (globalThis.reportError = resolve));
    weir.on("a", {
      message() {
        throw new Error("mine");
      },
    });
    const a = listen("a");
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.message("a", "g1.2", 2);
    await a.has("message", 2);
    assert.equal((await within(thrown, "the error")).message, "mine");
  });

  it("gives batches in order with everything else", async () => {
    const told = new Events();
    weir.on("a", {
      batch: (messages) => told.push(messages.map(({ data }) => data)),
      gap: ({ missed }) => told.push(`gap ${missed}`),
      end: () => told.push("end"),
    });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.send(
      'data: {"channel":"a","id":"g1.2","data":1}\nid: g1.2\n\ndata: {"channel":"a","id":"g1.3","data":2}\nid: g1.3\n\n' +
        'event: weir:gap\ndata: {"channel":"a","missed":4,"reason":"slow-client"}\n\n' +
        'data: {"channel":"a","id":"g1.8","data":3}\nid: g1.8\n\nevent: weir:end\ndata: {"channel":"a"}\n\n',
    );
    await told.until((all) => all.includes("end"), "end");
    assert.deepEqual(told.all, [[1, 2], "gap 4", [3], "end"]);
  });

  // Messages of channel a with the numbers from `begin` to `end`, which are their ids too.
  const numbers = (begin, end) =>
    Array.from({ length: end - begin + 1 }, (_, n) => `data: {"channel":"a","id":"g1.${begin + n}","data":${begin + n}}\nid: g1.${begin + n}\n\n`).join("");

  it("gives a batch before its time rather than lose something", async () => {
    const told = new Events();
    const all = [];
    weir.on("a", {
      batch(messages) {
        all.push(...messages.map(({ data }) => data));
        told.push(messages.length);
      },
      gap: (gap) => told.push(gap),
    });
    const first = await gateway.request(0);
    first.stream({ id: "g1.0" });
    first.send(numbers(1, 20_005));
    await told.until(() => all.length === 20_005, "20,005");
    assert.deepEqual(all, Array.from({ length: 20_005 }, (_, n) => n + 1));
    assert.ok(Math.max(...told.all) <= 10_000, `${told.all}`);
  });

  it("catches up once more where more has come meanwhile than is held", async () => {
    const one = new Events(); // Of who is there from the start: when the client has got what it was sent.
    weir.on("a", { live: () => one.push(0), message: (data) => data >= 10_005 && one.push(data) });
    const main = await gateway.request(0);
    main.stream({ id: "g1.0" });
    await one.until((list) => list.includes(0), "live");
    const all = [];
    const told = new Events();
    const onMessage = (data) => all.push(data) === 10_007 && told.push("all");
    weir.on("a", { message: onMessage, live: () => told.push("live"), gap: (gap) => told.push(gap) }, { replay: "all" });
    const short = await gateway.request(1);
    main.send(numbers(1, 10_005));
    await one.until((list) => list.includes(10_005), "10,005");
    short.stream({ id: "g1.0" });
    // Something may come behind the replay, before the short stream is left.
    short.send(`${numbers(1, 3)}event: weir:live\ndata: {"replayed":3}\n\n${numbers(4, 5)}`);
    const second = await gateway.request(2);
    assert.equal(second.query.get("lastEventId"), "g1.5");
    main.send(numbers(10_006, 10_007));
    await one.until((list) => list.includes(10_007), "10,007");
    second.stream({ id: "g1.5" });
    second.send(`${numbers(6, 10_006)}event: weir:live\ndata: {"replayed":1}\n\n`);
    await told.until((list) => list.includes("all"), "all");
    assert.deepEqual(all, Array.from({ length: 10_007 }, (_, n) => n + 1));
    assert.deepEqual(told.all, ["live", "all"]);
  });

  describe("read", () => {
    it("gives the messages up to the end", async () => {
      const all = [];
      const done = (async () => {
        for await (const { data } of weir.read("a", { replay: "all" })) all.push(data);
      })();
      const first = await gateway.request(0);
      assert.equal(first.query.get("replay.a"), "all");
      first.stream({ id: "g1.1" });
      first.message("a", "g1.1", "one ");
      first.event("weir:live", { replayed: 1 });
      first.message("a", "g1.2", "two");
      first.event("weir:end", { channel: "a" });
      first.finish();
      await within(done, "the end");
      assert.deepEqual(all, ["one ", "two"]);
    });
    it("gives nothing behind a gap", async () => {
      const reading = weir.read("a");
      const one = reading.next();
      const first = await gateway.request(0);
      first.stream({ id: "g1.1" });
      const gap = 'event: weir:gap\ndata: {"channel":"a","missed":1,"reason":"history"}\n\n';
      first.send(`data: {"channel":"a","data":1}\n\n${gap}data: {"channel":"a","data":3}\n\n`);
      assert.equal((await one).value.data, 1);
      await assert.rejects(reading.next(), GapError);
    });
    it("throws where messages are missing, and where it is refused", async () => {
      const gap = weir.read("a").next();
      const first = await gateway.request(0);
      first.stream({ id: "g1.1" });
      first.event("weir:gap", { channel: "a", missed: 3, reason: "history" });
      await assert.rejects(gap, (error) => error instanceof GapError && error.gap.missed === 3);
      await first.closed;
      const refused = weir.read("b").next();
      (await gateway.request(1)).reply(404, {}, { error: "no", detail: "nothing here" });
      await assert.rejects(refused, (error) => error instanceof RefusedError && error.refusal.status === 404);
    });
    it("throws behind what a loop was too slow for", async () => {
      const reading = weir.read("a");
      const one = reading.next();
      const first = await gateway.request(0);
      first.stream({ id: "g1.1" });
      first.send(Array.from({ length: 10_005 }, (_, n) => `data: {"channel":"a","data":${n}}\n\n`).join(""));
      assert.equal((await one).value.data, 0);
      await within(first.closed, "the end of the stream");
      let count = 1;
      await assert.rejects(async () => {
        for await (const { data } of reading) assert.equal(data, count++);
      }, (error) => error instanceof GapError && error.gap.reason === "slow-client");
      assert.ok(count > 10_000 && count < 10_005, `${count}`);
    });
    it("leaves the channel when the loop is left, or its signal says so", async () => {
      const abort = new AbortController();
      const reading = weir.read("a", { signal: abort.signal }).next();
      const first = await gateway.request(0);
      first.stream({ id: "g1.1" });
      abort.abort(new Error("enough"));
      await assert.rejects(reading, /enough/);
      await within(first.closed, "the end of the stream");
    });
  });

  it("publishes in an envelope, so that data which looks like one arrives as it is", async () => {
    const published = weir.publish("user:42", { data: 1 }, { type: "t", idempotencyKey: "k" });
    const post = await gateway.request(0);
    assert.deepEqual([post.method, post.path, post.body], ["POST", "/channels/user%3A42", '{"data":{"data":1},"type":"t"}']);
    assert.equal(post.headers["idempotency-key"], "k");
    post.reply(202, {}, { channel: "user:42", receivers: 1, subscribers: 0 });
    assert.deepEqual(await published, { channel: "user:42", receivers: 1, subscribers: 0 });
    const ended = weir.end("a", { code: 0 });
    const end = await gateway.request(1);
    assert.deepEqual([end.method, end.path, end.body], ["POST", "/channels/a/end", '{"code":0}']);
    end.reply(503, {}, { error: "unavailable", detail: "the bus is away" });
    await assert.rejects(ended, (error) => error instanceof RefusedError && error.refusal.status === 503);
  });

  it("says nothing more once it is closed, and lets the process end", async () => {
    const a = listen("a");
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    await a.has("live");
    weir.close();
    await within(first.closed, "the end of the stream");
    assert.deepEqual(a.all, [["live", { replayed: 0 }]]);
  });

  it("asks for no token once it is closed", async () => {
    weir.close();
    let asked = 0;
    let refuse;
    const options = { token: () => new Promise((_, reject) => ++asked && (refuse = reject)) };
    const { setTimeout: real } = globalThis;
    const timers = [];
    weir = connect(gateway.url, options);
    await new Promise(setImmediate);
    weir.close();
    globalThis.setTimeout = (...args) => timers.push(args[1]) && real(...args);
    try {
      refuse(new Error("away"));
      await new Promise(setImmediate);
    } finally {
      globalThis.setTimeout = real;
    }
    assert.deepEqual([asked, timers], [1, []]);
  });

  it("asks again where the token can't be had at first", async () => {
    weir.close();
    let asked = 0;
    weir = connect(gateway.url, {
      token() {
        if (++asked === 1) throw new Error("away");
        return "t";
      },
    });
    const states = new Events();
    weir.watch((status) => states.push(status));
    listen("a");
    assert.equal((await gateway.request(0)).headers.authorization, "Bearer t");
    assert.match(states.all[0].error.detail, /away/);
  });
});
