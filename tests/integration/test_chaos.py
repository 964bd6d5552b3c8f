"""Everything at once: clients come, stall, are cut and come back while Redis is killed under numbered messages.

At the end each client's account must add up: nothing missing without a gap, nothing twice, nothing out of order.
WEIR_CHAOS_SECONDS runs it longer, WEIR_CHAOS_SEED again.
"""

import contextlib
import json
import os
import random
import time
import unittest

from support.account import Account, numbered
from support.case import GatewayTest
from support.limits import DEADLINE_SECONDS, scaled

SECONDS = float(os.environ.get("WEIR_CHAOS_SECONDS", "25"))
CHANNELS = ["a", "b", "c", "d"]


class ChaosClient:
    """A browser with a bad connection: it follows one or more channels and keeps an account of each."""

    def __init__(self, world, channels):
        self.world = world
        self.channels = channels
        target = f"/channels/{channels[0]}" if len(channels) == 1 else "/events?" + "&".join(
            f"channel={channel}" for channel in channels)
        self.target = target
        self.accounts = None  # From when the first block has arrived.
        self.last_event_id = None
        self.is_stalled = False
        self.history = []
        self.connect()

    def connect(self):
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        window = 4096 if self.world.choice.random() < 0.5 else None
        self.is_stalled = False
        self.stream = self.world.loop.open(self.world.gateway.port, self.target, headers, on_event=self.take,
                                           receive_buffer=window)

    def begin(self):
        """Once the head is there: what is published from now on is to be accounted for."""
        self.stream.wait_for_first_block()
        assert self.stream.status == 200, self.stream.response
        self.last_event_id = self.stream.last_event_id
        self.accounts = {channel: Account(channel, self.world.published[channel]) for channel in self.channels}
        for event in self.history:
            self.take(event)

    def take(self, event):
        if self.accounts is None:
            self.history.append(event)
            return
        self.last_event_id = event.id or self.last_event_id
        if event.type == "weir:gap":
            self.accounts[json.loads(event.data)["channel"]].add(event)
        elif not event.type.startswith("weir:"):
            self.accounts[self.channels[0] if len(self.channels) == 1 else event.type].add(event)

    def cut_and_return(self):
        self.stream.cut(reset=self.world.choice.random() < 0.5)
        self.last_event_id = self.stream.last_event_id or self.last_event_id
        self.connect()

    def stall(self):
        if not self.is_stalled:
            self.is_stalled = True
            self.stream.pause()

    def go_on(self):
        if self.is_stalled:
            self.is_stalled = False
            self.stream.go_on()

    def has_settled(self):
        return all(account.has_settled(self.world.published[channel]) for channel, account in self.accounts.items())

    def settle(self):
        for channel, account in self.accounts.items():
            account.settle(self.world.published[channel])


class Chaos(GatewayTest):
    def test_every_account_adds_up(self):
        seed = int(os.environ.get("WEIR_CHAOS_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"seed {seed}", flush=True)
        self.choice = random.Random(seed)
        self.redis, self.gateway = self.start_both(
            "--queue-messages", "300", "--history-messages", "200", "--heartbeat-seconds", "1",
            "--memory-limit", str(8 << 20), "--linger-seconds", "600", "--stuck-seconds", "600")
        self.published = dict.fromkeys(CHANNELS, 0)
        self.clients = []
        self.counts = dict.fromkeys(("come", "cut", "stall", "go_on", "kill", "client_kill"), 0)
        for _ in range(scaled(60, 20)):
            self.come()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            self.publish()
            self.something_happens()
            self.loop.drain()
            self.check_streams()
        self.wait_until_redis_is_whole()
        for client in self.clients:
            client.go_on()
        self.publish(1)
        for client in self.clients:
            self.loop.until(lambda c=client: c.has_settled() or c.stream.closed, "an account to settle",
                            DEADLINE_SECONDS * 2)
            self.check_streams()
            client.settle()
        received = sum(account.received for client in self.clients for account in client.accounts.values())
        missed = sum(account.missed for client in self.clients for account in client.accounts.values())
        gaps = sorted({reason for client in self.clients for account in client.accounts.values()
                       for _, reason in account.gaps})
        print(f"{sum(self.published.values())} published, {received} received, {missed} told missed, {gaps}, "
              f"{self.counts}", flush=True)
        self.assertGreater(received, 0)

    def come(self):
        self.counts["come"] += 1
        if len(self.clients) < 200:
            channels = self.choice.sample(CHANNELS, self.choice.choice([1, 1, 1, 2, 4]))
            client = ChaosClient(self, sorted(channels))
            client.begin()
            self.clients.append(client)

    def publish(self, count=None):
        count = count or self.choice.choice([1, 5, 20, 100])
        padding = self.choice.choice([0, 100, 4000])
        messages = []
        numbers = dict(self.published)
        for channel in CHANNELS:
            for _ in range(count):
                numbers[channel] += 1
                messages.append((channel, numbered(numbers[channel], padding)))
        self.published = numbers
        try:
            self.redis.publish_all(messages)
        except OSError:
            # Killed under us: whether it was delivered is unknown, and a number is used once only.
            self.redis.kill()
            self.redis.start()

    def something_happens(self):
        happening = self.choice.choices(["nothing", "come", "cut", "stall", "go_on", "client_kill", "kill"],
                                        [30, 3, 20, 5, 8, 1, 0.5])[0]
        if happening in ("cut", "stall", "go_on"):
            client = self.choice.choice(self.clients)
            self.counts[happening] += 1
            {"cut": client.cut_and_return, "stall": client.stall, "go_on": client.go_on}[happening]()
        elif happening == "come":
            self.come()
        elif happening == "client_kill":
            self.counts[happening] += 1
            self.redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
        elif happening == "kill":
            self.counts[happening] += 1
            self.redis.kill()
            if self.choice.random() < 0.5:
                self.loop.drain()
            self.redis.start()

    def check_streams(self):
        for client in self.clients:
            client.stream.check()
            self.assertIsNone(client.stream.closed, "nobody has to reconnect")

    def wait_until_redis_is_whole(self):
        with contextlib.suppress(OSError):
            self.redis.client.command("PING")
        self.gateway.wait_until_redis_is(200, pump=self.loop.pump)
        wanted = {channel for client in self.clients for channel in client.channels}
        self.loop.until(lambda: all(self.redis.client.numsub(channel) == 1 for channel in wanted),
                        "all channels are subscribed")


if __name__ == "__main__":
    unittest.main()
