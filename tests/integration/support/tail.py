"""What the tests of weir-publish-log share: a reader of all channels, a witness between the program and its Redis, the
program as a process, and whether the lines that came add up."""

import collections
import contextlib
import json
import re
import signal
import socket
import subprocess
import threading

from .gateway import clean_environment, program
from .limits import DEADLINE_SECONDS

WINDOW_LINES = 1024  # As many lines may come twice at each cut.


class Notes:
    """Messages in their order, as (channel, payload), written by one thread and awaited by another."""

    def __init__(self):
        self.messages = []
        self._changed = threading.Condition()

    def add(self, messages):
        with self._changed:
            self.messages += messages
            self._changed.notify_all()

    def wait_until(self, predicate, what, seconds=DEADLINE_SECONDS):
        with self._changed:
            if not self._changed.wait_for(predicate, seconds):
                raise AssertionError(f"{what}: not within {seconds:.0f} s; {len(self.messages)} messages, the last "
                                     f"ones {self.messages[-3:]!r:.600}")

    def wait_for_count(self, count):
        self.wait_until(lambda: len(self.messages) >= count, f"{count} messages")

    def wait_for_text(self, text):
        """Waits for a message with `text` in it."""
        position = 0

        def came():
            nonlocal position
            while position < len(self.messages):
                position += 1
                if text.encode() in self.messages[position - 1][1]:
                    return True
            return False

        self.wait_until(came, f"a message with {text!r}")

    def decoded(self, channel=None):
        return [json.loads(payload) for name, payload in self.messages if channel in (None, name)]

    def lines(self, channel=None):
        """The texts of the lines, without the end of a channel."""
        return [message["msg"] for message in self.decoded(channel) if "msg" in message]

    def ends(self):
        return [name for name, payload in self.messages if b'"weir:end"' in payload]


class Subscriber(Notes):
    """Reads all channels of a Redis in a thread of its own, until Redis goes."""

    def __init__(self, redis):
        super().__init__()
        self._client = redis.connect()
        self._client.send(("PSUBSCRIBE", "*"))
        self._client.read()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self):
        """Waits until the end of Redis was seen."""
        self._thread.join(DEADLINE_SECONDS)

    def _run(self):
        with contextlib.suppress(OSError), contextlib.closing(self._client):
            while True:
                _, _, channel, payload = self._client.read()
                self.add([(channel.decode(), payload)])


def _parse(data, position):
    """The RESP value at `position` and where the next one begins, or None if it is not complete."""
    line_end = data.find(b"\r\n", position)
    if line_end < 0:
        return None
    kind, rest, position = data[position:position + 1], bytes(data[position + 1:line_end]), line_end + 2
    if kind == b"$":
        size = int(rest)
        if size < 0:
            return None, position
        if len(data) < position + size + 2:
            return None
        return bytes(data[position:position + size]), position + size + 2
    if kind in (b"*", b"%", b">"):
        values = []
        for _ in range(max(0, int(rest)) * (2 if kind == b"%" else 1)):
            parsed = _parse(data, position)
            if parsed is None:
                return None
            values.append(parsed[0])
            position = parsed[1]
        return values, position
    return (int(rest) if kind == b":" else kind + rest), position


class Witness(Notes):
    """Stands between a publisher and its Redis, and notes what Redis has confirmed.

    A subscriber can't say what was published while Redis is killed: Redis confirms some messages that it never hands
    on, and a publisher can be back before the subscriber is.
    """

    def __init__(self, redis):
        super().__init__()
        self._redis = redis
        self.sent = 0  # Messages that the publisher has sent, confirmed or not.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # shutdown() wakes the thread in accept(), which close() alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                publisher, _ = self._listener.accept()
                try:
                    redis = socket.create_connection(("127.0.0.1", self._redis.port))
                except OSError:
                    publisher.close()
                    continue
                threading.Thread(target=self._relay, args=(publisher, redis), daemon=True).start()

    def _relay(self, publisher, redis):
        sent = collections.deque()  # The commands without a reply.
        with publisher, redis:
            there = threading.Thread(target=self._pass_on, args=(publisher, redis, self._note(sent)), daemon=True)
            there.start()
            self._pass_on(redis, publisher, self._confirm(sent))
            there.join()

    def _pass_on(self, source, target, see):
        buffer = bytearray()
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                buffer += data
                position = 0
                while position < len(buffer) and (parsed := _parse(buffer, position)):
                    see(parsed[0])
                    position = parsed[1]
                del buffer[:position]
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _note(self, sent):
        def note(command):
            sent.append(command)
            if command[0].upper() == b"PUBLISH":
                self.sent += 1
                self.add([])  # Wakes those who wait.

        return note

    def _confirm(self, sent):
        def confirm(reply):
            command = sent.popleft()
            if command[0].upper() == b"PUBLISH" and isinstance(reply, int):
                self.add([(command[1].decode(), command[2])])

        return confirm


class Tail:
    """weir-publish-log, or another publisher, as a process."""

    def __init__(self, url, *arguments, channel="log", stdin=subprocess.DEVNULL, name="weir-publish-log"):
        self.command = [program(name), "--to", url, "--channel", channel, *map(str, arguments)]
        self.log = []
        self._changed = threading.Condition()
        self._is_log_complete = False
        self._process = subprocess.Popen(self.command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                         env=clean_environment())
        self.stdin = self._process.stdin
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def _read_log(self):
        for line in self._process.stderr:
            with self._changed:
                self.log.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._is_log_complete = True
            self._changed.notify_all()

    def matches(self, pattern):
        return [line for line in list(self.log) if re.search(pattern, line)]

    def wait_for_log(self, pattern, count=1):
        """Waits for `count` lines of the log that match."""
        def came():
            return len(self.matches(pattern)) >= count

        with self._changed:
            self._changed.wait_for(lambda: self._is_log_complete or came(), DEADLINE_SECONDS)
        if not came():
            raise AssertionError(f"{pattern!r} is not in the log:\n{self}")

    def __str__(self):
        return "\n".join([" ".join(self.command), *self.log[-40:]])

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self):
        """The exit code."""
        try:
            code = self._process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end:\n{self}") from None
        self._reader.join(DEADLINE_SECONDS)
        return code

    def stop(self):
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self):
        """kill -9, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(DEADLINE_SECONDS)
        self._process.stderr.close()
        if self.stdin:
            with contextlib.suppress(OSError):
                self.stdin.close()


def assert_in_order(numbers, count, cuts=0):
    """Each of 1 … `count` came, in order; after each of `cuts` at most the window came again."""
    last = repeats = 0
    for index, number in enumerate(numbers):
        if number != last + 1:
            around = f"{numbers[max(0, index - 3):index + 3]} at {index} of {len(numbers)}"
            assert number <= last, f"{last + 1} is missing: {around}"
            assert last + 1 - number <= WINDOW_LINES, f"{last + 1 - number} lines came twice: {around}"
            repeats += 1
            assert repeats <= cuts, f"{repeats} times lines came twice, for {cuts} cuts: {around}"
        last = number
    assert last == count, f"{last} is the last one, not {count}"
