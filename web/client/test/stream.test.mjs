// One stream: how it asks, what it makes of each answer, and where it goes on after a cut.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Events, startGateway } from "./support/gateway.mjs";
import { importSource } from "./support/modules.mjs";

const { openStream } = await importSource("stream.ts");
const { openLink } = await importSource("link.ts");

const queryOf = ({ query }) => Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name).join()]));

describe("a stream", () => {
  let gateway, items, spot, stream;

  // Follows channels: {name: replay}.
  function open(channels, { options = {}, start = { channels: [] } } = {}) {
    items = new Events();
    stream = openStream(openLink(gateway.url, options), (news, position) => {
      spot = position;
      for (const item of news) items.push(item);
    }, start);
    follow(channels);
  }
  const follow = (channels) =>
    stream.follow(new Map(Object.entries(channels).map(([channel, replay]) => [channel, { by: "me", replay }])));
  // The items of one kind that have come.
  const of = (kind) => items.all.filter((item) => item.kind === kind);
  const values = (kind) => of(kind).map(({ value }) => value);
  const messages = (count) =>
    items.until(() => of("message").length >= count && of("message").map(({ value }) => value.data), `message ${count}`);
  const state = (wanted) => items.until((all) => all.findLast(({ kind, value }) => kind === "status" && value.state === wanted), wanted);

  beforeEach(async () => {
    gateway = await startGateway();
  });
  afterEach(async () => {
    stream?.close();
    await gateway.stop();
  });

  it("asks for its channels in the JSON form, and for replays where they are wanted", async () => {
    open({ a: undefined, "user:42": 20, b: "all" });
    const request = await gateway.request(0);
    assert.equal(request.path, "/events");
    assert.deepEqual(queryOf(request), { form: "json", channel: "a,user:42,b", "replay.user:42": "20", "replay.b": "all" });
    assert.equal(request.headers.accept, "text/event-stream");
  });

  it("is live at once without a replay, and at weir:live with one", async () => {
    open({ a: undefined });
    (await gateway.request(0)).stream({ id: "g1.1" });
    await items.until((all) => all.find(({ kind }) => kind === "live"), "live");
    stream.close();
    open({ a: 2 });
    const request = await gateway.request(1);
    request.stream({ id: "g1.1" });
    request.message("a", "g1.1", "old");
    await messages(1);
    assert.deepEqual(of("live"), []);
    request.event("weir:live", { replayed: 1 });
    await items.until((all) => all.find(({ kind }) => kind === "live"), "live");
    assert.equal(of("message")[0].isOld, true);
  });

  it("that was cut before its first message goes on at the position of the first block", async () => {
    open({ a: undefined });
    const first = await gateway.request(0);
    first.stream({ id: "g1.5" });
    await state("open");
    first.cut();
    assert.deepEqual(queryOf(await gateway.request(1)), { form: "json", channel: "a", lastEventId: "g1.5" });
  });

  it("goes on behind the last message, and not behind one that was cut off", async () => {
    open({ a: undefined });
    const first = await gateway.request(0);
    first.stream({ id: "g1.5" });
    first.message("a", "g1.6", 1);
    first.send('data: {"channel":"a","id":"g1.7","data":2}\nid: g1.7\n');
    await messages(1);
    first.cut();
    const second = await gateway.request(1);
    assert.equal(second.query.get("lastEventId"), "g1.6");
    second.stream({ id: "g1.6" });
    second.message("a", "g1.7", 2);
    second.event("weir:live", { replayed: 1 });
    assert.deepEqual(await messages(2), [1, 2]);
  });

  it("says that a channel is new where it has a position of others alone", async () => {
    open({ a: undefined });
    (await gateway.request(0)).stream({ id: "g1.5" });
    await state("open");
    follow({ a: undefined, b: 3, c: undefined });
    const second = await gateway.request(1);
    assert.deepEqual(queryOf(second), {
      form: "json", channel: "a,b,c", new: "b,c", "replay.b": "3", lastEventId: "g1.5",
    });
    second.stream({ id: "g1.6" });
    await items.until(() => of("began").length === 4, "began");
    assert.deepEqual(of("began").slice(1).map(({ value }) => value), [
      { from: "g1.5" }, { by: "me", replay: 3 }, { by: "me", replay: undefined },
    ]);
  });

  it("asks for a replay again that was cut before its first message, and resumes one that was cut later", async () => {
    open({ a: 3 });
    const first = await gateway.request(0);
    first.stream({ id: "g1.5" });
    await state("open");
    first.cut();
    const second = await gateway.request(1);
    assert.deepEqual(queryOf(second), { form: "json", channel: "a", "replay.a": "3" });
    second.stream({ id: "g1.5" });
    second.message("a", "g1.4", 1);
    await messages(1);
    second.cut();
    assert.deepEqual(queryOf(await gateway.request(2)), { form: "json", channel: "a", lastEventId: "g1.4" });
  });

  it("asks for a replay again that was cut beside a position, which does not move along", async () => {
    open({ a: undefined });
    (await gateway.request(0)).stream({ id: "g1.9" });
    await state("open");
    follow({ a: undefined, b: 3 });
    const second = await gateway.request(1);
    second.stream({ id: "g1.9" });
    second.message("b", "g1.4", 1, "g1.9");
    await messages(1);
    second.cut();
    assert.equal((await gateway.request(2)).query.get("replay.b"), "3");
  });

  it("keeps the position of a channel that is left out for a while only until the stream goes on without it", async () => {
    open({ a: undefined, b: undefined });
    (await gateway.request(0)).stream({ id: "g1.5" });
    await state("open");
    follow({ a: undefined });
    (await gateway.request(1)).stream({ id: "g1.8" });
    await items.until(() => of("began").length === 3, "began");
    assert.deepEqual(spot, { id: "g1.8", channels: ["a"], silence: 45_000 });
    follow({ a: undefined, b: undefined });
    assert.equal((await gateway.request(2)).query.get("new"), "b");
  });

  for (const status of [408, 429, 500, 502, 503, 504]) {
    it(`tries again after ${status}`, async () => {
      open({ a: undefined });
      (await gateway.request(0)).reply(status, { "Retry-After": "0.01" }, { error: "busy", detail: "not now" });
      (await gateway.request(1)).stream({ id: "g1.1" });
      await state("open");
      assert.deepEqual(values("status").find(({ error }) => error).error, { status, detail: "not now" });
      assert.equal(values("status").at(-1).error, undefined);
    });
  }

  it("keeps to a Retry-After of any length", async () => {
    const { setTimeout: real } = globalThis;
    const waits = [];
    globalThis.setTimeout = (handler, ms, ...args) => waits.push(ms) && real(handler, ms, ...args);
    try {
      open({ a: undefined });
      (await gateway.request(0)).reply(503, { "Retry-After": "9999999999" });
      await items.until(() => values("status").at(-1)?.error, "error");
    } finally {
      globalThis.setTimeout = real;
    }
    // Longer ones fire at once.
    assert.ok(Math.max(...waits) < 2 ** 31, `${waits}`);
    assert.ok(waits.includes(3_600_000), `${waits}`);
  });

  it("begins a channel anew that was left out, though it has had no response since", async () => {
    open({ a: undefined });
    const first = await gateway.request(0);
    first.stream({ id: "g1.5" });
    await state("open");
    follow({});
    await first.closed;
    follow({ a: undefined });
    assert.deepEqual(queryOf(await gateway.request(1)), { form: "json", channel: "a" });
  });

  it("asks for another token where one does not come in time", async () => {
    let asked = 0;
    open({ a: undefined }, { options: { timeout: 50, token: () => (++asked === 1 ? new Promise(() => {}) : "t") } });
    assert.equal((await gateway.request(0)).headers.authorization, "Bearer t");
  });

  it("tries again where a page comes in place of a stream", async () => {
    open({ a: undefined });
    (await gateway.request(0)).reply(200, { "Content-Type": "text/html", "Retry-After": "0.01" }, "<p>Log in");
    (await gateway.request(1)).stream({ id: "g1.1" });
    await state("open");
  });

  for (const status of [400, 401, 403, 404]) {
    it(`is refused by ${status}, and asks no more`, async () => {
      open({ a: undefined, b: undefined });
      (await gateway.request(0)).reply(status, {}, { error: "no", detail: "may not" });
      const { value } = await state("refused");
      assert.deepEqual(value.error, { status, detail: "may not" });
      assert.deepEqual(of("refused").map(({ channel }) => channel), ["a", "b"]);
      assert.equal(stream.channels.size, 0);
      assert.equal(gateway.count(), 1);
    });
  }

  it("leaves out a channel that is refused, and goes on with the others", async () => {
    open({ a: undefined, b: undefined, c: undefined });
    (await gateway.request(0)).reply(403, {}, { error: "forbidden", detail: "not b", channel: "b" });
    const second = await gateway.request(1);
    assert.equal(queryOf(second).channel, "a,c");
    assert.deepEqual(of("refused"), [{ kind: "refused", channel: "b", value: { status: 403, detail: "not b", channel: "b" } }]);
  });

  it("asks for the token once more after a 401, and never puts it into the URL", async () => {
    const tokens = ["old", "new", "never"];
    open({ a: undefined }, { options: { token: async () => tokens.shift() } });
    const first = await gateway.request(0);
    assert.equal(first.headers.authorization, "Bearer old");
    first.reply(401);
    const second = await gateway.request(1);
    assert.equal(second.headers.authorization, "Bearer new");
    assert.doesNotMatch(`${second.query}`, /new|old/);
    second.reply(401, {}, { error: "bad token" });
    await state("refused");
    assert.equal(gateway.count(), 2);
  });

  it("gets a new token before the old one expires", async () => {
    let asked = 0;
    open({ a: undefined }, { options: { token: () => `t${++asked}` } });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.event("weir:token-expiring", { expires: Math.floor(Date.now() / 1000) + 1 });
    const second = await gateway.request(1);
    assert.equal(second.headers.authorization, "Bearer t2");
    assert.equal(second.query.get("lastEventId"), "g1.1");
  });

  it("takes 204 for the end of all channels", async () => {
    open({ a: undefined, b: undefined });
    (await gateway.request(0)).reply(204);
    await state("ended");
    assert.deepEqual(items.all.map(({ kind, channel }) => [kind, channel]).slice(1, -1), [
      ["began", "a"], ["end", "a"], ["began", "b"], ["end", "b"],
    ]);
  });

  it("ends when all its channels have, and reconnects after any other clean end", async () => {
    open({ a: undefined, b: undefined });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.event("weir:end", { channel: "a", data: { code: 0 } });
    await items.until(() => of("end").length, "end");
    assert.deepEqual(of("end"), [{ kind: "end", channel: "a", value: { code: 0 } }]);
    first.finish();
    const second = await gateway.request(1);
    assert.equal(queryOf(second).channel, "b");
    second.stream({ id: "g1.2" });
    second.event("weir:end", { channel: "b" });
    second.finish();
    await state("ended");
    assert.equal(gateway.count(), 2);
  });

  it("takes weir:overloaded for no stream, and is back at its retry", async () => {
    open({ a: undefined });
    (await gateway.request(0)).reply(200, { "Content-Type": "text/event-stream" }, 'retry: 10\nevent: weir:overloaded\ndata: {"reason":"clients"}\n\n');
    await gateway.request(1);
    assert.deepEqual(values("status").map(({ state: each }) => each), ["connecting", "connecting"]);
    assert.deepEqual(of("message"), []);
  });

  it("is told when Redis goes and comes", async () => {
    open({ a: undefined });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.event("weir:bus", { state: "down" });
    await items.until(() => values("status").at(-1)?.bus === "down", "down");
    first.event("weir:bus", { state: "up" });
    await items.until(() => values("status").at(-1)?.bus === "up", "up");
  });

  it("reconnects after three heartbeats of silence", async () => {
    open({ a: undefined });
    (await gateway.request(0)).stream({ id: "g1.1", heartbeat: 0.1 });
    await gateway.request(1);
  });

  it("reconnects where no head comes", async () => {
    open({ a: undefined }, { options: { timeout: 100 } });
    await gateway.request(0);
    (await gateway.request(1)).stream({ id: "g1.1" });
    await state("open");
  });

  it("is woken out of a long wait", async () => {
    open({ a: undefined });
    (await gateway.request(0)).reply(503, { "Retry-After": "3600" });
    await items.until(() => values("status").at(-1)?.error, "error");
    stream.wake();
    await gateway.request(1);
  });

  it("says nothing after it was closed", async () => {
    open({ a: undefined });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    await state("open");
    stream.close();
    const told = items.all.length;
    await first.closed;
    assert.equal(items.all.length, told);
    assert.equal(gateway.count(), 1);
  });

  it("makes bytes of a Node Buffer in JSON", async () => {
    open({ a: undefined });
    const first = await gateway.request(0);
    first.stream({ id: "g1.1" });
    first.message("a", "g1.2", { msg: { type: "Buffer", data: [1, 2, 255] } });
    assert.deepEqual(await messages(1), [{ msg: new Uint8Array([1, 2, 255]) }]);
  });
});
