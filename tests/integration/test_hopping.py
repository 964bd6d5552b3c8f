"""Two gateways, and clients that hop between them while durable events are published: gateways are killed and started
again, connections to Redis are cut, Redis itself is restarted. Each client ends with each event once, and no gap.

WEIR_HOP_EVENTS publishes more, WEIR_HOP_SEED plays one game again.
"""

import contextlib
import os
import random
import unittest

from support.account import numbered
from support.case import GatewayTest
from support.hopping import HoppingClient
from support.limits import DEADLINE_SECONDS, scaled
from support.redis import RedisError
from support.sse import Timeout

EVENTS = int(os.environ.get("WEIR_HOP_EVENTS", scaled(4_000, 800)))
CLIENTS = scaled(100, 20)
# What Redis answers is on its disk: a restart loses nothing.
REDIS = ("--appendonly", "yes", "--appendfsync", "always")
# 5 durable, 3 followed, 2 live ones.
DURABLE = [f"d.{i}" for i in range(5)]
FOLLOWED = [f"f.{i}" for i in range(3)]
LIVE = [f"l.{i}" for i in range(2)]
RULES = """
[[channel]]
match = "f.*"
source = "stream"
stream-key = "logs:{channel}"
"""
FLAGS = ("--durable", "d.*", "--history-messages", "50", "--heartbeat-seconds", "1", "--linger-seconds", "5")


class Hopping(GatewayTest):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("WEIR_HOP_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"seed {seed}", flush=True)
        self.choice = random.Random(seed)

    def begin(self, channels):
        self.redis = self.start_redis(*REDIS)
        self.gateways = [self.start_gateway(*FLAGS, redis=self.redis, toml=RULES) for _ in range(2)]
        self.published = dict.fromkeys(channels, 0)
        self.happened = dict.fromkeys(("kill gateway", "cut redis", "restart redis", "hop"), 0)

    def any_gateway(self):
        return self.choice.choice(self.gateways)

    def come(self, count, channels, live=()):
        self.clients = [HoppingClient(self, channels, live) for _ in range(count)]
        for client in self.clients:
            client.begin()

    # Publishing.

    def commands(self, count):
        """`count` messages for each channel; the numbers go up once all are sent."""
        messages = []
        for channel in self.published:
            for number in range(self.published[channel] + 1, self.published[channel] + count + 1):
                padding = self.choice.choice([0, 0, 200, 3_000])
                messages.append((channel, number, self.command(channel, number, numbered(number, padding))))
        return messages

    def command(self, channel, number, payload):
        if channel in LIVE:
            return ("PUBLISH", channel, payload)
        if channel in FOLLOWED:
            return ("XADD", f"logs:{channel}", f"{number}-1", "data", payload)
        # The key makes a second try harmless.
        return ("FCALL", "weir_publish", "1", channel, payload, "100000", "", f"{channel}-{number}")

    def publish(self, count):
        """Until Redis has them all; live ones once, since nobody knows whether they were published."""
        messages = self.commands(count)
        for channel in LIVE:
            if channel in self.published:
                self.published[channel] += count
        for _ in range(100):
            try:
                self.redis.client.send(*(command for _, _, command in messages))
                replies = [self.redis.client.read() for _ in messages]
                break
            except OSError:
                self.redis.kill()
                self.redis.start()
                messages = [message for message in messages if message[0] not in LIVE]
        for (channel, _, command), reply in zip(messages, replies):
            is_repeat = isinstance(reply, RedisError) and "equal or smaller" in str(reply) and command[0] == "XADD"
            if isinstance(reply, RedisError) and not is_repeat:
                raise reply
        for channel in self.published:
            if channel not in LIVE:
                self.published[channel] += count

    # What happens meanwhile.

    def something_happens(self):
        what = self.choice.choices(["nothing", "hop", "cut redis", "kill gateway", "restart redis"],
                                   [40, 40, 8, 4, 2])[0]
        if what != "nothing":
            self.happened[what] += 1
        if what == "hop":
            for client in self.choice.sample(self.clients, max(1, len(self.clients) // 10)):
                client.hop()
        elif what == "cut redis":
            with contextlib.suppress(OSError):
                kind = self.choice.choice(["pubsub", "normal"])
                self.redis.client.command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        elif what == "kill gateway":
            index = self.choice.randrange(len(self.gateways))
            self.gateways[index].kill()
            self.gateways[index] = self.start_gateway(*FLAGS, redis=self.redis, toml=RULES, wait=False)
        elif what == "restart redis":
            self.redis.kill()
            self.redis.start()

    def play(self):
        total = EVENTS // len(self.published)
        while max(self.published.values()) < total:
            self.publish(self.choice.choice([1, 2, 5, 20] if len(self.published) == 1 else [1, 1, 2]))
            self.something_happens()
            self.loop.drain()
            self.loop.pump(0.001)
        self.settle()
        received = sum(account.received for client in self.clients for account in client.accounts.values())
        hops = sum(client.hops for client in self.clients)
        print(f"{sum(self.published.values())} published, {received} received, {hops} connections, {self.happened}",
              flush=True)
        self.assertGreater(received, 0)

    def settle(self):
        """A live channel's gap may be of unknown size: only the next message tells how much was missed."""
        for _ in range(20):
            self.publish(1)
            with contextlib.suppress(Timeout):
                self.loop.until(lambda: all(client.has_settled() for client in self.clients), "accounts to settle",
                                DEADLINE_SECONDS / 10)
                break
        for client in self.clients:
            self.assertTrue(client.has_settled(), self.where(client))
            client.settle()

    def where(self, client):
        return {channel: (account.last, self.published[channel]) for channel, account in client.accounts.items()}

    def test_a_durable_channel_is_whole(self):
        self.begin(DURABLE[:1])
        self.come(CLIENTS, DURABLE[:1])
        self.play()

    def test_a_followed_stream_is_whole(self):
        self.begin(FOLLOWED[:1])
        self.come(CLIENTS, FOLLOWED[:1])
        self.play()

    def test_each_channel_of_one_stream_is_whole_or_live(self):
        channels = [*DURABLE, *FOLLOWED, *LIVE]
        self.begin(channels)
        self.come(CLIENTS // 2, channels, LIVE)
        self.play()


if __name__ == "__main__":
    unittest.main()
