// nginx, HAProxy and Caddy with the configurations of docs/proxies/: only addresses, certificates and how long silence
// may last are replaced, each of which must be there to be replaced.
import { connect } from "node:net";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Program, run, within } from "../e2e/support/process.mjs";
import { freePort } from "../e2e/support/servers.mjs";

const UNPACKED = process.env.WEIR_PROXIES;
const ENVIRONMENT = { ...process.env, LD_LIBRARY_PATH: join(UNPACKED, "usr/lib/x86_64-linux-gnu") };

function configuration(name, replacements) {
  let text = readFileSync(fileURLToPath(new URL(`../../docs/proxies/${name}`, import.meta.url)), "utf8");
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`docs/proxies/${name} has no "${from}"`);
    text = text.replaceAll(from, to);
  }
  return text;
}

async function certificate(folder) {
  const [cert, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => join(folder, name));
  await run("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=localhost", "-keyout", key, "-out", cert,
  ]);
  writeFileSync(both, readFileSync(cert, "utf8") + readFileSync(key, "utf8"));
  return { cert, key, both };
}

const AWAY = "127.0.0.1:8090";

const hostOf = (url) => new URL(url).host;

// How each is started: `at` is what it listens on, `brokers` the gateways, `away` is weir-broker --away, `silence` its
// time-out.
const KINDS = {
  nginx: ({ at, brokers, away, silence, folder, tls, app }) => {
    const site = configuration(app ? "nginx-auth-request.conf" : "nginx.conf", [
      ...(app ? [["10.0.0.21:3000", hostOf(app)]] : []),
      ["/var/log/nginx/weir.log", join(folder, "access.log")],
      ["listen 443 ssl", `listen ${at} ssl`],
      ["server 10.0.0.11:8080 max_fails=0;", brokers.map(({ url }) => `server ${hostOf(url)} max_fails=0;`).join(" ")],
      [AWAY, away],
      ["/etc/ssl/events.pem", tls.cert],
      ["/etc/ssl/events.key", tls.key],
      ["90s", silence],
    ]);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
    const file = join(folder, "main.conf");
    writeFileSync(file, `daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
      events { worker_connections 512; } http { access_log off; ${temporary.join(" ")}\n${site}\n}`);
    return [join(UNPACKED, "usr/sbin/nginx"), ["-e", "stderr", "-p", folder, "-c", file]];
  },
  haproxy: ({ at, brokers, away, silence, folder, tls }) => {
    const servers = brokers.map(({ url, admin }, n) => `server s${n} ${hostOf(url)} port ${new URL(admin).port}`);
    const file = join(folder, "haproxy.cfg");
    writeFileSync(file, configuration("haproxy.cfg", [
      ["bind :443", `bind ${at}`],
      ["server a 10.0.0.11:8080 port 8081", servers.join("\n  ")],
      ["/etc/ssl/events.pem", tls.both],
      ["maxconn 20000", "maxconn 2000"],
      [AWAY, away],
      ["90s", silence],
    ]));
    return [join(UNPACKED, "usr/sbin/haproxy"), ["-db", "-f", file]];
  },
  caddy: ({ at, brokers, away, folder, tls }) => {
    const file = join(folder, "Caddyfile");
    const port = at.split(":")[1];
    writeFileSync(file, `{
        admin off
        auto_https off
        skip_install_trust
        storage file_system ${folder}
      }
      ` + configuration("Caddyfile", [
      ["events.example.com {", `https://localhost:${port}, https://events.example.com:${port} {\n\tbind 127.0.0.1\n\ttls ${tls.cert} ${tls.key}`],
      ["10.0.0.11:8080", brokers.map(({ url }) => hostOf(url)).join(" ")],
      [AWAY, away],
    ]));
    return [join(UNPACKED, "usr/bin/caddy"), ["run", "--config", file, "--adapter", "caddyfile"]];
  },
};

export const kinds = Object.keys(KINDS);

// A proxy of this kind in front of `brokers`. `away` is a weir-broker --away; `silence` replaces the time-outs of the
// configuration; `app` is the application that nginx asks who may.
export async function startProxy(kind, brokers, { away, silence = "90s", app } = {}) {
  const folder = mkdtempSync(join(tmpdir(), `weir-${kind}-`));
  const port = await freePort();
  const tls = await certificate(folder);
  const [command, args] = KINDS[kind]({
    at: `127.0.0.1:${port}`, brokers, away: away ? hostOf(away.url) : "127.0.0.1:9", silence, folder, tls, app,
  });
  const program = new Program(command, args, { env: { ...ENVIRONMENT, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder } });
  await within(accepts(port, program), `${kind} that accepts`);
  return {
    url: `https://localhost:${port}`,
    program,
    folder,
    async stop() {
      await program.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function accepts(port, program) {
  for (;;) {
    if (program.result !== undefined) throw new Error(`${program.name} ended (${program.result}):\n${program.output}`);
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
