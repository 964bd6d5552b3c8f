// The well-known SSE clients read weir's streams: each sees the same, which is what the specification says, and each
// resumes by its own reconnect.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { CLIENTS } from "./support/clients.mjs";
import { parseEventStream } from "./support/event_stream.mjs";
import { servePages, SOURCE } from "./support/pages.mjs";
import { startProxy } from "./support/proxy.mjs";
import { startBroker, startRedis } from "./support/servers.mjs";

const vectors = (file) => JSON.parse(readFileSync(join(SOURCE, "proto/vectors", file), "utf8"));
const payloadOf = ({ payload, payload_base64 }) => payload ?? Buffer.from(payload_base64, "base64");

// Epoch and sequence are the gateway's own; what follows is the publisher's.
const plainId = (id) => id.replace(/^g\w+\.\d+/, "g.n");
const plainData = (data) => data.replace(/"id":"g\w+\.\d+/, '"id":"g.n').replace(/"time":\d+/, '"time":0');
const seen = ({ type, data, id }) => ({ type, data: plainData(data), id: plainId(id) });

describe("the well-known clients", () => {
  let redis, browser, pages;
  before(async () => {
    redis = await startRedis();
    pages = await servePages("");
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await pages?.stop();
    await redis?.stop();
  });

  // All clients follow `target`, and get what is published on `channel` in one go; `expected` are {name, type, data, id}.
  async function publishToAll(broker, target, channel, payloads, expected) {
    const types = [...new Set(expected.map(({ type }) => type))];
    const clients = [];
    const wrong = [];
    try {
      for (const [name, { open, bends }] of Object.entries(CLIENTS))
        clients.push({ name, bends, ...(await open(`${broker.url}${target}`, types, { browser, pages })) });
      await broker.subscribers(channel, clients.length);
      await redis.publishAll(channel, payloads);
      for (const client of clients) {
        const events = (await client.events.until(({ length }) => length >= expected.length, `event ${expected.length}`)).map(seen);
        assert.equal(events.length, expected.length, client.name);
        for (const [index, { name, ...event }] of expected.entries()) {
          const right = client.bends?.(event) ?? event;
          try {
            assert.deepEqual(events[index], right);
          } catch {
            wrong.push({ client: client.name, case: name, saw: events[index], instead_of: right });
          }
        }
      }
    } finally {
      for (const client of clients) await client.close();
    }
    assert.deepEqual(wrong, []);
  }

  it("see the parsing cases of the specification, as payloads, the way a browser must", async () => {
    const broker = await startBroker({ redis, args: ["--cors-origin", pages.url] });
    const { cases } = vectors("browser.json");
    const expected = cases.map(({ name, type, data, own_id }) => ({ name, type, data, id: `g.n${own_id ?? ""}` }));
    await publishToAll(broker, "/channels/spec", "spec", cases.map(payloadOf), expected);
    await broker.stop();
  });

  const messages = vectors("messages.json");
  const FORMS = { channel: "/channels/news", events: "/events?channel=news", json: "/channels/news?form=json" };
  for (const envelope of ["auto", "always", "never"]) {
    const holds = (vector) => (vector.envelope ? vector.envelope === envelope : envelope !== "never");
    const chosen = messages.vectors.filter(holds);
    for (const [form, target] of Object.entries(FORMS)) {
      if (envelope === "always" && form !== "channel") continue; // For these vectors it is the same as "auto".
      it(`see every message the way its vector says: --envelope ${envelope}, ${target}`, async () => {
        const broker = await startBroker({ redis, args: ["--cors-origin", pages.url, "--envelope", envelope] });
        // An end closes the streams: what follows it is another round.
        const rounds = [[]];
        for (const vector of chosen) {
          rounds.at(-1).push(vector);
          if (vector.is_end) rounds.push([]);
        }
        for (const round of rounds.filter(({ length }) => length > 0)) {
          const expected = round.map(({ name, blocks }) => ({ name, ...seen(parseEventStream(blocks[form])[0]) }));
          await publishToAll(broker, target, messages.channel, round.map(payloadOf), expected);
        }
        await broker.stop();
      });
    }
  }

  describe("come back by themselves", { concurrency: true }, () => {
    for (const [name, { open, reconnects, tears }] of Object.entries(CLIENTS)) {
      if (!reconnects) continue;
      const isTorn = tears === "extra"; // The large one would come twice, the first time in part.
      it(`${name}: cut ${isTorn ? "" : "within a message, and "}between two, it gets each once and in order`, async () => {
        const channel = `cut-${Object.keys(CLIENTS).indexOf(name)}`;
        const broker = await startBroker({ redis, args: ["--cors-origin", pages.url] });
        const proxy = await startProxy(broker.url);
        const types = ["message", "note", "weir:gap"];
        const client = await open(`${proxy.url}/channels/${channel}`, types, { browser, pages });
        // The gateway's own weir:live, and what @microsoft/fetch-event-source makes of a block without data, are left out.
        const received = (events) => events.filter(({ type, data }) => type !== "weir:live" && data !== "");
        const until = async (count) =>
          received(await client.events.until((events) => received(events).length >= count, `message ${count}`));
        const large = `${"line\n".repeat(60_000)}last`;

        await broker.subscribers(channel, 1);
        await redis.publishAll(channel, ['{"data":"first","retry":1000}', "second"]);
        await until(2);
        if (!isTorn) proxy.cutAfter(100_000);
        await redis.publishAll(channel, [large, "behind it"]);
        await until(4);
        proxy.hold();
        proxy.cut();
        await redis.publishAll(channel, ['{"data":"meanwhile","type":"note"}', "meanwhile too"]);
        proxy.release();
        await until(6);
        await redis.publishAll(channel, ["live again"]);
        const events = await until(7);
        assert.deepEqual(
          events.map(({ type, data }) => [type, data]),
          [
            ["message", "first"], ["message", "second"], ["message", large], ["message", "behind it"],
            ["note", "meanwhile"], ["message", "meanwhile too"], ["message", "live again"],
          ],
        );
        const asked = proxy.requests.map(({ lastEventId }) => lastEventId);
        assert.deepEqual(asked, [undefined, ...(isTorn ? [] : [events[1].id]), events[3].id]);
        await client.close();
        await proxy.stop();
        await broker.stop();
      });
    }
  });

  // One stream for each byte of a message behind which it can be cut, a proxy for each.
  describe("lose nothing, wherever a message is cut", { concurrency: true }, () => {
    const AT_ONCE = 20;
    const TYPES = ["message", "note", "weir:gap"];

    async function openAll(broker, channel, { open, openMany }, count) {
      const proxies = [];
      for (let i = 0; i < count; i++) proxies.push(await startProxy(broker.url));
      const urls = proxies.map(({ url }) => `${url}/channels/${channel}`);
      const tools = { browser, pages };
      const clients = await (openMany?.(urls, TYPES, tools) ?? Promise.all(urls.map((url) => open(url, TYPES, tools))));
      await broker.subscribers(channel, count);
      return clients.map((client, index) => {
        const received = () => client.events.seen.filter(({ type, data }) => type !== "weir:live" && data !== "");
        const until = (text) =>
          client.events.until(() => received().some(({ data }) => data === text), text).then(received);
        return { proxy: proxies[index], client, until };
      });
    }

    for (const [name, { reconnects, tears, ...client }] of Object.entries(CLIENTS)) {
      if (!reconnects) continue;
      it(name, async (test) => {
        const broker = await startBroker({ redis, args: ["--cors-origin", pages.url, "--retry-ms", "1"] });
        test.after(() => broker.stop());
        let length = AT_ONCE; // Of the message's chunk, which is longer: known when its id is.
        for (let first = 0; first < length; first += AT_ONCE) {
          const channel = `torn-${Object.keys(CLIENTS).indexOf(name)}-${first}`;
          const streams = await openAll(broker, channel, client, Math.min(AT_ONCE, length - first));
          try {
            await redis.publish(channel, "before");
            const [{ id }] = await streams[0].until("before");
            for (const { until } of streams) await until("before");
            const next = id.replace(/\d+$/, (sequence) => `${Number(sequence) + 1}`);
            const block = `retry: 00000\nevent: note\ndata: one\ndata: two\nid: ${next}\n\n`;
            const head = `${block.length.toString(16)}\r\n`.length;
            length = head + block.length + 2;
            for (const [index, { proxy }] of streams.entries()) proxy.cutAfter(first + index);
            await redis.publishAll(channel, ['{"data":"one\\ntwo","type":"note","retry":1000}', "behind it"]);
            for (const [index, { proxy, until }] of streams.entries()) {
              const where = `cut behind byte ${first + index} of ${JSON.stringify(block)}`;
              let events = (await until("behind it")).map(({ type, data }) => `${type}: ${data}`);
              const whole = ["message: before", "note: one\ntwo", "message: behind it"];
              if (tears === "extra") {
                assert.deepEqual(events.slice(-2), whole.slice(-2), where);
                events = [...new Set(events.filter((event) => !/^(note|message): one$/.test(event)))];
              }
              if (tears === "last byte" && first + index === head + block.length - 1) whole.splice(1, 1);
              assert.deepEqual(events, whole, where);
              assert.equal(proxy.requests.length, 2);
            }
          } finally {
            for (const { client, proxy } of streams) {
              await client.close();
              await proxy.stop();
            }
          }
        }
      });
    }
  });
});
