"""The servers that bench/compare measures: how each is installed, started and spoken to. All on loopback."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BIN = pathlib.Path(os.environ.get("WEIR_BIN", ROOT / "build/release/bin"))
INSTALLED = ROOT / "build/bench"
# Taken apart beside the build, not installed: a package of a server would start it.
_PACKAGES = ("nginx", "libnginx-mod-nchan", "webdis", "libb64-0d", "libevent-2.1-7", "libjansson4")


def install():
    """Gets the peers from Debian and npm, once."""
    packages = INSTALLED / "packages"
    if not (packages / "complete").exists():
        shutil.rmtree(packages, ignore_errors=True)
        packages.mkdir(parents=True)
        subprocess.run(["apt-get", "download", *_PACKAGES], cwd=packages, check=True, capture_output=True)
        for package in packages.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, packages], check=True)
        (packages / "complete").touch()
    # Nchan has nginx make its compiled-in folders too, whatever its settings say.
    pathlib.Path("/var/lib/nginx").mkdir(exist_ok=True)
    nestjs = INSTALLED / "nestjs"
    if not (nestjs / "node_modules/.package-lock.json").exists():
        shutil.copytree(HERE / "nestjs", nestjs, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=nestjs, check=True, capture_output=True)


def version_of(name):
    if name.startswith("weir") or name in ("send", "coalesced"):
        return subprocess.run([BIN / "weir-broker", "--version"], capture_output=True, text=True).stdout.split()[-1]
    if name == "nestjs":
        import json
        return json.loads((INSTALLED / "nestjs/node_modules/@nestjs/core/package.json").read_text())["version"]
    package = {"nchan": "libnginx-mod-nchan", "nchan-redis": "libnginx-mod-nchan"}.get(name, name)
    (found,) = (INSTALLED / "packages").glob(f"{package}_*.deb")
    return found.name.split("_")[1].replace("%3a", ":").split(":")[-1].split("+")[0].split("-")[0]


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_for(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args[0]} does not listen on {port}")


class Server:
    """One server, running. `subscribe` and `publish` are weir-load's; `pids` is whom its CPU and memory are read of."""

    needs_redis = True

    def __init__(self, folder):
        self._folder = folder
        self._processes = []
        self.publish_connections = 1
        try:
            if self.needs_redis:
                (self._redis_port,) = _free_ports(1)
                self._start(self._redis_port, "redis-server", "--port", str(self._redis_port), "--bind", "127.0.0.1",
                            "--save", "", "--appendonly", "no", "--maxclients", "19000")
                self.publish = f"redis://127.0.0.1:{self._redis_port}"
            self.start()
        except BaseException:
            self.stop()
            raise

    def _start(self, port, *command, **options):
        with open(self._folder / f"{pathlib.Path(command[0]).name}.log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder,
                                       **options)
        self._processes.append(process)
        _wait_for(port, process)
        return process

    @property
    def pids(self):
        main = self._processes[-1].pid
        children = subprocess.run(["pgrep", "-P", str(main)], capture_output=True, text=True).stdout.split()
        return [str(main), *children]

    def stop(self):
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self):
        raise NotImplementedError


class Weir(Server):
    flags = ()

    def start(self):
        port, self.admin_port = _free_ports(2)
        self._start(port, BIN / "weir-broker", "--listen", f"127.0.0.1:{port}",
                    "--admin-listen", f"127.0.0.1:{self.admin_port}", "--redis-url", self.publish, *self.flags)
        self.subscribe = f"http://127.0.0.1:{port}/channels/{{channel}}"


class WeirHttp(Weir):
    """Published to by HTTP, on its way through Redis all the same."""

    def start(self):
        super().start()
        self.publish = self.subscribe
        self.publish_connections = 64


def weir_with_shards(count):
    return type(f"Weir{count}", (Weir,), {"flags": ("--shards", str(count))})


class Send(Server):
    needs_redis = False
    flags = ()

    def start(self):
        port, redis = _free_ports(2)
        self._start(port, BIN / "weir-limit", "--port", str(port), "--redis-port", str(redis), *self.flags)
        self.subscribe = f"http://127.0.0.1:{port}/channels/{{channel}}"
        self.publish = f"redis://127.0.0.1:{redis}"


class Coalesced(Send):
    flags = ("--coalesce",)


_NGINX = """
daemon off; worker_processes 2; worker_rlimit_nofile 20000; pid {folder}/nginx.pid; error_log {folder}/error.log;
load_module {modules}/ngx_nchan_module.so;
events {{ worker_connections 19900; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  nchan_shared_memory_size 1024M;
  nchan_message_buffer_length 100;
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/pub/(.+)$ {{ nchan_publisher; nchan_channel_id $1; {pass_to} }}
    location ~ ^/sub/(.+)$ {{ nchan_subscriber eventsource; nchan_channel_id $1; nchan_subscriber_first_message newest;
                              {pass_to} }}
  }}
}}
"""


class Nchan(Server):
    needs_redis = False

    def start(self):
        (port,) = _free_ports(1)
        packages = INSTALLED / "packages"
        upstream = pass_to = ""
        if self.needs_redis:
            upstream = f"upstream redis {{ nchan_redis_server {self.publish}; }}"
            pass_to = "nchan_redis_pass redis;"
        config = self._folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self._folder, modules=packages / "usr/lib/nginx/modules", port=port,
                                        upstream=upstream, pass_to=pass_to))
        self._start(port, packages / "usr/sbin/nginx", "-p", self._folder, "-c", config)
        self.subscribe = f"http://127.0.0.1:{port}/sub/{{channel}}"
        self.publish = f"http://127.0.0.1:{port}/pub/{{channel}}"
        self.publish_connections = 8


class NchanRedis(Nchan):
    needs_redis = True


class Webdis(Server):
    def start(self):
        (port,) = _free_ports(1)
        packages = INSTALLED / "packages"
        config = self._folder / "webdis.json"
        config.write_text(
            f'{{"redis_host":"127.0.0.1","redis_port":{self._redis_port},"http_host":"127.0.0.1","http_port":{port},'
            f'"threads":2,"daemonize":false,"websockets":false,"verbosity":1,"logfile":"{self._folder}/webdis.log",'
            '"acl":[{"disabled":[]}]}')
        self._start(port, packages / "usr/bin/webdis", config,
                    env={**os.environ, "LD_LIBRARY_PATH": str(packages / "usr/lib/x86_64-linux-gnu")})
        self.subscribe = f"http://127.0.0.1:{port}/SUBSCRIBE/{{channel}}"


class NestJs(Server):
    def start(self):
        (port,) = _free_ports(1)
        self._start(port, "node", INSTALLED / "nestjs/main.mjs", str(port), self.publish)
        self.subscribe = f"http://127.0.0.1:{port}/channels/{{channel}}"


SERVERS = {"weir": Weir, "weir-http": WeirHttp, "send": Send, "coalesced": Coalesced, "nchan": Nchan,
           "nchan-redis": NchanRedis, "webdis": Webdis, "nestjs": NestJs,
           **{f"weir-{count}-shards": weir_with_shards(count) for count in (1, 2, 4, 8)}}
