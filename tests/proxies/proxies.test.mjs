// Behind each proxy the same holds as without one.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { startBroker, startRedis } from "../e2e/support/servers.mjs";
import { kinds, startProxy } from "./proxies.mjs";
import { Session, openStream, send } from "./stream.mjs";

let redis;
let number = 0;
let channel;

before(async () => (redis = await startRedis()));
after(() => redis?.stop());
beforeEach(() => (channel = `proxied-${++number}`));

// Polls what can only be polled.
async function subscribers(broker, name, count) {
  while ((await (await fetch(`${broker.url}/channels/${name}/info`)).json()).subscribers !== count)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

for (const kind of kinds) {
  describe(kind, { timeout: 120_000 }, () => {
    let broker, proxy;
    before(async () => {
      broker = await startBroker({ redis, args: ["--heartbeat-seconds", "1"] });
      // Less than the silence of a test lasts, more than that between two heartbeats.
      proxy = await startProxy(kind, [broker], { silence: "3s" });
    });
    after(async () => {
      await proxy?.stop();
      await broker?.stop();
    });

    it("hands on the head and the first block before there is a message", async () => {
      const stream = openStream(`${proxy.url}/channels/${channel}`);
      await stream.opened();
      assert.equal(stream.status, 200);
      assert.match(stream.headers["content-type"], /^text\/event-stream/);
      assert.match(stream.headers["cache-control"], /no-cache/);
      assert.match(stream.lastId, /^g\w+\.\d+$/);
      stream.cut();
    });

    it("hands on each event before the next one is published", async (test) => {
      const stream = openStream(`${proxy.url}/channels/${channel}`);
      await stream.opened();
      const delays = [];
      for (let n = 1; n <= 20; n++) {
        const started = performance.now();
        const answer = await send(`${proxy.url}/channels/${channel}`, { method: "POST", body: `${n}` });
        assert.equal(answer.status, 202, answer.text);
        assert.equal((await stream.messages(n)).at(-1).data, `${n}`);
        delays.push(performance.now() - started);
      }
      delays.sort((a, b) => a - b);
      test.diagnostic(`publish to event, median: ${delays[10].toFixed(1)} ms`);
      stream.cut();
    });

    it("keeps a stream that is silent for longer than the proxy's time-out", async () => {
      const stream = openStream(`${proxy.url}/channels/${channel}`);
      await stream.opened();
      await stream.until(() => stream.comments.length > 6, "six heartbeats");
      await redis.publish(channel, "after the silence");
      assert.equal((await stream.messages(1))[0].data, "after the silence");
      stream.cut();
    });

    it("passes Last-Event-ID on, and nothing is missed or doubled", async () => {
      const first = openStream(`${proxy.url}/channels/${channel}`);
      await first.opened();
      await redis.publishAll(channel, ["one", "two"]);
      const [{ id }] = await first.messages(2);
      first.cut();
      await redis.publish(channel, "three");
      const second = openStream(`${proxy.url}/channels/${channel}`, { "Last-Event-ID": id });
      await second.event("weir:live");
      await redis.publish(channel, "four");
      const texts = (await second.messages(3)).map(({ data }) => data);
      assert.deepEqual(texts, ["two", "three", "four"]);
      assert.ok(!second.events.some(({ type }) => type === "weir:gap"));
      second.cut();
    });

    it("carries thirty streams over one HTTP/2 connection", async () => {
      const session = new Session(proxy.url);
      const streams = Array.from({ length: 30 }, (_, n) => session.open(`/channels/${channel}-${n}`));
      await Promise.all(streams.map((stream) => stream.opened()));
      for (const [n] of streams.entries()) await redis.publish(`${channel}-${n}`, `for ${n}`);
      for (const [n, stream] of streams.entries()) assert.equal((await stream.messages(1))[0].data, `for ${n}`);
      session.close();
    });

    it("tells the gateway when a client has gone", async () => {
      const session = new Session(proxy.url);
      const streams = [openStream(`${proxy.url}/channels/${channel}`), session.open(`/channels/${channel}`)];
      await Promise.all(streams.map((stream) => stream.opened()));
      await subscribers(broker, channel, 2);
      for (const stream of streams) stream.cut();
      await subscribers(broker, channel, 0);
      session.close();
    });

    it("says which client a stream is of, whatever that client says", async () => {
      const counting = await startBroker({
        redis, args: ["--max-clients-per-address", "1", "--trusted-proxy", "127.0.0.1"],
      });
      const front = await startProxy(kind, [counting]);
      const from = (localAddress, headers) => openStream(`${front.url}/channels/${channel}`, headers, { localAddress });
      try {
        const inside = from("127.0.0.2");
        await inside.opened();
        for (const forged of [{}, { "X-Forwarded-For": "203.0.113.9" }, { "X-Forwarded-For": "203.0.113.9, 127.0.0.1" }]) {
          const refused = from("127.0.0.2", forged);
          assert.equal((await refused.event("weir:overloaded")).data, '{"reason":"clients-per-address"}');
        }
        const other = from("127.0.0.3");
        await other.opened();
        assert.equal(inside.closed, undefined);
        for (const each of [inside, other]) each.cut();
      } finally {
        await front.stop();
        await counting.stop();
      }
    });

    it("takes new streams while Redis is away", async () => {
      const other = await startRedis();
      const alone = await startBroker({ redis: other });
      const front = await startProxy(kind, [alone]);
      try {
        // A first stream, so that the proxy is known to have found the gateway.
        const first = openStream(`${front.url}/channels/${channel}`);
        await first.opened();
        await other.program.stop("SIGKILL");
        while ((await fetch(`${alone.admin}/healthz/redis`)).status !== 503)
          await new Promise((resolve) => setTimeout(resolve, 20));
        const stream = openStream(`${front.url}/channels/${channel}`);
        await stream.opened();
        assert.equal(stream.status, 200);
        // Redis going away ends no stream.
        assert.equal(first.closed, undefined);
        for (const each of [first, stream]) each.cut();
      } finally {
        await front.stop();
        await alone.stop();
        await other.stop();
      }
    });

    it("tells an EventSource of any origin to come back while there is no gateway, and others the truth", async () => {
      const away = await startBroker({ args: ["--away", "--cors-origin", "https://page.example"] });
      const nobody = { url: "http://127.0.0.1:9", admin: "http://127.0.0.1:9" };
      const front = await startProxy(kind, [nobody], { away });
      const url = `${front.url}/channels/${channel}`;
      const headers = { Accept: "text/event-stream", Origin: "https://page.example", Host: "events.example.com" };
      try {
        const answer = await send(url, { headers });
        assert.equal(answer.status, 200);
        assert.match(answer.headers["content-type"], /^text\/event-stream/);
        assert.equal(answer.headers["access-control-allow-origin"], "https://page.example");
        assert.match(answer.text, /^: away: .*\nretry: [2-5]\d{3}\n\n$/);
        const preflight = await send(url, { method: "OPTIONS", headers: { ...headers, "Access-Control-Request-Method": "GET" } });
        assert.equal(preflight.status, 204);
        const publish = await send(url, { method: "POST", body: "x" });
        assert.equal(publish.status, kind === "caddy" ? 502 : 503);
        if (kind !== "caddy") assert.match(publish.headers["retry-after"], /^[2-5]$/);
      } finally {
        await front.stop();
        await away.stop();
      }
    });
  });
}

// A gateway that is not on loopback, as it is in production, and a browser's page of the proxy's own origin.
for (const kind of kinds) {
  const address = process.env.WEIR_OFF_LOOPBACK;
  it(`${kind} passes the Host on, so that pages of its origin may subscribe and publish`,
    { skip: address ? false : "takes root, for an address that is not loopback" }, async () => {
      const broker = await startBroker({
        redis,
        args: ["--listen", `${address}:0`, "--admin-listen", `${address}:0`, "--anonymous-subscribe", "*",
          "--anonymous-publish", "*"],
      });
      const proxy = await startProxy(kind, [broker]);
      try {
        const headers = { Host: "events.example.com", Origin: "https://events.example.com" };
        const stream = openStream(`${proxy.url}/channels/${channel}`, { Host: headers.Host });
        await stream.opened();
        assert.equal(stream.status, 200);
        const answer = await send(`${proxy.url}/channels/${channel}`, { method: "POST", body: "from a page", headers });
        assert.equal(answer.status, 202, answer.text);
        assert.equal((await stream.messages(1))[0].data, "from a page");
        headers.Origin = "https://elsewhere.example";
        const refused = await send(`${proxy.url}/channels/${channel}`, { method: "POST", body: "x", headers });
        assert.equal(refused.status, 403);
        stream.cut();
      } finally {
        await proxy.stop();
        await broker.stop();
      }
    });
}

// Else the test of silence would show nothing. Caddy has no time-out of this kind.
for (const kind of ["nginx", "haproxy"]) {
  it(`${kind} cuts a stream that is silent for longer than its time-out`, async () => {
    const broker = await startBroker({ redis, args: ["--heartbeat-seconds", "3600"] });
    const proxy = await startProxy(kind, [broker], { silence: "1s" });
    try {
      const stream = openStream(`${proxy.url}/channels/${channel}`);
      await stream.opened();
      await stream.ended();
    } finally {
      await proxy.stop();
      await broker.stop();
    }
  });
}
