"""What the container tests share: podman, containers that are removed in the end, curl, and the private Redis.

tests/container/run gives the tests a network of their own, which is the containers' too: whatever listens there is on
loopback, and the ports of docker/compose.yaml and of the chart are free.
"""

import json
import os
import subprocess
import sys
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

from support.certificates import CertificateAuthority  # noqa: E402, F401  # For the tests.
from support.gateway import clean_environment  # noqa: E402
from support.limits import DEADLINE_SECONDS  # noqa: E402

IMAGE = os.environ.get("WEIR_IMAGE", "")
# As strict as the chart and the compose file ask for. podman alone would mount places to write to.
STRICT = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=65532:65532"]


def run(*command, seconds=DEADLINE_SECONDS, check=True):
    """A command to its end; a CompletedProcess of texts. `check`: its failure is the test's, with what it said."""
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
                            check=False, env=clean_environment())
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def podman(*arguments, seconds=3 * DEADLINE_SECONDS, **options):
    """As run(). It waits longer: podman that is killed in the middle leaves a container half made, whose name is taken."""
    return run("podman", *arguments, seconds=seconds, **options)


class Container:
    """One that runs, and what its users ask it."""

    def __init__(self, name):
        self.name = name

    def inspect(self):
        return json.loads(podman("inspect", "--type=container", self.name).stdout)[0]

    def logs(self):
        result = podman("logs", self.name, check=False)
        return result.stdout + result.stderr

    def exec(self, *command):
        """The exit code and what was printed."""
        result = podman("exec", self.name, *command, check=False)
        return result.returncode, result.stdout + result.stderr

    def healthcheck(self):
        """True if the image's own check is content."""
        return podman("healthcheck", "run", self.name, check=False).returncode == 0

    def process_status(self):
        """/proc/PID/status of its first process, by field."""
        with open(f"/proc/{self.inspect()['State']['Pid']}/status", encoding="ascii") as lines:
            return dict(line.rstrip("\n").split(":\t", 1) for line in lines)

    def stop(self, grace_seconds):
        """SIGTERM, and SIGKILL after the grace period; the exit code, 137 for one who had to be killed."""
        podman("stop", "--time", str(grace_seconds), self.name, seconds=grace_seconds + 3 * DEADLINE_SECONDS)
        return self.inspect()["State"]["ExitCode"]


class Curl:
    """curl -N, read line by line."""

    def __init__(self, url, *options):
        self._process = subprocess.Popen(["curl", "-sSN", *options, url], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.lines = []
        self._changed = threading.Condition()
        self._has_ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def wait_for(self, *texts):
        """Until each of `texts` stands in a line, in this order; the lines up to there."""
        position = 0
        with self._changed:
            for text in texts:
                def found(text=text):
                    return next((n for n in range(position, len(self.lines)) if text in self.lines[n]), None)
                self._changed.wait_for(lambda: found() is not None or self._has_ended, DEADLINE_SECONDS)
                if found() is None:
                    raise AssertionError(f"{text!r} does not come:\n" + "\n".join(self.lines[-30:]))
                position = found() + 1
            return self.lines[:position]

    def wait_for_end(self):
        """curl's exit code: 0 for a stream that was ended as HTTP wants it."""
        code = self._process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        return code

    def close(self):
        self._process.kill()
        self._process.wait()
        self._reader.join(DEADLINE_SECONDS)
        self._process.stdout.close()


class ContainerTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self._containers = []

    def run(self, result=None):
        failed_before = len(result.failures) + len(result.errors) if result else 0
        self._shown = []
        result = super().run(result)
        if result is not None and len(result.failures) + len(result.errors) > failed_before:
            print("\n".join(self._shown), file=sys.stderr)
        return result

    def start(self, *command, options=(), image=IMAGE):
        """A container of the image in the tests' network; `options` are podman's."""
        name = podman("run", "--detach", "--network=host", *options, image, *command).stdout.strip()
        return self.keep(Container(name))

    def keep(self, container):
        """Removes it in the end, and shows its log if the test fails."""
        self.addCleanup(podman, "rm", "--force", "--ignore", "--time", "0", container.name)
        self.addCleanup(lambda: self._shown.append(f"--- the log of {container.name[:60]}\n{container.logs()}"))
        return container

    def curl(self, url, *options):
        stream = Curl(url, *options)
        self.addCleanup(stream.close)
        return stream

    def start_redis(self, *arguments):
        """redis-server on 6379, started with `arguments`, and waited for."""
        server = subprocess.Popen(["redis-server", *arguments, "--dir", "/tmp"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        self.wait_until(lambda: run("redis-cli", "ping", check=False).stdout == "PONG\n", "Redis answers")

    def publish(self, channel, payload):
        """redis-cli PUBLISH; how many gateways got it."""
        return int(run("redis-cli", "PUBLISH", channel, payload).stdout)

    def is_ready(self, port=8081):
        """Whether /readyz answers with 200."""
        url = f"http://127.0.0.1:{port}/readyz"
        return run("curl", "-sf", "-o", "/dev/null", url, check=False).returncode == 0

    def wait_until(self, predicate, what):
        """Asks again and again: for what can only be polled."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not predicate():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {DEADLINE_SECONDS:.0f} s")
            time.sleep(0.05)

    def assert_receives_what_is_published(self, port=8080, channel="news"):
        """curl a channel, redis-cli PUBLISH, the event arrives."""
        stream = self.curl(f"http://127.0.0.1:{port}/channels/{channel}")
        stream.wait_for(": weir", "retry: ", "id: ")
        self.assertEqual(self.publish(channel, '{"msg":"aaa"}'), 1)
        stream.wait_for('data: {"msg":"aaa"}')
        return stream
