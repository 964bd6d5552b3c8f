"""What a program is given by whoever starts it: standard descriptors that are closed, threads that can't be started."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from support.case import GatewayTest
from support.gateway import clean_environment, program
from support.limits import DEADLINE_SECONDS

LOCAL = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")


def wait_until(predicate, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not in time")
        time.sleep(0.01)


@contextlib.contextmanager
def running(*command, env=None, **options):
    process = subprocess.Popen(command, env=clean_environment(env), **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr:
            process.stderr.close()


class StandardDescriptors(unittest.TestCase):
    def assert_opened(self, command, closed):
        """While `command` has a socket open, its descriptors in `closed`, which it was started without, are the
        null device."""
        closing = " ".join(f"{number}<&-" for number in closed)
        with running("sh", "-c", f'exec "$@" {closing}', "sh", *command, stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            folder = f"/proc/{process.pid}/fd/"

            def opened():
                links = {}
                for number in os.listdir(folder):
                    with contextlib.suppress(FileNotFoundError):
                        links[int(number)] = os.readlink(folder + number)
                return links
            wait_until(lambda: process.poll() is not None or
                       any(link.startswith("socket:") for link in opened().values()), "a socket")
            self.assertIsNone(process.poll(), "it runs")
            for number in range(3):
                self.assertEqual(opened()[number], "/dev/null", f"{command[0]}: {number} of {closed}")

    def test_those_that_are_closed_are_open_in_every_program(self):
        with socket.create_server(("127.0.0.1", 0)) as server, tempfile.NamedTemporaryFile() as file:
            file.write(b"a line\n")
            file.flush()
            to = ("--to", f"redis://127.0.0.1:{server.getsockname()[1]}", "--channel", "a")  # It never answers.
            commands = [(program(), *LOCAL), (program("weir-publish-demo"), *to),
                        (program("weir-publish-log"), *to, "--from-start", file.name),
                        (program("weir-publish-file"), *to, file.name)]
            for command in commands:
                for closed in ((0, 1, 2), (0,), (2,)):
                    with self.subTest(program=command[0], closed=closed):
                        self.assert_opened(command, closed)


class Threads(GatewayTest):
    LIMITER = program("libweir_thread_limit.so")

    def environment(self, most):
        # A sanitizer wants to be the first library.
        options = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": self.LIMITER, "THREADS_MAX": str(most),
                "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}

    def run_with(self, most, command, is_well):
        """Its exit code, and its standard error up to a line with `is_well`: it runs without a fault then, and the
        code is None."""
        with running(*command, env=self.environment(most), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.PIPE, text=True) as process:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if is_well and re.search(is_well, line):
                    return None, lines
            return process.wait(DEADLINE_SECONDS), lines

    def assert_each_is_told(self, command, is_well, names):
        """With ever more threads: until there are enough of them, one line names the first that is missing."""
        missing = []
        while True:
            code, lines = self.run_with(len(missing), command, is_well)
            if code in (0, None):
                break
            self.assertEqual(code, 2, lines)
            told = [line for line in lines if "can't start the thread" in line]
            self.assertEqual(len(told), 1, lines)
            self.assertTrue(told[0].startswith(os.path.basename(command[0]) + ": "), told)
            missing.append(re.search(r"the thread ([a-z-]+): ", told[0])[1])
        self.assertEqual(missing, names)

    def test_each_of_the_gateway(self):
        options = ("--shards", "2", "--http-threads", "3")
        threads = ["weir-log", *["weir-http"] * 4, "weir-shard", "weir-shard", "weir-bus", "weir-front"]
        self.assert_each_is_told([program(), *LOCAL, *options], "admin on", threads)

    def test_each_of_the_gateway_with_redis(self):
        redis = self.start_redis()
        options = ("--shards", "1", "--http-threads", "1", "--redis-url", redis.url)
        threads = ["weir-log", *["weir-http"] * 2, "weir-shard", "weir-resolver", "weir-bus", "weir-front"]
        self.assert_each_is_told([program(), *LOCAL, *options], "admin on", threads)

    def test_each_of_the_publishers(self):
        redis = self.start_redis()
        to = ("--to", redis.url, "--channel", "a")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"a line\n")
            file.flush()
            self.assert_each_is_told([program("weir-publish-demo"), *to, "--words", file.name], None, ["weir-signals"])
            self.assert_each_is_told([program("weir-publish-file"), *to, file.name], None, ["weir-signals"])
            self.assert_each_is_told([program("weir-publish-log"), *to, "--follow=false", "--from-start", file.name],
                                     None, ["weir-signals", "weir-watch"])

    def test_a_publisher_that_is_stopped_needs_no_more(self):
        """Its last answer is not waited for then, where the thread that would measure the time can't be started."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            command = [program("weir-publish-demo"), "--to", f"http://127.0.0.1:{server.getsockname()[1]}",
                       "--channel", "a"]
            with running(*command, env=self.environment(1), stdin=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL) as process:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(DEADLINE_SECONDS)
                    connection.recv(1)  # The request is under way.
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(DEADLINE_SECONDS), 128 + signal.SIGTERM)


if __name__ == "__main__":
    unittest.main()
