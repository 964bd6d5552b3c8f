"""Streams as a browser sees them: the first block, types, forms, heartbeats, what is refused and how."""

import json
import re
import subprocess
import time
import unittest

from support.case import GatewayTest
from support.http import request_bytes
from support.limits import scaled

LIVE_ID = re.compile(r"g[a-z0-9]{8,16}\.\d+")


class Head(GatewayTest):
    def test_first_block_is_a_comment_a_retry_and_an_id_and_dispatches_nothing(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/news", keep_body=True)
        block = bytes(stream.body).decode()
        self.assertTrue(block.endswith("\n\n"), block)
        self.assertEqual(stream.comments, ["weir heartbeat=15"])
        self.assertEqual(len(stream.retries), 1)
        self.assertRegex(stream.last_event_id, LIVE_ID)
        redis.publish("news", "first")
        event = stream.next_event()
        self.assertEqual((event.type, event.data), ("message", "first"))

    def test_the_first_block_says_how_long_a_silence_may_be(self):
        gateway = self.start_gateway("--heartbeat-seconds", "7")
        self.assertEqual(self.open(gateway, "/channels/news").comments, ["weir heartbeat=7"])

    def test_unknown_parameters_are_named_in_the_first_block_and_their_values_are_not(self):
        gateway = self.start_gateway()
        target = "/channels/news?lastid=secret&t=1&_=2&b%C3%A9data:%20x=secret&channel=secret&more=secret"
        stream = self.open(gateway, target, keep_body=True)
        self.assertEqual(stream.comments[1:], [
            'unknown parameter "lastid"', 'unknown parameter "b??data: x"', 'unknown parameter "channel"'])
        self.assertNotIn(b"secret", stream.body)
        self.assertEqual(bytes(stream.body).count(b"\n\n"), 1)
        self.assertRegex(stream.last_event_id, LIVE_ID)

    def test_headers_keep_proxies_and_caches_out_of_the_way(self):
        gateway = self.start_gateway()
        headers = self.open(gateway, "/channels/news").headers
        self.assertEqual(headers["content-type"], "text/event-stream")
        self.assertEqual(headers["cache-control"], "no-cache, no-transform")
        self.assertEqual(headers["x-accel-buffering"], "no")
        self.assertEqual(headers["transfer-encoding"], "chunked")
        self.assertNotIn("content-length", headers)
        self.assertNotIn("access-control-allow-origin", headers)

    def test_retry_differs_from_client_to_client(self):
        gateway = self.start_gateway()
        streams = self.open_all(gateway, ["/channels/news"] * 20)
        retries = {stream.retries[0] for stream in streams}
        self.assertGreater(len(retries), 1)
        self.assertTrue(all(500 <= retry <= 60_000 for retry in retries), retries)

    def test_messages_have_ids_of_one_epoch_that_grow(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/news")
        start = stream.last_event_id
        redis.publish_all([("news", str(n)) for n in range(50)])
        ids = [start] + [event.id for event in stream.next_events(50)]
        for event_id in ids:
            self.assertRegex(event_id, LIVE_ID)
        self.assertEqual(len({event_id.split(".")[0] for event_id in ids}), 1)
        sequences = [int(event_id.split(".")[1]) for event_id in ids]
        self.assertEqual(sequences, sorted(set(sequences)))

    def test_a_message_published_right_after_the_head_is_received_on_1000_fresh_channels_in_a_row(self):
        redis, gateway = self.start_both()
        for n in range(scaled(1000, 100)):
            stream = self.loop.open(gateway.port, f"/channels/fresh.{n}")
            stream.wait_for_head()
            self.assertEqual(redis.publish(f"fresh.{n}", str(n)), 1)
            self.assertEqual(stream.next_event("message").data, str(n))
            stream.cut()

    def test_a_message_published_right_after_the_head_of_a_reopened_channel_is_received(self):
        redis, gateway = self.start_both()
        for n in range(scaled(300, 50)):
            stream = self.loop.open(gateway.port, "/channels/same")
            stream.wait_for_head()
            redis.publish("same", str(n))
            self.assertEqual(stream.next_event("message").data, str(n))
            stream.cut()

    def test_300_clients_get_2000_messages_of_one_pipeline_in_order(self):
        redis, gateway = self.start_both()
        clients, messages = scaled(300, 30), scaled(2000, 400)
        received = [[] for _ in range(clients)]
        streams = [self.loop.open(gateway.port, "/channels/busy", on_event=received[n].append) for n in range(clients)]
        for stream in streams:
            stream.wait_for_first_block()
        payloads = [json.dumps({"n": n, "text": "x" * 100}) for n in range(messages)]
        self.assertEqual(set(redis.publish_all([("busy", payload) for payload in payloads])), {1})
        for stream, events in zip(streams, received):
            self.loop.until(lambda s=stream, e=events: len(e) >= messages or s.closed, "all messages", 120)
            stream.check()
            self.assertEqual([event.data for event in events], payloads)
            self.assertEqual({event.type for event in events}, {"message"})


class HalfClosed(GatewayTest):
    """A client that closes its sending side, as `nc -N` does after a request."""

    def test_a_stream_ends_since_a_tab_that_is_closed_looks_the_same(self):
        gateway = self.start_gateway()
        with gateway.connect() as connection:
            connection.send(request_bytes("GET", "/channels/a"))
            gateway.wait_until_subscribers_are("a", 1)
            connection.half_close()
            # Well before anything would be sent to it.
            gateway.wait_until_subscribers_are("a", 0)
        reason = 'weir_streams_closed_total{reason="client-gone"}'
        gateway.wait_until(lambda: gateway.metrics().get(reason) == 1, "it is counted")

    def test_other_requests_are_answered(self):
        redis, gateway = self.start_both("--publish-timeout-ms", "600000")
        with gateway.connect() as connection:
            connection.send(request_bytes("GET", "/channels/a/info") + request_bytes("POST", "/channels/a", body=b"x"))
            connection.half_close()
            self.assertEqual(connection.response().status, 200)
            self.assertEqual(connection.response().status, 202)
            self.assertTrue(connection.is_closed_by_peer())
        # Also where the answer takes its time.
        redis.freeze()
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/a", body=b"x" * 200_000))
            connection.half_close()
            gateway.wait_until(lambda: gateway.metrics()["weir_publishes_waiting"] == 1, "the publish waits")
            redis.thaw()
            self.assertEqual(connection.response().status, 202)
            self.assertTrue(connection.is_closed_by_peer())


class Silence(GatewayTest):
    def test_comments_keep_a_silent_stream_alive_and_dispatch_nothing(self):
        redis, gateway = self.start_both("--heartbeat-seconds", "1")
        streams = self.open_all(gateway, ["/channels/quiet", "/events?channel=quiet&channel=calm", "/channels/quiet"])
        for stream in streams:
            self.loop.until(lambda s=stream: len(s.comments) >= 4 or s.closed, "three heartbeats")
            self.assertIsNone(stream.closed)
            self.assertFalse(stream.events)
        redis.publish("quiet", "still here")
        for stream in streams:
            self.assertEqual(stream.next_event().data, "still here")


class ManyChannels(GatewayTest):
    def test_events_of_several_channels_are_typed_by_their_channel_in_the_order_of_publishing(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/events?channel=a&channel=user%3A42")
        redis.publish_all([("a", "1"), ("user:42", "2"), ("b", "not asked for"), ("a", '{"data":3,"type":"price"}'),
                           ("user:42", '{"data":"4","type":"x/y"}'), ("a", "5")])
        events = stream.next_events(5)
        self.assertEqual([(event.type, event.data) for event in events],
                         [("a", "1"), ("user:42", "2"), ("a/price", "3"), ("user:42/x/y", "4"), ("a", "5")])
        sequences = [int(event.id.split(".")[1]) for event in events]
        self.assertEqual(sequences, sorted(set(sequences)))

    def test_the_order_over_ten_channels_is_that_of_one_publisher(self):
        redis, gateway = self.start_both()
        channels = [f"c{n}" for n in range(10)]
        target = "/events?" + "&".join(f"channel={channel}" for channel in channels)
        streams = self.open_all(gateway, [target] * 5)
        count = scaled(3000, 500)
        redis.publish_all([(channels[n * 7 % 10], str(n)) for n in range(count)])
        for stream in streams:
            self.assertEqual([event.data for event in stream.next_events(count)], [str(n) for n in range(count)])

    def test_a_channel_named_twice_is_delivered_once(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/events?channel=a&channel=a&channel=b")
        redis.publish_all([("a", "1"), ("b", "2")])
        self.assertEqual([(event.type, event.data) for event in stream.next_events(2)], [("a", "1"), ("b", "2")])

    def test_events_without_a_channel_or_with_too_many_are_refused(self):
        gateway = self.start_gateway()
        for query in ("", "?", "?channel=", "?channel=a&channel=__b", "?x=1",
                      "?" + "&".join(f"channel=c{n}" for n in range(101))):
            with self.subTest(query=query):
                response = gateway.request("GET", "/events" + query)
                self.assertEqual(response.status, 400)
                self.assertIn("error", response.json())


class JsonForm(GatewayTest):
    def test_untyped_messages_name_their_channel_type_and_id(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/events?channel=a&channel=b&form=json")
        redis.publish_all([("a", '{"msg":1}'), ("b", '{"data":12345678901234567890123.50,"type":"price"}'),
                           ("a", "plain\ntext"), ("b", '{"data":"in an envelope"}')])
        events = stream.next_events(4)
        self.assertEqual({event.type for event in events}, {"message"})
        parsed = [json.loads(event.data) for event in events]
        self.assertEqual([row["channel"] for row in parsed], ["a", "b", "a", "b"])
        self.assertEqual([row["id"] for row in parsed], [event.id for event in events])
        self.assertEqual(parsed[0]["data"], {"msg": 1})
        self.assertIn("12345678901234567890123.50", events[1].data)
        self.assertEqual(parsed[1]["type"], "price")
        self.assertEqual(parsed[2]["data"], "plain\ntext")
        self.assertEqual(parsed[3]["data"], "in an envelope")
        self.assertFalse(parsed[0].get("type"))

    def test_one_channel_has_the_json_form_too(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a?form=json")
        before = int(time.time() * 1000)
        redis.publish("a", '{"data":{"x":[1,2]},"type":"t"}')
        event = stream.next_event("message")
        shown = json.loads(event.data)
        self.assertEqual(list(shown), ["channel", "type", "id", "time", "data"])
        self.assertIn(shown.pop("time"), range(before, int(time.time() * 1000) + 1))
        self.assertEqual(shown, {"channel": "a", "type": "t", "id": event.id, "data": {"x": [1, 2]}})
        # It is when the gateway got the message, not when a client does.
        again = self.open(gateway, "/channels/a?form=json&replay=1")
        self.assertEqual(again.next_event("message").data, event.data)


class OtherClients(GatewayTest):
    def test_http_1_0_gets_events_without_chunks_and_an_end_by_closing(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/old", version="1.0", keep_body=True)
        self.assertNotIn("transfer-encoding", stream.headers)
        self.assertNotIn("content-length", stream.headers)
        redis.publish_all([("old", "one"), ("old", '{"data":"two"}'), ("old", '{"type":"weir:end"}')])
        self.assertEqual([event.type for event in stream.rest()], ["message", "message", "weir:end"])
        self.assertEqual(stream.closed, "end")
        self.assertNotIn(b"\r\n", stream.body)

    def test_curl_shows_a_stream_as_it_arrives(self):
        redis, gateway = self.start_both()
        with subprocess.Popen(["curl", "-sN", f"http://127.0.0.1:{gateway.port}/channels/news"],
                              stdout=subprocess.PIPE) as curl:
            gateway.wait_until(lambda: redis.client.numsub("news") == 1, "curl's subscription")
            redis.publish_all([("news", '{"msg":"aaa"}'), ("news", '{"data":{"msg":"bbb"},"type":"weir:end"}')])
            output = curl.stdout.read().decode()
            self.assertEqual(curl.wait(), 0)
        self.assertRegex(output, r'\n\ndata: {"msg":"aaa"}\nid: \S+\n\n')
        self.assertRegex(output, r'\n\nevent: weir:end\ndata: {"msg":"bbb"}\nid: \S+~end\n\n')

    def test_head_answers_like_get_without_a_body(self):
        gateway = self.start_gateway()
        for target in ("/channels/news", "/events?channel=a", "/"):
            with self.subTest(target=target), gateway.connect() as connection:
                connection.send(request_bytes("HEAD", target, {"Connection": "close"}))
                response = connection.response(is_head=True)
                self.assertEqual(response.status, 200)
                expected = "text/html" if target == "/" else "text/event-stream"
                self.assertTrue(response.headers["content-type"].startswith(expected), response)
                self.assertTrue(connection.is_closed_by_peer())
        self.assertEqual(gateway.request("HEAD", "/nothing/here").status, 404)

    def test_an_accept_that_excludes_event_streams_gets_406(self):
        gateway = self.start_gateway()
        for accept in ("application/json", "text/html", "text/event-stream;q=0", "image/*",
                       "text/html, application/json;q=0.9"):
            with self.subTest(accept=accept):
                response = gateway.request("GET", "/channels/news", {"Accept": accept})
                self.assertEqual(response.status, 406)
                self.assertIn("error", response.json())

    def test_an_accept_that_includes_event_streams_or_none_gets_a_stream(self):
        gateway = self.start_gateway()
        for accept in (None, "*/*", "text/*", "text/event-stream", "TEXT/Event-Stream", "text/html, */*;q=0.1",
                       "application/json, text/event-stream"):
            with self.subTest(accept=accept):
                self.open(gateway, "/channels/news", {"Accept": accept}).cut()

    def test_a_client_that_sends_something_during_its_stream_is_not_disturbed(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/chatty")
        stream.send(b"GET /channels/other HTTP/1.1\r\nHost: localhost\r\n\r\n")
        redis.publish("chatty", "on it goes")
        self.assertEqual(stream.next_event().data, "on it goes")


class Names(GatewayTest):
    def test_names_of_the_allowed_characters_up_to_128_work(self):
        redis, gateway = self.start_both()
        for name in ("a", "0", "x" * 128, "A-Z.a_z:0@9", "user:42", "-", "...", ".a", "a.", "_x", "weir", "weirdo:1"):
            with self.subTest(name=name):
                stream = self.open(gateway, f"/channels/{name}")
                self.assertEqual(redis.publish(name, "hit"), 1)
                self.assertEqual(stream.next_event().data, "hit")
                stream.cut()

    def test_a_name_may_be_percent_encoded(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/user%3A42%2da")
        redis.publish("user:42-a", "hit")
        self.assertEqual(stream.next_event().data, "hit")

    def test_other_names_are_refused(self):
        gateway = self.start_gateway()
        for name in ("x" * 129, "a%20b", "a%2Fb", "a*", "a%2A", "__redis", "weir:gap", "weir%3Agap", "%5F%5Fx",
                     ".", "..", "%2e", "%2E%2e", "%C3%A9", "a%", "a%2", "a%zz", "a,b", "a+b", "a$b"):
            with self.subTest(name=name):
                response = gateway.request("GET", f"/channels/{name}")
                self.assertEqual(response.status, 400)
                self.assertIn("error", response.json())
                self.assertEqual(gateway.publish(name, "x").status, 400)

    def test_unknown_paths_are_404_and_other_methods_405_as_json(self):
        gateway = self.start_gateway()
        for target in ("/channels", "/channels/a/b", "/nothing", "/channels/a/info/x", "/metrics",
                       "//", "/channels/a/"):
            with self.subTest(target=target):
                response = gateway.request("GET", target)
                self.assertEqual(response.status, 404)
                self.assertIn("error", response.json())
        for method, target in (("PUT", "/channels/a"), ("DELETE", "/channels/a"), ("POST", "/events?channel=a"),
                               ("GET", "/channels/a/end"), ("PATCH", "/")):
            with self.subTest(method=method, target=target):
                response = gateway.request(method, target, body=b"" if method != "GET" else None)
                self.assertEqual(response.status, 405)
                self.assertIn("error", response.json())


class Full(GatewayTest):
    def test_an_event_source_is_told_to_come_back_and_others_get_an_error_status(self):
        gateway = self.start_gateway("--max-clients", "2")
        inside = self.open_all(gateway, ["/channels/a", "/channels/b"])
        refused = self.loop.open(gateway.port, "/channels/c")
        refused.wait_for_head()
        self.assertEqual(refused.status, 200)
        self.assertEqual([event.type for event in refused.rest()], ["weir:overloaded"])
        self.assertEqual(refused.closed, "end")
        self.assertTrue(10_000 <= refused.retries[-1] <= 30_000, refused.retries)
        for accept in ("*/*", None):
            with self.subTest(accept=accept):
                response = gateway.request("GET", "/channels/c", {"Accept": accept})
                self.assertIn(response.status, (429, 503))
                self.assertIn("retry-after", response.headers)
        gateway.publish("a", "nobody was evicted")
        self.assertEqual(inside[0].next_event().data, "nobody was evicted")

    def test_a_place_that_became_free_is_given_to_the_next(self):
        gateway = self.start_gateway("--max-clients", "1")
        for _ in range(scaled(50, 10)):
            stream = self.open(gateway, "/channels/a")
            stream.cut(reset=True)
            gateway.wait_until_subscribers_are("a", 0)
        self.open(gateway, "/channels/a")


class Replay(GatewayTest):
    def test_a_first_visit_starts_live(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", "old")] * 5)
        watcher.next_events(5)
        stream = self.open(gateway, "/channels/news")
        redis.publish("news", "new")
        self.assertEqual(stream.next_event().data, "new")

    def test_the_last_n_are_replayed_then_weir_live_then_what_is_new(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", str(n)) for n in range(10)])
        watched = watcher.next_events(10)
        stream = self.open(gateway, "/channels/news?replay=3")
        self.assertEqual(stream.next_events(3), watched[7:])
        live = stream.next_event("weir:live")
        self.assertEqual(live.id, watched[-1].id)
        redis.publish("news", "new")
        self.assertEqual(stream.next_event("message").data, "new")

    def test_more_than_there_is_replays_what_there_is(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", "a"), ("news", "b")])
        watcher.next_events(2)
        stream = self.open(gateway, "/channels/news?replay=1000")
        self.assert_data(stream, ["a", "b"])
        stream.next_event("weir:live")

    def test_each_channel_of_events_has_its_last_n_in_the_order_of_arrival(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/events?channel=a&channel=b")
        redis.publish_all([("a", "1"), ("a", "2"), ("b", "3"), ("a", "4"), ("b", "5"), ("b", "6"), ("b", "7")])
        watcher.next_events(7)
        stream = self.open(gateway, "/events?channel=a&channel=b&replay=2")
        events = stream.next_events(4)
        self.assertEqual([(event.type, event.data) for event in events],
                         [("a", "2"), ("a", "4"), ("b", "6"), ("b", "7")])
        stream.next_event("weir:live")


if __name__ == "__main__":
    unittest.main()
