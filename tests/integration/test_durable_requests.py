"""Durable channels: what is published and what is asked for. Replays, pages, ends, repeats, forgeries and rights."""

import json
import os
import unittest

from support.account import numbered
from support.durable import DurableTest, LITTLE_MEMORY, ON_DISK
from support.gateway import ROOT, gap_of
from support.history import Tally, append, number_of, trim, until_live
from support.redis import RedisError
from support.stream import install_function, key_of

END = '{"type":"weir:end"}'


class Replay(DurableTest):
    COUNT = 20

    def start_filled(self, *flags, left=None):
        redis, *gateways = self.start_pair(*flags)
        ids = append(redis, "d", [str(n) for n in range(1, self.COUNT + 1)])
        if left is not None:
            trim(redis, key_of("d"), left)
        return redis, gateways, ids

    def assert_replay(self, gateway, query, missed, expected):
        stream = self.open(gateway, f"/channels/d?{query}")
        if missed:
            self.assert_gap(stream, missed, "history")
        events = until_live(stream)
        self.assertEqual([event.id for event in events], expected)
        self.assertEqual({event.type for event in events} or {"message"}, {"message"})
        return stream

    def test_the_last_n_or_all(self):
        redis, gateways, ids = self.start_filled("--history-messages", "3")
        for gateway in gateways:
            for n in (1, 2, 3, 4, 19, 20, 21, 100_000):
                self.assert_replay(gateway, f"replay={n}", 0, ids[-n:])
            stream = self.assert_replay(gateway, "replay=all", 0, ids)
        self.assert_live(redis, stream)

    def test_cut_by_trimming_it_begins_with_a_gap(self):
        redis, gateways, ids = self.start_filled(left=5)
        for gateway in gateways:
            self.assert_replay(gateway, "replay=5", 0, ids[-5:])
            self.assert_replay(gateway, "replay=6", 1, ids[-5:])
            self.assert_replay(gateway, "replay=20", 15, ids[-5:])
            self.assert_replay(gateway, "replay=21", 15, ids[-5:])
            stream = self.assert_replay(gateway, "replay=all", 15, ids[-5:])
        self.assert_live(redis, stream)

    def test_of_an_empty_stream_it_is_a_gap_and_then_live(self):
        redis, gateways, ids = self.start_filled(left=0)
        stream = self.assert_replay(gateways[0], "replay=all", 20, [])
        self.assert_live(redis, stream)

    def test_of_a_channel_without_a_message_it_is_nothing(self):
        redis, gateway, _ = self.start_pair()
        for query in ("replay=all", "replay=10", "since=0"):
            stream = self.assert_replay(gateway, query, 0, [])
            self.assertEqual(stream.last_event_id, "0-0")
            stream.cut()

    def test_on_events_for_each_channel(self):
        redis, gateway, _ = self.start_pair()
        append(redis, "d1", ["a", "b", "c"])
        append(redis, "d2", ["x", "y"])
        stream = self.open(gateway, "/events?channel=d1&channel=d2&channel=live&replay=2")
        events = until_live(stream)
        self.assertEqual([event.data for event in events if event.type == "d1"], ["b", "c"])
        self.assertEqual([event.data for event in events if event.type == "d2"], ["x", "y"])

    def test_since_begins_with_what_was_published_then_also_over_a_restart_of_redis(self):
        redis, *gateways = self.start_pair(options=ON_DISK)
        clock = redis.client.command("TIME")
        for _ in range(2):
            for n in range(8):
                append(redis, "d", [str(n)])
                # Until Redis' clock is in another millisecond.
                while redis.client.command("TIME")[1][:-3] == clock[1][:-3]:
                    pass
                clock = redis.client.command("TIME")
            redis.kill()
            redis.start()
        entries = redis.client.command("XRANGE", key_of("d"), "-", "+")
        ids = [entry[0].decode() for entry in entries]
        times = [int(entry[1][entry[1].index(b"t") + 1]) for entry in entries]
        self.assertEqual(len({id.split("-")[0] for id in ids}), 2)
        for gateway in gateways:
            gateway.wait_until_redis_is(200)
            for time in (0, *times, *(time + 1 for time in times)):
                expected = [id for id, its_time in zip(ids, times) if its_time >= time]
                self.assert_replay(gateway, f"since={time}", 0, expected).cut()

    def test_since_before_what_was_trimmed_begins_with_a_gap(self):
        redis, gateways, ids = self.start_filled(left=5)
        stream = self.open(gateways[0], "/channels/d?since=0")
        gap = gap_of(stream.next_event())
        self.assertEqual((gap["channel"], gap["reason"]), ("d", "history"))
        self.assertIn(gap["missed"], (15, None))
        self.assertEqual([event.id for event in until_live(stream)], ids[-5:])


class Pages(DurableTest):
    COUNT = 250

    def page(self, gateway, channel="d", **query):
        text = "&".join(f"{name}={value}" for name, value in query.items())
        response = gateway.request("GET", f"/channels/{channel}/messages?{text}")
        self.assertEqual(response.status, 200, response)
        return response.json()

    def start_filled(self, left=None, padding=0):
        redis, *gateways = self.start_pair()
        ids = append(redis, "d", [numbered(n, padding) for n in range(1, self.COUNT + 1)])
        if left is not None:
            trim(redis, key_of("d"), left)
        return redis, gateways, ids

    def read_all(self, gateway, limit, after=""):
        """All messages behind `after`, the sum of missed, and the position behind them."""
        messages, missed = [], 0
        while True:
            page = self.page(gateway, after=after, limit=limit)
            missed += page["missed"]
            after = page["next"]
            if not page["messages"]:
                return messages, missed, after
            self.assertLessEqual(len(page["messages"]), limit)
            messages += page["messages"]

    def test_they_give_everything_and_a_stream_goes_on_from_there(self):
        redis, gateways, ids = self.start_filled()
        for gateway in gateways:
            for limit in (1, 7, 100, 1000):
                messages, missed, after = self.read_all(gateway, limit)
                self.assertEqual([message["id"] for message in messages], ids)
                self.assertEqual([message["data"]["n"] for message in messages], list(range(1, self.COUNT + 1)))
                self.assertEqual((missed, after), (0, ids[-1]))
        following = append(redis, "d", ["next"])
        self.assert_next(self.resume(gateways[0], "/channels/d", after), following, ["next"])

    def test_around_trimming_missed_sums_up(self):
        for left in (0, 1, 99, 100, 101, 249):
            redis, gateways, ids = self.start_filled(left)
            for position in (0, 1, self.COUNT - left - 1, self.COUNT - left, self.COUNT - 1, self.COUNT):
                after = ["0-0", *ids][position]
                messages, missed, _ = self.read_all(gateways[position % 2], 40, after)
                expected = ids[max(position, self.COUNT - left):]
                self.assertEqual([message["id"] for message in messages], expected)
                self.assertEqual(missed, max(0, self.COUNT - left - position))
            redis.stop()

    def test_large_messages_make_short_pages_and_none_is_left_out(self):
        redis, gateways, ids = self.start_filled(padding=20_000)
        messages, missed, _ = self.read_all(gateways[0], 1000)
        self.assertEqual(([message["id"] for message in messages], missed), (ids, 0))

    def test_what_a_message_is(self):
        redis, gateway, _ = self.start_pair()
        append(redis, "d", ['{"data":{"a":1.50},"type":"note","id":"own"}', "text", '{"plain":true}', END])
        page = self.page(gateway)
        self.assertEqual([message["data"] for message in page["messages"][:3]], [{"a": 1.5}, "text", {"plain": True}])
        self.assertEqual([message.get("type") for message in page["messages"]], ["note", None, None, "weir:end"])
        self.assertTrue(page["messages"][0]["id"].endswith("~own"))
        self.assertTrue(page["messages"][3]["id"].endswith("~end"))

    def test_a_position_that_is_not_there_any_more_is_missed_null(self):
        redis, gateway, _ = self.start_pair()
        old = append(redis, "d", ["1", "2"])
        redis.client.command("DEL", key_of("d"))
        new = append(redis, "d", ["one"])
        page = self.page(gateway, after=old[0])
        self.assertEqual(([message["id"] for message in page["messages"]], page["missed"]), (new, None))

    def test_what_cannot_be_read_is_refused(self):
        redis, gateway, _ = self.start_pair()
        for target, status in (("/channels/live/messages", 404), ("/channels/d/messages?limit=0", 400),
                               ("/channels/d/messages?limit=1001", 400), ("/channels/d/messages?limit=x", 400),
                               ("/channels/d/messages?after=x", 400)):
            self.assertEqual(gateway.request("GET", target).status, status, target)
        self.assertEqual(self.page(gateway), {"messages": [], "next": "0-0", "missed": 0})


class End(DurableTest):
    def assert_204(self, gateway, id):
        response = gateway.request("GET", "/channels/d", {"Last-Event-ID": id})
        self.assertEqual((response.status, response.body), (204, b""))

    def test_it_is_the_last_event_and_then_204_from_any_gateway(self):
        redis, *gateways = self.start_pair()
        streams = [self.open(gateway, "/channels/d") for gateway in gateways]
        id, end_id = append(redis, "d", ["1", '{"type":"weir:end","data":{"exit":0}}'])
        for stream in streams:
            first, end = stream.rest()
            self.assertEqual((first.id, stream.closed), (id, "end"))
            self.assertEqual((end.type, end.data, end.id), ("weir:end", '{"exit":0}', end_id + "~end"))
        for gateway in gateways:
            self.assert_204(gateway, end.id)

    def test_who_comes_from_before_it_gets_everything_up_to_it(self):
        redis, first, second = self.start_pair()
        ids = append(redis, "d", ["1", "2", END])
        for gateway in (first, second):
            for position, id in enumerate(["0-0", *ids[:2]]):
                events = self.resume(gateway, "/channels/d", id).rest()
                self.assertEqual([event.id for event in events if event.type != "weir:live"],
                                 [*ids[position:2], ids[2] + "~end"])
                self.assert_204(gateway, events[-1].id)

    def test_of_several_ends_it_gets_everything_up_to_the_last(self):
        redis, first, second = self.start_pair()
        ids = append(redis, "d", ["1", "2", END, "3", "4", END, "5"])
        for gateway in (first, second):
            for position in (0, 1, 3, 4):
                received, last_event_id = [], ids[position]
                # As an EventSource does: it comes back until it is told to stop.
                for _ in range(3):
                    response = gateway.request("GET", "/channels/d", {"Last-Event-ID": last_event_id}) \
                        if last_event_id.endswith("~end") else None
                    if response and response.status == 204:
                        break
                    events = self.resume(gateway, "/channels/d", last_event_id).rest()
                    received += [event.data for event in events if event.type == "message"]
                    last_event_id = events[-1].id
                self.assertEqual(last_event_id, ids[5] + "~end")
                self.assertEqual(received, [data for data, n in (("2", 1), ("3", 3), ("4", 4)) if n > position])

    def test_many_at_once_all_get_everything_up_to_the_last_end(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY)
        total = 1500
        payloads = [END if n in (11, 300, total) else numbered(n) for n in range(1, total + 1)]
        ids = ["0-0", *append(redis, "d", payloads, messages=1_000_000)]
        for gateway in gateways:
            positions = [n * n % 290 for n in range(40)]
            streams = [self.loop.open(gateway.port, "/channels/d", {"Last-Event-ID": ids[position]})
                       for position in positions]
            for position, stream in zip(positions, streams):
                events = [event for event in stream.rest() if not event.type.startswith("weir:")]
                self.assertEqual([json.loads(event.data)["n"] for event in events],
                                 [n for n in range(position + 1, total) if n not in (11, 300)])
                self.assertEqual((stream.last_event_id, stream.closed), (ids[-1] + "~end", "end"))

    def test_replay_and_since_get_what_is_up_to_it(self):
        redis, *gateways = self.start_pair()
        ids = append(redis, "d", ["1", "2", END])
        for gateway in gateways:
            for query in ("replay=all", "since=0", "replay=3"):
                events = self.open(gateway, f"/channels/d?{query}").rest()
                self.assertEqual([event.id for event in events if event.type != "weir:live"],
                                 [*ids[:2], ids[2] + "~end"], query)
                self.assert_204(gateway, events[-1].id)

    def test_a_first_visit_is_live(self):
        redis, *gateways = self.start_pair()
        append(redis, "d", ["1", END])
        streams = [self.open(gateway, "/channels/d") for gateway in gateways]
        ids = append(redis, "d", ["another run"])
        for stream in streams:
            self.assert_next(stream, ids, ["another run"])
            again = self.resume(gateways[0], "/channels/d", stream.last_event_id)
            self.assert_live(redis, again)

    def test_the_position_of_a_first_visit_behind_an_end_is_not_before_it(self):
        redis, first, second = self.start_pair()
        append(redis, "d", ["1", END])
        stream = self.open(first, "/channels/d")
        stream.cut()
        self.assertFalse(stream.last_event_id.endswith("~end"), stream.last_event_id)
        ids = append(redis, "d", ["2"])
        again = self.resume(second, "/channels/d", stream.last_event_id)
        self.assert_next(again, ids, "2")

    def test_post_end_ends_it(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/channels/d")
        append(redis, "d", ["1"])
        response = second.request("POST", "/channels/d/end", body=b"")
        self.assertEqual(response.status, 202)
        events = stream.rest()
        self.assertEqual(events[-1].id, response.json()["id"] + "~end")

    def test_events_closes_when_all_have_ended(self):
        redis, first, second = self.start_pair()
        target = "/events?channel=d1&channel=d2"
        stream = self.open(first, target)
        start = stream.last_event_id
        append(redis, "d1", ["1", END])
        self.assertEqual([event.type for event in stream.next_events(2)], ["d1", "weir:end"])
        append(redis, "d2", ["2", END])
        events = stream.rest()
        self.assertEqual([(event.type, event.data) for event in events[:-1]], [("d2", "2")])
        self.assertEqual(json.loads(events[-1].data)["channel"], "d2")
        again = self.resume(second, target, start)
        events = [event for event in again.rest() if event.type != "weir:live"]
        self.assertEqual(sorted(event.data for event in events if event.type != "weir:end"), ["1", "2"])
        self.assertEqual([event.type for event in events].count("weir:end"), 2)


class TooLarge(DurableTest):
    def test_it_is_one_gap_of_one_live_and_in_pages_alike(self):
        redis, first, second = self.start_pair("--max-message-bytes", "2000", *LITTLE_MEMORY)
        target = "/channels/d"
        live = Tally()
        self.open(first, target, on_event=live.add)
        paddings = [0, 3000, 0, 0, 3000, 3000, 0, 100_000, 0]
        ids = append(redis, "d", [numbered(n, padding) for n, padding in enumerate(paddings, 1)])
        self.loop.until(lambda: live.last == 9, "the last message")
        self.assertEqual(live.gaps, [(1, "too-large")] * 4)
        for gateway in (first, second):
            for position, id in enumerate(["0-0", *ids]):
                tally = Tally(position)
                self.open(gateway, target, {"Last-Event-ID": id}, on_event=tally.add)
                self.loop.until(lambda t=tally: t.has_settled(9), "the last message")
                too_large = sum(padding >= 3000 for padding in paddings[position:])
                self.assertEqual(tally.gaps, [(1, "too-large")] * too_large)

    def test_a_page_counts_it_as_missed(self):
        redis, gateway, _ = self.start_pair("--max-message-bytes", "2000")
        ids = append(redis, "d", [numbered(n, padding) for n, padding in enumerate([0, 3000, 0], 1)])
        page = gateway.request("GET", "/channels/d/messages").json()
        self.assertEqual(([message["id"] for message in page["messages"]], page["missed"]), ([ids[0], ids[2]], 1))


class Plain(DurableTest):
    def test_a_plain_publish_reaches_who_has_caught_up_and_is_in_no_history(self):
        redis, first, second = self.start_pair()
        streams = [self.open(gateway, "/channels/d", keep_body=True) for gateway in (first, second)]
        ids = append(redis, "d", ["1"])
        for stream in streams:
            stream.next_event("message")
        self.assertEqual(redis.publish("d", "plain"), 2)
        for stream in streams:
            plain = stream.next_event("message")
            self.assertEqual((plain.data, plain.id), ("plain", ids[0]))  # An id of its own would be another.
        redis.publish("d", "plain again")
        ids += append(redis, "d", ["2"])
        for stream in streams:
            self.assertEqual(stream.next_event("message").data, "plain again")
            self.assert_next(stream, ids[1:], "2")
            self.assertEqual(bytes(stream.body).count(b"\nid: "), 3)  # The first block's, and two messages'.
        for gateway in (first, second):
            self.assert_next(self.resume(gateway, "/channels/d", "0-0"), ids, "12")
            gateway.wait_for_log("channel d .*plain message")
            self.assertEqual(sum("plain message" in line for line in gateway.log), 1)
        trim(redis, key_of("d"), 0)
        self.assert_gap(self.resume(self.start_durable(redis), "/channels/d", "0-0"), 2, "history")


class Full(DurableTest):
    def test_a_full_redis_is_503_and_nothing_was_sent(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/d")
        ids = append(redis, "d", ["1"])
        redis.client.command("CONFIG", "SET", "maxmemory", 1)
        for key in (None, "k"):
            response = gateway.publish("d", "lost", {"Idempotency-Key": key} if key else None)
            self.assertEqual(response.status, 503)
            self.assertEqual(set(response.json()) & {"error", "detail"}, {"error", "detail"})
        with self.assertRaisesRegex(RedisError, "OOM"):
            append(redis, "d", ["lost"])
        redis.client.command("CONFIG", "SET", "maxmemory", 0)
        ids.append(gateway.publish("d", "2", {"Idempotency-Key": "k"}).json()["id"])
        self.assert_next(stream, ids, "12")
        self.assertEqual([number_of(id) for id in ids], [1, 2])


class Idempotency(DurableTest):
    def test_a_repeat_is_told_and_is_not_sent_again(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/channels/d")
        answer = first.publish("d", "1", {"Idempotency-Key": "order-1"}).json()
        self.assertNotIn("repeated", answer)
        for gateway in (first, second):
            again = gateway.publish("d", "other", {"Idempotency-Key": "order-1"})
            self.assertEqual(again.status, 202)
            self.assertEqual((again.json()["id"], again.json()["repeated"]), (answer["id"], True))
        following = second.publish("d", "2", {"Idempotency-Key": "order-2"}).json()
        elsewhere = second.publish("d2", "of another channel", {"Idempotency-Key": "order-1"}).json()
        self.assertNotIn("repeated", {**following, **elsewhere})
        self.assert_next(stream, [answer["id"], following["id"]], "12")
        self.assertEqual(redis.client.command("XLEN", key_of("d")), 2)

    def test_it_is_one_key_with_those_of_fcall(self):
        redis, gateway, _ = self.start_pair()
        ids = append(redis, "d", ["1"], key="k")
        answer = gateway.publish("d", "1", {"Idempotency-Key": "k"}).json()
        self.assertEqual((answer["id"], answer["repeated"]), (ids[0], True))
        self.assertEqual(append(redis, "d", ["1"], key="k"), ids)

    def test_it_outlives_gateway_and_redis(self):
        redis, first, second = self.start_pair(options=ON_DISK)
        answer = first.publish("d", "1", {"Idempotency-Key": "k"}).json()
        redis.kill()
        redis.start()
        second.wait_until_redis_is(200)
        again = second.publish("d", "1", {"Idempotency-Key": "k"}).json()
        self.assertEqual((again["id"], again["repeated"]), (answer["id"], True))

    def test_an_end_has_it_too(self):
        redis, gateway, _ = self.start_pair()
        answers = [gateway.request("POST", "/channels/d/end", {"Idempotency-Key": "k"}, b"").json() for _ in range(2)]
        self.assertEqual(answers[0]["id"], answers[1]["id"])
        self.assertTrue(answers[1]["repeated"])
        self.assertEqual(redis.client.command("XLEN", key_of("d")), 1)

    def test_a_key_that_is_none_is_refused(self):
        redis, gateway, _ = self.start_pair()
        for key in ("x" * 257, "a b", "\u00e9"):
            self.assertEqual(gateway.publish("d", "1", {"Idempotency-Key": key}).status, 400, key)
        self.assertEqual(gateway.publish("d", "1", {"Idempotency-Key": "x" * 256}).status, 202)
        self.assertEqual(redis.client.command("XLEN", key_of("d")), 1)


class Forged(DurableTest):
    def announce(self, redis, *texts):
        for text in texts:
            redis.client.command("SPUBLISH", key_of("d"), text)

    def test_an_announcement_from_the_future_delivers_nothing_and_delays_nobody(self):
        redis, *gateways = self.start_pair()
        streams = [self.open(gateway, "/channels/d") for gateway in gateways]
        ids = append(redis, "d", ["1"])
        birth = ids[0].split("-")[0]
        self.announce(redis, f"{birth}-7 1 forged", f"{int(birth) + 10**6}-2 1 forged",
                      f"{birth}-18446744073709551615 1 x")
        ids += append(redis, "d", ["2", "3"])
        for stream in streams:
            self.assert_next(stream, ids, "123")
        for gateway in gateways:
            gateway.wait_for_log("announce")
        self.assert_live(redis, streams[0])

    def test_a_malformed_announcement_is_left_out_and_counted(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/d")
        ids = append(redis, "d", ["1"])
        birth = ids[0].split("-")[0]
        texts = ["", " ", "x", "1-1", f"{birth}-2", f"{birth}-2 ", f"{birth}-2 x y", f"{birth}- 1 x", f"-2 1 x",
                 f"{birth}-2x 1 x", f"{birth}--2 1 x", f" {birth}-2 1 x", f"{birth}-99999999999999999999999 1 x"]
        self.announce(redis, *texts)
        ids += append(redis, "d", ["2"])
        self.assert_next(stream, ids, "12")
        invalid = gateway.metrics()["weir_redis_announcements_invalid_total"]
        self.assertEqual(invalid, len(texts))

    def test_an_old_announcement_comes_once(self):
        redis, *gateways = self.start_pair()
        streams = [self.open(gateway, "/channels/d") for gateway in gateways]
        ids = append(redis, "d", ["1", "2"])
        self.announce(redis, *(f"{id} 1 again" for id in ids))
        ids += append(redis, "d", ["3"])
        for stream in streams:
            self.assert_next(stream, ids, "123")


class Rights(DurableTest):
    """Those that docs/durable.md names, and no others."""

    @staticmethod
    def rules_of(user):
        with open(os.path.join(ROOT, "docs", "durable.md"), encoding="utf-8") as page:
            lines = page.read().split(f"ACL SETUSER {user} on >\u2026 ")[1].split("\n\n")[0]
        return lines.split()

    def start_limited(self, *more_rules):
        redis = self.start_redis()
        redis.client.command("ACL", "SETUSER", "weir", "on", ">pw", *self.rules_of("weir"), *more_rules)
        url = f"redis://weir:pw@127.0.0.1:{redis.port}"
        gateway = self.start_gateway("--durable", "user:*", "--redis-url", url, "--history-messages", "1")
        return redis, gateway

    def test_of_the_gateway_are_enough_for_everything(self):
        redis, gateway = self.start_limited()
        stream = self.open(gateway, "/channels/user:1")
        gateway.wait_until(lambda: redis.client.command("FUNCTION", "LIST") != [], "the function")
        ids = [gateway.publish("user:1", text, {"Idempotency-Key": text}).json()["id"] for text in "123"]
        self.assertTrue(gateway.publish("user:1", "3", {"Idempotency-Key": "3"}).json()["repeated"])
        self.assert_next(stream, ids, "123")
        redis.publish("user:1", "plain")
        self.assertEqual(stream.next_event().data, "plain")
        for query in ("lastEventId=0-0", "replay=all", "since=0"):
            self.assert_next(self.open(gateway, f"/channels/user:1?{query}"), ids, "123")
        page = gateway.request("GET", "/channels/user:1/messages").json()
        self.assertEqual([message["id"] for message in page["messages"]], ids)
        self.assertEqual(redis.client.command("ACL", "LOG"), [])

    def test_of_a_publisher_are_enough_to_publish_and_for_nothing_else(self):
        redis = self.start_redis()
        install_function(redis)
        redis.client.command("ACL", "SETUSER", "publisher", "on", ">pw", *self.rules_of("publisher"))
        client = redis.connect()
        self.addCleanup(client.close)
        client.command("AUTH", "publisher", "pw")
        for declared in ("user:1", key_of("user:1")):
            for more in ((), ("10", "0"), ("10", "60"), ("", "", declared)):
                client.command("FCALL", "weir_publish", 1, declared, "x", *more)
        for command in (("GET", "x"), ("XRANGE", key_of("user:1"), "-", "+"), ("DEL", key_of("user:1"))):
            with self.assertRaisesRegex(RedisError, "NOPERM"):
                client.command(*command)

    def test_without_the_right_to_install_an_administrator_does_it(self):
        redis, gateway = self.start_limited("-function|load")
        gateway.wait_for_log("weir_publish")
        gateway.wait_until(lambda: gateway.metrics()['weir_redis_function_checks_total{outcome="refused"}'] > 0,
                           "the metric")
        self.assertGreaterEqual(gateway.publish("user:1", "x").status, 500)
        install_function(redis)
        gateway.wait_until(lambda: gateway.publish("user:1", "1").status == 202, "the first message")
        stream = self.open(gateway, "/channels/user:1?replay=all")
        self.assertEqual(stream.next_event().data, "1")

    def test_a_channel_that_may_not_be_read_harms_no_other(self):
        redis, gateway = self.start_limited("resetkeys", "~weir:{user:1}*", "~weir:function", "resetchannels",
                                            "&weir:{user:1}", "&user:1")
        stream = self.open(gateway, "/channels/user:1")
        forbidden = self.loop.open(gateway.port, "/channels/user:2")
        self.loop.until(lambda: forbidden.closed, "the end of the stream that is forbidden")
        id = gateway.publish("user:1", "1").json()["id"]
        self.assert_next(stream, [id], "1")
        self.assertEqual(gateway.request("GET", "/channels/user:2/messages").status, 502)


if __name__ == "__main__":
    unittest.main()
