"""Whether what a client received adds up: received and told missed is what was published, in order, once."""

import json


def numbered(number, padding=0, type=None):
    """A payload that carries its number, counted from 1 in each channel."""
    text = json.dumps({"n": number, "pad": "x" * padding} if padding else {"n": number}, separators=(",", ":"))
    return '{"type":"%s","data":%s}' % (type, text) if type else text


class Account:
    """One client's view of one channel. A client that comes back with its Last-Event-ID goes on with its account."""

    def __init__(self, channel, last=0):
        self.channel = channel
        self.last = last  # The number of the newest message received, or before which this client started.
        self.received = 0
        self.missed = 0  # As told by gaps.
        self.gaps = []  # (missed, reason)
        self._told = 0  # By gaps since `last`.
        self._is_unknown = False  # A gap since `last` could not say how many.

    def add(self, event):
        """Counts `event`; raises AssertionError if it does not follow from what came before."""
        if event.type == "weir:gap":
            gap = json.loads(event.data)
            assert gap["channel"] == self.channel, f"a gap of another channel: {gap}"
            self.gaps.append((gap["missed"], gap["reason"]))
            if gap["missed"] is None:
                self._is_unknown = True
            else:
                assert gap["missed"] > 0, f"a gap of {gap['missed']}"
                self._told += gap["missed"]
        elif not event.type.startswith("weir:"):
            self._take(json.loads(event.data)["n"])

    def _take(self, number):
        self._begin_before(number - 1)
        assert number > self.last, (f"{self.channel}: {number} after {self.last}: twice, or out of order; "
                                    f"{self.received} received, gaps {self.gaps[-5:]}")
        self._settle(number - self.last - 1)
        self.last = number
        self.received += 1

    def _begin_before(self, number):
        """A client may get what was on its way from Redis while it came, earlier than promised, which is no fault. So
        were the messages that a gap before its first message, the one after `number`, tells of."""
        if self.received == 0:
            self.last = min(self.last, number - self._told)
            assert self.last >= 0, f"{self.channel}: told of {self._told} missed up to {number}"

    def _settle(self, missed):
        assert missed >= self._told, f"{self.channel}: told of {self._told} missed after {self.last}, it were {missed}"
        assert missed == self._told or self._is_unknown, (
            f"{self.channel}: {missed} missing after {self.last}, told of {self._told}; gaps {self.gaps[-5:]}")
        self.missed += missed
        self._told = 0
        self._is_unknown = False

    def settle(self, published):
        """All is over: `published` was the last number, and what did not arrive was told of."""
        self._settle(published - self.last)
        self.last = published

    def has_settled(self, published):
        """True once nothing more can be awaited: the last message arrived, or a gap covers it."""
        return self.last == published or self._told == published - self.last
