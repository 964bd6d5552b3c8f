"""weir-publish-file: a large file arrives whole though Redis is restarted, and a terminal shows how far it is."""

import base64
import contextlib
import hashlib
import json
import os
import pty
import subprocess
import tempfile
import threading
import unittest

from support.gateway import clean_environment, program
from support.limits import DEADLINE_SECONDS, scaled
from support.redis import RedisServer

FILE_BYTES = int(os.environ.get("WEIR_FILE_BYTES", scaled(64 << 20, 8 << 20)))
# Twice the file in base64 takes eight seconds, so that the restart comes in the first round.
RATE = FILE_BYTES // 3
MEMORY_BYTES_MAX = 48 << 20
END = b'{"type":"weir:end"}'


class Receiver(threading.Thread):
    """Puts the file together from all parts that it sees, across the losses of its connection."""

    def __init__(self, redis, path):
        super().__init__(daemon=True)
        self._redis = redis
        self._file = open(path, "wb")
        self.heads = []
        self.seen = set()  # The parts' numbers.
        self.connections = 0
        self.changed = threading.Condition()

    def run(self):
        with self._file:
            while not self._read_until_cut():
                pass

    def _read_until_cut(self):
        """True if the end came."""
        with contextlib.suppress(OSError, ConnectionError), contextlib.closing(self._redis.connect()) as client:
            client.send(("SUBSCRIBE", "news"))
            client.read()
            with self.changed:
                self.connections += 1
                self.changed.notify_all()
            while True:
                payload = client.read()[2]
                if payload == END:
                    return True
                self._take(json.loads(payload))
        return False

    def _take(self, message):
        data = message["data"]
        with self.changed:
            if message["type"] == "file":
                self.heads.append(data)
            else:
                self._file.seek(data["offset"])
                self._file.write(base64.b64decode(data["base64"]))
                self.seen.add(data["n"])
            self.changed.notify_all()

    def wait_for(self, predicate, what):
        with self.changed:
            if not self.changed.wait_for(predicate, 4 * DEADLINE_SECONDS):
                raise AssertionError(f"{what}: not in time; {len(self.seen)} parts seen")


def is_sanitized():
    """A program that is built for a sanitizer needs several times the memory."""
    with open(program("weir-publish-file"), "rb") as file:
        return b"__sanitizer" in file.read()


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class PublishFileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="weir-file-")
        self.addCleanup(folder.cleanup)
        self.sent, self.received = (os.path.join(folder.name, name) for name in ("sent.bin", "received.bin"))
        # The receiver may fall behind without being cut.
        self.redis = RedisServer("--client-output-buffer-limit", "pubsub 1gb 1gb 60")
        self.addCleanup(self.redis.stop)
        self.redis.start()

    def write_file(self, size):
        with open(self.sent, "wb") as file:
            while size > 0:
                size -= file.write(os.urandom(min(size, 1 << 20)))

    def start(self, *flags, stderr=subprocess.PIPE, env=None):
        process = subprocess.Popen([program("weir-publish-file"), "--to", self.redis.url, "--channel", "news",
                                    *map(str, flags), self.sent],
                                   stdin=subprocess.DEVNULL, stderr=stderr, env=clean_environment(env))

        def end():
            process.kill()
            process.wait()
            if process.stderr:
                process.stderr.close()

        self.addCleanup(end)
        return process


class Restart(PublishFileTest):
    def test_a_file_sent_in_two_rounds_arrives_whole_though_redis_is_restarted(self):
        self.write_file(FILE_BYTES)
        receiver = Receiver(self.redis, self.received)
        receiver.start()
        receiver.wait_for(lambda: receiver.connections == 1, "the subscription")
        publisher = self.start("--form", "parts", "--rounds", 2, "--rate", RATE, "--retry-seconds", 0)
        receiver.wait_for(lambda: receiver.heads and len(receiver.seen) > receiver.heads[0]["parts"] // 4, "parts")
        self.redis.kill()
        self.redis.start()
        receiver.wait_for(lambda: len(receiver.heads) == 2, "the second round")
        peak = 0
        with contextlib.suppress(OSError), open(f"/proc/{publisher.pid}/status", encoding="ascii") as status:
            peak = max(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))
        receiver.join(4 * DEADLINE_SECONDS)
        _, log = publisher.communicate(timeout=DEADLINE_SECONDS)
        self.assertFalse(receiver.is_alive(), log)
        self.assertEqual(publisher.returncode, 0, log)
        self.assertIn(b"publishing again", log)
        self.assertEqual(receiver.connections, 2)
        self.assertEqual(receiver.heads[0], receiver.heads[1])
        self.assertEqual(receiver.heads[0]["size"], FILE_BYTES)
        self.assertEqual(receiver.seen, set(range(receiver.heads[0]["parts"])))
        self.assertEqual(receiver.heads[0]["sha256"], sha256_of(self.sent))
        self.assertEqual(sha256_of(self.received), sha256_of(self.sent))
        if not is_sanitized():
            self.assertLess(peak, MEMORY_BYTES_MAX)


class Terminal(PublishFileTest):
    def run_on_terminal(self, *flags):
        """The exit code and all that the terminal was sent."""
        master, slave = pty.openpty()
        with open(master, "rb", buffering=0) as terminal:
            process = self.start(*flags, stderr=slave, env={"TERM": "xterm"})
            os.close(slave)
            output = b""
            # Linux ends the reading with EIO when the last writer has closed the other side.
            with contextlib.suppress(OSError):
                while data := terminal.read(65_536):
                    output += data
        return process.wait(DEADLINE_SECONDS), output.decode()

    def test_it_shows_how_far_it_is_and_leaves_the_lines_of_the_log_whole(self):
        self.write_file(3_000_000)
        code, output = self.run_on_terminal("--rate", 4_000_000)
        self.assertEqual(code, 0, output)
        self.assertIn("  0 %", output)
        self.assertIn("100 %", output)
        self.assertIn("MiB/s", output)
        lines = output.replace("\r\n", "\n").split("\n")
        for line in lines[:-1]:
            last = line.rsplit("\r", 1)[-1]
            self.assertTrue(last.startswith("weir-publish-file: "), output)
        for text in output.replace("\r\n", "\r").split("\r"):
            self.assertLessEqual(len(text), 200)
            if "%" in text:
                self.assertLess(len(text), 80)
        self.assertEqual(lines[-1].rsplit("\r", 1)[-1], "")


if __name__ == "__main__":
    unittest.main()
