// An HTTP proxy in front of the gateway that fails when it is told to: with answers of its own, with silence, with half a
// response. It remembers what was asked. What a browser asks before a cross-origin request (a preflight) always passes.
import { createServer, request as ask } from "node:http";
import { Watchers } from "./watchers.mjs";

// What may become of a request; else it is {status, headers, body}, an answer of the proxy.
export const SILENT = "silent"; // It is taken, and never answered.
export const CUT = "cut"; // The connection is closed without a response.
export const HEAD_ONLY = "head only"; // The gateway's head passes, and nothing else.

// An event stream that ends cleanly after this text.
export const eventStream = (body) => ({ status: 200, headers: { "Content-Type": "text/event-stream" }, body });

export async function startFaultProxy(target) {
  const proxy = new FaultProxy(target);
  await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
  return proxy;
}

class FaultProxy {
  requests = []; // {method, path, query, headers}, in the order in which they came; no preflights.
  preflights = [];
  bytes = 0; // That have come from the gateway, since the start.
  #faults = []; // {fault, matches, left}: the first that matches counts.
  #streams = new Set(); // The responses of the gateway that pass now: {request, response, began, isMute}.
  #begun = 0; // Streams whose first block has passed, since the start.
  #held = null; // While holding: requests that wait for release().
  #watchers = new Watchers();

  constructor(target) {
    this.target = target; // May be changed: later requests go to the new one.
    this.server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => this.#accept(request, response));
  }

  // The next `count` requests, or all of them until heal(), end like this; `matches` picks some.
  fail(fault, count = Infinity, matches = () => true) {
    this.#faults.push({ fault, matches, left: count });
  }
  heal() {
    this.#faults = [];
  }
  // From now on requests wait, as if the network was slow.
  hold() {
    this.#held ??= [];
  }
  release() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const go of held) go();
  }
  // What becomes of the streams that are open now: cut without the end of the response, ended with it, silent for ever.
  cut() {
    for (const { response } of this.#streams) response.destroy();
  }
  end() {
    for (const stream of this.#streams) {
      stream.isMute = true;
      stream.response.end();
    }
  }
  mute() {
    for (const stream of this.#streams) stream.isMute = true;
  }

  // The requests for streams, and how many of them are open now.
  get asked() {
    return this.requests.filter(({ path }) => path === "/events");
  }
  get streamsOpen() {
    return [...this.#streams].filter(({ request, began }) => began && request.path === "/events").length;
  }
  // Resolved with the request for a stream that has this number (from 0), once it was made.
  stream(index, limit) {
    return this.until(() => this.asked[index], `request for stream ${index + 1}`, limit);
  }
  // Resolved once so many streams have got their first block since the start.
  begun(count, limit) {
    return this.until(() => this.#begun >= count, `beginning of stream ${count}`, limit);
  }
  // Resolved once so many bytes have come from the gateway since the start.
  passed(bytes, limit) {
    return this.until(() => this.bytes >= bytes, `byte ${bytes}`, limit);
  }
  // Resolved with what `condition` returns, as soon as that is true.
  until(condition, what, limit) {
    return this.#watchers.until(condition, what, limit).catch((error) => {
      throw new Error(`${error.message}; ${this.requests.length} requests came, the last: ${this.requests.at(-1)?.url}`);
    });
  }
  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  #accept(incoming, response) {
    const { method, url, headers } = incoming;
    const { pathname, searchParams } = new URL(url, this.url);
    const request = { method, url, path: pathname, query: searchParams, headers };
    response.on("error", () => {});
    if (method === "OPTIONS") {
      this.preflights.push(request);
      return this.#pass(incoming, request, response);
    }
    this.requests.push(request);
    const entry = this.#faults.find(({ matches, left }) => left > 0 && matches(request));
    if (entry) entry.left -= 1;
    this.#watchers.changed();
    const go = () => this.#answer(incoming, request, response, entry?.fault);
    this.#held ? this.#held.push(go) : go();
  }

  #answer(incoming, request, response, fault) {
    if (fault === undefined || fault === HEAD_ONLY) return this.#pass(incoming, request, response, fault);
    incoming.resume();
    if (fault === SILENT) return;
    if (fault === CUT) return void response.destroy();
    const { origin } = request.headers;
    response.writeHead(fault.status, {
      ...(origin && { "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true" }),
      "Access-Control-Expose-Headers": "Retry-After",
      ...fault.headers,
    });
    response.end(fault.body);
  }

  #pass(incoming, request, response, fault) {
    if (response.destroyed) return;
    const { hostname, port } = new URL(this.target);
    const stream = { request, response, began: false, isMute: false };
    const upstream = ask({ hostname, port, method: request.method, path: request.url, headers: request.headers, agent: false });
    upstream.on("error", () => stream.isMute || response.destroy());
    response.on("close", () => {
      upstream.destroy();
      this.#streams.delete(stream);
      this.#watchers.changed();
    });
    incoming.pipe(upstream);
    upstream.on("response", (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      response.flushHeaders();
      this.#streams.add(stream);
      stream.isMute = fault === HEAD_ONLY;
      answer.on("data", (bytes) => {
        if (stream.isMute) return;
        this.bytes += bytes.length;
        response.write(bytes, () => {
          if (!stream.began && request.path === "/events") this.#begun += 1;
          stream.began = true;
          this.#watchers.changed();
        });
      });
      answer.on("end", () => stream.isMute || response.end());
      answer.on("error", () => stream.isMute || response.destroy());
    });
  }
}
