"""A private redis-server, and a client small enough to see every byte it sends."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .limits import DEADLINE_SECONDS


class RedisError(Exception):
    """An error reply."""


def encode_command(*arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        if not isinstance(argument, bytes):
            argument = str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
    return b"".join(parts)


class RedisClient:
    """One blocking connection. Pipelines are one write, so that Redis handles them without a pause."""

    def __init__(self, port, host="127.0.0.1", path=None):
        if path:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(DEADLINE_SECONDS)
            self._socket.connect(path)
        else:
            self._socket = socket.create_connection((host, port), timeout=DEADLINE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")

    def close(self):
        self._reader.close()
        self._socket.close()

    def send(self, *commands):
        """Writes `commands` (each a tuple of arguments) and leaves the replies for read()."""
        self._socket.sendall(b"".join(encode_command(*command) for command in commands))

    def read(self):
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._read_bulk(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise RedisError(f"not RESP: {line!r}")

    def _read_bulk(self, size):
        text = self._reader.read(size + 2)
        if len(text) < size + 2:
            raise ConnectionError("Redis closed the connection")
        return text[:-2]

    def command(self, *arguments):
        self.send(arguments)
        reply = self.read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def publish(self, channel, payload):
        """The number of subscribers (gateways) that Redis handed `payload` to."""
        return self.command("PUBLISH", channel, payload)

    def publish_all(self, messages):
        """Publishes pairs of channel and payload in one pipeline; the receivers of each."""
        self.send(*(("PUBLISH", channel, payload) for channel, payload in messages))
        return [self.read() for _ in messages]

    def numsub(self, channel):
        return self.command("PUBSUB", "NUMSUB", channel)[1]


class RedisServer:
    """redis-server on a port of its own, without persistence: after a restart it is empty."""

    def __init__(self, *options, tls=None):
        """`tls`: the paths of a certificate and its key, for a second port that speaks TLS."""
        self._options = options
        self._tls = tls
        self._directory = tempfile.mkdtemp(prefix="weir-redis-")
        self._process = None
        self._client = None
        self.port = None
        self.tls_port = None
        self.socket_path = f"{self._directory}/redis.sock"

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    @property
    def tls_url(self):
        return f"rediss://127.0.0.1:{self.tls_port}"

    def reserve(self):
        """Picks the port without starting: for a Redis that comes later than its gateway."""
        # Below the range of ephemeral ports: there, who reconnects to a port without a listener can end up
        # connected to itself, and a restart could find its port taken by somebody's outgoing connection.
        self.port, self.tls_port = random.SystemRandom().sample(range(10_000, 32_000), 2)

    def start(self):
        """Starts, or restarts on the same port."""
        chosen = self.port is not None
        for _ in range(50):
            if not chosen:
                self.reserve()
            if self._start_once():
                return self
            if chosen:
                time.sleep(0.1)  # Its own port, still held by the process that was just killed.
        raise RuntimeError("redis-server does not start")

    def _start_once(self):
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--dir", self._directory, "--unixsocket", self.socket_path, "--daemonize", "no", *self._options]
        if self._tls:
            command += ["--tls-port", str(self.tls_port), "--tls-cert-file", self._tls[0], "--tls-key-file",
                        self._tls[1], "--tls-ca-cert-file", self._tls[0], "--tls-auth-clients", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            with contextlib.suppress(OSError, ConnectionError):
                client = RedisClient(self.port)
                client.send(("INFO", "server"), ("PING",))
                reply, ping = client.read(), client.read()
                client.close()
                if "LOADING" in str(ping):
                    continue
                # Another process may answer on this port while ours is on its way to fail.
                if isinstance(reply, RedisError) or b"process_id:%d\r" % self._process.pid in reply:
                    return True
            time.sleep(0.005)
        raise RuntimeError("redis-server does not answer")

    def kill(self):
        """kill -9: no goodbye to anybody."""
        self._close_client()
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        if self._process:
            self._process.wait()

    def freeze(self):
        """SIGSTOP: connections stay, the kernel still accepts, nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def stop(self):
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def connect(self):
        return RedisClient(self.port)

    def connect_as(self, password):
        client = self.connect()
        client.command("AUTH", password)
        return client

    @property
    def client(self):
        """A connection that is kept until Redis is killed."""
        if self._client is None:
            self._client = self.connect()
        return self._client

    def _close_client(self):
        if self._client is not None:
            self._client.close()
            self._client = None

    def publish(self, channel, payload):
        return self.client.publish(channel, payload)

    def publish_all(self, messages):
        return self.client.publish_all(messages)
