"""The admin side: health, metrics that agree with what was sent, open channels."""

import json
import re
import signal
import tempfile
import unittest

from support.case import GatewayTest
from support.http import Connection, request_bytes


class Health(GatewayTest):
    def test_all_is_well_on_the_embedded_bus_and_on_redis(self):
        redis = self.start_redis()
        for gateway in (self.start_gateway(), self.start_gateway(redis=redis)):
            for target in ("/healthz", "/readyz", "/healthz/redis"):
                gateway.wait_until(lambda g=gateway, t=target: g.admin(t).status == 200, target)

    def test_the_bus_is_named(self):
        redis, gateway = self.start_both()
        gateway.wait_until_redis_is(200)
        self.assertEqual(gateway.admin("/healthz/redis").json(), {"status": "ok", "bus": "redis"})
        self.assertEqual(gateway.info("a")["bus"], "redis")
        redis.kill()
        gateway.wait_until_redis_is(503)
        self.assertEqual(gateway.admin("/healthz/redis").json()["bus"], "redis")

    def test_the_admin_side_knows_no_streams_and_the_public_side_no_metrics(self):
        gateway = self.start_gateway()
        self.assertEqual(gateway.admin("/channels/a").status, 404)
        for target in ("/metrics", "/healthz", "/readyz", "/channels"):
            self.assertEqual(gateway.request("GET", target).status, 404)
        with Connection(gateway.admin_port) as connection:
            connection.send(request_bytes("POST", "/channels/a", body=b"x"))
            self.assertIn(connection.response().status, (404, 405))


class Token(GatewayTest):
    def test_channels_and_changes_take_the_token_and_probes_do_not(self):
        with tempfile.NamedTemporaryFile("w", suffix=".token") as file:
            file.write("0123456789abcdef\n")
            file.flush()
            gateway = self.start_gateway("--admin-token-file", file.name)
            right = {"Authorization": "Bearer 0123456789abcdef"}
            for headers, status in ((None, 401), ({"Authorization": "Bearer 0123456789abcdeg"}, 401), (right, 200)):
                self.assertEqual(gateway.admin("/channels", headers=headers).status, status)
                self.assertEqual(gateway.admin("/log-level", "PUT", b"info", headers).status, status)
            for target in ("/metrics", "/healthz", "/readyz", "/healthz/redis", "/log-level"):
                self.assertEqual(gateway.admin(target).status, 200, target)
        self.assertEqual(gateway.admin("/channels", headers=right).status, 503, "The file has gone since the start.")


class Metrics(GatewayTest):
    def test_the_page_is_the_prometheus_text_format(self):
        gateway = self.start_gateway()
        response = gateway.admin("/metrics")
        self.assertTrue(response.headers["content-type"].startswith("text/plain"))
        self.assertIn("version=0.0.4", response.headers["content-type"])
        typed = set()
        for line in response.body.decode().splitlines():
            if line.startswith("#"):
                self.assertRegex(line, r"^# (HELP (?:weir|process)_\w+ \S.*|TYPE (?:weir|process)_\w+ (counter|gauge|histogram))$")
                if line.startswith("# TYPE"):
                    typed.add(line.split()[2])
            else:
                match = re.fullmatch(r'((?:weir|process)_\w+)(\{\w+="[^"]*"(,\w+="[^"]*")*\})? (-?[0-9.e+-]+|\+Inf|NaN)', line)
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
        # A shard counts what it has sent.
        gateway.wait_until(lambda: all(gateway.metrics()[f'weir_gaps_total{{reason="{reason}"}}'] >= 1
                                       for reason in ("too-large", "history")), "both gaps are counted")
        metrics = gateway.metrics()
        self.assertGreaterEqual(metrics['weir_http_requests_total{code="400"}'], 1)
        self.assertEqual(metrics["weir_invalid_utf8_total"], 1)
        refused = {name: value for name, value in metrics.items() if name.startswith("weir_http_refused_total{")}
        self.assertGreaterEqual(sum(refused.values()), 1, refused)


class Channels(GatewayTest):
    def test_a_list_that_is_cut_says_so(self):
        gateway = self.start_gateway("--max-channels-per-client", "2000")
        self.open(gateway, "/events?" + "&".join(f"channel=c{n}" for n in range(1_005)))
        listed = gateway.admin("/channels").json()
        self.assertEqual((len(listed["channels"]), listed["leftOut"]), (1_000, 5))


class StartLog(GatewayTest):
    def test_the_first_line_names_the_version_and_what_was_set(self):
        gateway = self.start_gateway("--log-format", "json", "--heartbeat-seconds", "7")
        first = json.loads(gateway.log[0])
        self.assertRegex(first["msg"], r"^weir-broker \d+\.\d+\.\d+ starts$")
        self.assertIn("heartbeat-seconds=7", first["settings"])
        self.assertNotIn("stuck-seconds", first["settings"], "it has its default")
        self.assertEqual(first["channel_rules"], 0)

    def test_the_first_line_holds_no_password(self):
        gateway = self.start_gateway(env={"WEIR_REDIS_URL": "redis://user:sesame@127.0.0.1:1"}, wait=False)
        self.assertIn("redis-url=redis://***@127.0.0.1:1", gateway.log[0])
        self.assertNotIn("sesame", "\n".join(gateway.log))


class AccessLog(GatewayTest):
    def lines(self, gateway, message):
        return [line for line in gateway.log if f'"msg":"{message}"' in line]

    def test_a_streams_start_and_end_are_a_line_each_and_no_query_is_in_it(self):
        gateway = self.start_gateway("--log-format", "json")
        stream = self.open(gateway, "/events?channel=a&channel=user:42&access_token=secret")
        for payload in ("1", "2"):
            self.assertEqual(gateway.publish("a", payload).status, 202)
        stream.next_events(2)
        body_bytes = stream.body_bytes
        stream.cut()
        gateway.wait_for_log("stream ended")
        (start,) = (json.loads(line) for line in self.lines(gateway, "stream starts"))
        (end,) = (json.loads(line) for line in self.lines(gateway, "stream ended"))
        self.assertEqual((start["level"], start["channels"], start["client"]), ("info", "a,user:42", "127.0.0.1"))
        self.assertEqual((end["channels"], end["client"], end["messages"], end["gaps"], end["reason"]),
                         ("a,user:42", "127.0.0.1", 2, 0, "client-gone"))
        self.assertGreaterEqual(end["bytes"], body_bytes)
        self.assertGreaterEqual(end["seconds"], 0)
        self.assertNotIn("secret", "".join(gateway.log))

    def test_as_text(self):
        gateway = self.start_gateway()
        self.open(gateway, "/channels/a").cut()
        gateway.wait_for_log(r" info stream ended channels=a client=127\.0\.0\.1 seconds=\d+\.\d{3} messages=0 "
                             r"bytes=\d+ gaps=0 reason=client-gone$")

    def test_of_very_many_channels_the_first_are_named_and_the_others_counted(self):
        gateway = self.start_gateway()
        names = [f"a-rather-long-name-of-a-channel.{n:02}" for n in range(60)]
        self.open(gateway, "/events?" + "&".join(f"channel={name}" for name in names)).cut()
        named, others = gateway.wait_for_log(r" channels=([^ ]+),\+(\d+) client=").groups()
        self.assertEqual(named.split(","), names[:60 - int(others)])

    def test_off_and_above_its_level_it_says_nothing(self):
        for flags in (("--access-log", "off"), ("--access-log-per-second", "1000")):
            gateway = self.start_gateway(*flags)
            if flags[1] != "off":
                self.assertEqual(gateway.admin("/log-level", "PUT", b"warning").status, 200)
            self.open(gateway, "/channels/a").cut()
            closed = 'weir_streams_closed_total{reason="client-gone"}'
            gateway.wait_until(lambda g=gateway: g.metrics().get(closed) == 1, "the stream has ended")
            gateway.stop()
            self.assertNotIn("stream ", "".join(gateway.log))

    def test_of_a_crowd_some_are_logged_and_the_others_counted(self):
        gateway = self.start_gateway("--log-format", "json", "--access-log-per-second", "5")
        count = 100
        for stream in self.open_all(gateway, ["/channels/a"] * count):
            stream.cut()
        gateway.wait_until(lambda: gateway.metrics()["weir_clients"] == 0, "no client is left")
        left_out = gateway.metrics()["weir_access_log_left_out_total"]
        self.assertGreater(left_out, 0)
        gateway.stop()
        logged = len(self.lines(gateway, "stream starts")) + len(self.lines(gateway, "stream ended"))
        told = sum(json.loads(line)["lines"] for line in self.lines(gateway, "starts and ends of streams are left out"))
        self.assertEqual((told, logged + told), (left_out, 2 * count))

    def test_whoever_does_not_read_the_log_stops_no_stream_and_no_end(self):
        gateway = self.start_gateway("--access-log-per-second", "0")
        with gateway.unread_log():
            target = "/events?" + "&".join(f"channel=a-rather-long-name-of-a-channel.{n}" for n in range(30))
            count = 400  # Lines of half a kilobyte: a pipe holds 64 of them.
            streams = self.open_all(gateway, [target] * count)
            gateway.publish("a-rather-long-name-of-a-channel.7", "still here")
            for stream in streams:
                self.assertEqual(stream.next_event().data, "still here")
                stream.cut()
            gateway.wait_until(lambda: gateway.metrics()["weir_clients"] == 0, "no client is left")
            gateway.signal(signal.SIGTERM)
            gateway.wait_until(lambda: not gateway.is_running(), "it ends")
        self.assertEqual(gateway.wait_for_exit(), 0)


class LogLevel(GatewayTest):
    def test_it_is_changed_while_the_gateway_runs(self):
        gateway = self.start_gateway()
        self.assertEqual(gateway.admin("/log-level").json(), {"level": "info"})
        self.assertEqual(gateway.admin("/log-level", "PUT", b"off\n").json(), {"level": "off"})
        gateway.wait_for_log("the log's level becomes off")
        self.assertEqual(gateway.admin("/log-level", "PUT", b"info").json(), {"level": "info"})
        self.assertEqual(gateway.admin("/log-level", "PUT", b"loud").status, 400)
        self.assertEqual(gateway.request("PUT", "/log-level", body=b"debug").status, 404)
        foreign = {"Origin": "http://evil.example"}
        self.assertEqual(gateway.admin("/log-level", "PUT", b"off", foreign).status, 403)
        self.assertEqual(gateway.admin("/log-level").json(), {"level": "info"})


class Slowest(GatewayTest):
    def slowest(self, gateway):
        return gateway.admin("/channels").json()["slowest"]

    def test_stuck_clients_are_listed_with_how_far_they_lag(self):
        redis, gateway = self.start_both()
        self.assertEqual(self.slowest(gateway), [])
        stuck = self.open_all(gateway, ["/channels/a"] * 30, receive_buffer=4096)
        reading = self.open(gateway, "/channels/a")
        for stream in stuck:
            stream.pause()
        count, size = 400, 10_000
        redis.publish_all([("a", "x" * size)] * count)
        reading.next_events(count)
        gateway.wait_until(lambda: len(self.slowest(gateway)) == 20, "20 of them are listed", pump=self.loop.pump)
        for row in self.slowest(gateway):
            self.assertEqual((row["channel"], row["address"]), ("a", "127.0.0.1"))
            self.assertGreater(row["lagMessages"], 0)
            self.assertLess(row["lagMessages"], count)
            self.assertGreater(row["lagBytes"], row["lagMessages"] * size)
        gateway.wait_until(lambda: self.slowest(gateway)[0]["seconds"] > 0, "time passes", pump=self.loop.pump)
        for stream in stuck:
            stream.cut(reset=True)
        gateway.wait_until(lambda: self.slowest(gateway) == [], "they are listed no longer", pump=self.loop.pump)


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
