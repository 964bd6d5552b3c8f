"""Metrics that move with real traffic, and all counters from the start."""

import os
import re
import time
import unittest

from support.account import Account, numbered
from support.case import GatewayTest

_DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "metrics.md")


def _table():
    """The rows of docs/metrics.md: {name: (type, label or "", values)}."""
    with open(_DOCS, encoding="utf-8") as file:
        text = file.read()
    values = {name: listed.replace("`", "").split(", ")
              for name, listed in re.findall(r"^\| `(\w+)` \| `\w+` \| (`.*`) \|$", text, re.M)}
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) *\|", text, re.M)
    return {name: (kind, label.replace("`", ""), values.get(name, [])) for name, kind, label in rows}


class FromTheStart(GatewayTest):
    def test_every_family_shows_all_values_of_its_label(self):
        table = _table()
        self.assertGreater(len(table), 40)
        metrics = self.start_gateway().metrics()
        for name, (kind, label, values) in table.items():
            shown = f"{name}_count" if kind == "histogram" else name
            if not label:
                self.assertIn(shown, metrics)
            elif kind == "counter":
                self.assertTrue(values, f"{name} has a label whose values nobody knows")
            for value in values:
                self.assertIn(f'{shown}{{{label}="{value}"}}', metrics)

    def test_nothing_is_on_the_page_that_the_table_lacks(self):
        redis, gateway = self.start_both()
        self.open(gateway, "/channels/a")
        gateway.publish("a", "1")
        gateway.request("GET", "/nowhere")
        table = _table()
        for full in gateway.metrics():
            name, label, value = re.fullmatch(r'(\w+)(?:\{(?:(\w+)="([^"]*)".*)\})?', full).groups()
            row = table.get(name) or table[re.sub(r"_(bucket|sum|count)$", "", name)]
            if row[2] and label == row[1]:
                self.assertIn(value, row[2], full)


class Moving(GatewayTest):
    def grows(self, gateway, name, by=1):
        """Waits until the metric has grown since `before` by at least so much."""
        gateway.wait_until(lambda: gateway.metrics()[name] >= self.before[name] + by, f"{name} grows")

    def test_streams_and_deliveries_are_timed(self):
        redis, gateway = self.start_both()
        self.before = gateway.metrics()
        one = self.open(gateway, "/channels/a")
        several = self.open(gateway, "/events?channel=a&channel=b")
        self.grows(gateway, "weir_stream_start_seconds_count", 2)
        redis.publish("a", "1")
        one.next_event()
        several.next_event()
        self.grows(gateway, "weir_delivery_seconds_count")
        self.assertGreater(gateway.metrics()["weir_delivery_seconds_sum"], 0)

    def test_a_stream_that_waits_for_redis_has_a_late_head(self):
        redis, gateway = self.start_both()
        redis.freeze()
        stream = self.open(gateway, "/channels/a")
        redis.thaw()
        gateway.wait_until(lambda: gateway.metrics()["weir_stream_start_seconds_count"] == 1, "the head is counted")
        self.assertEqual(stream.status, 200)
        self.assertEqual(gateway.metrics()['weir_stream_start_seconds_bucket{le="1"}'], 0)

    def test_redis_answers_are_timed(self):
        redis, gateway = self.start_both()
        self.before = gateway.metrics()
        for _ in range(5):
            self.assertEqual(gateway.publish("a", "x").status, 202)
        self.grows(gateway, 'weir_redis_round_trip_seconds_count{connection="publisher"}', 5)
        # It asks every 5 s.
        self.grows(gateway, 'weir_redis_round_trip_seconds_count{connection="subscriber"}')
        self.assertEqual(gateway.metrics()["weir_redis_reached"], 1)

    def test_a_redis_that_was_never_reached_is_told(self):
        redis = self.start_redis()
        redis.kill()
        gateway = self.start_gateway(redis=redis, wait=False)
        self.assertEqual(gateway.metrics()["weir_redis_reached"], 0)
        redis.start()
        gateway.wait_until(lambda: gateway.metrics()["weir_redis_reached"] == 1, "Redis is reached")
        redis.kill()
        gateway.wait_until(lambda: gateway.metrics()["weir_redis_up"] == 0, "Redis has gone")
        self.assertEqual(gateway.metrics()["weir_redis_reached"], 1)

    def test_messages_missed_are_counted_for_each_client(self):
        redis, gateway = self.start_both("--max-message-bytes", "10000")
        streams = [self.open(gateway, "/channels/a") for _ in range(3)]
        redis.publish_all([("a", "x" * 20_000), ("a", "x" * 20_000), ("a", "ok")])
        for stream in streams:
            stream.next_events(3)
        self.resume(gateway, "/channels/a", "gzzzzzzzzzz.1")
        gateway.wait_until(lambda: gateway.metrics()['weir_gaps_total{reason="history"}'] == 1, "the gap is counted")
        metrics = gateway.metrics()
        self.assertEqual(metrics['weir_missed_messages_total{reason="too-large"}'], 6)
        self.assertEqual(metrics['weir_missed_messages_total{reason="history"}'], 0, "nobody knows the number")

    def test_what_slow_clients_lack_and_their_lag(self):
        redis, gateway = self.start_both("--queue-messages", "200")
        fast, slow = Account("busy"), Account("busy")
        self.open(gateway, "/channels/busy", on_event=fast.add)
        stream = self.open(gateway, "/channels/busy", on_event=slow.add, receive_buffer=4096)
        stream.pause()
        for start in range(1, 1001, 100):
            redis.publish_all([("busy", numbered(n, 4000)) for n in range(start, start + 100)])
            self.loop.until(lambda last=start + 99: fast.last >= last, "the reading client has them")
        gateway.wait_until(lambda: gateway.metrics()["weir_waiting_messages"] > 100, "messages wait", pump=self.loop.pump)
        self.assertGreater(gateway.metrics()["weir_waiting_bytes"], 100 * 4000)
        # The kernel may have taken more, now and then.
        lags = gateway.metrics()["weir_lag_seconds_count"]
        stream.go_on()
        self.loop.until(lambda: slow.has_settled(1000), "the slow client has the rest")
        gateway.wait_until(lambda: gateway.metrics()["weir_waiting_messages"] == 0, "nothing waits", pump=self.loop.pump)
        metrics = gateway.metrics()
        self.assertGreater(metrics["weir_lag_seconds_count"], lags)
        self.assertEqual(metrics['weir_missed_messages_total{reason="slow-client"}'], slow.missed)
        self.assertGreater(slow.missed, 0)

    def test_memory_is_shown_by_what_holds_it(self):
        gateway = self.start_gateway()

        def held(holder):
            return gateway.metrics()[f'weir_memory_bytes{{holder="{holder}"}}']
        self.assertEqual([held(holder) for holder in ("history", "channels", "streams", "requests")], [0, 0, 0, 0])
        stream = self.open(gateway, "/channels/a")
        gateway.publish("a", "x" * 100_000)
        stream.next_event()
        self.assertGreater(held("history"), 100_000)
        self.assertGreater(held("channels"), 500)
        self.assertGreater(held("streams"), 500)
        with gateway.connect() as connection:
            connection.send(b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n" + b"x" * 50_000)
            gateway.wait_until(lambda: held("requests") >= 50_000, "the request is counted")

    def test_the_process_is_shown(self):
        gateway = self.start_gateway(descriptors=500)
        metrics = gateway.metrics()
        (build,) = [name for name in metrics if name.startswith("weir_build_info{")]
        self.assertRegex(build, r'^weir_build_info\{version="\d+\.\d+\.\d+",compiler="(gcc|clang) \S')
        self.assertEqual(metrics[build], 1)
        self.assertEqual(metrics["process_max_fds"], 500)
        self.assertLess(abs(metrics["process_start_time_seconds"] - time.time()), 600)
        self.assertGreater(metrics["process_resident_memory_bytes"], 1 << 20)
        streams = self.open_all(gateway, ["/channels/a"] * 20)
        after = gateway.metrics()
        # Connections of earlier requests may have gone since.
        self.assertGreaterEqual(after["process_open_fds"], metrics["process_open_fds"] + len(streams) // 2)
        gateway.wait_until(lambda: gateway.metrics()["process_cpu_seconds_total"] > metrics["process_cpu_seconds_total"],
                           "the processor time grows")


if __name__ == "__main__":
    unittest.main()
