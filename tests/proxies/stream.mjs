// A stream through a proxy, over HTTP/1.1 or as one of many of an HTTP/2 session, read as events.
import { connect } from "node:http2";
import { request } from "node:https";
import { within } from "../e2e/support/process.mjs";

// What every client of a test trusts: the proxy's certificate is its own.
const TRUST = { rejectUnauthorized: false };

export class Stream {
  status = undefined;
  headers = {};
  events = []; // {type, data, id}
  comments = [];
  retries = [];
  lastId = "";
  closed = undefined; // "end" or the error's code.
  #close;
  whenClosed = new Promise((resolve) => (this.#close = resolve)); // However long that takes.
  #watchers = new Set();
  #text = "";

  // `source` emits data and end; `cut` ends it from this side.
  constructor(cut) {
    this.cut = cut;
  }
  begin(status, headers) {
    Object.assign(this, { status, headers });
    this.#changed();
  }
  read(source) {
    source.setEncoding("utf8");
    source.on("data", (text) => this.#take(text));
    source.on("end", () => this.end("end"));
    source.on("error", (error) => this.end(error.code));
    source.on("aborted", () => this.end("aborted"));
    source.on("close", () => this.end("close"));
  }
  end(how) {
    this.closed ??= how;
    this.#close();
    this.#changed();
  }

  // Waits until `condition` holds, or fails when the stream ends before.
  until(condition, what) {
    let watcher;
    const done = new Promise((resolve, reject) => {
      watcher = () => {
        const value = condition(this);
        if (value) resolve(value);
        else if (this.closed) reject(new Error(`the stream ended (${this.closed}) before ${what}`));
      };
      this.#watchers.add(watcher);
      watcher();
    });
    return within(done, what).finally(() => this.#watchers.delete(watcher));
  }
  opened() {
    return this.until(() => this.status !== undefined && this.retries.length > 0, "its first block");
  }
  messages(count) {
    const wanted = () => this.events.filter(({ type }) => type === "message");
    return this.until(() => wanted().length >= count && wanted(), `${count} messages`);
  }
  event(type) {
    return this.until(() => this.events.find((event) => event.type === type), type);
  }
  ended() {
    return this.until(() => this.closed, "its end");
  }

  #changed() {
    for (const watcher of [...this.#watchers]) watcher();
  }
  #take(text) {
    this.#text += text;
    for (let end; (end = this.#text.indexOf("\n\n")) >= 0; this.#text = this.#text.slice(end + 2))
      this.#block(this.#text.slice(0, end));
    this.#changed();
  }
  #block(block) {
    const data = [];
    let type = "message";
    for (const line of block.split("\n")) {
      const [, field, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [undefined, line, ""];
      if (field === "data") data.push(value);
      if (field === "event") type = value;
      if (field === "id") this.lastId = value;
      if (field === "retry") this.retries.push(Number(value));
      if (field === "") this.comments.push(value);
    }
    if (data.length > 0) this.events.push({ type, data: data.join("\n"), id: this.lastId });
  }
}

// Over a connection of its own, from this address of ours.
export function openStream(url, headers = {}, { localAddress } = {}) {
  const call = request(url, { ...TRUST, localAddress, agent: false, headers: { Accept: "text/event-stream", ...headers } });
  const stream = new Stream(() => call.destroy());
  call.on("response", (response) => {
    stream.begin(response.statusCode, response.headers);
    stream.read(response);
  });
  call.on("error", (error) => stream.end(error.code));
  call.end();
  return stream;
}

// One HTTP/2 connection for any number of streams.
export class Session {
  #session;
  constructor(url) {
    this.#session = connect(url, TRUST);
    this.#session.on("error", () => {}); // Each stream is told as well.
  }
  open(path, headers = {}) {
    const call = this.#session.request({ ":path": path, accept: "text/event-stream", ...headers });
    const stream = new Stream(() => call.close());
    call.on("response", (answer) => stream.begin(answer[":status"], answer));
    stream.read(call);
    return stream;
  }
  close() {
    this.#session.destroy();
  }
}

// The answer to a plain request.
export function send(url, { method = "GET", body, headers = {} } = {}) {
  return within(new Promise((resolve, reject) => {
    const call = request(url, { ...TRUST, agent: false, method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    call.on("error", reject);
    call.end(body);
  }), `an answer from ${url}`);
}
