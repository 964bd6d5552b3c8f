// A rolling update under load: two gateways behind HAProxy, each replaced by a new process while messages are published.
// Every client comes back by itself, no message is doubled, and where one is missing the client was told of a gap.
import assert from "node:assert/strict";
import { it } from "node:test";
import { within } from "../e2e/support/process.mjs";
import { freePort, startBroker, startRedis } from "../e2e/support/servers.mjs";
import { startProxy } from "./proxies.mjs";
import { openStream } from "./stream.mjs";

const FOLLOWERS = 60;
const CHANNEL = "load";

// What an EventSource does: reconnects after the reconnection time that it was told last, with the last id it has.
class Follower {
  seen = []; // Numbers of messages, and "gap".
  problems = [];
  opened = 0;
  #retry = 1000;
  #isStopped = false;

  constructor(url) {
    this.url = url;
    this.#follow();
  }
  get isOpen() {
    return this.stream.status === 200 && this.stream.retries.length > 0 && !this.stream.closed && !this.#overloaded();
  }
  stop() {
    this.#isStopped = true;
    clearTimeout(this.timer);
    this.stream.cut();
  }
  // What this stream and those before have brought.
  all() {
    return [...this.seen, ...this.#entries()];
  }

  #follow() {
    const last = this.stream?.lastId || this.last;
    this.last = last;
    this.stream = openStream(this.url, last ? { "Last-Event-ID": last } : {});
    this.opened += 1;
    this.stream.whenClosed.then(() => this.#again());
  }
  #again() {
    if (this.#isStopped) return;
    const { status, retries } = this.stream;
    // Only an answer of another status is final to an EventSource; a connection that failed is tried again.
    if (status !== undefined && status !== 200) return this.problems.push(`status ${status} is the end`);
    this.seen.push(...this.#entries());
    this.#retry = retries.at(-1) ?? this.#retry;
    this.timer = setTimeout(() => this.#follow(), this.#retry);
  }
  #overloaded() {
    return this.stream.events.some(({ type }) => type === "weir:overloaded");
  }
  #entries() {
    return this.stream.events.flatMap(({ type, data }) =>
      type === "message" ? [Number(data)] : type === "weir:gap" ? ["gap"] : []);
  }
}

// Publishes 1, 2, 3, … until it is stopped.
function publishNumbers(redis) {
  let isStopped = false;
  const publisher = { last: 0 };
  const done = (async () => {
    while (!isStopped) {
      await redis.publishAll(CHANNEL, Array.from({ length: 5 }, () => `${++publisher.last}`));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  publisher.stop = () => ((isStopped = true), done);
  return publisher;
}

async function until(condition, what, limit) {
  let isOver = false;
  const poll = async () => {
    while (!isOver && !condition()) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await within(poll(), what, limit).finally(() => (isOver = true));
}

function check(seen, atLeast) {
  let before;
  let hasGap = true; // A first visit begins live.
  for (const entry of seen) {
    if (entry === "gap") {
      hasGap = true;
      continue;
    }
    if (before !== undefined) {
      assert.ok(entry > before, `${entry} after ${before}: doubled, or out of order`);
      assert.ok(hasGap || entry === before + 1, `${entry} after ${before}: missed without a gap`);
    }
    before = entry;
    hasGap = false;
  }
  assert.ok(before >= atLeast, `${before} is the last, ${atLeast} was published long before the end`);
}

it("replaces two gateways behind HAProxy under load", { timeout: 240_000 }, async (test) => {
  const redis = await startRedis();
  const ports = [];
  while (ports.length < 4) ports.push(await freePort());
  const start = (n) => startBroker({
    redis,
    args: ["--listen", `127.0.0.1:${ports[2 * n]}`, "--admin-listen", `127.0.0.1:${ports[2 * n + 1]}`,
      "--drain-seconds", "4", "--retry-ms", "300"],
  });
  const brokers = [await start(0), await start(1)];
  const proxy = await startProxy("haproxy", brokers);
  const followers = Array.from({ length: FOLLOWERS }, () => new Follower(`${proxy.url}/channels/${CHANNEL}`));
  const allOpen = () => followers.every((follower) => follower.isOpen || follower.problems.length > 0);
  try {
    await until(allOpen, "all followers to be open");
    const publisher = publishNumbers(redis);
    for (const n of [0, 1]) {
      assert.equal(await brokers[n].stop(), 0);
      brokers[n] = await start(n);
      // Who was told that the gateway is full waits 10 to 30 s.
      await until(allOpen, `all followers after update ${n + 1}`, 90_000);
    }
    // Published on, since a stream whose end is still on its way here looks open: its client comes back to later ones.
    const { last } = publisher;
    const arrived = (follower) => follower.all().some((entry) => entry > last);
    await until(() => followers.every((each) => each.problems.length > 0 || arrived(each)), "later messages everywhere", 90_000);
    await publisher.stop();
    for (const follower of followers) {
      assert.deepEqual(follower.problems, []);
      check(follower.all(), last);
    }
    const again = followers.reduce((sum, { opened }) => sum + opened - 1, 0);
    const gaps = followers.reduce((sum, follower) => sum + follower.all().filter((entry) => entry === "gap").length, 0);
    assert.ok(again >= FOLLOWERS, `${again} reconnects`);
    assert.ok(gaps >= FOLLOWERS, `${gaps} gaps`);
    test.diagnostic(`${last} messages, ${FOLLOWERS} clients, ${again} reconnects, ${gaps} gaps told`);
  } finally {
    for (const follower of followers) follower.stop();
    await proxy.stop();
    for (const broker of brokers) await broker.stop();
    await redis.stop();
  }
});
