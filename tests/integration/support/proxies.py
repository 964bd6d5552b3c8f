"""The real HAProxy and nginx with the configurations of docs/proxies/, in front of gateways. Without TLS: the clients of
these tests speak it as little as the gateways, and tests/proxies has it."""

import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from .gateway import ROOT, clean_environment
from .limits import DEADLINE_SECONDS


def free_ports(count):
    """Ports that nobody listens on, for programs that are restarted on them: below the range of ephemeral ports, where
    an outgoing connection could take one meanwhile."""
    ports = []
    while len(ports) < count:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def unpacked():
    """The folder with the proxies' packages. Skips the test where they can't be had."""
    result = subprocess.run([os.path.join(ROOT, "tests", "proxies", "unpack")], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, check=False)
    if result.returncode == 77:
        raise unittest.SkipTest(f"no proxies: {result.stderr.strip()[-300:]}")
    if result.returncode != 0:
        raise AssertionError(f"tests/proxies/unpack: {result.returncode}\n{result.stderr}")
    return result.stdout.strip()


def _configuration(name, replacements):
    with open(os.path.join(ROOT, "docs", "proxies", name), encoding="utf-8") as file:
        text = file.read()
    for old, new in replacements:
        assert old in text, f"docs/proxies/{name} has no {old!r}"
        text = text.replace(old, new)
    return text


class Proxy:
    """In front of the gateways at `addresses`, pairs of a port and its admin port; `away_port` is weir-broker --away's."""

    name = None

    def __init__(self, addresses, away_port):
        self._root = unpacked()
        self._folder = tempfile.mkdtemp(prefix=f"weir-{self.name}-")
        self.port, = free_ports(1)
        command = self._command(addresses, away_port)
        environment = clean_environment({"LD_LIBRARY_PATH": os.path.join(self._root, "usr/lib/x86_64-linux-gnu")})
        with open(self._path("log"), "wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self._wait_until_it_accepts()

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self._path(name)

    def _command(self, addresses, away_port):
        raise NotImplementedError

    def _wait_until_it_accepts(self):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        log = self.log()
        self.stop()
        raise AssertionError(f"{self.name} does not accept:\n{log}")

    def log(self):
        with open(self._path("log"), encoding="utf-8", errors="replace") as log:
            return log.read()[-3000:]

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class HaProxy(Proxy):
    name = "haproxy"

    def _command(self, addresses, away_port):
        servers = [f"server s{n} 127.0.0.1:{port} port {admin}" for n, (port, admin) in enumerate(addresses)]
        text = _configuration("haproxy.cfg", [
            ("bind :443 ssl crt /etc/ssl/events.pem alpn h2,http/1.1", f"bind 127.0.0.1:{self.port}"),
            ("server a 10.0.0.11:8080 port 8081", "\n  ".join(servers)),
            ("127.0.0.1:8090", f"127.0.0.1:{away_port}"),
            ("maxconn 20000", "maxconn 2000"),
        ])
        return [os.path.join(self._root, "usr/sbin/haproxy"), "-db", "-f", self._write("haproxy.cfg", text)]


class Nginx(Proxy):
    name = "nginx"

    def _command(self, addresses, away_port):
        site = _configuration("nginx.conf", [
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.port};"),
            ("server 10.0.0.11:8080 max_fails=0;",
             " ".join(f"server 127.0.0.1:{port} max_fails=0;" for port, _ in addresses)),
            ("127.0.0.1:8090", f"127.0.0.1:{away_port}"),
            ("ssl_certificate ", "# "),
            ("ssl_certificate_key ", "# "),
            ("/var/log/nginx/weir.log", self._path("access.log")),
        ])
        places = " ".join(f"{name}_temp_path {self._path(name)};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = (f"daemon off; master_process off; pid {self._path('pid')}; error_log stderr;\n"
                f"events {{ worker_connections 2000; }}\nhttp {{ {places}\n{site}\n}}\n")
        return [os.path.join(self._root, "usr/sbin/nginx"), "-e", "stderr", "-p", self._folder, "-c", self._write("main.conf", text)]
