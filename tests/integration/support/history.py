"""Channels with a history in Redis: how they are published to, and whether what a client received adds up."""

import contextlib
import json
import socket
import threading


def fcall(channel, payload, messages="", seconds="", key=""):
    """The command that publishes to a durable channel."""
    return ("FCALL", "weir_publish", 1, channel, payload, messages, seconds, key)


def send_all(redis, commands):
    """Sends `commands` to `redis` in one pipeline; the replies, as texts where they are ids."""
    commands = list(commands)
    redis.client.send(*commands)
    replies = [redis.client.read() for _ in commands]
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return [reply.decode() if isinstance(reply, bytes) else reply for reply in replies]


def append(redis, channel, payloads, **more):
    """Publishes `payloads` to a durable channel; their ids."""
    return send_all(redis, [fcall(channel, payload, **more) for payload in payloads])


def trim(redis, key, left):
    """Leaves exactly `left` entries."""
    redis.client.command("XTRIM", key, "MAXLEN", "=", left)


def number_of(id):
    """n of an id `<birth>-<n>`, whatever follows after `~`."""
    return int(id.split("~")[0].split("-")[1])


def order_of(id):
    return tuple(int(part) for part in id.split("-"))


def until_live(stream):
    """What a stream begins with, without the weir:live behind it."""
    events = stream.until_event(lambda event: event.type == "weir:live")
    return events[:-1]


class Tally:
    """One client's view of a channel whose messages carry their numbers (account.numbered), from the one after `last`
    on. Each follows from the one before and the gaps between them: stricter than an Account."""

    def __init__(self, last=0):
        self.last = last
        self.received = 0
        self.told = 0  # By gaps since `last`.
        self.gaps = []  # (missed, reason)

    def add(self, event):
        if event.type == "weir:gap":
            gap = json.loads(event.data)
            self.gaps.append((gap["missed"], gap["reason"]))
            assert isinstance(gap["missed"], int) and gap["missed"] > 0, f"after {self.last}: {gap}"
            self.told += gap["missed"]
        elif not event.type.startswith("weir:"):
            number = json.loads(event.data)["n"]
            assert number == self.last + self.told + 1, (
                f"{number} after {self.last} and gaps of {self.told}; {self.received} received, {self.gaps[-5:]}")
            self.last, self.told = number, 0
            self.received += 1

    def has_settled(self, published):
        return self.last + self.told == published

    def missed(self):
        return sum(missed for missed, _ in self.gaps)


class Switch:
    """Stands between gateways and a Redis, and may cut them off, or lead them to another one."""

    def __init__(self, redis):
        self._target = redis.port
        self._lock = threading.Lock()
        self._pairs = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_off(self):
        """Ends all connections; from now on each is closed as it comes."""
        self._lead(None)

    def lead_to(self, redis):
        """Ends all connections; from now on they lead to `redis`."""
        self._lead(redis.port)

    def close(self):
        self._lead(None)
        # shutdown() wakes the thread in accept(), which close() alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _lead(self, port):
        with self._lock:
            self._target = port
            for pair in self._pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self._pairs.clear()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                gateway, _ = self._listener.accept()
                self._connect(gateway)

    def _connect(self, gateway):
        with self._lock:
            if self._target is None:
                gateway.close()
                return
            try:
                redis = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                gateway.close()
                return
            self._pairs.add((gateway, redis))
        threading.Thread(target=self._relay, args=(gateway, redis), daemon=True).start()

    def _relay(self, gateway, redis):
        there = threading.Thread(target=self._pass_on, args=(gateway, redis), daemon=True)
        there.start()
        self._pass_on(redis, gateway)
        there.join()
        with self._lock:
            self._pairs.discard((gateway, redis))
        gateway.close()
        redis.close()

    @staticmethod
    def _pass_on(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
