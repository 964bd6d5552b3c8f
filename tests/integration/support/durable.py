"""The base of the tests of durable channels."""

from .case import GatewayTest
from .gateway import gap_of
from .history import append
from .stream import install_function

# What Redis answers is on its disk: a restart loses nothing.
ON_DISK = ("--appendonly", "yes", "--appendfsync", "always")
# So that little is in the gateways' memory, and Redis is asked.
LITTLE_MEMORY = ("--history-messages", "3", "--linger-seconds", "0")


class DurableTest(GatewayTest):
    def start_pair(self, *flags, options=(), **more):
        """A Redis and two gateways on it; channels whose names begin with d are durable."""
        redis = self.start_redis(*options)
        install_function(redis)
        return redis, *(self.start_durable(redis, *flags, **more) for _ in range(2))

    def start_durable(self, redis, *flags, **more):
        return self.start_gateway("--durable", "d*", *flags, redis=redis, **more)

    def resume_at_each(self, gateway, target, ids, in_query=False):
        """A stream for each of `ids`."""
        streams = []
        for id in ids:
            if in_query:
                streams.append(self.loop.open(gateway.port, f"{target}?lastEventId={id}"))
            else:
                streams.append(self.loop.open(gateway.port, target, {"Last-Event-ID": id}))
        return streams

    def assert_next(self, stream, ids, data):
        """The next events are these messages, without a gap."""
        events = stream.next_events(len(ids))
        self.assertEqual([(event.id, event.data) for event in events], list(zip(ids, data)))

    def assert_gap(self, stream, missed, reason, channel="d"):
        self.assertEqual(gap_of(stream.next_event()), {"channel": channel, "missed": missed, "reason": reason})

    def assert_live(self, redis, stream, channel="d"):
        """Nothing more comes, up to a message that is published now."""
        id, = append(redis, channel, ["now"])
        events = stream.until_event(lambda event: event.id == id and event.type == "message")
        others = [event for event in events if event.type != "weir:live" and event.data != "now"]
        self.assertEqual(others, [])
