// The SSE clients that weir's streams are read with, each behind the same few verbs.
import { createRequire } from "node:module";
import { join } from "node:path";
import { EventSource } from "eventsource";
import EventSource2 from "eventsource2";
import { createParser } from "eventsource-parser";
import { EventSource as UndiciEventSource } from "undici";
import { openPage } from "./browser.mjs";
import { parseEventStream } from "./event_stream.mjs";
import { SOURCE } from "./pages.mjs";
import { Program } from "./process.mjs";
import { Watchers } from "./watchers.mjs";

// The events of a client, in the order in which they came: {type, data, id}.
class Events {
  seen = [];
  #watchers = new Watchers();

  add(type, data, id) {
    this.seen.push({ type, data, id });
    this.#watchers.changed();
  }
  // All events, as soon as `condition` is true of them.
  until(condition, what) {
    return this.#watchers.until(() => condition(this.seen) && this.seen, what).catch((error) => {
      throw new Error(`${error.message}; ${this.seen.length} came, the last: ${JSON.stringify(this.seen.at(-1))}`);
    });
  }
}

// EventSources of Node. `types` are those of the events that are awaited.
function openEventSource(Source, url, types) {
  const events = new Events();
  const source = new Source(url);
  for (const type of types) source.addEventListener(type, (event) => events.add(event.type, event.data, event.lastEventId));
  return { events, close: () => source.close() };
}

// eventsource-parser only parses: the request is made by fetch.
function openParser(url) {
  const events = new Events();
  const abort = new AbortController();
  const parser = createParser({ onEvent: (event) => events.add(event.event ?? "message", event.data, event.id) });
  (async () => {
    const response = await fetch(url, { signal: abort.signal });
    const decoder = new TextDecoder();
    for await (const bytes of response.body) parser.feed(decoder.decode(bytes, { stream: true }));
  })().catch((error) => abort.signal.aborted || events.add("failed", String(error), ""));
  return { events, close: () => abort.abort() };
}

// @microsoft/fetch-event-source is made for browsers; of a window it needs the timers and fetch.
function openFetchEventSource(url) {
  globalThis.window ??= globalThis;
  globalThis.document ??= { removeEventListener() {} };
  const { fetchEventSource } = createRequire(import.meta.url)("@microsoft/fetch-event-source");
  const events = new Events();
  const abort = new AbortController();
  let isFirst;
  fetchEventSource(url, {
    signal: abort.signal,
    openWhenHidden: true,
    onopen: async ({ status }) => {
      isFirst = true;
      if (status !== 200) abort.abort(); // 204: the channel has ended.
    },
    onclose: () => {
      throw new Error("closed"); // Else it would not come back: it takes every end of a response for the last.
    },
    // It hands on blocks without data too: comments, and the id that a stream begins with.
    onmessage: ({ event, data, id }) => {
      if (event || data || (id && !isFirst)) events.add(event || "message", data, id);
      isFirst = false;
    },
  }).catch((error) => events.add("failed", String(error), ""));
  return { events, close: () => abort.abort() };
}
// It takes each line to pieces for itself: a byte order mark at its beginning is lost, and so are empty lines before the
// first one that is not.
function bendFetchEventSource({ type, data, id }) {
  const line = (text) => text.replace(/^\ufeff/, "");
  return { type: line(type) || "message", data: data.split("\n").map(line).join("\n").replace(/^\n+/, ""), id };
}

// A program that prints the stream; `parse` makes the events of all that it has printed.
function openProgram(command, args, parse) {
  const events = new Events();
  const program = new Program(command, args);
  program.child.stdout.on("data", () => {
    for (const { type, data, id } of parse(program.output).slice(events.seen.length)) events.add(type, data, id);
  });
  program.ended.then((result) => result === 0 || events.add("failed", `${result}: ${program.output}`, ""));
  return { events, close: () => program.stop() };
}
// The example in Python prints each event as a line of JSON.
const openPython = (url) =>
  openProgram("python3", [join(SOURCE, "examples/follow.py"), url], (output) =>
    output.split("\n").slice(0, -1).map((line) => JSON.parse(line)),
  );
// Its function in a thread for each URL: a process for each would take longer to start than all the rest.
const FOLLOW_MANY = `
import json, sys, threading
from follow import events
def follow(index, url):
    for event in events(url):
        sys.stdout.write(json.dumps({"index": index, **event}) + "\\n")
        sys.stdout.flush()
for index, url in enumerate(sys.argv[1:]):
    threading.Thread(target=follow, args=(index, url)).start()
`;
function openManyInPython(urls) {
  const env = { ...process.env, PYTHONPATH: join(SOURCE, "examples"), PYTHONDONTWRITEBYTECODE: "1" };
  const program = new Program("python3", ["-c", FOLLOW_MANY, ...urls], { env });
  const clients = urls.map((_, index) => ({ events: new Events(), close: async () => index === 0 && program.stop() }));
  let passed = 0;
  program.child.stdout.on("data", () => {
    const lines = program.output.split("\n").slice(0, -1);
    for (const line of lines.slice(passed)) {
      const { index, type, data, id } = JSON.parse(line);
      clients[index].events.add(type, data, id);
    }
    passed = lines.length;
  });
  return clients;
}
// curl shows bytes; the specification says what they mean.
const openCurl = (url) => openProgram("curl", ["-sSN", url], parseEventStream);

// One page for all of them.
async function openManyInChromium(urls, types, { browser, pages }) {
  const page = await openPage(browser, `${pages.url}/blank`, { expected: /net::ERR_/ });
  const clients = urls.map((_, index) => ({
    events: new Events(),
    close: async () => index === 0 && page.context().close(),
  }));
  await page.exposeFunction("seen", (index, { type, data, id }) => clients[index].events.add(type, data, id));
  await page.evaluate(([addresses, wanted]) => {
    for (const [index, address] of addresses.entries()) {
      const source = new EventSource(address);
      for (const type of wanted)
        source.addEventListener(type, ({ type, data, lastEventId }) => window.seen(index, { type, data, id: lastEventId }));
    }
  }, [urls, types]);
  return clients;
}
const openChromium = async (url, ...rest) => (await openManyInChromium([url], ...rest))[0];

// `open` takes the URL (`openMany` several, where one at a time would be slow), the types of the events that are awaited, and {browser, pages}. `reconnects`: it comes back by
// itself, with its Last-Event-ID. Where it strays from the specification, `bends` is what it makes of an event, and `tears`
// says what becomes of a message that is cut within: "extra", what had come of it is handed on as a message of its own,
// before the whole one; "last byte", its id counts as soon as the line is there, so that it is lost if it was cut just
// behind that line.
export const CLIENTS = {
  "Chromium's EventSource": { open: openChromium, openMany: openManyInChromium, reconnects: true },
  "npm's eventsource": { open: (...args) => openEventSource(EventSource, ...args), reconnects: true },
  "npm's eventsource 2": { open: (...args) => openEventSource(EventSource2, ...args), reconnects: true, tears: "extra" },
  "undici's EventSource": { open: (...args) => openEventSource(UndiciEventSource, ...args), reconnects: true },
  "npm's eventsource-parser": { open: openParser },
  "@microsoft/fetch-event-source": {
    open: openFetchEventSource,
    bends: bendFetchEventSource,
    reconnects: true,
    tears: "last byte",
  },
  "the Python example": { open: openPython, openMany: openManyInPython, reconnects: true },
  curl: { open: openCurl },
};
