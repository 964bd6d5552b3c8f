"""History over HTTP: the ids and repeats of POST to durable channels, and pages of GET /channels/{channel}/messages."""

import json
import time
import unittest

from support.case import GatewayTest

FOLLOWED = """
[[channel]]
match = "build:*"
source = "stream"
stream-key = "logs:{channel}"
stream-field = "line"
"""


class History(GatewayTest):
    def start(self, *flags, redis=None, **options):
        """A gateway that has durable channels "d*", once its Redis has the function, and it can read there."""
        gateway = self.start_gateway("--durable", "d*", *flags, redis=redis, **options)
        gateway.wait_until(lambda: redis.client.command("FUNCTION", "LIST", "LIBRARYNAME", "weir"), "weir_publish")
        gateway.wait_until(lambda: gateway.request("GET", "/channels/d/messages").status != 503, "histories can be read")
        return gateway

    def start_durable(self, *flags, **options):
        redis = self.start_redis()
        return redis, self.start(*flags, redis=redis, **options)

    def fcall(self, redis, channel, payload, *more):
        return redis.client.command("FCALL", "weir_publish", 1, channel, payload, *more).decode()

    def page(self, gateway, channel, query=""):
        response = gateway.request("GET", f"/channels/{channel}/messages{query}")
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.headers["cache-control"], "no-store")
        return response.json()

    def assert_error(self, response, status, *words):
        self.assertEqual(response.status, status, response.body)
        error = response.json()
        self.assertEqual(set(error), {"error", "detail"})
        for word in words:
            self.assertIn(word, error["detail"])


class Publishing(History):
    def test_each_message_has_an_id_and_ids_count_by_ones_whoever_publishes(self):
        redis, gateway = self.start_durable()
        first = gateway.publish("d", "one").json()
        self.assertEqual(set(first), {"channel", "id", "subscribers"})
        birth, n = first["id"].split("-")
        self.assertEqual(n, "1")
        self.assertEqual(self.fcall(redis, "d", "two"), f"{birth}-2")
        other = self.start(redis=redis)
        stream = self.open(gateway, "/channels/d")
        self.assertEqual(gateway.publish("d", "three").json(), {"channel": "d", "id": f"{birth}-3", "subscribers": 1})
        self.assertEqual(other.publish("d", "four").json(), {"channel": "d", "id": f"{birth}-4", "subscribers": 0})
        self.assertEqual([(event.data, event.id) for event in stream.next_events(2)],
                         [("three", f"{birth}-3"), ("four", f"{birth}-4")])
        self.assertEqual(set(gateway.publish("live", "x").json()), {"channel", "receivers", "subscribers"})

    def test_a_repeat_has_the_id_of_the_first_and_is_not_published(self):
        redis, gateway = self.start_durable()
        other = self.start(redis=redis)
        stream = self.open(gateway, "/channels/d")
        key = {"Idempotency-Key": "order-7"}
        first = gateway.publish("d", "one", key).json()
        self.assertNotIn("repeated", first)
        for one in (gateway, other):
            again = one.publish("d", "another text", key).json()
            self.assertEqual((again["id"], again["repeated"]), (first["id"], True))
        self.assertEqual(self.fcall(redis, "d", "x", "", "", "order-7"), first["id"])
        next_one = gateway.publish("d", "two", {"Idempotency-Key": "order-8"}).json()
        self.assertNotIn("repeated", next_one)
        self.assert_data(stream, ["one", "two"])
        # A key belongs to its channel.
        self.assertNotIn("repeated", gateway.publish("d2", "one", key).json())

    def test_the_end_may_be_repeated_as_well(self):
        _, gateway = self.start_durable()
        end = lambda: gateway.request("POST", "/channels/d/end", {"Idempotency-Key": "end"}, b'{"exit":0}').json()
        first, second = end(), end()
        self.assertEqual((first.get("repeated"), second.get("repeated")), (None, True))
        self.assertEqual(first["id"], second["id"])
        self.assertEqual(len(self.page(gateway, "d")["messages"]), 1)

    def test_a_key_that_is_none_is_refused_before_the_body(self):
        _, gateway = self.start_durable()
        for key in ("", "a b", "\u00e9", "k" * 257):
            with self.subTest(key=key):
                self.assert_error(gateway.publish("d", "x", {"Idempotency-Key": key}), 400, "Idempotency-Key")
        self.assertEqual(gateway.publish("d", "x", {"Idempotency-Key": "k" * 256}).status, 202)
        self.assertEqual(len(self.page(gateway, "d")["messages"]), 1)

    def test_a_full_redis_is_503_and_nothing_was_published(self):
        redis, gateway = self.start_durable()
        self.assertEqual(gateway.publish("d", "one").status, 202)
        redis.client.command("CONFIG", "SET", "maxmemory", 1)
        response = gateway.publish("d", "two", {"Idempotency-Key": "k"})
        self.assert_error(response, 503, "nothing was published", "out of memory")
        self.assertIn("retry-after", response.headers)
        redis.client.command("CONFIG", "SET", "maxmemory", 0)
        self.assertNotIn("repeated", gateway.publish("d", "two", {"Idempotency-Key": "k"}).json())
        self.assertEqual([message["data"] for message in self.page(gateway, "d")["messages"]], ["one", "two"])

    def test_what_redis_keeps_is_what_the_settings_say(self):
        redis, gateway = self.start_durable("--durable-messages", 10, "--durable-seconds", 1000)
        for n in range(500):
            gateway.publish("d", str(n))
        self.assertLess(redis.client.command("XLEN", "weir:{d}"), 250)  # Whole blocks of some 100 entries go.
        self.assertIn(redis.client.command("TTL", "weir:{d}"), range(900, 1001))


class Pages(History):
    def test_messages_are_as_in_a_stream_with_their_times(self):
        redis, gateway = self.start_durable()
        before = int(time.time() * 1000)
        payloads = ['{"msg":1}', "text", '{"data":{"a":1},"type":"note","id":"own"}', '{"data":"x"}']
        ids = [self.fcall(redis, "d", payload) for payload in payloads]
        page = self.page(gateway, "d")
        self.assertEqual([message.get("data") for message in page["messages"]], [{"msg": 1}, "text", {"a": 1}, "x"])
        self.assertEqual([message.get("type") for message in page["messages"]], [None, None, "note", None])
        self.assertEqual([message["id"].split("~")[0] for message in page["messages"]], ids)
        for message in page["messages"]:
            self.assertIn(message["time"], range(before - 1000, int(time.time() * 1000) + 1000))
        self.assertEqual((page["next"], page["missed"]), (page["messages"][-1]["id"], 0))
        stream = self.open(gateway, "/channels/d?replay=all&form=json")
        shown = [json.loads(event.data) for event in stream.next_events(4)]
        for name in ("id", "type", "data", "time"):
            self.assertEqual([message.get(name) for message in shown], [message.get(name) for message in page["messages"]])

    def test_one_follows_another_to_the_end_on_any_gateway(self):
        redis, gateway = self.start_durable()
        ids = [self.fcall(redis, "d", str(n)) for n in range(25)]
        gateways = [gateway, self.start(redis=redis)]
        after, seen = "", []
        for turn in range(4):
            page = self.page(gateways[turn % 2], "d", f"?limit=7&after={after}")
            self.assertEqual(page["missed"], 0)
            seen += [message["id"] for message in page["messages"]]
            after = page["next"]
        self.assertEqual(seen, ids)
        page = self.page(gateway, "d", f"?after={after}")
        self.assertEqual(page, {"messages": [], "next": after, "missed": 0})
        # A stream goes on from there without a seam.
        late = self.fcall(redis, "d", "late")
        stream = self.open(gateway, f"/channels/d?lastEventId={after}")
        event = stream.next_event("message")
        self.assertEqual((event.data, event.id), ("late", late))

    def test_what_was_trimmed_is_counted(self):
        redis, gateway = self.start_durable()
        ids = [self.fcall(redis, "d", str(n)) for n in range(10)]
        redis.client.command("XTRIM", "weir:{d}", "MAXLEN", 4)
        page = self.page(gateway, "d", f"?after={ids[1]}")
        self.assertEqual([message["data"] for message in page["messages"]], [6, 7, 8, 9])
        self.assertEqual(page["missed"], 4)
        self.assertEqual(self.page(gateway, "d", f"?after={ids[6]}")["missed"], 0)

    def test_a_channel_without_messages_is_an_empty_page(self):
        _, gateway = self.start_durable()
        empty = {"messages": [], "next": "0-0", "missed": 0}  # The position before the first message.
        self.assertEqual(self.page(gateway, "d"), empty)
        self.assertEqual(self.page(gateway, "d", "?after=0-0"), empty)
        first = gateway.publish("d", "one").json()["id"]
        self.assertEqual([message["id"] for message in self.page(gateway, "d", "?after=0-0")["messages"]], [first])

    def test_a_followed_stream_has_pages_too(self):
        redis, gateway = self.start_durable(toml=FOLLOWED)
        add = lambda *fields: redis.client.command("XADD", "logs:build:7", "*", *fields).decode()
        ids = [add("line", "compiling", "type", "step"), add("step", "link", "status", "ok")]
        page = self.page(gateway, "build:7")
        self.assertEqual([message["id"] for message in page["messages"]], ids)
        self.assertEqual([message["data"] for message in page["messages"]], ["compiling", {"step": "link", "status": "ok"}])
        self.assertEqual(page["messages"][0]["type"], "step")
        self.assertEqual([message["time"] for message in page["messages"]], [int(each.split("-")[0]) for each in ids])

    def test_a_channel_without_a_history_is_404(self):
        _, gateway = self.start_durable()
        self.assert_error(gateway.request("GET", "/channels/live/messages"), 404, "no history")
        alone = self.start_gateway()
        self.assert_error(alone.request("GET", "/channels/d/messages"), 404, "no history")

    def test_an_id_or_a_limit_that_is_none_is_400(self):
        redis, gateway = self.start_durable()
        self.fcall(redis, "d", "x")
        for query in ("?after=nonsense", "?after=1-", "?after=gabcd1234.7"):
            with self.subTest(query=query):
                self.assert_error(gateway.request("GET", f"/channels/d/messages{query}"), 400, "after is no id")
        for query in ("?limit=0", "?limit=1001", "?limit=x"):
            with self.subTest(query=query):
                self.assert_error(gateway.request("GET", f"/channels/d/messages{query}"), 400, "limit")

    def test_a_key_that_is_no_stream_is_502(self):
        redis, gateway = self.start_durable()
        redis.client.command("SET", "weir:{d}", "x")
        self.assert_error(gateway.request("GET", "/channels/d/messages"), 502, "refuses")

    def test_without_redis_it_is_503_and_with_redis_it_is_there_again(self):
        redis, gateway = self.start_durable()
        redis.kill()
        gateway.wait_until_redis_is(503)
        response = gateway.request("GET", "/channels/d/messages")
        self.assert_error(response, 503, "can't be read now")
        self.assertIn("retry-after", response.headers)
        redis.start()
        gateway.wait_until(lambda: gateway.request("GET", "/channels/d/messages").status == 200, "history again")

    def test_it_is_guarded_as_subscribing_is(self):
        redis, gateway = self.start_durable("--anonymous-subscribe", "d.open", "--anonymous-publish", "*")
        self.assertEqual(gateway.publish("d.secret", "x").status, 202)
        self.assertEqual(gateway.request("GET", "/channels/d.secret/messages").status, 403)
        self.page(gateway, "d.open")

    def test_a_restart_of_the_gateway_changes_no_page(self):
        redis, gateway = self.start_durable()
        for n in range(5):
            self.fcall(redis, "d", str(n))
        page = self.page(gateway, "d")
        gateway.stop()
        self.assertEqual(self.page(self.start(redis=redis), "d"), page)


class Followed(History):
    def test_a_stream_goes_on_live_behind_its_history_also_at_another_gateway(self):
        redis = self.start_redis()
        add = lambda n: redis.client.command("XADD", "logs:build:7", "*", "line", f"step {n}").decode()
        ids = [add(n) for n in range(5)]
        gateway = self.start_gateway(redis=redis, toml=FOLLOWED)
        stream = self.open(gateway, "/channels/build:7?replay=3")
        self.assert_data(stream, ["step 2", "step 3", "step 4", '{"replayed":3}'])
        ids.append(add(5))
        event = stream.next_event("message")
        self.assertEqual((event.data, event.id), ("step 5", ids[5]))
        gateway.stop()
        ids.append(add(6))
        gateway = self.start_gateway(redis=redis, toml=FOLLOWED)
        stream = self.resume(gateway, "/channels/build:7", ids[3])
        self.assert_data(stream, ["step 4", "step 5", "step 6", '{"replayed":3}'])
        for n in range(7, 10):
            ids.append(add(n))
            event = stream.next_event("message")
            self.assertEqual((event.data, event.id), (f"step {n}", ids[n]))


if __name__ == "__main__":
    unittest.main()
