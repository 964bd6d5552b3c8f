"""What a program is given by whoever starts it: standard descriptors that are closed."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
import unittest

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


if __name__ == "__main__":
    unittest.main()
