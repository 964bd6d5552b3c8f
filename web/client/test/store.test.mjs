// What the React hooks show of a channel, without React.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { FakeWeir } from "./support/fake_weir.mjs";
import { importSource } from "./support/modules.mjs";

const { followMessages, followText, openStore } = await importSource("store.ts");

const turn = () => new Promise((resolve) => setTimeout(resolve));

describe("the store of a hook", () => {
  let weir;
  beforeEach(() => {
    weir = new FakeWeir();
  });
  // A store that a component is subscribed to.
  function open(follow, options = {}) {
    const store = openStore(follow, weir, "c", options);
    store.leave = store.subscribe(() => {});
    return store;
  }

  it("follows its channel as long as somebody is subscribed", async () => {
    const store = openStore(followMessages, weir, "c", { replay: 5 });
    assert.equal(weir.opened.length, 0);
    const leave = [store.subscribe(() => {}), store.subscribe(() => {})];
    assert.deepEqual(weir.opened.map(({ channel, options }) => [channel, options]), [["c", { replay: 5 }]]);
    leave[0]();
    await turn();
    assert.equal(weir.listeners.size, 1);
    leave[1]();
    await turn();
    assert.equal(weir.listeners.size, 0);
  });

  it("keeps its listener when StrictMode leaves and comes back", async () => {
    const store = openStore(followMessages, weir, "c", {});
    store.subscribe(() => {})();
    const leave = store.subscribe(() => {});
    await turn();
    weir.batch("one");
    assert.equal(store.state.messages.length, 1);
    leave();
    await turn();
    assert.equal(weir.opened.length, 1);
    assert.equal(weir.listeners.size, 0);
  });

  it("begins anew when it is shown again", async () => {
    const store = open(followMessages, { replay: "all" });
    weir.batch("one");
    store.leave();
    await turn();
    store.subscribe(() => {});
    assert.deepEqual(store.state.messages, []);
    weir.batch("one", "two");
    assert.equal(store.state.messages.length, 2);
  });

  it("follows nothing without a client or a channel, and is empty", () => {
    for (const args of [[undefined, "c"], [weir, undefined]]) {
      const store = openStore(followText, ...args, {});
      store.subscribe(() => {});
      const { status, text, messages } = store.state;
      assert.deepEqual({ status, text, messages }, { status: { state: "connecting", bus: "up" }, text: "", messages: [] });
    }
    assert.equal(weir.opened.length, 0);
  });

  it("tells of each batch once, with a new state", () => {
    const store = openStore(followMessages, weir, "c", {});
    let told = 0;
    store.subscribe(() => ++told);
    const before = store.state;
    const last = told;
    weir.batch("one", "two", "three");
    assert.equal(told, last + 1);
    assert.notEqual(store.state, before);
    assert.notEqual(store.state.messages, before.messages);
    assert.deepEqual(before.messages, []);
  });

  it("keeps the newest messages, as map makes them", () => {
    const store = open(followMessages, { limit: 3, map: ({ data }) => (data < 0 ? undefined : data) });
    weir.batch(1, -1, 2, 3);
    weir.batch(4);
    assert.deepEqual(store.state.messages, [2, 3, 4]);
    store.options = { map: ({ data }) => [data, data * 10] };
    weir.batch(0);
    assert.deepEqual(store.state.messages, [4, 0, 0]);
  });

  it("keeps gaps, but not all of them for ever", () => {
    const store = open(followMessages, { limit: 2 });
    for (const missed of [1, 2, 3]) weir.tell("gap", { channel: "c", missed, reason: "history" });
    assert.deepEqual(store.state.gaps.map(({ missed }) => missed), [2, 3]);
  });

  it("says when it is live, has ended, and is refused", () => {
    const store = open(followMessages, {});
    assert.deepEqual([store.state.live, store.state.ended], [false, false]);
    weir.tell("live", { replayed: 0 });
    weir.tell("end");
    assert.deepEqual([store.state.live, store.state.ended], [true, true]);
    const other = open(followMessages, {});
    weir.tell("refused", { status: 403, detail: "no" });
    assert.deepEqual(other.state.refused, { status: 403, detail: "no" });
  });

  it("counts as unread what no replay has brought", () => {
    const replayed = open(followMessages, { replay: 10 });
    weir.batch("old", "old");
    weir.tell("live", { replayed: 2 });
    assert.equal(replayed.state.unread, 0);
    weir.batch("new");
    weir.batch("new");
    assert.equal(replayed.state.unread, 2);
    replayed.state.markRead();
    assert.equal(replayed.state.unread, 0);
    weir.batch("new");
    assert.equal(replayed.state.unread, 1);

    const resumed = open(followMessages, {});
    weir.batch("since the last load");
    weir.tell("live", { replayed: 1 });
    assert.equal(resumed.state.unread, 1);
  });

  it("has the client's status for as long as it is used", async () => {
    const stores = [open(followMessages, {}), open(followText, {})];
    assert.equal(stores[0].state.status.state, "open");
    weir.change({ state: "connecting" });
    assert.deepEqual(stores.map(({ state }) => state.status.state), ["connecting", "connecting"]);
    stores[0].leave();
    await turn();
    weir.change({ state: "open" });
    assert.deepEqual(stores.map(({ state }) => state.status.state), ["connecting", "open"]);
    assert.equal(weir.watchers.size, 1);
  });

  describe("as one text", () => {
    const gap = (missed) => weir.tell("gap", { channel: "c", missed, reason: "slow-client" });

    it("is what came, in order, to its end", () => {
      const { state: empty } = openStore(followText, weir, "c", {});
      assert.deepEqual([empty.text, empty.done, empty.gone, empty.gap, empty.error], ["", false, false, undefined, undefined]);
      const store = open(followText);
      assert.deepEqual(weir.opened[0].options, { replay: "all" });
      weir.batch({ msg: "A " }, "weir");
      weir.tell("live", { replayed: 2 });
      weir.batch({ msg: " is" }, " ", 42, { other: 1 }, null, { msg: "." });
      assert.equal(store.state.text, "A weir is 42.");
      weir.tell("end");
      assert.equal(store.state.done, true);
      assert.equal(store.state.gone, false);
    });

    it("is what pick takes", () => {
      const store = open(followText, { pick: (data) => data?.choices?.[0]?.delta?.content });
      const chunk = (delta) => ({ object: "chat.completion.chunk", choices: [{ index: 0, delta }] });
      weir.batch(chunk({ role: "assistant", content: "" }), chunk({ content: "Hel" }), chunk({ content: "lo" }), chunk({}), { choices: [] }, "[DONE]");
      assert.equal(store.state.text, "Hello");
    });

    it("is read again after a gap, and never becomes shorter", async () => {
      const store = open(followText);
      weir.batch("one ", "two ");
      weir.tell("live", { replayed: 2 });
      gap(1);
      assert.equal(weir.opened.length, 2);
      assert.equal(weir.listeners.size, 1);
      assert.deepEqual(weir.opened[1].options, { replay: "all" });
      assert.equal(store.state.text, "one two ");
      weir.batch("one ");
      assert.equal(store.state.text, "one two ");
      weir.batch("two ", "three ");
      weir.tell("live", { replayed: 3 });
      weir.batch("four");
      assert.equal(store.state.text, "one two three four");
      assert.equal(store.state.gap, undefined);
      store.leave();
      await turn();
      assert.equal(weir.listeners.size, 0);
    });

    it("has a gap where the second reading has one, too", () => {
      const store = open(followText);
      weir.batch("one ");
      gap(1);
      weir.batch("one ");
      gap(2);
      weir.batch("three");
      assert.equal(weir.opened.length, 2);
      assert.equal(store.state.text, "one three");
      assert.equal(store.state.gap.missed, 2);
    });

    it("keeps what the history does not have any more, with a gap", () => {
      const store = open(followText);
      weir.batch("one two ");
      gap(null);
      weir.tell("live", { replayed: 0 });
      assert.equal(store.state.text, "one two ");
      assert.equal(store.state.gap.missed, null);
      weir.batch("four");
      assert.equal(store.state.text, "one two four");
      assert.equal(store.state.gone, false);
    });

    it("is gone if nothing was there, and nothing comes in time", (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const store = open(followText);
      t.mock.timers.tick(60_000);
      assert.equal(store.state.gone, false); // Nobody knows yet what is there.
      weir.tell("live", { replayed: 0 });
      t.mock.timers.tick(9_999);
      assert.equal(store.state.gone, false);
      t.mock.timers.tick(1);
      assert.equal(store.state.gone, true);
      weir.batch("late");
      assert.equal(store.state.gone, false);
      assert.equal(store.state.text, "late");
    });

    it("is not gone if something came, was there, or has ended", (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const stores = ["first", "role", "replay", "end"].map((kind) => {
        weir = new FakeWeir();
        const store = open(followText, { timeout: 100, pick: ({ text }) => text });
        weir.tell("live", { replayed: kind === "replay" ? 1 : 0 });
        t.mock.timers.tick(50);
        if (kind === "first") weir.batch({ text: "a" });
        if (kind === "role") weir.batch({});
        if (kind === "end") weir.tell("end");
        t.mock.timers.tick(1_000);
        return store;
      });
      assert.deepEqual(stores.map(({ state }) => state.gone), [false, false, false, false]);
    });

    it("leaves no timer", async () => {
      const store = open(followText, { timeout: 20 });
      weir.tell("live", { replayed: 0 });
      store.leave();
      await new Promise((resolve) => setTimeout(resolve, 40));
      assert.equal(store.state.gone, false);
    });

    it("says why it is refused", () => {
      const store = open(followText);
      weir.tell("refused", { status: 401, detail: "no token" });
      assert.deepEqual(store.state.error, { status: 401, detail: "no token" });
    });
  });
});
