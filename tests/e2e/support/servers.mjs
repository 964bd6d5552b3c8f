// A private Redis and a gateway, each on free ports, each with nothing kept.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLAIN_ENVIRONMENT, Program, run, within } from "./process.mjs";

// `port`: where one was before that is gone.
export async function startRedis({ port: wanted } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "weir-e2e-redis-"));
  // Redis takes port 0 for "no TCP": a free port is asked for, and should it be taken meanwhile, another one.
  for (let tries = 0; ; tries++) {
    const port = wanted ?? (await freePort());
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
  // Many messages over one connection, each a string or a Buffer.
  async publishAll(channel, payloads) {
    const bulk = (word) => [`$${Buffer.byteLength(word)}\r\n`, word, "\r\n"];
    const command = (words) => [`*${words.length}\r\n`, ...words.flatMap(bulk)];
    const input = Buffer.concat(payloads.flatMap((payload) => command(["PUBLISH", channel, payload])).map((part) => Buffer.from(part)));
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
  return {
    url,
    admin,
    program,
    stop: () => program.stop(),
    // Waits until so many streams are open on the channel, and Redis has acknowledged it: no message that is published
    // from now on is missed.
    async subscribers(channel, count) {
      const open = async () => (await (await fetch(`${url}/channels/${channel}/info`)).json()).subscribers === count;
      const acknowledged = async () => (await fetch(`${admin}/healthz/redis`)).status === 200;
      await within(poll(async () => (await open()) && (await acknowledged()), program), `${count} streams on ${channel}`);
    },
  };
}

const ready = (admin, program) => poll(async () => (await fetch(`${admin}/readyz`)).status === 200, program);

// For what can only be asked for, again and again.
async function poll(condition, program) {
  while (!(await condition())) {
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
