"""Durable channels: the function that publishes to them, what is in their streams, and cuts of their publishers."""

import contextlib
import pathlib
import socket
import threading

from .tail import Notes

FUNCTION = pathlib.Path(__file__).parents[3] / "redis" / "weir.lua"


def install_function(redis):
    """What a gateway does."""
    redis.client.command("FUNCTION", "LOAD", "REPLACE", FUNCTION.read_bytes())


def key_of(channel):
    return f"weir:{{{channel}}}"


def cut_publishers(redis):
    """Closes the connections whose last command was FCALL; how many."""
    lines = redis.client.command("CLIENT", "LIST", "TYPE", "normal").decode().splitlines()
    clients = [dict(word.split("=", 1) for word in line.split(" ")) for line in lines]
    return sum(redis.client.command("CLIENT", "KILL", "ID", client["id"])
               for client in clients if client["cmd"] == "fcall")


class Relay:
    """Stands between a publisher and its Redis or gateway, and can keep the answers to messages to itself: they are
    published then, and the publisher never learns of it."""

    def __init__(self, port, scheme="redis"):
        self._port = port
        self._holds = False
        self._answers = threading.Event()
        self._answers.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_answers(self):
        """From the next message on: a PING before it is answered."""
        self._holds = True

    def close(self):
        self._holds = False
        self._answers.set()
        # shutdown() wakes the thread in accept(), which close() alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                publisher, _ = self._listener.accept()
                receiver = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._relay, args=(publisher, receiver), daemon=True).start()

    def _relay(self, publisher, receiver):
        with publisher, receiver:
            there = threading.Thread(target=self._pass_on, args=(publisher, receiver), daemon=True)
            there.start()
            self._pass_on(receiver, publisher, self._answers.wait)
            there.join()

    def _pass_on(self, source, target, wait=None):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if wait:
                    wait()
                elif self._holds and (b"FCALL" in data or data.startswith(b"POST")):
                    self._answers.clear()
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


class Stream(Notes):
    """Reads the stream of a channel as it grows, in a thread of its own, until its Redis goes."""

    def __init__(self, redis, channel):
        super().__init__()
        self.ids = []
        self._channel = channel
        self._client = redis.connect()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self):
        """Waits until the end of Redis was seen."""
        self._thread.join()

    def _run(self):
        key, last = key_of(self._channel), b"0-0"
        with contextlib.suppress(OSError), contextlib.closing(self._client):
            while True:
                reply = self._client.command("XREAD", "COUNT", 1000, "BLOCK", 1000, "STREAMS", key, last)
                if reply:
                    entries = reply[0][1]
                    last = entries[-1][0]
                    self.ids += [entry[0].decode() for entry in entries]
                    self.add([(self._channel, entry[1][1]) for entry in entries])
