"""Followed streams: an application fills them by XADD alone, and their clients resume on any gateway."""

import itertools
import json
import os
import random
import threading
import unittest

from support.account import Account, numbered
from support.case import GatewayTest
from support.gateway import gap_of
from support.history import Switch, Tally, append, send_all, trim, until_live
from support.limits import DEADLINE_SECONDS, scaled
from support.stream import install_function

ON_DISK = ("--appendonly", "yes", "--appendfsync", "always")
LITTLE_MEMORY = ("--history-messages", "3", "--linger-seconds", "0")
RULES = """
[[channel]]
match = "f*"
source = "stream"
stream-key = "logs:{channel}"

[[channel]]
match = "raw*"
source = "stream"
stream-field = "line"
"""
END = ("type", "weir:end")


class FollowedTest(GatewayTest):
    def start_pair(self, *flags, options=(), **more):
        """A Redis and two gateways on it; channels whose names begin with f or raw are followed streams."""
        redis = self.start_redis(*options)
        return redis, *(self.start_following(redis, *flags, **more) for _ in range(2))

    def start_following(self, redis, *flags, toml=RULES, **more):
        return self.start_gateway(*flags, redis=redis, toml=toml, **more)

    def add(self, redis, texts, key="logs:f", id="*"):
        """Adds entries with this data; their ids."""
        return send_all(redis, [("XADD", key, id, "data", text) for text in texts])

    def assert_next(self, stream, ids, data):
        """The next events are these messages, without a gap."""
        events = stream.next_events(len(ids))
        self.assertEqual([(event.id, event.data) for event in events], list(zip(ids, data)))

    def assert_live(self, redis, stream, key="logs:f"):
        """Nothing more comes, up to an entry that is added now."""
        id, = self.add(redis, ["now"], key)
        events = stream.until_event(lambda event: event.id == id and event.type == "message")
        others = [event for event in events if event.type != "weir:live" and event.data != "now"]
        self.assertEqual(others, [])

    def next_gap(self, stream):
        gap = gap_of(stream.next_event())
        self.assertEqual(gap["channel"], "f")
        return gap["missed"], gap["reason"]


class Places(FollowedTest):
    def test_descriptors_are_kept_for_the_connections_that_read_streams(self):
        redis = self.start_redis()
        limits = [gateway.metrics()["weir_clients_limit"]
                  for gateway in (self.start_gateway(redis=redis, descriptors=500),
                                  self.start_following(redis, descriptors=500))]
        self.assertEqual(limits[0] - limits[1], 65)


class Entries(FollowedTest):
    def test_xadd_is_all_that_a_publisher_needs(self):
        redis, *gateways = self.start_pair()
        streams = [self.open(gateway, "/channels/f") for gateway in gateways]
        ids = self.add(redis, ["1", '{"a":1.50}', "two\nlines", ""])
        for stream in streams:
            self.assert_next(stream, ids, ["1", '{"a":1.50}', "two\nlines", ""])

    def test_type_and_envelopes(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/f")
        entries = [("data", "1", "type", "note"), ("type", "note", "other", "x", "data", "2"),
                   ("data", '{"data":"3","type":"own"}'), ("data", '{"data":4,"id":"mine"}')]
        ids = send_all(redis, [("XADD", "logs:f", "*", *entry) for entry in entries])
        ids[3] += "~mine"
        self.assertEqual([(event.type, event.data, event.id) for event in stream.next_events(4)],
                         list(zip(("note", "note", "own", "message"), "1234", ids)))

    def test_an_entry_without_the_field_is_an_object_of_its_fields(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/f")
        ids = send_all(redis, [("XADD", "logs:f", "*", "step", "build", "status", 'o"k'),
                               ("XADD", "logs:f", "*", "n", "1", "type", "note")])
        first, second = stream.next_events(2)
        self.assertEqual((json.loads(first.data), first.type, first.id),
                         ({"step": "build", "status": 'o"k'}, "message", ids[0]))
        self.assertEqual((second.type, second.id), ("note", ids[1]))
        self.assertEqual(json.loads(second.data)["n"], "1")

    def test_key_field_and_prefix(self):
        redis, gateway, _ = self.start_pair("--redis-prefix", "app:")
        stream, raw = self.open_all(gateway, ["/channels/f:7", "/channels/raw:1"])
        self.add(redis, ["not this"], "logs:f:7")
        ids = self.add(redis, ["1"], "app:logs:f:7")
        self.assert_next(stream, ids, "1")
        send_all(redis, [("XADD", "app:raw:1", "*", "line", "compiling", "data", "not this")])
        self.assert_data(raw, ["compiling"])

    def test_odd_ids_are_ids(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/channels/f")
        ids = ["0-1", "0-2", "1-0", "7-18446744073709551615", "8-0", "18446744073709551615-1"]
        for id in ids:
            self.add(redis, [id], id=id)
        self.assert_next(stream, ids, ids)
        for position, id in enumerate(ids[:-1], 1):
            self.assert_next(self.resume(second, "/channels/f", id), ids[position:], ids[position:])

    def test_a_too_large_entry_is_a_gap_of_one_live_and_in_pages_alike(self):
        redis, first, second = self.start_pair("--max-message-bytes", "2000", *LITTLE_MEMORY)
        stream = self.open(first, "/channels/f")
        ids = self.add(redis, ["1", "x" * 3000, "2"])
        again = self.resume(second, "/channels/f", "0-0")
        for each in (stream, again):
            self.assert_next(each, ids[:1], "1")
            self.assertEqual(self.next_gap(each), (1, "too-large"))
            self.assert_next(each, ids[2:], "2")

    def test_a_key_that_is_no_stream_harms_no_other(self):
        redis, gateway, _ = self.start_pair()
        redis.client.command("SET", "logs:f1", "text")
        wrong = self.loop.open(gateway.port, "/channels/f1")
        stream = self.open(gateway, "/channels/f")
        wrong.wait_for_head()
        self.assert_live(redis, stream)
        self.assertEqual(gateway.request("GET", "/channels/f1/messages").status, 502)
        redis.client.command("DEL", "logs:f1")
        again = self.open(gateway, "/channels/f1?replay=all")
        self.add(redis, ["1"], "logs:f1")
        self.assertIn("1", [event.data for event in again.until_event(lambda event: event.type == "message")])


class Resume(FollowedTest):
    def test_from_each_position_on_the_other_gateway(self):
        redis, first, second = self.start_pair(*LITTLE_MEMORY)
        stream = self.open(first, "/channels/f")
        self.assertEqual(stream.last_event_id, "0-0")
        count = scaled(200, 50)
        data = [str(n) for n in range(1, count + 1)]
        ids = ["0-0", *self.add(redis, data)]
        self.assert_next(stream, ids[1:], data)
        for gateway, in_query in ((first, False), (second, False), (second, True)):
            streams = [self.loop.open(gateway.port, f"/channels/f?lastEventId={id}") if in_query
                       else self.loop.open(gateway.port, "/channels/f", {"Last-Event-ID": id}) for id in ids]
            for position, again in enumerate(streams):
                self.assert_next(again, ids[position + 1:], data[position:])
                again.next_event("weir:live")
            for again in streams:
                again.cut()

    def test_a_gateway_that_was_killed_is_no_gap(self):
        redis, first, second = self.start_pair()
        ids = self.add(redis, ["before"])
        stream = self.open(first, "/channels/f")
        self.assertEqual(stream.last_event_id, ids[0])
        ids = self.add(redis, ["1"])
        self.assert_next(stream, ids, "1")
        first.kill()
        ids = self.add(redis, ["2", "3"])
        third = self.start_following(redis)
        for gateway in (second, third):
            again = self.resume(gateway, "/channels/f", stream.last_event_id)
            self.assert_next(again, ids, "23")
        self.assert_live(redis, again)

    def test_while_entries_are_added_nothing_is_lost_at_the_seam(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY)
        total = scaled(6000, 1000)

        def publish():
            client = redis.connect()
            for start in range(1, total + 1, 20):
                client.send(*(("XADD", "logs:f", f"{n}-1", "data", numbered(n)) for n in range(start, start + 20)))
                for _ in range(20):
                    client.read()
            client.close()

        watched, tallies = Tally(), []
        watcher = self.open(gateways[0], "/channels/f", on_event=watched.add)
        publisher = threading.Thread(target=publish)
        publisher.start()
        self.addCleanup(publisher.join)
        while watched.last < total:
            self.assertIsNone(watcher.closed)
            self.loop.pump(0.01)
            if len(tallies) < 100:
                position = max(0, watched.last - (0, 1, 10, 400)[len(tallies) % 4])
                tallies.append(Tally(position))
                self.loop.open(gateways[len(tallies) // 4 % 2].port, "/channels/f",
                               {"Last-Event-ID": f"{position}-1" if position else "0-0"}, on_event=tallies[-1].add)
        for tally in [watched, *tallies]:
            self.loop.until(lambda t=tally: t.last == total, f"the last message (at {tally.last})")
            self.assertEqual(tally.gaps, [])

    def test_an_id_that_is_none_is_a_gap_of_unknown_size(self):
        redis, gateway, _ = self.start_pair()
        self.add(redis, ["1"])
        for bad in ("x", "gzzzzzzzzzz.1", "1-", "-1", "1-1-1", "99999999999999999999999-1"):
            with self.subTest(id=bad):
                self.assertEqual(self.next_gap(self.resume(gateway, "/channels/f", bad))[0], None)

    def test_a_slow_client_gets_everything(self):
        redis, gateway, _ = self.start_pair("--queue-messages", "10")
        total = scaled(3000, 2000)
        tally = Tally()
        stream = self.open(gateway, "/channels/f", on_event=tally.add, receive_buffer=4096)
        stream.pause()
        watched = Tally()
        watcher = self.open(gateway, "/channels/f", on_event=watched.add)
        for start in range(1, total + 1, 50):
            self.add(redis, [numbered(n, 4000) for n in range(start, start + 50)])
            self.loop.until(lambda e=start + 49: watched.last == e or watcher.closed, "the reading client")
        stream.go_on()
        self.loop.until(lambda: tally.last == total or stream.closed, f"the last message (at {tally.last})")
        self.assertEqual((tally.gaps, watched.gaps, stream.closed), ([], [], None))

    def test_ids_that_are_no_time_come_back_as_they_were_on_events(self):
        redis, *gateways = self.start_pair()
        target = "/events?channel=f1&channel=f2"
        stream = self.open(gateways[0], target)
        ids = ["1796060926168208255-1", "1796060926168208255-2", "9223372036854775807-5", "18446744073709551614-7"]
        events = []
        for id in ids:
            self.add(redis, [id], "logs:f1", id)
            events.append(stream.next_event())
        self.add(redis, ["x"], "logs:f2")
        events.append(stream.next_event())
        self.assertEqual([event.data for event in events], [*ids, "x"])
        for gateway in gateways:
            for position, event in enumerate(events):
                again = until_live(self.resume(gateway, target, event.id))
                self.assertEqual([event.data for event in again], [*ids, "x"][position + 1:])

    def test_one_events_of_all_three_kinds(self):
        redis = self.start_redis()
        install_function(redis)
        first, second = (self.start_following(redis, "--durable", "d*") for _ in range(2))
        stream = self.open(first, "/events?channel=f1&channel=d1&channel=live&channel=f2")
        positions, order = [stream.last_event_id], []
        for n in range(12):
            channel = ("f1", "d1", "live", "f2")[n * 7 % 4]
            if channel == "live":
                redis.publish(channel, str(n))
            elif channel == "d1":
                append(redis, channel, [str(n)])
            else:
                self.add(redis, [str(n)], f"logs:{channel}")
            order.append((channel, str(n)))
            event = stream.next_event()
            self.assertEqual((event.type, event.data), order[-1])
            self.assertLessEqual(len(event.id), 128)
            positions.append(event.id)
        for gateway in (first, second):
            for position, id in enumerate(positions):
                again = self.resume(gateway, "/events?channel=f2&channel=live&channel=d1&channel=f1", id)
                events = until_live(again)
                gaps = [gap_of(event) for event in events if event.type == "weir:gap"]
                self.assertEqual([(gap["channel"], gap["missed"]) for gap in gaps],
                                 [("live", None)] if gateway is second else [])
                for channel in ("f1", "d1", "f2", *(["live"] if gateway is first else [])):
                    self.assertEqual([event.data for event in events if event.type == channel],
                                     [data for its, data in order[position:] if its == channel])
                again.cut()


    def test_channels_of_all_kinds_are_added_to_one_that_goes_on(self):
        redis = self.start_redis()
        install_function(redis)
        first, second = (self.start_following(redis, "--durable", "d*", *LITTLE_MEMORY) for _ in range(2))
        append(redis, "d2", [str(n) for n in range(30)])
        self.add(redis, [str(n) for n in range(30)], "logs:f1")
        stream = self.open(first, "/events?channel=d1")
        append(redis, "d1", ["1", "2", "3"])
        seen = stream.next_event()
        target = "/events?channel=d1&channel=d2&channel=f1&channel=live"
        for gateway in (first, second):
            for parameters, of_d2, of_f1 in (("&new=d2&new=f1&new=live", [], []),
                                             ("&new=d2&new=f1&new=live&replay.f1=20", [], range(10, 30)),
                                             ("&new=d2&new=f1&new=live&replay.d2=2&replay.f1=all", (28, 29), range(30))):
                again = self.resume(gateway, target + parameters, seen.id)
                events = until_live(again)
                self.assertNotIn("weir:gap", [event.type for event in events])
                for channel, expected in (("d1", (2, 3)), ("d2", of_d2), ("f1", of_f1), ("live", ())):
                    self.assertEqual([event.data for event in events if event.type == channel],
                                     [str(n) for n in expected], (channel, parameters))
                again.cut()
            gaps = [gap_of(event)["channel"] for event in until_live(self.resume(gateway, target, seen.id))
                    if event.type == "weir:gap"]
            self.assertEqual(gaps, ["d2", "f1", "live"])
        # From then on each is one of them: on any gateway the last id goes on with all.
        again = self.resume(first, target + "&new=d2&new=f1&new=live", seen.id)
        until_live(again)
        again.cut()
        append(redis, "d2", ["of d2"])
        self.add(redis, ["of f1"], "logs:f1")
        again = self.resume(second, target, again.last_event_id)
        # This gateway may follow them still, and then learns of the new ones only now, behind weir:live.
        events = sorted((event.type, event.data) for event in again.next_events(4) if event.type != "weir:live")
        gap = json.dumps({"channel": "live", "missed": None, "reason": "history"}, separators=(",", ":"))
        self.assertEqual(events, [("d2", "of d2"), ("f1", "of f1"), ("weir:gap", gap)])


class Trimmed(FollowedTest):
    def choice(self):
        seed = int(os.environ.get("WEIR_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"seed {seed}", flush=True)
        return random.Random(seed)

    def test_where_the_gateway_did_not_see_the_clients_entry_the_number_is_unknown(self):
        redis, first, second = self.start_pair()
        ids = self.add(redis, [str(n) for n in range(20)])
        trim(redis, "logs:f", 5)
        stream = self.resume(second, "/channels/f", ids[3])
        self.assertEqual(self.next_gap(stream), (None, "history"))
        self.assert_next(stream, ids[15:], [str(n) for n in range(15, 20)])
        stream.next_event("weir:live")
        self.assert_live(redis, stream)

    def test_who_has_the_last_one_that_was_trimmed_misses_nothing_that_is_known(self):
        redis, first, second = self.start_pair()
        ids = self.add(redis, [str(n) for n in range(20)])
        trim(redis, "logs:f", 5)
        for position in (15, 16, 19):
            stream = self.resume(second, "/channels/f", ids[position])
            self.assert_next(stream, ids[position + 1:], [str(n) for n in range(position + 1, 20)])
            stream.next_event("weir:live")

    def test_where_the_gateway_saw_it_the_number_is_exact(self):
        redis, gateway, _ = self.start_pair("--history-messages", "1")
        stream = self.open(gateway, "/channels/f")
        ids = []
        for n in range(20):
            ids += self.add(redis, [str(n)])
            self.assert_next(stream, ids[-1:], [str(n)])
        trim(redis, "logs:f", 5)
        for position in (0, 3, 10):
            again = self.resume(gateway, "/channels/f", ids[position])
            missed, reason = self.next_gap(again)
            self.assertEqual((missed in (14 - position, None), reason), (True, "history"))
            self.assert_next(again, ids[15:], [str(n) for n in range(15, 20)])

    def test_an_id_from_long_ago_is_one_gap(self):
        redis, *gateways = self.start_pair()
        ids = self.add(redis, ["1", "2", "3"])
        trim(redis, "logs:f", 2)
        for gateway in gateways:
            stream = self.resume(gateway, "/channels/f", "1-1")
            self.assertEqual(self.next_gap(stream), (None, "history"))
            self.assert_next(stream, ids[1:], "23")
            stream.next_event("weir:live")

    def test_entries_of_one_millisecond_are_no_gap_wherever_a_page_begins(self):
        redis, gateway, _ = self.start_pair("--history-messages", "0")
        ids = [f"100-{n}" for n in range(20)]
        for id in ids:
            self.add(redis, [id], id=id)
        for position in (*range(19, -1, -1), *range(20)):
            stream = self.resume(gateway, "/channels/f", ids[position])
            self.assertEqual([event.data for event in until_live(stream)], ids[position + 1:])
            stream.cut()

    def test_who_came_to_an_empty_stream_is_told_of_what_was_trimmed_meanwhile(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/channels/f")
        stream.cut()
        ids = self.add(redis, [str(n) for n in range(20)])
        trim(redis, "logs:f", 5)
        again = self.resume(second, "/channels/f", stream.last_event_id)
        missed, reason = self.next_gap(again)
        self.assertEqual((missed in (15, None), reason), (True, "history"))
        self.assert_next(again, ids[15:], [str(n) for n in range(15, 20)])

    def test_while_clients_resume_what_is_missing_is_a_gap(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY)
        choice = self.choice()
        total = 2000
        ids = ["0-0", *self.add(redis, [numbered(n, 300) for n in range(1, total + 1)])]
        left, accounts = total, []
        while left > 0:
            for _ in range(5):
                accounts.append(Account("f", choice.randrange(total + 1)))
                self.loop.open(choice.choice(gateways).port, "/channels/f", {"Last-Event-ID": ids[accounts[-1].last]},
                               on_event=accounts[-1].add, read_bytes=16384)
            self.loop.pump(0.001)
            left = max(0, left - choice.choice([1, 10, 100, 150]))
            trim(redis, "logs:f", left)
        self.add(redis, [numbered(total + 1)])
        for account in accounts:
            self.loop.until(lambda a=account: a.last == total + 1, f"the last message (at {account.last})")
            account.settle(total + 1)
            self.assertLessEqual({reason for _, reason in account.gaps}, {"history"})

    def test_of_a_stream_that_its_publisher_trims_what_is_missing_is_a_gap(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY)
        choice = self.choice()
        accounts = [Account("f") for _ in gateways]
        positions = []  # Of messages: the number and the id.

        def take(event):
            accounts[0].add(event)
            if event.type == "message":
                positions.append((accounts[0].last, event.id))

        self.open(gateways[0], "/channels/f", on_event=take)
        self.open(gateways[1], "/channels/f", on_event=accounts[1].add)
        number = 0
        for _ in range(scaled(300, 60)):
            count = choice.choice([1, 3, 60, 200])
            send_all(redis, [("XADD", "logs:f", "MAXLEN", choice.choice([200, 300, 500]), "*",
                              "data", numbered(number + n)) for n in range(1, count + 1)])
            number += count
            self.loop.until(lambda n=number: all(account.last == n for account in accounts[:2]), "those that are there")
            if len(accounts) < 150:
                last, id = choice.choice(positions[-1000:])
                accounts.append(Account("f", last))
                self.loop.open(choice.choice(gateways).port, "/channels/f", {"Last-Event-ID": id},
                               on_event=accounts[-1].add)
        for account in accounts:
            self.loop.until(lambda a=account: a.has_settled(number), f"the last message (at {account.last})")
            account.settle(number)
        self.assertEqual([account.gaps for account in accounts[:2]], [[], []])
        self.assertGreater(sum(len(account.gaps) for account in accounts), 0)

    def test_entries_that_were_trimmed_before_they_could_be_read_are_a_gap(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/f")
        first = self.add(redis, ["first"])
        self.assert_next(stream, first, ["first"])
        send_all(redis, [("MULTI",), *(("XADD", "logs:f", "MAXLEN", "5", "*", "data", str(n)) for n in range(20)),
                         ("EXEC",)])
        self.assertEqual(self.next_gap(stream), (None, "history"))
        self.assert_data(stream, [str(n) for n in range(15, 20)])
        self.assert_live(redis, stream)

    def test_a_stream_of_one_entry_is_whole_where_nothing_is_missed(self):
        redis, *gateways = self.start_pair()
        streams = [self.open(gateway, "/channels/f") for gateway in gateways]
        for n in range(1, scaled(300, 100)):
            ids = send_all(redis, [("XADD", "logs:f", "MAXLEN", "1", "*", "data", str(n))])
            for stream in streams:
                self.assert_next(stream, ids, [str(n)])

    def test_a_stream_that_is_trimmed_faster_than_it_can_be_read_is_whole_or_a_gap(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY)
        choice = self.choice()
        accounts = [Account("f") for _ in gateways]
        positions = []  # Of messages: the number and the id.

        def take(event):
            accounts[0].add(event)
            if event.type == "message":
                positions.append((accounts[0].last, event.id))

        self.open(gateways[0], "/channels/f", on_event=take)
        self.open(gateways[1], "/channels/f", on_event=accounts[1].add)
        number = 0
        for _ in range(scaled(300, 60)):
            count = choice.choice([1, 3, 60, 200])
            send_all(redis, [("XADD", "logs:f", "MAXLEN", choice.choice([1, 5, 50, 100]), "*",
                              "data", numbered(number + n)) for n in range(1, count + 1)])
            number += count
            self.loop.pump(0.002)
            if positions and len(accounts) < 60:
                last, id = choice.choice(positions[-200:])
                accounts.append(Account("f", last))
                self.loop.open(choice.choice(gateways).port, "/channels/f", {"Last-Event-ID": id},
                               on_event=accounts[-1].add)
        for account in accounts:
            self.loop.until(lambda a=account: a.has_settled(number), f"the last message (at {account.last})")
            account.settle(number)
        self.assertGreater(min(len(account.gaps) for account in accounts[:2]), 0)

    def test_all_was_trimmed(self):
        redis, first, second = self.start_pair()
        ids = self.add(redis, ["1", "2", "3"])
        trim(redis, "logs:f", 0)
        stream = self.resume(second, "/channels/f", ids[0])
        self.assertEqual(self.next_gap(stream), (None, "history"))
        self.assert_live(redis, stream)
        caught_up = self.resume(second, "/channels/f", stream.last_event_id)
        self.assert_live(redis, caught_up)

    def test_after_an_xdel_no_number_is_told_that_is_wrong(self):
        redis, gateway, _ = self.start_pair("--history-messages", "1")
        stream = self.open(gateway, "/channels/f")
        ids = self.add(redis, [str(n) for n in range(20)])
        self.assert_next(stream, ids, [str(n) for n in range(20)])
        redis.client.command("XDEL", "logs:f", *ids[5:8])
        again = self.resume(gateway, "/channels/f", ids[2])
        events = until_live(again)
        received = [event.data for event in events if event.type == "message"]
        gaps = [gap_of(event)["missed"] for event in events if event.type == "weir:gap"]
        self.assertEqual(received[-12:], [str(n) for n in range(8, 20)])
        self.assertIn(gaps, ([], [None], [3]))

    def test_who_is_connected_and_has_caught_up_notices_nothing(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/f")
        for n in range(1, 30):
            ids = self.add(redis, [str(n)])
            self.assert_next(stream, ids, [str(n)])
            trim(redis, "logs:f", n % 3)


class Reset(FollowedTest):
    def check_goes_on(self, redis, stream):
        """A reset, then what is in the stream that was made anew, live then."""
        self.loop.until(lambda: stream.events or stream.closed, "the reset", DEADLINE_SECONDS * 2)
        self.assertEqual(self.next_gap(stream), (None, "reset"))
        self.assert_next(stream, ["1-1", "2-1"], ["one", "two"])
        self.add(redis, ["three"], id="3-1")
        events = stream.until_event(lambda event: event.data == "three")
        self.assertEqual([event.id for event in events if event.type != "weir:live"], ["3-1"])

    def remake(self, redis):
        redis.client.command("DEL", "logs:f")
        self.add(redis, ["one"], id="1-1")
        self.add(redis, ["two"], id="2-1")

    def test_made_anew_with_lower_ids_it_is_noticed_within_half_a_minute(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/f")
        self.assert_next(stream, self.add(redis, ["a", "b"]), "ab")
        self.remake(redis)
        self.check_goes_on(redis, stream)

    def test_made_anew_while_the_gateway_was_cut_off_it_is_noticed_as_it_comes_back(self):
        redis = self.start_redis()
        switch = Switch(redis)
        self.addCleanup(switch.close)
        gateway = self.start_following(switch)
        stream = self.open(gateway, "/channels/f")
        self.assert_next(stream, self.add(redis, ["a", "b"]), "ab")
        switch.cut_off()
        self.loop.until(lambda: stream.bus_states == ["down"], "weir:bus")
        self.remake(redis)
        switch.lead_to(redis)
        self.check_goes_on(redis, stream)

    def test_made_anew_with_greater_ids_it_is_noticed_by_the_number_of_entries(self):
        redis = self.start_redis()
        switch = Switch(redis)
        self.addCleanup(switch.close)
        gateway = self.start_following(switch)
        stream = self.open(gateway, "/channels/f")
        self.assert_next(stream, self.add(redis, ["a", "b", "c"]), "abc")
        switch.cut_off()
        self.loop.until(lambda: stream.bus_states == ["down"], "weir:bus")
        redis.client.command("DEL", "logs:f")
        ids = self.add(redis, ["one"])
        switch.lead_to(redis)
        self.assertEqual(self.next_gap(stream), (None, "reset"))
        self.assert_next(stream, ids, ["one"])

    def test_who_comes_with_an_id_beyond_the_end_is_told_of_a_reset(self):
        redis, first, second = self.start_pair()
        old = self.add(redis, ["a", "b"])
        self.remake(redis)
        stream = self.resume(second, "/channels/f", old[0])
        self.check_goes_on(redis, stream)

    def test_nothing_of_the_old_stream_is_shown_to_who_comes_later(self):
        redis, gateway, _ = self.start_pair("--history-messages", "0")
        stream = self.open(gateway, "/channels/f")
        self.assert_next(stream, self.add(redis, ["a", "b"]), "ab")
        until_live(self.resume(gateway, "/channels/f", "0-0"))
        self.remake(redis)
        self.loop.until(lambda: stream.events or stream.closed, "the reset", DEADLINE_SECONDS * 2)
        for query in ("lastEventId=0-0", "replay=all", "since=0"):
            events = until_live(self.open(gateway, f"/channels/f?{query}"))
            self.assertEqual([event.id for event in events if event.type == "message"], ["1-1", "2-1"], query)

    def test_deleted_and_filled_again_it_goes_on(self):
        redis, gateway, second = self.start_pair()
        stream = self.open(gateway, "/channels/f")
        self.assert_next(stream, self.add(redis, ["a"]), "a")
        redis.client.command("DEL", "logs:f")
        ids = self.add(redis, ["b"])
        events = stream.until_event(lambda event: event.type == "message")
        self.assertEqual(events[-1].id, ids[0])


class Many(FollowedTest):
    def test_a_busy_stream_does_not_keep_the_others_from_theirs(self):
        redis, gateway, _ = self.start_pair()
        count = scaled(300, 120)
        tallies = [Tally() for _ in range(count)]
        streams = [self.loop.open(gateway.port, f"/channels/f{n}", on_event=tally.add) for n, tally in enumerate(tallies)]
        for stream in streams:
            stream.wait_for_first_block()
        self.assertEqual(gateway.metrics()["weir_followed_streams"], count)
        stop = threading.Event()
        added = itertools.count(1)

        def fill():
            client = redis.connect()
            while not stop.is_set():
                numbers = [next(added) for _ in range(20)]
                client.send(*(("XADD", "logs:f0", "MAXLEN", "~", 100_000, "*", "data", numbered(n)) for n in numbers))
                for _ in numbers:
                    client.read()
            client.close()

        publisher = threading.Thread(target=fill)
        publisher.start()
        self.addCleanup(publisher.join)
        self.addCleanup(stop.set)
        for round_number in range(1, 6):
            for n in range(1, count):
                self.add(redis, [numbered(round_number)], f"logs:f{n}")
            self.loop.until(lambda r=round_number: all(tally.last == r for tally in tallies[1:]),
                            "a message of each quiet stream while one is busy")
        self.assertGreater(tallies[0].last, 0)
        connections = redis.client.command("CLIENT", "LIST").decode().count("\n")
        self.assertLess(connections, 40)
        stop.set()
        publisher.join()
        last = next(added) - 1
        self.loop.until(lambda: tallies[0].last == last, "the last message of the busy one")
        self.assertEqual([tally.gaps for tally in tallies], [[]] * count)

    def test_streams_that_nobody_follows_any_more_are_let_go(self):
        redis, gateway, _ = self.start_pair("--linger-seconds", "0")
        streams = self.open_all(gateway, [f"/channels/f{n}" for n in range(150)])
        self.assertEqual(gateway.metrics()["weir_followed_streams"], 150)
        for stream in streams[1:]:
            stream.cut()
        gateway.wait_until(lambda: gateway.metrics()["weir_followed_streams"] == 1, "the end of the others")
        self.assert_live(redis, streams[0], "logs:f0")
        ids = self.add(redis, ["meanwhile"], "logs:f7")
        again = self.resume(gateway, "/channels/f7", "0-0")
        self.assert_next(again, ids, ["meanwhile"])


class Away(FollowedTest):
    def test_redis_restarted_with_its_file_is_no_gap(self):
        redis, gateway, _ = self.start_pair(options=ON_DISK)
        tally = Tally()
        stream = self.open(gateway, "/channels/f", on_event=tally.add)
        number = 0
        for restart in range(1, scaled(5, 2) + 1):
            self.add(redis, [numbered(number + n) for n in range(1, 51)])
            redis.kill()
            redis.start()
            self.add(redis, [numbered(number + n) for n in range(51, 101)])
            number += 100
            self.loop.until(lambda: tally.last == number or stream.closed, "the last message")
            self.loop.until(lambda r=restart: stream.bus_states == ["down", "up"] * r, f"weir:bus {stream.bus_states}")
        self.assertEqual((tally.last, tally.gaps, stream.closed), (number, [], None))

    def test_a_gateway_that_was_cut_off_fills_up(self):
        redis = self.start_redis()
        switch = Switch(redis)
        self.addCleanup(switch.close)
        gateway = self.start_following(switch)
        stream = self.open(gateway, "/channels/f")
        ids = self.add(redis, ["1", "2"])
        self.assert_next(stream, ids, "12")
        switch.cut_off()
        gateway.wait_until_redis_is(503, pump=self.loop.pump)
        again = self.loop.open(gateway.port, "/channels/f", {"Last-Event-ID": ids[0]}, keep_body=True)
        again.wait_for_first_block()
        self.assertIn(f"id: {ids[0]}".encode(), bytes(again.body).split(b"\n\n")[0].split(b"\n"))
        more = self.add(redis, ["3", "4"])
        switch.lead_to(redis)
        self.assert_next(stream, more, "34")
        events = again.until_event(lambda event: event.data == "4")
        self.assertEqual([event.id for event in events if event.type != "weir:live"], ids[1:] + more)
        self.assertNotIn("weir:gap", [event.type for event in events])
        for each in (stream, again):
            self.assert_live(redis, each)


class Replay(FollowedTest):
    def check_replay(self, gateway, query, expected):
        events = until_live(self.open(gateway, f"/channels/f?{query}"))
        self.assertEqual(([event.id for event in events], {event.type for event in events} - {"message"}),
                         (expected, set()), query)

    def test_the_last_n_all_or_since(self):
        redis, *gateways = self.start_pair("--history-messages", "3")
        ids = [f"{1000 + 10 * (n // 3)}-{n % 3}" for n in range(30)]
        for id in ids:
            self.add(redis, [id], id=id)
        for gateway in gateways:
            for n in (1, 2, 4, 29, 30, 31, 100_000):
                self.check_replay(gateway, f"replay={n}", ids[-n:])
            self.check_replay(gateway, "replay=all", ids)
            for time in (0, 999, 1000, 1001, 1010, 1011, 1090, 1091, 5000):
                self.check_replay(gateway, f"since={time}", [id for id in ids if int(id.split("-")[0]) >= time])

    def test_of_an_empty_channel_it_is_nothing(self):
        redis, gateway, _ = self.start_pair()
        for query in ("replay=all", "replay=5", "since=0"):
            self.check_replay(gateway, query, [])

    def test_cut_by_trimming_it_begins_with_a_gap(self):
        redis, *gateways = self.start_pair()
        ids = self.add(redis, [str(n) for n in range(20)])
        trim(redis, "logs:f", 5)
        for gateway in gateways:
            self.check_replay(gateway, "replay=5", ids[-5:])
            for query, missed in (("replay=all", 15), ("replay=7", 2)):
                stream = self.open(gateway, f"/channels/f?{query}")
                told, reason = self.next_gap(stream)
                self.assertEqual((told in (missed, None), reason), (True, "history"))
                self.assert_next(stream, ids[-5:], [str(n) for n in range(15, 20)])

    def test_pages_give_everything(self):
        redis, *gateways = self.start_pair()
        ids = self.add(redis, [str(n) for n in range(250)])
        for gateway in gateways:
            for limit in (7, 100, 1000):
                messages, after = [], ""
                while True:
                    page = gateway.request("GET", f"/channels/f/messages?after={after}&limit={limit}").json()
                    self.assertEqual(page["missed"], 0)
                    after = page["next"]
                    if not page["messages"]:
                        break
                    messages += page["messages"]
                self.assertEqual([message["id"] for message in messages], ids)
                self.assertEqual([message["time"] for message in messages], [int(id.split("-")[0]) for id in ids])
                self.assertEqual(after, ids[-1])
        trim(redis, "logs:f", 10)
        page = self.start_following(redis).request("GET", f"/channels/f/messages?after={ids[3]}").json()
        self.assertEqual([message["id"] for message in page["messages"]], ids[-10:])
        self.assertIn(page["missed"], (236, None))


class End(FollowedTest):
    def test_it_is_the_last_event_and_then_204_from_any_gateway(self):
        redis, *gateways = self.start_pair()
        streams = [self.open(gateway, "/channels/f") for gateway in gateways]
        ids = self.add(redis, ["1"])
        ids += send_all(redis, [("XADD", "logs:f", "*", "type", "weir:end", "data", '{"exit":0}')])
        for stream in streams:
            first, end = stream.rest()
            self.assertEqual((first.id, stream.closed), (ids[0], "end"))
            self.assertEqual((end.type, end.data, end.id), ("weir:end", '{"exit":0}', ids[1] + "~end"))
        for gateway in gateways:
            self.assertEqual(gateway.request("GET", "/channels/f", {"Last-Event-ID": end.id}).status, 204)
            self.assertEqual(gateway.request("GET", f"/channels/f?lastEventId={end.id}").status, 204)
            for id, expected in (("0-0", [ids[0], end.id]), (ids[0], [end.id])):
                events = self.resume(gateway, "/channels/f", id).rest()
                self.assertEqual([event.id for event in events if event.type != "weir:live"], expected)
            events = self.open(gateway, "/channels/f?replay=all").rest()
            self.assertEqual([event.id for event in events if event.type != "weir:live"], [ids[0], end.id])

    def test_without_data_and_as_an_envelope_it_is_one_too(self):
        redis, gateway, _ = self.start_pair()
        for key, entry in (("f1", END), ("f2", ("data", '{"type":"weir:end"}'))):
            stream = self.open(gateway, f"/channels/{key}")
            send_all(redis, [("XADD", f"logs:{key}", "*", *entry)])
            self.assertEqual([event.type for event in stream.rest()], ["weir:end"])

    def test_a_first_visit_is_live(self):
        redis, *gateways = self.start_pair()
        self.add(redis, ["1"])
        send_all(redis, [("XADD", "logs:f", "*", *END)])
        streams = [self.open(gateway, "/channels/f") for gateway in gateways]
        ids = self.add(redis, ["another run"])
        for stream in streams:
            self.assert_next(stream, ids, ["another run"])


if __name__ == "__main__":
    unittest.main()
