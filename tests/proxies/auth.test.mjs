// nginx that asks an application who may (docs/proxies/nginx-auth-request.conf), and what it logs.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { startLogin } from "../e2e/support/login.mjs";
import { startBroker } from "../e2e/support/servers.mjs";
import { startProxy } from "./proxies.mjs";
import { openStream, send } from "./stream.mjs";

// Knows one session, which may use the channels of "mine.*".
async function startApp(login) {
  const app = { asked: [], withToken: true };
  app.server = createServer((request, response) => {
    const uri = request.headers["x-original-uri"];
    app.asked.push({ url: request.url, method: request.headers["x-original-method"], uri });
    if (request.headers.cookie !== "session=good") return response.writeHead(401, { "WWW-Authenticate": "Session" }).end();
    if (!uri.startsWith("/channels/mine.")) return response.writeHead(403).end();
    response.writeHead(204, app.withToken ? { "X-Weir-Token": login.token() } : {}).end();
  });
  await new Promise((resolve) => app.server.listen(0, "127.0.0.1", resolve));
  app.url = `http://127.0.0.1:${app.server.address().port}`;
  app.stop = () =>
    new Promise((resolve) => {
      app.server.close(resolve);
      app.server.closeAllConnections();
    });
  return app;
}

const SESSION = { Cookie: "session=good" };

describe("nginx with auth_request", { timeout: 120_000 }, () => {
  let login, app, broker, proxy;
  let number = 0;
  let channel;

  before(async () => {
    login = await startLogin();
    login.weir = { subscribe: ["mine.*"], publish: ["mine.*"] };
    app = await startApp(login);
    broker = await startBroker({ args: ["--jwt-secret-file", login.secretFile] });
    // Over loopback the gateway takes loopback's names alone, and the tests' clients say localhost.
    proxy = await startProxy("nginx", [broker], { app: app.url });
  });
  after(async () => {
    await proxy?.stop();
    await broker?.stop();
    await app?.stop();
    await login?.stop();
  });
  beforeEach(() => {
    channel = `mine.${++number}`;
    app.asked.length = 0;
  });

  it("lets in whom the application lets in, with the token that it made", async () => {
    const stream = openStream(`${proxy.url}/channels/${channel}`, SESSION);
    await stream.opened();
    assert.equal(stream.status, 200);
    assert.deepEqual(app.asked, [{ url: "/auth", method: "GET", uri: `/channels/${channel}` }]);
    const answer = await send(`${proxy.url}/channels/${channel}`, { method: "POST", body: "hello", headers: SESSION });
    assert.equal(answer.status, 202, answer.text);
    assert.equal(app.asked[1].method, "POST");
    assert.equal((await stream.messages(1))[0].data, "hello");
    stream.cut();
  });

  it("hands on its 401 and 403, and the gateway is not asked", async () => {
    const refused = await send(`${proxy.url}/channels/${channel}`);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers["www-authenticate"], "Session");
    assert.equal((await send(`${proxy.url}/channels/others`, { headers: SESSION })).status, 403);
    const page = await (await fetch(`${broker.admin}/metrics`)).text();
    assert.doesNotMatch(page, /weir_http_refused_total\{reason="token-[^}]*\} [1-9]/);
  });

  it("lets the gateway end the stream with the token", async () => {
    login.seconds = 5;
    const stream = openStream(`${proxy.url}/channels/${channel}`, SESSION);
    await stream.event("weir:token-expiring");
    login.seconds = 600;
    await stream.ended();
    assert.ok(stream.comments.some((comment) => comment.includes("token-expired")), stream.comments.join());
  });

  it("does not pass on what the client says of itself", async () => {
    // Good for the gateway, but the application was not asked for it.
    const own = login.token();
    app.withToken = false;
    try {
      for (const headers of [{ Authorization: `Bearer ${own}` }, { Cookie: `session=good; weir_token=${own}` }]) {
        const answer = await send(`${proxy.url}/channels/${channel}/info`, { headers: { ...SESSION, ...headers } });
        assert.equal(answer.status, 401, answer.text);
      }
    } finally {
      app.withToken = true;
    }
  });

  it("serves a gateway without keys as well", async () => {
    const open = await startBroker({ args: ["--anonymous-subscribe", "*"] });
    const front = await startProxy("nginx", [open], { app: app.url });
    app.withToken = false;
    try {
      const stream = openStream(`${front.url}/channels/${channel}`, SESSION);
      await stream.opened();
      assert.equal(stream.status, 200);
      stream.cut();
      assert.equal((await send(`${front.url}/channels/${channel}`)).status, 401);
    } finally {
      app.withToken = true;
      await front.stop();
      await open.stop();
    }
  });

  it("tells an EventSource to come back while the application is away", async () => {
    const away = await startBroker({ args: ["--away"] });
    const front = await startProxy("nginx", [broker], { away, app: "http://127.0.0.1:9" });
    try {
      const answer = await send(`${front.url}/channels/${channel}`, { headers: { Accept: "text/event-stream" } });
      assert.equal(answer.status, 200);
      assert.match(answer.text, /^: away: .*\nretry: [2-5]\d{3}\n\n$/);
      assert.equal((await send(`${front.url}/channels/${channel}`, { method: "POST", body: "x" })).status, 503);
    } finally {
      await front.stop();
      await away.stop();
    }
  });
});

it("nginx logs no token, with either configuration", { timeout: 60_000 }, async () => {
  const login = await startLogin();
  login.weir = { subscribe: ["*"], publish: [] };
  const app = await startApp(login);
  const broker = await startBroker({ args: ["--jwt-secret-file", login.secretFile] });
  try {
    for (const asked of [undefined, app.url]) {
      const proxy = await startProxy("nginx", [broker], { app: asked });
      const token = login.token();
      const answer = await send(`${proxy.url}/channels/mine.a/info?access_token=${token}`, { headers: SESSION });
      assert.equal(answer.status, 200, answer.text);
      const file = join(proxy.folder, "access.log");
      // Written behind the answer.
      while (!existsSync(file) || readFileSync(file, "utf8") === "") await new Promise((resolve) => setTimeout(resolve, 20));
      const log = readFileSync(file, "utf8") + proxy.program.output;
      await proxy.stop();
      assert.match(log, /"GET \/channels\/mine\.a\/info HTTP\/1\.1" 200/);
      for (const part of token.split(".")) assert.ok(!log.includes(part), log);
    }
  } finally {
    await broker.stop();
    await app.stop();
    await login.stop();
  }
});
