"""The admin side: health, metrics that agree with what was sent, open channels."""

import re
import unittest

from support.case import GatewayTest
from support.http import Connection, request_bytes


class Health(GatewayTest):
    def test_all_is_well_on_the_embedded_bus_and_on_redis(self):
        redis = self.start_redis()
        for gateway in (self.start_gateway(), self.start_gateway(redis=redis)):
            for target in ("/healthz", "/readyz", "/healthz/redis"):
                gateway.wait_until(lambda g=gateway, t=target: g.admin(t).status == 200, target)

    def test_the_admin_side_knows_no_streams_and_the_public_side_no_metrics(self):
        gateway = self.start_gateway()
        self.assertEqual(gateway.admin("/channels/a").status, 404)
        for target in ("/metrics", "/healthz", "/readyz", "/channels"):
            self.assertEqual(gateway.request("GET", target).status, 404)
        with Connection(gateway.admin_port) as connection:
            connection.send(request_bytes("POST", "/channels/a", body=b"x"))
            self.assertIn(connection.response().status, (404, 405))


class Metrics(GatewayTest):
    def test_the_page_is_the_prometheus_text_format(self):
        gateway = self.start_gateway()
        response = gateway.admin("/metrics")
        self.assertTrue(response.headers["content-type"].startswith("text/plain"))
        self.assertIn("version=0.0.4", response.headers["content-type"])
        typed = set()
        for line in response.body.decode().splitlines():
            if line.startswith("#"):
                self.assertRegex(line, r"^# (HELP weir_\w+ \S.*|TYPE weir_\w+ (counter|gauge|histogram))$")
                if line.startswith("# TYPE"):
                    typed.add(line.split()[2])
            else:
                match = re.fullmatch(r'(weir_\w+)(\{\w+="[^"]*"(,\w+="[^"]*")*\})? (-?[0-9.e+-]+|\+Inf|NaN)', line)
                self.assertTrue(match, line)
                self.assertIn(re.sub(r"_(bucket|sum|count)$", "", match[1]) if match[1] not in typed else match[1],
                              typed)

    def test_counts_agree_with_what_was_sent(self):
        redis, gateway = self.start_both()
        streams = self.open_all(gateway, ["/channels/a"] * 10 + ["/events?channel=a&channel=b"] * 5)
        redis.publish_all([("a", "1"), ("b", "2"), ("a", "3"), ("nobody's", "4")])
        for stream in streams[:10]:
            stream.next_events(2)
        for stream in streams[10:]:
            stream.next_events(3)
        gateway.wait_until(lambda: gateway.metrics()["weir_messages_out_total"] >= 35, "all deliveries are counted")
        metrics = gateway.metrics()
        self.assertEqual(metrics["weir_clients"], 15)
        self.assertEqual(metrics["weir_channels"], 2)
        self.assertEqual(metrics["weir_messages_in_total"], 3)
        self.assertEqual(metrics["weir_messages_out_total"], 35)
        self.assertEqual(metrics["weir_message_bytes_in_total"], 3)
        self.assertGreaterEqual(metrics["weir_bytes_out_total"], sum(stream.body_bytes for stream in streams))
        self.assertEqual(metrics["weir_redis_subscriptions_wanted"], 2)
        self.assertEqual(metrics["weir_redis_subscriptions_acknowledged"], 2)
        self.assertEqual(metrics["weir_redis_up"], 1)
        self.assertEqual(metrics["weir_streams_opened_total"], 15)
        self.assertGreaterEqual(metrics["weir_delivery_seconds_count"], 1)
        for stream in streams:
            stream.cut()
        gateway.wait_until(lambda: gateway.metrics()["weir_clients"] == 0, "no client is left")
        metrics = gateway.metrics()
        closed = sum(value for name, value in metrics.items() if name.startswith("weir_streams_closed_total{"))
        self.assertEqual(closed, 15)

    def test_gaps_refusals_and_bad_bytes_are_counted(self):
        redis, gateway = self.start_both("--max-message-bytes", "10000")
        stream = self.open(gateway, "/channels/a")
        redis.publish_all([("a", b"\xff"), ("a", "x" * 20_000), ("a", "ok")])
        stream.next_events(3)
        self.resume(gateway, "/channels/a", "gzzzzzzzzzz.1")
        gateway.request("GET", "/channels/__a")
        with gateway.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
            self.assertEqual(connection.response().status, 400)
        metrics = gateway.metrics()
        self.assertGreaterEqual(metrics['weir_http_requests_total{code="400"}'], 1)
        self.assertEqual(metrics["weir_invalid_utf8_total"], 1)
        self.assertGreaterEqual(metrics['weir_gaps_total{reason="too-large"}'], 1)
        self.assertGreaterEqual(metrics['weir_gaps_total{reason="history"}'], 1)
        refused = {name: value for name, value in metrics.items() if name.startswith("weir_http_refused_total{")}
        self.assertGreaterEqual(sum(refused.values()), 1, refused)


class Channels(GatewayTest):
    def test_info_tells_subscribers_last_id_and_log_depth(self):
        redis, gateway = self.start_both()
        unknown = gateway.info("a")
        self.assertEqual(unknown["subscribers"], 0)
        streams = self.open_all(gateway, ["/channels/a"] * 3)
        redis.publish_all([("a", "1"), ("a", "2")])
        last = [stream.next_events(2)[-1].id for stream in streams][0]
        info = gateway.info("a")
        self.assertEqual((info["channel"], info["subscribers"]), ("a", 3))
        self.assertEqual((info["lastId"], info["logMessages"]), (last, 2))

    def test_the_list_names_the_open_channels(self):
        redis, gateway = self.start_both()
        self.assertEqual(gateway.channels(), {})
        streams = self.open_all(gateway, ["/channels/a", "/channels/a", "/channels/b"])
        channels = gateway.channels()
        self.assertEqual({name: row["subscribers"] for name, row in channels.items()}, {"a": 2, "b": 1})
        for stream in streams:
            stream.cut()

    def test_all_of_1000_channels_are_listed(self):
        redis, gateway = self.start_both()
        self.open_all(gateway, ["/events?" + "&".join(f"channel=c{m * 100 + n}" for n in range(100))
                                for m in range(10)])
        self.assertEqual(len(gateway.channels()), 1000)


if __name__ == "__main__":
    unittest.main()
