"""Many EventSources in one loop: what a browser does with a stream that ends, to the letter of the WHATWG's rules.

An answer of any status but 200, or of another type than text/event-stream, ends an EventSource for good. Everything else
(a stream that ends, a connection that fails) makes it connect again after the reconnection time that it was told last,
with the last id that it has. As browsers do, and the letter of the rules does not, it keeps that id over a stream that
brings none.
"""

import time

from .account import Account

# Until a server says otherwise. Browsers take some seconds.
_RETRY_SECONDS = 3.0
# What becomes of a connection.
CONNECTING, OPEN, ENDED = "connecting", "open", "ended"


class Visit:
    """One request of an EventSource, and what came of it."""

    def __init__(self, stream, began):
        self.stream = stream
        self.began = began
        self.began_streaming = None  # When the block with the position came: what is published from then on arrives.
        self.ended = None
        self.overloaded = None  # The reason of a weir:overloaded.

    @property
    def closing_reason(self):
        """What the gateway said before it closed: "drain", ...; None if it said nothing."""
        said = [text for text in self.stream.comments if text.startswith("closing: ")]
        return said[-1].removeprefix("closing: ") if said else None

    @property
    def is_away(self):
        """True for the answer of weir-broker --away."""
        return any(text.startswith("away: ") for text in self.stream.comments)

    @property
    def closing_retry_ms(self):
        return self.stream.retries[-1]

    def __repr__(self):
        said = self.closing_reason or self.overloaded or ("away" if self.is_away else None)
        return f"<{self.stream.status} {said} {self.stream.closed} retry {self.stream.retries}>"


class EventSource:
    """Follows one channel through the port of a proxy, and keeps the account of what it brings."""

    def __init__(self, loop, port, channel, headers=None):
        self._loop = loop
        self._port = port
        self._channel = channel
        self._headers = dict(headers or {})
        self._retry_seconds = _RETRY_SECONDS
        self.last_event_id = ""
        self.account = Account(channel)
        self.visits = []
        self.final = None  # Why it has given up for good.
        self.wrong = None  # What does not add up: a message twice, out of order, or missed without a word.
        self._connect()

    @property
    def state(self):
        if self.final or self.visits[-1].ended:
            return ENDED
        return OPEN if self.visits[-1].began_streaming else CONNECTING

    @property
    def moves(self):
        """Each stream that ended, with the visits that followed, up to the next stream."""
        moves, current = [], None
        for visit in self.visits:
            if current is not None:
                current[1].append(visit)
            if visit.began_streaming:
                current = (visit, []) if visit.ended else None
                moves += [current] if current else []
        return moves

    def _connect(self):
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        stream = self._loop.open(self._port, f"/channels/{self._channel}", {**self._headers, **headers},
                                 on_event=self._on_event, on_block=self._on_block, on_closed=self._on_closed)
        self.visits.append(Visit(stream, time.monotonic()))

    def _on_block(self, last_event_id):
        if last_event_id:
            self.last_event_id = last_event_id
            if self.visits[-1].began_streaming is None:
                self.visits[-1].began_streaming = time.monotonic()

    def _on_event(self, event):
        if event.type == "weir:overloaded":
            self.visits[-1].overloaded = event.data
        try:
            self.account.add(event)
        except AssertionError as error:
            self.wrong = self.wrong or str(error)

    def _on_closed(self):
        visit = self.visits[-1]
        visit.ended = time.monotonic()
        stream = visit.stream
        if stream.closed == "cut":
            return
        if stream.response is not None and stream.status != 200:
            self.final = f"status {stream.status}"
        elif stream.response is not None and stream.headers.get("content-type") != "text/event-stream":
            self.final = f"content type {stream.headers.get('content-type')}"
        elif stream.error is not None:
            self.wrong = self.wrong or f"not well-formed: {stream.error}"
        if self.final:
            return
        if stream.retries:
            self._retry_seconds = stream.retries[-1] / 1000
        self._loop.call_later(self._retry_seconds, self._connect)
