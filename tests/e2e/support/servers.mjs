// A private Redis and a gateway, each on free ports, each with nothing kept.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLAIN_ENVIRONMENT, Program, run, within } from "./process.mjs";

export async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), "weir-e2e-redis-"));
  // Redis takes port 0 for "no TCP": a free port is asked for, and should it be taken meanwhile, another one.
  for (let tries = 0; ; tries++) {
    const port = await freePort();
    const program = new Program("redis-server", [
      "--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder,
    ]);
    try {
      await program.printed(/Ready to accept connections/);
      return new Redis(program, port, folder);
    } catch (error) {
      await program.stop("SIGKILL");
      if (tries === 4 || !/already in use/.test(program.output)) throw error;
    }
  }
}

class Redis {
  constructor(program, port, folder) {
    Object.assign(this, { program, port, folder, url: `redis://127.0.0.1:${port}` });
  }
  // One command through redis-cli, as a person would type it.
  async cli(...args) {
    return (await run("redis-cli", ["-p", `${this.port}`, ...args])).trimEnd();
  }
  // How many subscribers were there: zero means that the gateway has not subscribed.
  async publish(channel, payload) {
    return Number(await this.cli("PUBLISH", channel, payload));
  }
  // Many messages over one connection.
  async publishAll(channel, payloads) {
    const command = (words) =>
      `*${words.length}\r\n` + words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("");
    const input = payloads.map((payload) => command(["PUBLISH", channel, payload])).join("");
    const answer = await run("redis-cli", ["-p", `${this.port}`, "--pipe"], { input });
    if (!answer.includes("errors: 0")) throw new Error(answer);
  }
  async stop() {
    await this.program.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// The program under test. `args` are added to what every test needs.
export async function startBroker({ redis, args = [] } = {}) {
  const folder = process.env.WEIR_BIN;
  if (!folder) throw new Error("WEIR_BIN must name the folder of weir-broker, such as build/release/bin");
  const program = new Program(
    join(folder, "weir-broker"),
    [
      "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain-seconds", "1",
      ...(redis ? ["--redis-url", redis.url] : []), ...args,
    ],
    { env: PLAIN_ENVIRONMENT },
  );
  const [, url] = await program.printed(/(?<!admin )listening on (http:\/\/[\d.]+:\d+)/);
  const [, admin] = await program.printed(/admin on (http:\/\/[\d.]+:\d+)/);
  await within(ready(admin, program), `200 from ${admin}/readyz`);
  return { url, admin, program, stop: () => program.stop() };
}

async function ready(admin, program) {
  while ((await fetch(`${admin}/readyz`)).status !== 200) {
    if (program.result !== undefined) throw new Error(`weir-broker ended (${program.result}):\n${program.output}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
