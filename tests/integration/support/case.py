"""The base of all test cases: starts what a test needs, ends it in order, shows the logs of what failed."""

import sys
import unittest

from .gateway import Gateway
from .redis import RedisServer
from .sse import Loop


class GatewayTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        self._gateways = []

    def run(self, result=None):
        failed_before = len(result.failures) + len(result.errors) if result else 0
        result = super().run(result)
        if result is not None and len(result.failures) + len(result.errors) > failed_before:
            for gateway in self._gateways:
                print(f"--- the gateway's log in {self.id()}\n{gateway.log_tail()}\n---", file=sys.stderr)
        return result

    def start_redis(self, *options, **more):
        redis = RedisServer(*options, **more)
        self.addCleanup(redis.stop)
        return redis.start()

    def start_gateway(self, *flags, redis=None, wait=True, **options):
        """A gateway on `redis`, or on the embedded bus; `wait` for it to be ready."""
        url = ("--redis-url", redis.url) if redis else ()
        gateway = Gateway(*url, *flags, **options)
        self._gateways.append(gateway)
        self.addCleanup(self._end, gateway)
        if wait:
            gateway.wait_until_ready()
        return gateway

    def _end(self, gateway):
        self.loop.close()
        gateway.stop()

    def start_both(self, *flags, **options):
        redis = self.start_redis()
        return redis, self.start_gateway(*flags, redis=redis, **options)

    def open(self, gateway, target, headers=None, **options):
        """A stream whose head and first block have arrived: no message published from now on is missed."""
        stream = self.loop.open(gateway.port, target, headers, **options)
        stream.wait_for_first_block()
        self.assertEqual(stream.status, 200)
        return stream

    def open_all(self, gateway, targets, headers=None, **options):
        """The same for many streams, opened all at once."""
        streams = [self.loop.open(gateway.port, target, headers, **options) for target in targets]
        for stream in streams:
            stream.wait_for_first_block()
            self.assertEqual(stream.status, 200)
        return streams

    def resume(self, gateway, target, last_event_id, **options):
        return self.open(gateway, target, {"Last-Event-ID": last_event_id}, **options)

    def assert_data(self, stream, expected):
        """The next events of `stream` carry just this data."""
        self.assertEqual([event.data for event in stream.next_events(len(expected))], list(expected))
