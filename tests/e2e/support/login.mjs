// An application with a login, on an origin of its own: it makes tokens and hands them out as cookies, or as texts.
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const base64url = (text) => Buffer.from(text).toString("base64url");

// `weir` is what the token allows: {subscribe: [pattern], publish: [pattern]}.
export function makeToken(secret, weir, seconds) {
  const claims = { exp: Math.floor(Date.now() / 1000) + seconds, weir };
  const text = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

// POST /login sets the cookie; POST /token is answered with the token. The next ones are good for `seconds`.
export async function startLogin() {
  const folder = mkdtempSync(join(tmpdir(), "weir-login-"));
  const secret = "a secret of the tests, which is long enough";
  const secretFile = join(folder, "secret");
  writeFileSync(secretFile, `${secret}\n`);
  const login = { secretFile, seconds: 600, weir: { subscribe: [], publish: [] } };
  login.tokenFor = (weir, seconds) => makeToken(secret, weir, seconds);
  login.token = () => login.tokenFor(login.weir, login.seconds);
  const server = createServer((request, response) => {
    if (request.method === "POST" && request.url === "/login") {
      const attributes = `HttpOnly; SameSite=Lax; Path=/; Max-Age=${login.seconds}`;
      return response.writeHead(204, { "Set-Cookie": `weir_token=${login.token()}; ${attributes}` }).end();
    }
    if (request.method === "POST" && request.url === "/token")
      return response.writeHead(200, { "Content-Type": "text/plain" }).end(login.token());
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end('<!doctype html><title>login</title><link rel="icon" href="data:,">');
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  login.url = `http://127.0.0.1:${server.address().port}`;
  login.stop = () =>
    new Promise((resolve) => {
      rmSync(folder, { recursive: true, force: true });
      server.close(resolve);
      server.closeAllConnections();
    });
  return login;
}
