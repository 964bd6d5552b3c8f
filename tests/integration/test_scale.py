"""Many streams and many channels on one process: cheap, and no threads."""

import os
import resource
import socket
import time
import unittest

from support.case import GatewayTest
from support.http import parse_head, request_bytes
from support.limits import DEADLINE_SECONDS, SCALE, scaled

IS_SANITIZED = "san" in os.environ.get("WEIR_BIN", "")
# Addresses of loopback, so that no source runs out of ephemeral ports.
SOURCES = [f"127.0.0.{n}" for n in range(2, 12)]


class Idle:
    """A stream as cheap as the test can make it: a socket whose first block was read."""

    def __init__(self, port, target, source):
        self.socket = socket.socket()
        self.socket.bind((source, 0))
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(request_bytes("GET", target, {"Accept": "text/event-stream"}))
        self.received = b""

    def read_until(self, mark):
        while mark not in self.received:
            data = self.socket.recv(65536)
            assert data, f"closed: {self.received[-200:]!r}"
            self.received += data
        before, self.received = self.received.split(mark, 1)
        return before

    def read_head(self):
        response = parse_head(self.read_until(b"\r\n\r\n"))
        assert response.status == 200, response
        self.read_until(b"\n\n")
        return self


class Scale(GatewayTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.descriptors = hard
        self.idle = []
        self.addCleanup(self.close_idle)

    def close_idle(self):
        for stream in self.idle:
            stream.socket.close()
        self.idle.clear()

    def connect_idle(self, gateway, targets):
        """Opens one idle stream for each target, some hundreds at a time."""
        started = []
        for n, target in enumerate(targets):
            started.append(Idle(gateway.port, target, SOURCES[n % len(SOURCES)]))
            if len(started) == 200:
                self.idle += [stream.read_head() for stream in started]
                started.clear()
        self.idle += [stream.read_head() for stream in started]

    def test_10000_idle_streams_cost_under_2_kb_each_and_no_threads(self):
        count = min(scaled(10_000, 1000), self.descriptors - 2000)
        redis, gateway = self.start_both()
        # What the first clients make the process set up once is not a cost of each.
        self.connect_idle(gateway, ["/channels/news"] * 200)
        memory, threads = gateway.resident_bytes(), gateway.threads()
        self.connect_idle(gateway, ["/channels/news"] * count)
        self.assertEqual(gateway.threads(), threads)
        cost = (gateway.resident_bytes() - memory) / count
        print(f"{cost:.0f} bytes of process memory per idle stream", flush=True)
        if not IS_SANITIZED and SCALE >= 1:
            self.assertLess(cost, 2048)
        self.assertEqual(redis.publish("news", "to all"), 1)
        for stream in self.idle:
            stream.read_until(b"data: to all\n")
        self.close_idle()
        gateway.wait_until_subscribers_are("news", 0)
        self.open(gateway, "/channels/news")

    def test_5000_channels_of_one_client_each_get_their_message(self):
        count = min(scaled(5_000, 500), self.descriptors - 2000)
        redis, gateway = self.start_both("--linger-seconds", "1")
        self.connect_idle(gateway, [f"/channels/c{n}" for n in range(count)])
        self.assertEqual(gateway.metrics()["weir_channels"], count)
        for round in range(3):
            receivers = redis.publish_all([(f"c{n}", f"{round} for {n}") for n in range(count)])
            self.assertEqual(set(receivers), {1})
            for n, stream in enumerate(self.idle):
                stream.read_until(f"data: {round} for {n}\n".encode())
        self.close_idle()
        gateway.wait_until(lambda: redis.client.command("PUBSUB", "CHANNELS") == [], "all subscriptions end")
        gateway.wait_until(lambda: gateway.metrics()["weir_channels"] == 0, "all channels are closed")

    def test_clients_that_come_and_go_leave_no_memory_behind(self):
        redis, gateway = self.start_both("--linger-seconds", "0")
        round_clients = scaled(500, 100)

        def come_and_go(round):
            self.connect_idle(gateway, [f"/channels/r{round}.{n % 50}" for n in range(round_clients)])
            redis.publish_all([(f"r{round}.{n}", "x" * 1000) for n in range(50)])
            for n, stream in enumerate(self.idle):
                stream.read_until(b"\n\n")
            self.close_idle()
            gateway.wait_until(lambda: gateway.metrics()["weir_clients"] == 0, "all clients have left")

        for round in range(5):
            come_and_go(round)
        before = gateway.resident_bytes()
        for round in range(5, 15):
            come_and_go(round)
        grown = gateway.resident_bytes() - before
        print(f"{grown / 1e6:.1f} MB after {10 * round_clients} more clients", flush=True)
        if not IS_SANITIZED:
            self.assertLess(grown, 4 << 20)

    def test_the_limit_on_clients_stays_below_the_descriptor_limit(self):
        gateway = self.start_gateway("--max-clients", "1000000")
        self.assertLess(gateway.metrics()["weir_clients_limit"], self.descriptors)

    def test_a_fast_burst_of_connections_is_accepted(self):
        gateway = self.start_gateway()
        started = time.monotonic()
        streams = [Idle(gateway.port, "/channels/burst", SOURCES[n % len(SOURCES)]) for n in range(scaled(2000, 200))]
        self.idle += streams
        for stream in streams:
            stream.read_head()
        print(f"{len(streams)} streams in {time.monotonic() - started:.1f} s", flush=True)
        gateway.publish("burst", "x")
        for stream in streams:
            stream.read_until(b"data: x\n")


if __name__ == "__main__":
    unittest.main()
