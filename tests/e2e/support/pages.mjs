// Serves a folder of pages from a port of its own, so that the gateway is another origin to them.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const SOURCE = fileURLToPath(new URL("../../..", import.meta.url));

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

// "/blank" is an empty page.
export async function servePages(folder) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://pages").pathname);
    if (path === "/blank") {
      response.writeHead(200, { "Content-Type": TYPES[".html"] });
      return response.end('<!doctype html><title>blank</title><link rel="icon" href="data:,">');
    }
    try {
      const bytes = await readFile(join(folder, path.endsWith("/") ? `${path}index.html` : path));
      response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? TYPES[".html"] });
      response.end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
