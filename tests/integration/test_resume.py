"""Resume: who comes back with the id it saw last gets what followed, exactly once and in order, or a gap."""

import json
import os
import random
import threading
import time
import unittest

from support.account import Account, numbered
from support.case import GatewayTest
from support.gateway import gap_of
from support.limits import DEADLINE_SECONDS, scaled


class Known(GatewayTest):
    def test_header_and_query_resume_after_the_id(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", str(n)) for n in range(10)])
        watched = watcher.next_events(10)
        for stream in (self.resume(gateway, "/channels/news", watched[3].id),
                       self.open(gateway, f"/channels/news?lastEventId={watched[3].id}"),
                       self.open(gateway, f"/channels/news?lastEventId={watched[0].id}&lastEventId={watched[3].id}"),
                       self.open(gateway, f"/channels/news?last_event_id={watched[3].id}")):
            self.assertEqual(stream.next_events(6), watched[4:])
            stream.next_event("weir:live")
        redis.publish("news", "new")
        self.assertEqual(stream.next_event("message").data, "new")

    def test_the_header_wins_over_the_query_and_over_replay(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", str(n)) for n in range(10)])
        watched = watcher.next_events(10)
        for target in (f"/channels/news?lastEventId={watched[0].id}", "/channels/news?replay=9"):
            stream = self.resume(gateway, target, watched[6].id)
            self.assertEqual(stream.next_events(3), watched[7:])
        stream = self.open(gateway, f"/channels/news?lastEventId={watched[6].id}&replay=9")
        self.assertEqual(stream.next_events(3), watched[7:])

    def test_a_publishers_own_id_in_the_id_does_not_matter(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", '{"data":1,"id":"own"}'), ("news", "2")])
        first, second = watcher.next_events(2)
        self.assertTrue(first.id.endswith("~own"))
        for last_event_id in (first.id, first.id.split("~")[0], first.id.replace("~own", "~other")):
            stream = self.resume(gateway, "/channels/news", last_event_id)
            self.assertEqual(stream.next_event(), second)

    def test_with_nothing_missed_it_goes_on_live_without_a_gap(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish("news", "seen")
        event = watcher.next_event()
        stream = self.resume(gateway, "/channels/news", event.id)
        redis.publish("news", "new")
        events = stream.until_event(lambda e: e.type == "message")
        self.assertEqual(events[-1].data, "new")
        self.assertNotIn("weir:gap", [e.type for e in events])

    def test_cut_before_the_first_message_it_gets_what_was_published_meanwhile(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/news")
        stream.cut()
        redis.publish_all([("news", "1"), ("news", "2")])
        gateway.wait_until_logged("news", 2)
        again = self.resume(gateway, "/channels/news", stream.last_event_id)
        self.assert_data(again, ["1", "2"])
        again.next_event("weir:live")
        redis.publish("news", "3")
        self.assert_data(again, ["3"])

    def test_cut_twice_in_a_row_before_any_message_nothing_is_lost(self):
        redis, gateway = self.start_both()
        last_event_id = self.cut_after_first_block(self.open(gateway, "/channels/news", keep_body=True))
        for n in range(1, 4):
            redis.publish("news", str(n))
            gateway.wait_until_logged("news", n)
            stream = self.resume(gateway, "/channels/news", last_event_id, keep_body=True)
            self.assert_data(stream, [str(m) for m in range(1, n + 1)])
            last_event_id = self.cut_after_first_block(stream)

    @staticmethod
    def cut_after_first_block(stream):
        """The id that a browser has which was cut after the first block, whatever else has arrived here."""
        stream.cut(reset=True)
        return bytes(stream.body).split(b"id: ")[1].split(b"\n")[0].decode()

    def test_several_channels_resume_in_the_order_of_arrival(self):
        redis, gateway = self.start_both()
        target = "/events?channel=a&channel=b&channel=c"
        watcher = self.open(gateway, target)
        redis.publish_all([("abc"[n * n % 3], str(n)) for n in range(60)])
        watched = watcher.next_events(60)
        for cut in (0, 1, 17, 58):
            stream = self.resume(gateway, target, watched[cut].id)
            self.assertEqual(stream.next_events(59 - cut), watched[cut + 1:])
        one = self.resume(gateway, "/channels/b", watched[10].id)
        expected = [event.data for event in watched[11:] if event.type == "b"]
        self.assert_data(one, expected)

    def test_an_id_of_one_channel_shows_nothing_of_it_on_another(self):
        redis, gateway = self.start_both()
        secret, public = self.open_all(gateway, ["/channels/secret", "/channels/public"])
        redis.publish_all([("secret", "s1"), ("public", "p1"), ("secret", "s2"), ("public", "p2")])
        first = secret.next_events(2)[0]
        public.next_events(2)
        stream = self.resume(gateway, "/channels/public", first.id)
        events = stream.until_event(lambda event: event.type == "weir:live")
        self.assertEqual([event.data for event in events[:-1]], ["p1", "p2"])


class Added(GatewayTest):
    """?new=…: a channel that is added to those that go on by their id."""

    def test_a_channel_that_is_new_begins_live_without_a_gap(self):
        redis, gateway = self.start_both("--linger-seconds", "0")
        stream = self.open(gateway, "/events?channel=a")
        redis.publish("a", "1")
        seen = stream.next_event()
        redis.publish("a", "2")
        stream.next_event()
        for parameters, gaps in (("&new=b", []), ("", ["b"])):
            again = self.resume(gateway, f"/events?channel=a&channel=b{parameters}", seen.id)
            events = again.until_event(lambda event: event.type == "weir:live")
            self.assertEqual([gap_of(event)["channel"] for event in events if event.type == "weir:gap"], gaps)
            self.assertEqual([event.data for event in events if event.type == "a"], ["2"])
            redis.publish("b", "now")
            self.assertEqual(again.next_event("b").data, "now")
            again.cut()
            gateway.wait_until(lambda: "b" not in gateway.channels(), "b is closed")

    def test_while_others_go_on_exactly_the_new_one_is_replayed(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/b")
        stream = self.open(gateway, "/events?channel=a")
        redis.publish_all([("b", str(n)) for n in range(30)])
        redis.publish("a", "1")
        seen = stream.next_event()
        redis.publish_all([("a", "2"), ("b", "30"), ("a", "3")])
        stream.next_events(2)
        watcher.next_events(31)
        again = self.resume(gateway, "/events?channel=b&channel=a&new=b&replay.b=20", seen.id)
        events = again.until_event(lambda event: event.type == "weir:live")
        self.assertEqual([event.data for event in events if event.type == "b"], [str(n) for n in range(11, 31)])
        self.assertEqual([event.data for event in events if event.type == "a"], ["2", "3"])
        self.assertEqual(json.loads(events[-1].data), {"replayed": 22})
        # Wherever it is cut, the channel that went on goes on exactly: ids of old messages move no position back.
        for position, event in enumerate(events[:-1]):
            left = [later.data for later in events[position + 1:] if later.type == "a"]
            last = self.resume(gateway, "/events?channel=b&channel=a", event.id)
            rest = last.until_event(lambda event: event.type == "weir:live")
            self.assertEqual([event.data for event in rest if event.type == "a"], left)
            self.assertNotIn("weir:gap", [event.type for event in rest])
            last.cut()

    def test_a_replay_beside_an_id_is_for_new_channels_alone(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/events?channel=a&channel=b")
        redis.publish_all([("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")])
        watched = stream.next_events(4)
        for parameters, expected in (("replay.a=9", []), ("replay=9", []), ("new=b&replay=9", []),
                                     ("new=b&replay.b=1&replay.a=9", ["2"]), ("new=b&replay.b=all", ["1", "2"])):
            again = self.resume(gateway, f"/events?channel=a&channel=b&{parameters}", watched[-1].id)
            events = again.until_event(lambda event: event.type == "weir:live")
            self.assertEqual([event.data for event in events[:-1]], expected, parameters)
        first = self.open(gateway, "/events?channel=a&channel=b&replay=1&replay.a=2")
        self.assertEqual([(event.type, event.data) for event in first.next_events(3)], [("a", "1"), ("a", "2"), ("b", "2")])

    def test_a_lone_follower_that_comes_back_has_lost_messages_and_one_that_is_new_has_not(self):
        redis, gateway = self.start_both("--linger-seconds", "0")
        stream = self.open(gateway, "/channels/news")
        redis.publish("news", "1")
        id = stream.next_event().id
        for parameter in ("", "?new=news"):
            stream.cut()
            gateway.wait_until(lambda: not gateway.channels(), "the channel is closed")
            redis.publish("news", "while it was closed")
            stream = self.resume(gateway, f"/channels/news{parameter}", id)
            events = stream.until_event(lambda event: event.type == "weir:live")
            self.assertEqual([event.type for event in events[:-1]], [] if parameter else ["weir:gap"])
            redis.publish("news", "2")
            self.assert_data(stream, ["2"])

    def test_what_names_no_channel_of_the_request_is_refused(self):
        gateway = self.start_gateway()
        for target, channel in (("/events?channel=a&new=b", "b"), ("/channels/a?new=b", "b"),
                                ("/events?channel=a&replay.b=1", "b"), ("/events?channel=a&channel=b&replay.b=x", "b")):
            response = gateway.request("GET", target)
            self.assertEqual((response.status, response.json()["channel"]), (400, channel), target)


class Unknown(GatewayTest):
    def check_gap(self, redis, stream, channel="news"):
        self.assertEqual(gap_of(stream.next_event()), {"channel": channel, "missed": None, "reason": "history"})
        redis.publish(channel, "new")
        events = stream.until_event(lambda event: event.type == "message")
        self.assertEqual(events[-1].data, "new")
        self.assertLessEqual({event.type for event in events[:-1]}, {"weir:live"})

    def test_another_epoch_is_a_gap_of_unknown_size_and_nothing_is_replayed(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish("news", "old")
        watcher.next_event()
        self.check_gap(redis, self.resume(gateway, "/channels/news", "gzzzzzzzzzz.1"))

    def test_an_id_of_the_gateway_before_its_restart_is_such_a_gap(self):
        redis, first = self.start_both()
        stream = self.open(first, "/channels/news")
        redis.publish("news", "old")
        last_event_id = stream.next_event().id
        stream.cut()
        second = self.start_gateway(redis=redis)
        self.check_gap(redis, self.resume(second, "/channels/news", last_event_id))

    def test_a_malformed_id_is_such_a_gap(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish("news", "old")
        epoch, sequence = watcher.next_event().id.split(".")
        for bad in ("x", "0", f"{epoch}", f"{epoch}.", f"{epoch}.-1", f"{epoch}.1x", f"{epoch}.99999999999999999999999",
                    f"{epoch[1:]}.{sequence}", "\u00e9", "a" * 5000, f"{epoch}.{sequence} x", "1795384208768-0",
                    f"{epoch}.0x1", f"{epoch}.+1"):
            with self.subTest(id=bad[:50]):
                stream = self.resume(gateway, "/channels/news", bad.encode().decode("latin-1"))
                self.check_gap(redis, stream)
                stream.cut()

    def test_an_empty_id_is_a_first_visit(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/news")
        redis.publish("news", "old")
        watcher.next_event()
        stream = self.open(gateway, "/channels/news?lastEventId=")
        redis.publish("news", "new")
        self.assert_data(stream, ["new"])

    def test_an_id_from_before_the_channel_was_last_subscribed_is_such_a_gap(self):
        redis, gateway = self.start_both("--linger-seconds", "1")
        stream = self.open(gateway, "/channels/news")
        redis.publish("news", "seen")
        last_event_id = stream.next_event().id
        stream.cut()
        gateway.wait_until(lambda: redis.client.numsub("news") == 0, "the end of the linger")
        self.assertEqual(redis.publish("news", "nobody saw this"), 0)
        self.check_gap(redis, self.resume(gateway, "/channels/news", last_event_id))

    def test_every_channel_of_events_gets_its_gap(self):
        redis, gateway = self.start_both()
        stream = self.resume(gateway, "/events?channel=a&channel=b", "gzzzzzzzzzz.1")
        gaps = [gap_of(event) for event in stream.next_events(2)]
        self.assertEqual(sorted(gap["channel"] for gap in gaps), ["a", "b"])
        self.assertEqual({gap["missed"] for gap in gaps}, {None})


class Trimmed(GatewayTest):
    def test_what_the_history_forgot_is_a_gap_then_what_is_left(self):
        redis, gateway = self.start_both("--history-messages", "5")
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", str(n)) for n in range(20)])
        watched = watcher.next_events(20)
        stream = self.resume(gateway, "/channels/news", watched[0].id)
        gap = gap_of(stream.next_event())
        self.assertEqual((gap["channel"], gap["reason"]), ("news", "history"))
        self.assertIn(gap["missed"], (14, None))  # The count where it can be known.
        self.assertEqual(stream.next_events(5), watched[15:])
        stream.next_event("weir:live")

    def test_bytes_bound_the_history_too(self):
        redis, gateway = self.start_both("--history-bytes", "20000")
        watcher = self.open(gateway, "/channels/news")
        account = Account("news", last=1)
        redis.publish_all([("news", numbered(n, 1000)) for n in range(1, 61)])
        watched = watcher.next_events(60)
        stream = self.resume(gateway, "/channels/news", watched[0].id)
        for event in stream.until_event(lambda event: event.type == "weir:live"):
            account.add(event)
        account.settle(60)
        self.assertEqual([reason for _, reason in account.gaps], ["history"])
        self.assertTrue(10 <= account.received <= 20, account.received)

    def test_age_bounds_the_history_too(self):
        redis, gateway = self.start_both("--history-seconds", "1")
        watcher = self.open(gateway, "/channels/news")
        redis.publish_all([("news", "1"), ("news", "2"), ("news", "3")])
        first = watcher.next_events(3)[0]

        def is_forgotten():
            stream = self.resume(gateway, "/channels/news", first.id)
            event = stream.next_event()
            stream.cut()
            return event.type == "weir:gap" and gap_of(event)["reason"] == "history"

        gateway.wait_until(is_forgotten, "history older than a second is forgotten")

    def test_only_the_channels_of_events_that_were_trimmed_have_a_gap(self):
        redis, gateway = self.start_both("--history-messages", "5")
        target = "/events?channel=a&channel=b&channel=c"
        watcher = self.open(gateway, target)
        redis.publish_all([("a", "a0")] + [("b", f"b{n}") for n in range(3)] + [("a", f"a{n}") for n in range(1, 10)])
        first = watcher.next_events(13)[0]
        stream = self.resume(gateway, target, first.id)
        events = stream.until_event(lambda event: event.type == "weir:live")
        gaps = [gap_of(event) for event in events if event.type == "weir:gap"]
        self.assertEqual([(gap["channel"], gap["reason"]) for gap in gaps], [("a", "history")])
        self.assertIn(gaps[0]["missed"], (4, None))
        data = [event.data for event in events[:-1] if event.type != "weir:gap"]
        self.assertEqual(data, ["b0", "b1", "b2", "a5", "a6", "a7", "a8", "a9"])


class Recorded(GatewayTest):
    def test_a_recorded_channel_that_nobody_watched_has_its_history(self):
        redis = self.start_redis()
        gateway = self.start_gateway("--record", "build.*", "--record", "feed", redis=redis)
        gateway.wait_until_redis_is(200)
        for channel in ("build.1", "feed"):
            redis.publish_all([(channel, str(n)) for n in range(5)])
            gateway.wait_until_logged(channel, 5)
        stream = self.open(gateway, "/channels/build.1?replay=100")
        self.assert_data(stream, ["0", "1", "2", "3", "4"])
        stream.next_event("weir:live")
        redis.publish_all([("build.1", "5"), ("feed", "5")])
        self.assert_data(stream, ["5"])
        gateway.wait_until_logged("feed", 6)
        self.assert_data(self.open(gateway, "/channels/feed?replay=2"), ["4", "5"])

    def test_a_message_of_a_recorded_channel_arrives_once(self):
        redis, gateway = self.start_both("--record", "*", "--linger-seconds", "1")
        gateway.wait_until_redis_is(200)
        stream = self.open(gateway, "/channels/a")
        redis.publish_all([("a", str(n)) for n in range(20)])
        self.assert_data(stream, [str(n) for n in range(20)])

    def test_a_recorded_channel_resumes_after_all_its_clients_left(self):
        redis, gateway = self.start_both("--record", "a*", "--linger-seconds", "1")
        stream = self.open(gateway, "/channels/abc")
        redis.publish("abc", "1")
        last_event_id = stream.next_event().id
        stream.cut()
        gateway.wait_until_subscribers_are("abc", 0)
        time.sleep(2.5)  # Past the linger, of which nothing can be seen from outside on a recorded channel.
        redis.publish("abc", "2")
        gateway.wait_until_logged("abc", 2)
        self.assert_data(self.resume(gateway, "/channels/abc", last_event_id), ["2"])


# Of each test that resumes all the time; WEIR_RESUMES=100000 takes some minutes.
RESUMES = int(os.environ.get("WEIR_RESUMES", scaled(2000, 200)))


class Seam(GatewayTest):
    """Under load: messages arrive while a stream is between its replay and being live."""

    def run_publisher(self, redis, channels, stop):
        """Publishes numbered messages to each channel from a thread of its own; their number, when it has ended."""
        published = []
        def publish():
            client = redis.connect()
            number = 0
            while not stop.is_set():
                client.publish_all([(channel, numbered(number + n)) for n in range(1, 21) for channel in channels])
                number += 20
                time.sleep(0.005)  # Some thousand messages a second: load, but not all at once.
            client.close()
            published.append(number)
        thread = threading.Thread(target=publish)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)
        return thread, published

    def resume_all_the_time(self, targets, channels):
        seed = random.SystemRandom().randrange(1 << 32)
        choice = random.Random(seed)
        redis, gateway = self.start_both("--history-messages", "1000000", "--history-bytes", str(1 << 30),
                                         "--memory-limit", str(2 << 30), "--history-seconds", "3600")
        clients = []
        for target in targets:
            accounts = {channel: Account(channel) for channel in channels if channel in target}
            clients.append(_ReturningClient(self.loop, gateway, target, accounts, choice))
        for client in clients:
            client.stream.wait_for_first_block()
        stop = threading.Event()
        thread, published = self.run_publisher(redis, channels, stop)

        def resumes():
            return sum(client.resumes for client in clients)

        while resumes() < RESUMES:
            self.pump(clients)
        stop.set()
        thread.join()
        deadline = time.monotonic() + DEADLINE_SECONDS * 3
        while not all(client.is_complete(published[0]) for client in clients):
            self.assertLess(time.monotonic(), deadline, [client.describe() for client in clients])
            self.pump(clients)
        for client in clients:
            for account in client.accounts.values():
                self.assertEqual(account.gaps, [])
                self.assertEqual(account.received, published[0])
        print(f"{resumes()} resumes, {published[0]} messages, seed {seed}", flush=True)

    def pump(self, clients):
        self.loop.pump(0.05)
        for client in clients:
            client.step()

    def test_clients_cut_at_random_points_get_everything_once(self):
        self.resume_all_the_time(["/channels/a"] * 20, ["a"])

    def test_clients_of_several_channels_cut_at_random_points_get_everything_once(self):
        self.resume_all_the_time(["/events?channel=a&channel=b&channel=c"] * 10, ["a", "b", "c"])


class _ReturningClient:
    """Cuts its stream after a random number of events and comes back with the last id it saw."""

    def __init__(self, loop, gateway, target, accounts, choice):
        self.loop, self.gateway, self.target, self.accounts, self.choice = loop, gateway, target, accounts, choice
        self.resumes = -1
        self.last_event_id = None
        self.connect()

    def connect(self):
        self.resumes += 1
        self.left = self.choice.choice([0, 1, 2, 5, 20, 100, 500])
        headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
        self.stream = self.loop.open(self.gateway.port, self.target, headers, on_event=self.take, read_bytes=16384)

    def take(self, event):
        if self.left < 0:
            self.stream.cut(reset=True)
            return  # Arrived, but this client is gone: as a browser would never have seen it.
        self.left -= 1
        self.last_event_id = event.id or self.last_event_id
        if event.type == "weir:gap" or not event.type.startswith("weir:"):
            channel = event.type if event.type in self.accounts else next(iter(self.accounts))
            self.accounts[channel].add(event)

    def step(self):
        if self.stream.closed not in (None, "cut"):
            raise AssertionError(f"a stream ended: {self.stream.closed} {self.stream.error}")
        if self.last_event_id is None and self.stream.last_event_id:
            self.last_event_id = self.stream.last_event_id
        if self.left < 0:
            self.stream.cut()
            self.connect()

    def is_complete(self, total):
        return all(account.last == total for account in self.accounts.values())

    def describe(self):
        return {account.channel: account.last for account in self.accounts.values()}


if __name__ == "__main__":
    unittest.main()
