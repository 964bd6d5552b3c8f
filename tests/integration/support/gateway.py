"""weir-broker as its users run it: a process, its flags, its log, its signals."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

from .http import Connection, request_bytes
from .limits import DEADLINE_SECONDS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
_SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed)")


def program(name="weir-broker"):
    """The path of a program under test: in WEIR_BIN, else in the release build."""
    return os.path.join(os.environ.get("WEIR_BIN") or os.path.join(ROOT, "build", "release", "bin"), name)


def clean_environment(extra=None):
    """Our environment without anybody's WEIR_ settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
    environment.update(extra or {})
    return environment


class Gateway:
    def __init__(self, *flags, env=None, toml=None, descriptors=None, addresses_by_flag=True):
        """`descriptors`: the limit on open files that the process is started with. Without `addresses_by_flag`, env or
        toml name them."""
        self._toml = None
        command = [program()]
        if addresses_by_flag:
            command += ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        if toml is not None:
            self._toml = tempfile.NamedTemporaryFile("w", suffix=".toml")
            self._toml.write(toml)
            self._toml.flush()
            command += ["--config", self._toml.name]
        # Tests stop a gateway whose clients are still connected; those that are about draining say otherwise.
        if "--drain-seconds" not in flags:
            command += ["--drain-seconds", "1"]
        command += [str(flag) for flag in flags]
        if descriptors is not None:
            command = ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh", *command]
        self.command = command
        self.log = []
        self._changed = threading.Condition()
        self._reading = threading.Lock()
        self._is_log_complete = False
        self._is_killed = False
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE, env=clean_environment(env))
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            self.port = int(self.wait_for_log(r"listening on http://127\.0\.0\.1:(\d+)")[1])
            self.admin_port = int(self.wait_for_log(r"admin on http://127\.0\.0\.1:(\d+)")[1])
        except AssertionError:
            self._release()
            raise

    # The log.

    def _read_log(self):
        for line in self._process.stderr:
            with self._reading, self._changed:
                self.log.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._is_log_complete = True
            self._changed.notify_all()

    @contextlib.contextmanager
    def unread_log(self):
        """Meanwhile nobody reads the log: the pipe fills."""
        with self._reading:
            yield

    def wait_for_log(self, pattern, seconds=DEADLINE_SECONDS):
        """The match of the first line of the log that `pattern` is found in."""
        expression = re.compile(pattern)
        position = 0
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for line in self.log[position:]:
                    if match := expression.search(line):
                        return match
                position = len(self.log)
                left = deadline - time.monotonic()
                if self._is_log_complete or left <= 0:
                    raise AssertionError(f"{pattern!r} is not in the log:\n{self.log_tail()}")
                self._changed.wait(left)

    def log_tail(self, lines=40):
        return "\n".join([" ".join(self.command), *self.log[-lines:]])

    # Requests.

    def connect(self, source=None):
        return Connection(self.port, source=source)

    def request(self, method, target, headers=None, body=None, version="1.1"):
        with self.connect() as connection:
            connection.send(request_bytes(method, target, headers, body, version))
            return connection.response(is_head=method == "HEAD")

    def publish(self, channel, payload, headers=None):
        if isinstance(payload, str):
            payload = payload.encode()
        return self.request("POST", f"/channels/{channel}", headers, payload)

    def info(self, channel):
        return self.request("GET", f"/channels/{channel}/info").json()

    def admin(self, target, method="GET", body=None, headers=None):
        with Connection(self.admin_port) as connection:
            connection.send(request_bytes(method, target, headers, body))
            return connection.response()

    def metrics(self):
        """The unlabelled values by name, the labelled ones by 'name{label="value"}'."""
        values = {}
        for line in self.admin("/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def channels(self):
        """The open channels by name."""
        return {row["channel"]: row for row in self.admin("/channels").json()["channels"]}

    def wait_until(self, predicate, what, seconds=DEADLINE_SECONDS, pump=None):
        """Asks `predicate` again and again: for what can only be polled. `pump` reads for clients meanwhile."""
        deadline = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds:.0f} s")
            (pump or time.sleep)(0.02)

    def wait_until_ready(self):
        self.wait_until(lambda: self.admin("/readyz").status == 200, "/readyz")

    def wait_until_redis_is(self, status, seconds=DEADLINE_SECONDS, pump=None):
        self.wait_until(lambda: self.admin("/healthz/redis").status == status, f"/healthz/redis is {status}", seconds,
                        pump)

    def wait_until_subscribers_are(self, channel, count, pump=None):
        self.wait_until(lambda: self.info(channel)["subscribers"] == count, f"{count} subscribers of {channel}",
                        pump=pump)

    def wait_until_logged(self, channel, messages):
        """Redis answers a PUBLISH before the gateway has read it: until then a newcomer gets it live, not replayed."""
        self.wait_until(lambda: self.info(channel)["logMessages"] == messages, f"{messages} messages of {channel}")

    # The process.

    @property
    def pid(self):
        return self._process.pid

    def _status(self, field):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise KeyError(field)

    def resident_bytes(self):
        return self._status("VmRSS") * 1024

    def peak_resident_bytes(self):
        return self._status("VmHWM") * 1024

    def threads(self):
        return self._status("Threads")

    def is_running(self):
        return self._process.poll() is None

    def signal(self, number):
        self._process.send_signal(number)

    def write_toml(self, text):
        """Puts another text into the file of settings."""
        self._toml.seek(0)
        self._toml.truncate()
        self._toml.write(text)
        self._toml.flush()

    def wait_for_exit(self, seconds=DEADLINE_SECONDS):
        """The exit code."""
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def stop(self):
        """SIGTERM; raises AssertionError unless the gateway ends in order, or was killed."""
        if self._is_killed:
            return
        try:
            if self.is_running():
                self.signal(signal.SIGTERM)
            code = self.wait_for_exit()
        except subprocess.TimeoutExpired:
            raise AssertionError(f"SIGTERM did not end the gateway:\n{self.log_tail()}") from None
        finally:
            self._release()
        reports = [line for line in self.log if _SANITIZER.search(line)]
        if code != 0 or reports:
            raise AssertionError(f"the gateway ended with {code} {reports}:\n{self.log_tail(200)}")

    def kill(self):
        """SIGKILL, if it still runs."""
        self._is_killed = True
        self._release()

    def _release(self):
        if self.is_running():
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._process.stderr.close()
        if self._toml:
            self._toml.close()
            self._toml = None


def run_once(*arguments, env=None, seconds=DEADLINE_SECONDS):
    """Runs weir-broker to its end, for what is refused at the start; a CompletedProcess of texts."""
    return subprocess.run([program(), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=clean_environment(env), timeout=seconds, check=False)


def run_publisher(name, *arguments, env=None, seconds=DEADLINE_SECONDS):
    """Runs one of the publishers to its end, as run_once() does the gateway."""
    return subprocess.run([program(name), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=clean_environment(env), timeout=seconds, check=False)


def gap_of(event):
    """The content of a weir:gap."""
    assert event.type == "weir:gap", f"awaited a weir:gap, got {event!r:.300}"
    return json.loads(event.data)
