// Tabs that follow channels through the client library (web/dist), and what their listeners were told.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { servePages, SOURCE } from "./pages.mjs";
import { LIMIT_MS, within } from "./process.mjs";

export const CLIENT = process.env.WEIR_CLIENT ?? join(SOURCE, "web/dist");

// The library, and the page "/blank".
export async function serveClient() {
  if (!existsSync(join(CLIENT, "weir.js"))) throw new Error(`${CLIENT}/weir.js is missing: cd web/client && node build.mjs`);
  return servePages(CLIENT);
}

// Runs in each page before all else. A listener has a name: that of its channel, unless it is given another one.
function installRecorder() {
  const listeners = {}; // By name: {told: [{kind, value}], counts: {kind: number}, off}, in the order in which it was told.
  const states = [];
  const results = {};
  const watchers = new Set();
  const changed = () => {
    for (const watcher of [...watchers]) watcher();
  };
  window.recorder = {
    listeners,
    states,
    results,
    async connect(gateway, { asksForTokens, ...options }) {
      const { connect } = await import("/weir.js");
      if (asksForTokens) options.token = () => window.tokenOfTest();
      window.weir = connect(gateway, options);
      states.push(window.weir.status);
      window.weir.onstate = (status) => {
        states.push(structuredClone(status));
        changed();
      };
    },
    listen(channel, { name, isBatch, ...options }) {
      const told = [];
      const counts = {};
      const tell = (kind) => (value) => {
        told.push({ kind, value });
        counts[kind] = (counts[kind] ?? 0) + 1;
        changed();
      };
      const handlers = Object.fromEntries(["gap", "live", "end", "refused"].map((kind) => [kind, tell(kind)]));
      if (isBatch) handlers.batch = tell("batch");
      else handlers.message = (_, message) => tell("message")(message);
      listeners[name] = { told, counts, off: window.weir.on(channel, handlers, options) };
    },
    // The outcome of a promise: its value, or {error, refusal}.
    async outcome(promise) {
      try {
        return { value: await promise };
      } catch (error) {
        return { error: error.name, message: error.message, refusal: error.refusal };
      }
    },
    until: (condition) =>
      new Promise((resolve) => {
        const watcher = () => {
          if (!condition()) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
        watcher();
      }),
  };
}

// A new tab of a browser context, connected to nothing yet. `token` is asked for tokens, in this process.
export async function openTab(context, pages, { expected = /net::ERR_|status of (?:4|5)\d\d|CORS policy/, token } = {}) {
  const page = await context.newPage();
  await page.addInitScript(installRecorder);
  if (token) await page.exposeFunction("tokenOfTest", token);
  const tab = new Tab(page, expected, Boolean(token));
  await page.goto(`${pages.url}/blank`);
  return tab;
}

class Tab {
  problems = []; // Uncaught exceptions, and complaints of the browser that are not expected.
  console = []; // All that was written there.
  asked = []; // The URLs of its own requests for streams.

  constructor(page, expected, hasTokens) {
    Object.assign(this, { page, hasTokens });
    page.setDefaultTimeout(LIMIT_MS);
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => {
      this.console.push(message.text());
      if (["error", "warning"].includes(message.type()) && !expected.test(message.text())) this.problems.push(message.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).pathname === "/events") this.asked.push(request.url());
    });
  }

  async connect(gateway, options = {}) {
    await this.page.evaluate((args) => window.recorder.connect(...args), [gateway, { asksForTokens: this.hasTokens, ...options }]);
    return this;
  }
  // Follows a channel, and keeps what it is told under `name`.
  async listen(channel, { name = channel, ...options } = {}) {
    await this.page.evaluate((args) => window.recorder.listen(...args), [channel, { name, ...options }]);
  }
  async unlisten(name) {
    await this.page.evaluate((wanted) => window.recorder.listeners[wanted].off(), name);
  }
  // All that a listener was told, in order: {kind, value}. Of one kind: the values.
  async told(name, kind) {
    const told = await this.page.evaluate((wanted) => window.recorder.listeners[wanted].told, name);
    return kind ? told.filter((entry) => entry.kind === kind).map(({ value }) => value) : told;
  }
  // The data of the messages that a listener has got.
  async messages(name) {
    return (await this.told(name, "message")).map(({ data }) => data);
  }
  // Waits until a listener was told something so often; the values.
  async wait(name, kind, count = 1, limit = LIMIT_MS) {
    const enough = ([wanted, what, least]) => window.recorder.until(() => (window.recorder.listeners[wanted].counts[what] ?? 0) >= least);
    await this.#until(enough, [name, kind, count], `${kind} ${count} of ${name}`, limit);
    return this.told(name, kind);
  }
  // The same for the data of messages.
  async waitMessages(name, count, limit) {
    await this.wait(name, "message", count, limit);
    return this.messages(name);
  }
  // All statuses so far, the present one last.
  states() {
    return this.page.evaluate(() => window.recorder.states);
  }
  // Waits for a status with these fields. It must come after the first `after` ones.
  async waitState(wanted, { after = 0, limit = LIMIT_MS } = {}) {
    const reached = ([fields, begin]) => {
      const matches = (status) => Object.entries(fields).every(([key, value]) => status[key] === value);
      return window.recorder.until(() => window.recorder.states.slice(begin).some(matches));
    };
    await this.#until(reached, [wanted, after], `status ${JSON.stringify(wanted)}`, limit);
  }
  // Waits until the last thing that was said is that the stream is not open, for this reason.
  async waitFailure(status, limit = LIMIT_MS) {
    const failed = (wanted) => window.recorder.until(() => window.recorder.states.at(-1).error?.status === wanted);
    await this.#until(failed, status, `failure ${status}`, limit);
  }
  // The stream is open, and it is the last thing that was said.
  async waitOpen(limit = LIMIT_MS) {
    await this.#until(() => window.recorder.until(() => window.recorder.states.at(-1).state === "open"), undefined, "open stream", limit);
  }
  // What a call of the client gives: {value}, or {error, message, refusal}.
  call(method, ...args) {
    return this.page.evaluate(([name, values]) => window.recorder.outcome(window.weir[name](...values)), [method, args]);
  }
  // An event of the browser, such as "online".
  async fire(type, target = "window") {
    await this.page.evaluate(([name, on]) => window[on].dispatchEvent(new Event(name)), [type, target]);
  }
  // Loads the page anew. The tab is then connected to nothing.
  async load() {
    await this.page.goto(`${this.page.url().split("?")[0]}?${Math.random()}`);
  }
  async close() {
    await this.page.close();
  }

  async #until(condition, argument, what, limit) {
    try {
      await within(this.page.evaluate(condition, argument), what, limit);
    } catch (error) {
      const brief = await within(
        this.page.evaluate(() => ({
          states: window.recorder.states.slice(-5),
          told: Object.fromEntries(
            Object.entries(window.recorder.listeners).map(([name, { told, counts }]) => [name, { counts, last: told.slice(-3) }]),
          ),
        })),
        "answer of the page",
        5_000,
      ).catch(String);
      throw new Error(`${error.message}\nthe tab has: ${JSON.stringify(brief).slice(0, 2_000)}`);
    }
  }
}
