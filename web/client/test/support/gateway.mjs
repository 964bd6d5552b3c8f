// A gateway of which the test says what each request gets. It runs in this process, on a free port.
import { createServer } from "node:http";

// What is awaited must come: a test that fails should say so and not hang.
const LIMIT_MS = 20_000;

export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), LIMIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A list that others wait for.
export class Events {
  all = [];
  #watchers = new Set();

  push(event) {
    this.all.push(event);
    for (const watcher of [...this.#watchers]) watcher();
  }
  // Resolves with what `find` returns of the list, once that is true of it.
  until(find, what) {
    let watcher;
    const found = new Promise((resolve) => {
      watcher = () => {
        const value = find(this.all);
        if (value) resolve(value);
      };
      this.#watchers.add(watcher);
      watcher();
    });
    return within(found, what)
      .catch((error) => {
        throw new Error(`${error.message}; there are ${JSON.stringify(this.all)}`);
      })
      .finally(() => this.#watchers.delete(watcher));
  }
}

export async function startGateway() {
  const requests = new Events();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const bytes of request) body += bytes;
    const url = new URL(request.url, "http://gateway");
    const exchange = {
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body,
      // Answers with a whole response.
      reply(status, headers = {}, text = "") {
        response.writeHead(status, headers).end(typeof text === "string" ? text : JSON.stringify(text));
      },
      // Begins a stream; `send` adds blocks to it.
      stream({ id, retry = 20, heartbeat = 15 } = {}) {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        this.send(`: weir heartbeat=${heartbeat}\nretry: ${retry}${id ? `\nid: ${id}` : ""}\n\n`);
      },
      send: (text) => response.write(text),
      message(channel, id, data, position = id) {
        this.send(`data: ${JSON.stringify({ channel, id, time: 1, data })}\nid: ${position}\n\n`);
      },
      event: (type, data) => response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
      finish: () => response.end(),
      cut: () => response.destroy(),
      closed: new Promise((resolve) => response.on("close", resolve)),
    };
    requests.push({ ...exchange, toJSON: () => request.url });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    count: () => requests.all.length,
    // The request with this number, from 0, once it was made.
    request: (index) => requests.until((all) => all[index], `request ${index + 1}`),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
