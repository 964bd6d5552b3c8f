// Tabs that come, go, are loaded anew, and follow and leave channels at random, while messages come all the time. Nobody
// may miss one, get one twice, or be told of a gap. WEIR_SEED and WEIR_STEPS repeat a run, or make it longer.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { Watchers } from "./support/watchers.mjs";
import { openTab, serveClient } from "./support/weir_page.mjs";

const SEED = Number(process.env.WEIR_SEED ?? Math.floor(Math.random() * 1e6));
const STEPS = Number(process.env.WEIR_STEPS ?? 60);
const TABS_MAX = 5;

// A small generator of pseudo-random numbers, so that a seed repeats what it decides.
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

// Publishes 1, 2, 3, … on a channel over HTTP, each when the one before was taken.
function startCounting(broker, channel) {
  let count = 0;
  let isStopped = false;
  const watchers = new Watchers();
  const loop = (async () => {
    while (!isStopped) {
      const { status } = await fetch(`${broker.url}/channels/${channel}`, { method: "POST", body: String(++count) });
      assert.equal(status, 202);
      watchers.changed();
      await new Promise((resolve) => setTimeout(resolve, 5)); // The rate.
    }
    return count;
  })();
  return {
    // Waits until so many more were published.
    more(number) {
      const goal = count + number;
      return watchers.until(() => count >= goal, `message ${goal} of ${channel}`);
    },
    stop() {
      isStopped = true;
      return loop;
    },
  };
}

// What one listener got must be numbers without a hole. `begin` is the first one that it should have, if that is known.
function check(listener, told, begin) {
  const numbers = told.filter(({ kind }) => kind === "message").map(({ value }) => value.data);
  assert.deepEqual(told.filter(({ kind }) => kind === "gap"), [], `${listener.name} was told of a gap`);
  const first = begin ?? numbers[0];
  const wrong = numbers.findIndex((number, index) => number !== first + index);
  assert.equal(wrong, -1, `${listener.name}: ${numbers.slice(Math.max(0, wrong - 2), wrong + 3)} at ${wrong} after ${first}`);
}

describe(`tabs at random (WEIR_SEED=${SEED})`, () => {
  let redis, broker, pages, browser, context;
  const random = generator(SEED);
  const pick = (list) => list[random(list.length)];

  before(async () => {
    redis = await startRedis();
    pages = await serveClient();
    broker = await startBroker({
      redis,
      args: ["--cors-origin", pages.url, "--durable", "kept.*", "--durable-messages", "1000000", "--history-messages", "1000000",
        "--history-bytes", "100000000"],
    });
    browser = await launchBrowser();
    context = await browser.newContext();
  });
  after(async () => {
    await browser?.close();
    await broker?.stop();
    await redis?.stop();
    await pages?.stop();
  });

  const channels = ["one", "two", "kept.one", "kept.two"];
  let tabs = [];
  let number = 0;

  async function follow(tab, channel, replay, begin) {
    const listener = { name: `${channel} ${++number} (replay ${replay ?? "none"})`, channel, replay, begin };
    tab.listeners.push(listener);
    await tab.listen(channel, { name: listener.name, ...(replay && { replay }) });
  }
  const followAny = (tab) => {
    const replay = pick([undefined, 3, "all"]);
    return follow(tab, pick(channels), replay, replay === "all" ? 1 : undefined);
  };
  async function checkAll(tab) {
    for (const listener of tab.listeners) check(listener, await tab.told(listener.name), listener.begin);
  }

  const steps = {
    async open() {
      if (tabs.length === TABS_MAX) return;
      const tab = Object.assign(await openTab(context, pages), { listeners: [] });
      tabs.push(tab);
      await tab.connect(broker.url);
      await followAny(tab);
      await followAny(tab);
    },
    // Without a word to the others, whoever has the stream.
    async close() {
      if (tabs.length === 1) return;
      const [tab] = tabs.splice(random(tabs.length), 1);
      await checkAll(tab);
      await tab.close();
    },
    // Those without a replay go on where the tab was.
    async load() {
      const tab = pick(tabs);
      await tab.page.evaluate(() => {
        const keep = () => sessionStorage.setItem("told", JSON.stringify(window.recorder.listeners));
        addEventListener("pagehide", keep);
      });
      await tab.load();
      const told = await tab.page.evaluate(() => JSON.parse(sessionStorage.getItem("told")));
      const last = new Map(); // By channel. The position is that of the listeners that are live; the others are on their way.
      for (const listener of tab.listeners) {
        const its = told[listener.name].told;
        check(listener, its, listener.begin);
        const numbers = its.filter(({ kind }) => kind === "message").map(({ value }) => value.data);
        const isSure = its.some(({ kind }) => kind === "live") && numbers.length > 0;
        const others = last.get(listener.channel);
        last.set(listener.channel, isSure && (others === undefined || others === numbers.at(-1)) ? numbers.at(-1) : null);
      }
      tab.listeners = [];
      await tab.connect(broker.url);
      for (const [channel, at] of last) await follow(tab, channel, undefined, at ? at + 1 : undefined);
    },
    follow: () => followAny(pick(tabs)),
    async leave() {
      const tab = pick(tabs);
      if (tab.listeners.length < 2) return;
      const [listener] = tab.listeners.splice(random(tab.listeners.length), 1);
      await tab.unlisten(listener.name);
      check(listener, await tab.told(listener.name), listener.begin);
    },
    wake: () => pick(tabs).fire("online"),
  };

  it("miss nothing and get nothing twice", async () => {
    const first = Object.assign(await openTab(context, pages), { listeners: [] });
    tabs.push(first);
    await first.connect(broker.url);
    for (const channel of channels) await follow(first, channel, undefined, 1);
    for (const listener of first.listeners) await first.wait(listener.name, "live");
    const counters = channels.map((channel) => startCounting(broker, channel));
    for (let step = 0; step < STEPS; ++step) {
      await steps[pick(Object.keys(steps))]();
      await counters[0].more(random(40));
    }
    const counts = Object.fromEntries(await Promise.all(channels.map(async (channel, n) => [channel, await counters[n].stop()])));
    for (const tab of tabs) {
      for (const { name, channel } of tab.listeners) {
        // Who follows it only now and without a replay gets no more.
        const live = await tab.wait(name, "live");
        assert.equal(live.length, 1);
        const got = await tab.told(name, "message");
        if (got.length > 0) await tab.page.waitForFunction(
          ([wanted, last]) => window.recorder.listeners[wanted].told.findLast(({ kind }) => kind === "message").value.data === last,
          [name, counts[channel]],
        );
      }
      await checkAll(tab);
      assert.deepEqual(tab.problems, []);
    }
  });
});
