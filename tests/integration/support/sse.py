"""SSE clients by hand: many in one selectors loop, each a raw socket with a strict parser.

The parser follows the WHATWG's rules (HTML, 9.2.6) to the letter, so that what a test sees is what a browser
would see. Invalid UTF-8, which a browser would replace, is an error here: the gateway must not send any.
"""

import codecs
import collections
import heapq
import json
import re
import selectors
import socket
import struct
import time
from typing import NamedTuple

from .http import ChunkDecoder, ProtocolError, parse_head, request_bytes
from .limits import DEADLINE_SECONDS

_LINE_END = re.compile(r"\r\n|\n|\r")


class Timeout(AssertionError):
    """What was awaited did not happen in time."""


class Event(NamedTuple):
    type: str
    data: str
    id: str  # The last event id at its dispatch: what a browser would reconnect with.


class EventParser:
    """text/event-stream in, events out, through `on_event`."""

    def __init__(self, on_event, on_block=None):
        self._on_event = on_event
        self._on_block = on_block  # Called with the last event id at the end of each block.
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._tail = ""
        self._is_first = True
        self._data = []
        self._type = ""
        self._id = ""
        self.last_event_id = ""
        self.comments = []
        self.retries = []

    def feed(self, content):
        text = self._decoder.decode(content)
        if not text:
            return
        if self._is_first:
            self._is_first = False
            text = text.removeprefix("\ufeff")
        text = self._tail + text
        if "\r" in text:
            # A CR at the end may be the first half of a CRLF: not a line end yet.
            held = "\r" if text.endswith("\r") else ""
            lines = _LINE_END.split(text[:-1] if held else text)
            self._tail = lines.pop() + held
        else:
            lines = text.split("\n")
            self._tail = lines.pop()
        for line in lines:
            self._take(line)

    def _take(self, line):
        if not line:
            self._dispatch()
            return
        field, colon, value = line.partition(":")
        if value.startswith(" "):
            value = value[1:]
        if field == "data":
            self._data.append(value)
        elif field == "id":
            if "\0" not in value:
                self._id = value
        elif field == "event":
            self._type = value
        elif field == "retry":
            if value.isascii() and value.isdigit():
                self.retries.append(int(value))
        elif not field and colon:
            self.comments.append(value)

    def _dispatch(self):
        self.last_event_id = self._id
        if self._on_block:
            self._on_block(self._id)
        if self._data:
            event = Event(self._type or "message", "\n".join(self._data), self._id)
            self._data = []
            self._type = ""
            self._on_event(event)
        self._type = ""


class Stream:
    """One GET whose answer is read as events. Its loop reads for it whenever anything is awaited."""

    def __init__(self, loop, sock, request, on_event=None, on_block=None, on_closed=None, keep_body=False,
                 read_bytes=262144, keep_bus_events=False):
        self._loop = loop
        self._on_closed = on_closed
        self._socket = sock
        self._head = b""
        self._chunks = None
        self._length = None
        self._has_ended = False
        self._read_bytes = read_bytes
        self.response = None
        self.body = bytearray() if keep_body else None
        self.body_bytes = 0
        self.error = None
        self.closed = None  # How it ended: "end" (cleanly), "eof" (without the last chunk), "reset", "cut" (by us).
        self.events = collections.deque()  # Dispatched and not yet taken.
        self.bus_states = []  # What `weir:bus` said: "down", "up", ... Among the events only if `keep_bus_events`.
        self._keep_bus_events = keep_bus_events
        self._on_event = on_event or self.events.append
        self.parser = EventParser(self._on_dispatched, on_block)
        self._send(request)

    def _on_dispatched(self, event):
        if event.type == "weir:bus":
            self.bus_states.append(json.loads(event.data)["state"])
            if not self._keep_bus_events:
                return
        self._on_event(event)

    def _send(self, request):
        self._socket.sendall(request)
        self._socket.setblocking(False)
        self._loop.add(self)

    # What was received.

    @property
    def status(self):
        return self.response.status if self.response else None

    @property
    def headers(self):
        return self.response.headers if self.response else {}

    @property
    def last_event_id(self):
        return self.parser.last_event_id

    @property
    def comments(self):
        return self.parser.comments

    @property
    def retries(self):
        return self.parser.retries

    def fileno(self):
        return self._socket.fileno()

    # Reading.

    def on_readable(self):
        if self.closed:
            return  # By what another stream of the same round led to.
        try:
            data = self._socket.recv(self._read_bytes)
        except BlockingIOError:
            return
        except (ConnectionResetError, TimeoutError):
            self._finish("reset")
            return
        try:
            if data:
                self._feed(data)
            else:
                is_delimited = self._chunks is not None or self._length is not None
                is_clean = self._has_ended or (self.response is not None and not is_delimited)
                self._finish("end" if is_clean else "eof")
        except (ProtocolError, UnicodeDecodeError) as error:
            self.error = error
            self._finish("error")

    def _feed(self, data):
        if self.response is None:
            self._head += data
            if b"\r\n\r\n" not in self._head:
                return
            head, data = self._head.split(b"\r\n\r\n", 1)
            self._head = b""
            self.response = parse_head(head)
            if self.response.headers.get("transfer-encoding") == "chunked":
                self._chunks = ChunkDecoder()
            elif "content-length" in self.response.headers:
                self._length = int(self.response.headers["content-length"])
        content = self._chunks.feed(data) if self._chunks else data
        self.body_bytes += len(content)
        if self.body is not None:
            self.body += content
        if self.response.headers.get("content-type") == "text/event-stream":
            self.parser.feed(content)
        if (self._chunks and self._chunks.ended) or self.body_bytes == self._length:
            self._has_ended = True
            self._finish("end")

    def _finish(self, how):
        if self.closed is None:
            self.closed = how
            self._loop.remove(self)
            self._socket.close()
            if self._on_closed:
                self._on_closed()

    # Being a bad or a mortal client.

    def pause(self):
        """Stops reading: the socket's buffers fill, then the gateway's queue."""
        self._loop.remove(self)

    def go_on(self):
        if self.closed is None:
            self._loop.add(self)

    def cut(self, reset=False):
        """Closes without a goodbye; `reset` sends a RST instead of a FIN."""
        if self.closed is None and reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._finish("cut")

    def send(self, data):
        self._socket.sendall(data)

    # Awaiting. Everything else in the loop is read meanwhile.

    def check(self):
        if self.error is not None:
            raise AssertionError(f"not a well-formed response: {self.error}")

    def wait_for_head(self, seconds=DEADLINE_SECONDS):
        self._loop.until(lambda: self.response is not None or self.closed, "a response head", seconds)
        self.check()
        if self.response is None:
            raise AssertionError(f"closed without a response head ({self.closed})")
        return self.response

    def wait_for_first_block(self):
        """The head and the block that says where this client starts."""
        self.wait_for_head()
        self._loop.until(lambda: self.last_event_id or self.closed, "the first block", DEADLINE_SECONDS)
        self.check()
        return self

    def next_event(self, type=None, seconds=DEADLINE_SECONDS):
        """The next event; with `type`, it must be one of that type."""
        what = f"an event{' ' + type if type else ''}"
        try:
            self._loop.until(lambda: self.events or self.closed, what, seconds)
        except Timeout as error:
            raise Timeout(f"{error}; comments {self.comments[-3:]}, last id {self.last_event_id!r}") from None
        self.check()
        if not self.events:
            raise AssertionError(f"the stream ended ({self.closed}) before {what}; comments {self.comments[-3:]}")
        event = self.events.popleft()
        if type is not None and event.type != type:
            raise AssertionError(f"awaited {what}, got {event!r:.300}")
        return event

    def next_events(self, count, seconds=DEADLINE_SECONDS):
        return [self.next_event(seconds=seconds) for _ in range(count)]

    def until_event(self, predicate, seconds=DEADLINE_SECONDS):
        """Takes events up to and including the first that `predicate` accepts; all of them."""
        deadline = time.monotonic() + seconds
        taken = []
        while True:
            taken.append(self.next_event(seconds=max(0.01, deadline - time.monotonic())))
            if predicate(taken[-1]):
                return taken

    def wait_for_close(self, seconds=DEADLINE_SECONDS):
        """How the stream ended."""
        self._loop.until(lambda: self.closed, "the end of the stream", seconds)
        self.check()
        return self.closed

    def rest(self, seconds=DEADLINE_SECONDS):
        """All events up to the end of the stream."""
        self.wait_for_close(seconds)
        events = list(self.events)
        self.events.clear()
        return events


class Loop:
    """Reads for all streams that are in it, on the calling thread."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._registered = set()
        self._streams = []
        self._timers = []  # A heap of (when, number, function).
        self._timers_made = 0

    def call_later(self, seconds, function):
        """Calls `function` from a pump() that many seconds later."""
        self._timers_made += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._timers_made, function))

    def add(self, stream):
        if stream not in self._registered:
            self._registered.add(stream)
            self._selector.register(stream, selectors.EVENT_READ)

    def remove(self, stream):
        if stream in self._registered:
            self._registered.remove(stream)
            self._selector.unregister(stream)

    def open(self, port, target, headers=None, version="1.1", source=None, receive_buffer=None, **options):
        """Connects and sends a GET; nothing is awaited."""
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)  # Before connect: it sets the window.
        if source:
            sock.bind((source, 0))
        sock.settimeout(DEADLINE_SECONDS)
        sock.connect(("127.0.0.1", port))
        fields = {"Accept": "text/event-stream"}
        fields.update(headers or {})
        stream = Stream(self, sock, request_bytes("GET", target, fields, version=version), **options)
        self._streams.append(stream)
        return stream

    def pump(self, seconds):
        """Reads what is there, waiting up to `seconds` for something, and calls what is due."""
        if self._timers:
            seconds = max(0, min(seconds, self._timers[0][0] - time.monotonic()))
        if self._registered:
            for key, _ in self._selector.select(seconds):
                key.fileobj.on_readable()
        else:
            time.sleep(min(seconds, 0.01))
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def drain(self):
        """Reads until nothing is there at the moment."""
        while self._registered:
            ready = self._selector.select(0)
            if not ready:
                return
            for key, _ in ready:
                key.fileobj.on_readable()

    def until(self, predicate, what, seconds=DEADLINE_SECONDS):
        deadline = time.monotonic() + seconds
        while not predicate():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(f"{what}: not within {seconds:.0f} s")
            self.pump(min(left, 0.05))

    def close(self):
        self._timers.clear()
        for stream in self._streams:
            stream.cut()
        self._streams.clear()
