"""Clients that go from gateway to gateway, and must not lose anything on the way: for channels with a history."""

import json

from .account import Account


class ExactAccount:
    """One client's view of a channel with a history: each number once, in order, and no gap."""

    def __init__(self, channel, published):
        self.channel = channel
        self.latest_begin = published  # What was published before the first block may be missing, nothing later.
        self.last = None
        self.received = 0

    def add(self, event):
        assert event.type != "weir:gap", f"{self.channel}: a gap after {self.last}: {event.data}"
        if event.type.startswith("weir:"):
            return
        number = json.loads(event.data)["n"]
        if self.last is None:
            assert number <= self.latest_begin + 1, f"{self.channel}: begins with {number}, not {self.latest_begin + 1}"
        else:
            assert number == self.last + 1, f"{self.channel}: {number} after {self.last}"
        self.last = number
        self.received += 1

    def has_settled(self, published):
        return (self.latest_begin if self.last is None else self.last) == published

    def settle(self, published):
        assert self.has_settled(published), f"{self.channel}: ends with {self.last}, not {published}"


class LiveAccount(Account):
    """One client's view of a channel without a history. The gateway that it comes to may lag behind the one that it has
    left, on a busy machine: then messages come again, behind the gap that it begins with there (README.md)."""

    def _take(self, number):
        is_behind_gap = self._is_unknown and self.gaps[-1][1] == "history"
        if is_behind_gap and number <= self.last:
            self.last = number - 1 - self._told
        super()._take(number)


class HoppingClient:
    """Follows channels by one stream, and comes back with its last id: to another gateway, whenever it is cut."""

    def __init__(self, world, channels, live=()):
        """`live`: those of `channels` that have no history."""
        self.world = world
        self.channels = channels
        self.live = live
        self.target = f"/channels/{channels[0]}" if len(channels) == 1 else "/events?" + "&".join(
            f"channel={channel}" for channel in channels)
        self.accounts = None  # From when the first block has arrived.
        self.history = []
        self.last_event_id = None
        self.hops = 0
        self.stream = None
        self.connect()

    def connect(self):
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        self.hops += 1
        try:
            self.stream = self.world.loop.open(self.world.any_gateway().port, self.target, headers,
                                               on_event=self.take, on_closed=self.on_closed)
        except OSError:
            self.world.loop.call_later(0.05, self.connect)

    def begin(self):
        """Once the head is there: what is published from now on is to be accounted for."""
        self.stream.wait_for_first_block()
        assert self.stream.status == 200, self.stream.response
        self.accounts = {}
        for channel in self.channels:
            kind = LiveAccount if channel in self.live else ExactAccount
            self.accounts[channel] = kind(channel, self.world.published[channel])
        for event in self.history:
            self.take(event)
        return self

    def take(self, event):
        if self.accounts is None:
            self.history.append(event)
            return
        self.last_event_id = event.id or self.last_event_id
        if event.type == "weir:gap":
            self.accounts[json.loads(event.data)["channel"]].add(event)
        elif not event.type.startswith("weir:"):
            self.accounts[self.channels[0] if len(self.channels) == 1 else event.type].add(event)

    def on_closed(self):
        self.last_event_id = self.stream.last_event_id or self.last_event_id
        self.world.loop.call_later(0.02, self.connect)

    def hop(self):
        """Cuts the connection, and comes back by another."""
        if self.stream.closed is None:
            self.stream.cut(reset=self.world.choice.random() < 0.5)

    def has_settled(self):
        return all(account.has_settled(self.world.published[channel]) for channel, account in self.accounts.items())

    def settle(self):
        for channel, account in self.accounts.items():
            account.settle(self.world.published[channel])
