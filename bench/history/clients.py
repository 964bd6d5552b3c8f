"""Clients that come back to a gateway at once. A process of its own: one is slower than a gateway, and herd.py takes
as many as there are cores.

Reads a line of JSON: {"port": …, "clients": [[path, last event id, messages missed], …]}, and answers "ready". At the
next line all of them connect; then it prints {"began", "live", "wrong", "bytes"}: when it began, when each client was
told weir:live (monotonic clock), how many had not got then what they missed, the bytes received. Then each must get
one message more: the last line is {"joined": how many did}. {"error"} in place of a line is the end.
"""
import json
import select
import socket
import sys
import time

import parts

DEADLINE_SECONDS = 120
LIVE = b"weir:live"
MARK = parts.MARK.encode()
CONNECTS_BETWEEN_READS = 50


class Failed(Exception):
    pass


class Client:
    __slots__ = ("socket", "messages", "missed", "tail", "live_at")

    def __init__(self, port, path, last_event_id, missed):
        self.messages, self.missed, self.tail, self.live_at = 0, missed, b"", None
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                            f"Last-Event-ID: {last_event_id}\r\n\r\n".encode())
        self.socket.setblocking(False)


class Herd:
    def __init__(self, plan):
        self._plan = plan
        self._poll = select.epoll()
        self._clients = {}
        self._buffer = bytearray(256 << 10)
        self._live = 0
        self._with_message_after = 0
        self._bytes = 0
        self._wrong = 0
        self._deadline = time.monotonic() + DEADLINE_SECONDS

    def come(self):
        began = time.monotonic()
        for number, planned in enumerate(self._plan["clients"]):
            client = Client(self._plan["port"], *planned)
            self._clients[client.socket.fileno()] = client
            self._poll.register(client.socket, select.EPOLLIN)
            # As browsers do: the first ones read while the others are on their way.
            if number % CONNECTS_BETWEEN_READS == 0:
                self._read(0)
        self._until(lambda: self._live == len(self._clients), "live")
        return {"began": began, "live": [client.live_at for client in self._clients.values()], "wrong": self._wrong,
                "bytes": self._bytes}

    def await_message_after(self):
        self._until(lambda: self._with_message_after >= len(self._clients) - self._wrong, "at the message after")
        return {"joined": self._with_message_after}

    def _until(self, is_so, what):
        while not is_so():
            if time.monotonic() > self._deadline:
                raise Failed(f"of {len(self._clients)} clients {self._live} are live, {self._with_message_after} have "
                             f"the message after: not all are {what} within {DEADLINE_SECONDS} s")
            self._read(0.1)

    def _read(self, seconds):
        for descriptor, _ in self._poll.poll(seconds):
            client = self._clients[descriptor]
            size = client.socket.recv_into(self._buffer)
            if size == 0:
                raise Failed("a stream ended")
            self._take(client, size)

    def _take(self, client, size):
        buffer = self._buffer
        if not client.tail and not buffer.startswith(b"HTTP/1.1 200 "):
            raise Failed(f"not a stream: {bytes(buffer[:min(size, 200)])}")
        self._bytes += size
        client.messages += buffer.count(MARK, 0, size)
        if client.live_at is None:
            if buffer.find(LIVE, 0, size) >= 0 or LIVE in client.tail + buffer[:min(size, len(LIVE))]:
                client.live_at = time.monotonic()
                self._live += 1
                self._wrong += client.messages != client.missed
            client.tail = bytes(buffer[max(0, size - len(LIVE)):size])
        elif client.messages == client.missed + 1:
            self._with_message_after += 1


def main():
    parts.allow_descriptors()
    try:
        herd = Herd(json.loads(sys.stdin.readline()))
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(herd.come()), flush=True)
        print(json.dumps(herd.await_message_after()), flush=True)
    except (Failed, OSError) as error:
        print(json.dumps({"error": str(error)}), flush=True)


if __name__ == "__main__":
    main()
