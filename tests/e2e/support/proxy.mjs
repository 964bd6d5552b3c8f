// A TCP proxy in front of the gateway that can cut connections, as a train in a tunnel does. It reads along: which
// requests were made, and when the first block of a stream has passed.
import { connect, createServer } from "node:net";
import { Watchers } from "./watchers.mjs";

export async function startProxy(target) {
  const proxy = new CutProxy(target);
  await new Promise((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${proxy.server.address().port}`;
  return proxy;
}

class CutProxy {
  requests = []; // {method, path, lastEventId}, in the order in which they came.
  #streams = []; // For each request whose answer has begun: resolved when its first SSE block has passed.
  #sockets = new Set();
  #bytesLeft = Infinity;
  #held = null; // While holding: what waits for release().
  #watchers = new Watchers();

  constructor(target) {
    this.target = target; // May be changed: later connections go to the new one.
    this.server = createServer((client) => this.#accept(client));
  }

  // From now on a new connection waits, as if the network was gone.
  hold() {
    this.#held ??= [];
  }
  release() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const go of held) go();
  }
  // Cuts the first connection on which so many more bytes have come from the gateway; no more than these pass.
  cutAfter(bytes) {
    this.#bytesLeft = bytes;
  }
  // Cuts every connection that is open now, with no chunk that ends the response.
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }
  // The request with this number (from 0), once it was made.
  request(index, limit) {
    return this.#watchers.until(() => this.requests[index], `request ${index + 1}`, limit);
  }
  // Resolved once `count` streams have got their first block.
  streams(count) {
    return this.#watchers.until(() => this.#streams.length >= count, `stream ${count}`);
  }
  async stop() {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #accept(client) {
    this.#sockets.add(client);
    client.on("close", () => this.#sockets.delete(client));
    client.on("error", () => {});
    if (this.#held) {
      client.pause();
      this.#held.push(() => this.#join(client));
    } else {
      this.#join(client);
    }
  }

  #join(client) {
    if (client.destroyed) return;
    const { hostname, port } = new URL(this.target);
    const gateway = connect(Number(port), hostname);
    gateway.on("error", () => client.destroy());
    gateway.on("close", () => client.destroy());
    client.on("close", () => gateway.destroy());

    let head = "";
    client.on("data", (bytes) => {
      gateway.write(bytes);
      head += bytes.toString("latin1"); // Streams have no request body: all that comes is heads.
      for (let end; (end = head.indexOf("\r\n\r\n")) >= 0; head = head.slice(end + 4)) this.#note(head.slice(0, end));
    });
    let answer = "";
    let passed = false;
    gateway.on("data", (bytes) => {
      if (bytes.length > this.#bytesLeft) {
        client.end(bytes.subarray(0, this.#bytesLeft), () => client.destroy());
        gateway.destroy();
        this.#bytesLeft = Infinity;
        return;
      }
      this.#bytesLeft -= bytes.length;
      if (!passed) answer += bytes.toString("latin1");
      const now = !passed && answer.includes("\n\n"); // The head's lines end in CR LF, a block's in LF.
      passed ||= now;
      client.write(bytes, () => {
        if (!now) return;
        this.#streams.push(true);
        this.#watchers.changed();
      });
    });
    client.resume();
  }

  #note(head) {
    const [method, path] = head.split(" ");
    const lastEventId = /^last-event-id: *(.*?)\s*$/im.exec(head)?.[1];
    this.requests.push({ method, path, lastEventId });
    this.#watchers.changed();
  }
}
