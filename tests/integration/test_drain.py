"""SIGTERM: what is logged arrives, each client is told and let go, newcomers are told to come back, exit code 0."""

import signal
import time
import unittest

from support.account import Account, numbered
from support.case import GatewayTest
from support.http import request_bytes
from support.limits import DEADLINE_SECONDS, scaled


class Drain(GatewayTest):
    def test_clients_are_told_why_and_closed_cleanly_spread_over_the_drain_time(self):
        redis, gateway = self.start_both("--drain-seconds", "3")
        streams = self.open_all(gateway, ["/channels/a"] * 30)
        gateway.signal(signal.SIGTERM)
        closed_at = {}
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(closed_at) < len(streams):
            self.assertLess(time.monotonic(), deadline, "all streams are closed")
            self.loop.pump(0.05)
            for n, stream in enumerate(streams):
                if stream.closed and n not in closed_at:
                    closed_at[n] = time.monotonic()
        for stream in streams:
            stream.check()
            self.assertEqual(stream.closed, "end")
            self.assertGreaterEqual(len(stream.comments), 2)
            self.assertTrue(stream.comments[-1].strip())
            self.assertFalse(stream.events)
        # Spread out: not all in one instant. How evenly is not asserted.
        self.assertGreater(max(closed_at.values()) - min(closed_at.values()), 0.5)
        self.assertEqual(gateway.wait_for_exit(), 0)

    def test_newcomers_get_the_full_answer_until_the_end_and_readyz_fails(self):
        redis, gateway = self.start_both("--drain-seconds", "6")
        self.open_all(gateway, ["/channels/a"] * 10)
        gateway.signal(signal.SIGTERM)
        gateway.wait_until(lambda: gateway.admin("/readyz").status == 503, "/readyz fails", pump=self.loop.pump)
        newcomer = self.loop.open(gateway.port, "/channels/a")
        newcomer.wait_for_head()
        self.assertEqual(newcomer.status, 200)
        self.assertEqual([event.type for event in newcomer.rest()], ["weir:overloaded"])
        self.assertTrue(2_000 <= newcomer.retries[-1] <= 4_000)
        response = gateway.request("GET", "/channels/a", {"Accept": "*/*"})
        self.assertIn(response.status, (429, 503))
        self.assertIn("retry-after", response.headers)
        self.assertEqual(gateway.admin("/healthz").status, 200)
        self.loop.until(lambda: not gateway.is_running(), "the end of the drain")
        self.assertEqual(gateway.wait_for_exit(), 0)

    def test_clients_may_be_told_to_come_back_soon(self):
        redis, gateway = self.start_both("--drain-seconds", "2", "--drain-retry-ms", "400")
        streams = self.open_all(gateway, ["/channels/a"] * 20)
        gateway.signal(signal.SIGTERM)
        for stream in streams:
            stream.rest()
            self.assertTrue(2_000 <= stream.retries[0] <= 4_000, stream.retries)
            self.assertTrue(400 <= stream.retries[-1] <= 600, stream.retries)
        self.assertEqual(gateway.wait_for_exit(), 0)

    def test_what_was_logged_before_arrives_before_the_close(self):
        redis, gateway = self.start_both("--drain-seconds", "5")
        accounts = [Account("a") for _ in range(20)]
        streams = [self.open(gateway, "/channels/a", on_event=account.add, receive_buffer=4096) for account in accounts]
        for stream in streams:
            stream.pause()
        total = scaled(2000, 500)
        redis.publish_all([("a", numbered(n, 1000)) for n in range(1, total + 1)])
        gateway.wait_until(lambda: gateway.metrics()["weir_messages_in_total"] == total, "all messages are logged")
        gateway.signal(signal.SIGTERM)
        for stream in streams:
            stream.go_on()
        for stream, account in zip(streams, accounts):
            self.assertEqual(stream.wait_for_close(), "end")
            account.settle(total)
            self.assertEqual(account.gaps, [])
        self.assertEqual(gateway.wait_for_exit(), 0)

    def test_a_post_that_was_accepted_is_delivered(self):
        gateway = self.start_gateway("--drain-seconds", "1")
        stream = self.open(gateway, "/channels/a")
        self.assertEqual(gateway.publish("a", "accepted").status, 202)
        gateway.signal(signal.SIGTERM)
        self.assertEqual([event.data for event in stream.rest()], ["accepted"])
        self.assertEqual(gateway.wait_for_exit(), 0)

    def test_with_no_clients_it_ends_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            redis, gateway = self.start_both("--drain-seconds", "600")
            stream = self.open(gateway, "/channels/a")
            stream.cut()
            gateway.wait_until_subscribers_are("a", 0)
            gateway.signal(number)
            self.assertEqual(gateway.wait_for_exit(DEADLINE_SECONDS), 0)

    def test_it_ends_when_the_last_client_has_left(self):
        gateway = self.start_gateway("--drain-seconds", "600")
        streams = self.open_all(gateway, ["/channels/a"] * 5)
        gateway.signal(signal.SIGTERM)
        gateway.wait_until(lambda: gateway.admin("/readyz").status == 503, "/readyz fails", pump=self.loop.pump)
        for stream in streams:
            stream.cut()
        self.assertEqual(gateway.wait_for_exit(DEADLINE_SECONDS), 0)

    def test_clients_that_do_not_read_do_not_hold_it_up(self):
        redis, gateway = self.start_both("--drain-seconds", "2")
        streams = [self.open(gateway, "/channels/a", receive_buffer=4096) for _ in range(10)]
        for stream in streams:
            stream.pause()
        for _ in range(20):
            redis.publish_all([("a", "x" * 4000)] * 50)
        gateway.signal(signal.SIGTERM)
        self.assertEqual(gateway.wait_for_exit(DEADLINE_SECONDS), 0)

    def test_slow_requests_and_a_redis_that_is_away_do_not_hold_it_up(self):
        redis, gateway = self.start_both("--drain-seconds", "1")
        half = gateway.connect()
        half.send(b"GET / HTTP/1.1\r\nHost: loc")
        redis.kill()
        gateway.signal(signal.SIGTERM)
        self.assertEqual(gateway.wait_for_exit(DEADLINE_SECONDS), 0)
        half.close()

    def test_a_publish_that_redis_does_not_confirm_is_answered(self):
        redis, gateway = self.start_both("--drain-seconds", "1", "--publish-timeout-ms", "600000")
        redis.freeze()
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/a", body=b"x"))
            gateway.wait_until(lambda: gateway.metrics()["weir_publishes_waiting"] == 1, "the publish waits")
            gateway.signal(signal.SIGTERM)
            self.assertEqual(connection.response().status, 504)
            self.assertTrue(connection.is_closed_by_peer())
        self.assertEqual(gateway.wait_for_exit(DEADLINE_SECONDS), 0)

    def test_sigint_drains_too(self):
        redis, gateway = self.start_both("--drain-seconds", "1")
        stream = self.open(gateway, "/channels/a")
        gateway.signal(signal.SIGINT)
        self.assertEqual(stream.wait_for_close(), "end")
        self.assertEqual(gateway.wait_for_exit(), 0)


class MaxStream(GatewayTest):
    def test_a_long_stream_is_told_and_ended_and_resumes(self):
        redis, gateway = self.start_both("--max-stream-seconds", "2")
        stream = self.open(gateway, "/channels/a")
        redis.publish("a", "1")
        self.assertEqual(stream.next_event().data, "1")
        self.assertEqual(stream.wait_for_close(), "end")
        self.assertGreaterEqual(len(stream.comments), 2)
        redis.publish("a", "2")
        gateway.wait_until_logged("a", 2)
        again = self.resume(gateway, "/channels/a", stream.last_event_id)
        self.assertEqual(again.next_event("message").data, "2")


if __name__ == "__main__":
    unittest.main()
