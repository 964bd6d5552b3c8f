// The client library under load: everything is shown or counted, in batches, and the page does not grow.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { launchBrowser, launchPlainBrowser } from "./support/browser.mjs";
import { range, startPublisher } from "./support/publisher.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";
import { openTab, serveClient } from "./support/weir_page.mjs";

const PER_SECOND = 2_000;
const SECONDS = 10;
const HEAP_GROWTH_MAX = 8 << 20; // A list of all messages would be larger.

let browser, pages, redis, broker;
let context, tabs, channel;
let small, plain; // A gateway and a browser of one test alone.

before(async () => {
  redis = await startRedis();
  pages = await serveClient();
  broker = await startBroker({ redis, args: ["--cors-origin", pages.url, "--retry-ms", "100"] });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await broker?.stop();
  await redis?.stop();
  await pages?.stop();
});
beforeEach(async () => {
  channel = `load-${Math.random().toString(36).slice(2)}`;
  context = await browser.newContext();
  tabs = [];
});
afterEach(async () => {
  if (browser.contexts().includes(context)) await context.close();
  await plain?.stop();
  await small?.stop();
  plain = small = undefined;
  for (const tab of tabs) assert.deepEqual(tab.problems, []);
});

async function connected() {
  const tab = await openTab(context, pages);
  tabs.push(tab);
  return tab.connect(broker.url);
}

// Counts the messages of a channel, each an array with its number and some text, and keeps none. What comes out of order
// or twice is counted as well.
const startCounting = (tab, kind = "message") =>
  tab.page.evaluate(
    ([name, by]) => {
      const tally = (window.tally = { shown: 0, missed: 0, wrong: 0, batches: 0, next: 0, reasons: [] });
      const show = ({ data: [n] }) => {
        if (n !== tally.next) tally.wrong += 1;
        tally.next = n + 1;
        tally.shown += 1;
        document.title = `${n}`;
      };
      const live = new Promise((resolve) =>
        window.weir.on(name, {
          ...(by === "message" && { message: (_, message) => show(message) }),
          ...(by === "batch" && {
            batch(messages) {
              tally.batches += 1;
              messages.forEach(show);
            },
          }),
          gap({ missed, reason }) {
            tally.missed += missed;
            tally.next += missed;
            tally.reasons.push(reason);
          },
          live: resolve,
        }),
      );
      return live;
    },
    [channel, kind],
  );
const tally = (tab) => tab.page.evaluate(() => window.tally);
// Waits until all of `count` are shown or counted.
async function hasCounted(tab, count) {
  await tab.page.waitForFunction((all) => window.tally.shown + window.tally.missed >= all, count, { polling: 100 });
  const result = await tally(tab);
  assert.equal(result.shown + result.missed, count);
  assert.equal(result.wrong, 0, JSON.stringify(result));
  return result;
}
async function heapUsed(tab) {
  const session = await context.newCDPSession(tab.page);
  await session.send("Performance.enable");
  await session.send("HeapProfiler.enable");
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  await session.detach();
  return metrics.find(({ name }) => name === "JSHeapUsedSize").value;
}
const payload = (n) => JSON.stringify([n, "x".repeat(100)]);

describe(`${PER_SECOND} messages a second for ${SECONDS} s`, () => {
  for (const kind of ["message", "batch"]) {
    it(`are all shown or counted by ${kind}, and the heap stays as it was`, async () => {
      for (let n = 0; n < 2; n++) await startCounting(await connected(), kind);
      const publisher = startPublisher(redis, channel, PER_SECOND, { payload });
      await publisher.more(2 * PER_SECOND);
      const before = await Promise.all(tabs.map(heapUsed));
      await publisher.more((SECONDS - 2) * PER_SECOND);
      const count = await publisher.stop();
      assert.ok(count >= PER_SECOND * SECONDS);
      for (const [n, tab] of tabs.entries()) {
        const { shown, batches } = await hasCounted(tab, count);
        assert.ok(shown > count / 2, `${shown} of ${count} were shown`);
        if (kind === "batch") assert.ok(batches < shown, `${batches} batches of ${shown} messages`);
        const growth = (await heapUsed(tab)) - before[n];
        assert.ok(growth < HEAP_GROWTH_MAX, `the heap grew by ${growth} bytes`);
      }
    });
  }

  it("that are more than a page takes while it does something else are counted", async () => {
    const large = (n) => JSON.stringify([n, "x".repeat(8_000)]); // 16 MB a second: more than all buffers on the way.
    small = await startBroker({ redis, args: ["--cors-origin", pages.url, "--queue-messages", "100"] });
    const tab = await openTab(context, pages);
    tabs.push(tab);
    await tab.connect(small.url);
    await startCounting(tab);
    const publisher = startPublisher(redis, channel, PER_SECOND, { payload: large });
    await publisher.more(100);
    // Busy until the gateway has counted what it could not send.
    const isBusy = tab.page.evaluate(() => { for (const end = Date.now() + 3_000; Date.now() < end; ); });
    await publisher.more(2 * PER_SECOND);
    await isBusy;
    const { missed, reasons } = await hasCounted(tab, await publisher.stop());
    assert.ok(missed > 0);
    assert.deepEqual([...new Set(reasons)], ["slow-client"]);
  });
});

describe("a batch", () => {
  it("has the messages of one frame, before what follows them", async () => {
    const tab = await connected();
    await tab.listen(channel, { isBatch: true });
    await tab.wait(channel, "live");
    await redis.publishAll(channel, range(1_000).map(String));
    await redis.publish(channel, '{"type":"weir:end"}');
    await tab.wait(channel, "end");
    const told = await tab.told(channel);
    assert.deepEqual([told[0].kind, told.at(-1).kind], ["live", "end"]);
    const batches = told.slice(1, -1);
    assert.ok(batches.every(({ kind, value }) => kind === "batch" && Array.isArray(value) && value.length > 0));
    assert.deepEqual(batches.flatMap(({ value }) => value.map(({ data }) => data)), range(1_000));
    assert.ok(batches.length < 500, `${batches.length} batches`);
  });

  it("comes to a page that is hidden, too", async () => {
    plain = await launchPlainBrowser();
    ({ context } = plain);
    const tab = await connected();
    await connected(); // Before the other one.
    assert.equal(await tab.page.evaluate(() => document.visibilityState), "hidden");
    await tab.listen(channel, { isBatch: true });
    await tab.wait(channel, "live");
    await redis.publishAll(channel, range(100).map(String));
    await redis.publish(channel, '{"type":"weir:end"}');
    await tab.wait(channel, "end");
    assert.deepEqual((await tab.told(channel, "batch")).flat().map(({ data }) => data), range(100));
  });
});
