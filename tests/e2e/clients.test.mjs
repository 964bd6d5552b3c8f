// Clients that are no browser: npm's eventsource in Node, and curl.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { EventSource } from "eventsource";
import { Program, run, within } from "./support/process.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";

let redis, broker;
let number = 0;
let channel;

before(async () => {
  redis = await startRedis();
  broker = await startBroker({ redis });
});
after(async () => {
  await broker?.stop();
  await redis?.stop();
});
beforeEach(() => (channel = `clients-${++number}`));

describe("npm's EventSource", () => {
  // Follows `url`; events are kept in the order in which they came.
  function open(url) {
    const source = new EventSource(url);
    const seen = [];
    const waiting = new Set();
    const add = (event) => {
      seen.push(event);
      for (const check of [...waiting]) check();
    };
    for (const type of ["open", "error", "message", "weir:gap", "weir:end", "weir:overloaded"])
      source.addEventListener(type, add);
    const of = (type) => seen.filter((event) => event.type === type);
    return {
      source,
      of,
      close: () => source.close(),
      wait(type, count) {
        let check;
        const done = new Promise((resolve) => {
          check = () => of(type).length >= count && resolve(of(type));
          waiting.add(check);
          check();
        });
        return within(done, `event ${count} of type ${type}`).finally(() => waiting.delete(check));
      },
    };
  }

  it("receives data, type and id", async () => {
    const client = open(`${broker.url}/channels/${channel}`);
    await client.wait("open", 1);
    await redis.publish(channel, '{"msg":"aaa"}');
    await redis.publish(channel, "two\r\nlines \u{1F30A}");
    const [first, second] = await client.wait("message", 2);
    assert.equal(first.data, '{"msg":"aaa"}');
    assert.match(first.lastEventId, /^g\w+\.\d+$/);
    assert.equal(second.data, "two\nlines \u{1F30A}");
    client.close();
  });

  it("resumes after it was cut, twice in a row", async () => {
    const proxy = await startProxy(broker.url);
    const client = open(`${proxy.url}/channels/${channel}`);
    await client.wait("open", 1);
    await redis.publish(channel, "one");
    for (const [count, data] of [[2, "two"], [3, "three"]]) {
      await client.wait("message", count - 1);
      proxy.hold();
      proxy.cut();
      await redis.publish(channel, data);
      proxy.release();
      await client.wait("message", count);
      assert.equal((await proxy.request(count - 1)).lastEventId, client.of("message")[count - 2].lastEventId);
    }
    assert.deepEqual(client.of("message").map((event) => event.data), ["one", "two", "three"]);
    assert.deepEqual(client.of("weir:gap"), []);
    client.close();
    await proxy.stop();
  });

  it("stops at the end of a channel", async () => {
    const client = open(`${broker.url}/channels/${channel}`);
    await client.wait("open", 1);
    await redis.publish(channel, '{"type":"weir:end"}');
    const [end] = await client.wait("weir:end", 1);
    assert.deepEqual(JSON.parse(end.data), { channel });
    const errors = await client.wait("error", 2); // The end of the stream, then the answer 204.
    assert.equal(errors[1].code, 204);
    assert.equal(client.source.readyState, EventSource.CLOSED);
  });
});

describe("curl", () => {
  it("shows the stream as it comes", async () => {
    const curl = new Program("curl", ["-sSNi", `${broker.url}/channels/${channel}`]);
    await curl.printed(/^id: g\w+\.\d+\n\n/m);
    assert.match(curl.output, /^HTTP\/1\.1 200 /);
    assert.match(curl.output, /^content-type: text\/event-stream\r$/im);
    assert.match(curl.output, /^cache-control: no-cache, no-transform\r$/im);
    assert.match(curl.output, /^x-accel-buffering: no\r$/im);
    assert.match(curl.output, /^retry: \d+$/m);
    await redis.publish(channel, '{"msg":"aaa"}');
    await curl.printed(/^data: \{"msg":"aaa"\}\nid: g\w+\.\d+\n\n/m);
    await redis.publish(channel, '{"type":"weir:end"}');
    assert.equal(await within(curl.ended, "end of curl"), 0); // 0: the response was complete.
  });

  it("publishes to the browsers' side", async () => {
    const watching = new Program("curl", ["-sSN", `${broker.url}/channels/${channel}`]);
    await watching.printed(/^id: /m);
    const answer = await run("curl", ["-sS", "-d", '{"msg":"by curl"}', `${broker.url}/channels/${channel}`]);
    assert.deepEqual(JSON.parse(answer), { channel, receivers: 1, subscribers: 1 });
    await watching.printed(/^data: \{"msg":"by curl"\}$/m);
    await watching.stop();
  });

  it("resumes with a header, and with the query", async () => {
    const url = `${broker.url}/channels/${channel}`;
    const first = new Program("curl", ["-sSN", url]);
    const [, id] = await first.printed(/^id: (g\w+\.\d+)$/m);
    await redis.publishAll(channel, ["one", "two"]);
    await first.printed(/^data: two$/m);
    for (const args of [["-H", `Last-Event-ID: ${id}`, url], [`${url}?lastEventId=${id}`]]) {
      const again = new Program("curl", ["-sSN", ...args]);
      await again.printed(/^data: one\nid: .+\n\n[^]*^data: two\nid: .+\n\n/m);
      await again.stop();
    }
    await first.stop();
  });

  it("follows a channel of a gateway that has no Redis", async () => {
    const alone = await startBroker();
    const curl = new Program("curl", ["-sSN", `${alone.url}/channels/${channel}`]);
    await curl.printed(/^id: /m);
    await run("curl", ["-sS", "-d", "embedded", `${alone.url}/channels/${channel}`]);
    await curl.printed(/^data: embedded$/m);
    await curl.stop();
    await alone.stop();
  });
});
