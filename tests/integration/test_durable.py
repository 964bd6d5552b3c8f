"""Durable channels: whoever comes back to any gateway gets what it missed, once and in order, or a gap with its
number."""

import json
import os
import random
import re
import signal
import threading
import time
import unittest

from support.account import numbered
from support.durable import DurableTest, LITTLE_MEMORY, ON_DISK
from support.gateway import gap_of
from support.history import Switch, Tally, append, fcall, number_of, order_of, send_all, trim, until_live
from support.limits import scaled
from support.stream import install_function, key_of


class Ids(DurableTest):
    def test_they_grow_by_one_over_restarts_of_gateways_and_redis(self):
        redis, first, second = self.start_pair(options=ON_DISK)
        stream = self.open(first, "/channels/d")
        ids = []
        for gateway in (first, second):
            ids += append(redis, "d", ["a", "b"])
            gateway.wait_until_redis_is(200)
            ids.append(gateway.publish("d", "c").json()["id"])
            if gateway is first:
                self.assert_next(stream, ids, "abc")
            gateway.kill()
            redis.kill()
            redis.start()
        third = self.start_durable(redis)
        ids.append(third.publish("d", "d").json()["id"])
        self.assertEqual([number_of(id) for id in ids], list(range(1, 8)))
        self.assertEqual([order_of(id) for id in ids], sorted(order_of(id) for id in ids))
        self.assertEqual(len({id.split("-")[0] for id in ids}), 3)
        for id in ids:
            self.assertRegex(id, r"^[0-9]{19}-[0-9]+$")
        again = self.resume(third, "/channels/d", stream.last_event_id)
        self.assert_next(again, ids[3:], "abcd")

    def test_a_gateway_installs_the_function_by_itself_and_again_in_an_empty_redis(self):
        redis = self.start_redis()
        gateway = self.start_durable(redis)
        stream = self.open(gateway, "/channels/d")
        self.assertEqual(gateway.publish("d", "1").status, 202)
        self.assertEqual(stream.next_event().data, "1")
        redis.kill()
        redis.start()
        gateway.wait_until_redis_is(200)
        gateway.wait_until(lambda: redis.client.command("FUNCTION", "LIST") != [], "the function")
        self.assertEqual(gateway.publish("d", "2").status, 202)

    def test_the_prefix_is_put_before_the_name_on_the_redis_side(self):
        redis, gateway, other = self.start_pair("--redis-prefix", "app:")
        stream = self.open(gateway, "/channels/d")
        append(redis, "app:d", ["1"])
        other.publish("d", "2")
        self.assert_data(stream, ["1", "2"])
        self.assertEqual(redis.client.command("XLEN", key_of("app:d")), 2)

    def test_a_publishers_own_id_is_behind_a_tilde_and_does_not_matter(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/channels/d")
        id, following = append(redis, "d", ['{"data":1,"id":"own"}', "2"])
        self.assertEqual(stream.next_event().id, id + "~own")
        for last_event_id in (id, id + "~own", id + "~other"):
            self.assert_next(self.resume(second, "/channels/d", last_event_id), [following], "2")

    def test_all_ways_to_publish_are_one_channel(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/channels/d")
        id, = append(redis, "d", ["1"])
        answer = second.publish("d", "2")
        self.assertEqual(answer.status, 202)
        self.assertEqual(set(answer.json()), {"channel", "id", "subscribers"})
        in_full, = send_all(redis, [("FCALL", "weir_publish", 1, key_of("d"), "3")])
        self.assert_next(stream, [id, answer.json()["id"], in_full], "123")
        self.assertEqual(first.info("d")["lastId"], in_full)


class Resume(DurableTest):
    def test_from_each_position_on_the_other_gateway_by_header_and_by_query(self):
        redis, first, second = self.start_pair(*LITTLE_MEMORY)
        stream = self.open(first, "/channels/d")
        count = scaled(300, 60)
        data = [str(n) for n in range(1, count + 1)]
        ids = [stream.last_event_id, *append(redis, "d", data)]
        self.assert_next(stream, ids[1:], data)
        for gateway in (first, second):
            for in_query in (False, True):
                resumed = self.resume_at_each(gateway, "/channels/d", ids, in_query)
                for position, again in enumerate(resumed):
                    self.assert_next(again, ids[position + 1:], data[position:])
                    self.assertEqual(json.loads(again.next_event("weir:live").data), {"replayed": count - position}
                                     if position < count else {"replayed": 0})
                for again in resumed:
                    again.cut()

    def test_a_channel_that_never_had_a_message_begins_before_the_first(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/channels/d")
        self.assertEqual(stream.last_event_id, "0-0")
        stream.cut()
        ids = append(redis, "d", ["1", "2", "3"])
        for gateway in (first, second):
            self.assert_next(self.resume(gateway, "/channels/d", "0-0"), ids, "123")

    def test_the_first_block_is_the_position_at_which_a_client_starts(self):
        redis, first, second = self.start_pair()
        ids = append(redis, "d", ["1", "2"])
        stream = self.open(first, "/channels/d")
        self.assertEqual(stream.last_event_id, ids[-1])
        stream.cut()
        ids = append(redis, "d", ["3", "4"])
        again = self.resume(second, "/channels/d", stream.last_event_id)
        self.assert_next(again, ids, "34")
        again.next_event("weir:live")
        self.assert_live(redis, again)

    def test_while_messages_are_published_nothing_is_lost_at_the_seam(self):
        redis, first, second = self.start_pair(*LITTLE_MEMORY)
        total = scaled(6000, 1000)

        def publish():
            client = redis.connect()
            for start in range(1, total + 1, 20):
                client.send(*(fcall("d", numbered(n), 1_000_000) for n in range(start, start + 20)))
                for _ in range(20):
                    client.read()
            client.close()

        ids = ["0-0"]
        watcher = self.open(first, "/channels/d", on_event=lambda event: ids.append(event.id))
        publisher = threading.Thread(target=publish)
        publisher.start()
        self.addCleanup(publisher.join)
        tallies = []
        while len(ids) < total + 1:
            self.assertIsNone(watcher.closed)
            self.loop.pump(0.01)
            position = len(ids) - 1 - min(len(ids) - 1, (0, 1, 10, 400)[len(tallies) % 4])
            if len(tallies) < 100:
                tallies.append(Tally(position))
                self.loop.open((first, second)[len(tallies) // 4 % 2].port, "/channels/d",
                               {"Last-Event-ID": ids[position]}, on_event=tallies[-1].add)
        for tally in tallies:
            self.loop.until(lambda t=tally: t.last == total, f"the last message (at {tally.last})")
            self.assertEqual(tally.gaps, [])

    def test_many_that_come_back_at_once_cost_redis_some_tens_of_reads(self):
        redis, gateway, _ = self.start_pair("--history-messages", "0")
        total, count = 3000, scaled(500, 200)
        ids = ["0-0", *append(redis, "d", [numbered(n, 200) for n in range(1, total + 1)], messages=1_000_000)]
        choice = random.Random(17)
        tallies = [Tally(choice.randrange(total - 1000, total)) for _ in range(count)]
        for tally in tallies:
            self.loop.open(gateway.port, "/channels/d", {"Last-Event-ID": ids[tally.last]}, on_event=tally.add)
        for tally in tallies:
            self.loop.until(lambda t=tally: t.last == total, f"the last message (at {tally.last})")
            self.assertEqual(tally.gaps, [])
        self.assertLess(gateway.metrics()["weir_redis_history_reads_total"], 60)

    def test_an_id_that_is_none_is_a_gap_of_unknown_size(self):
        redis, gateway, _ = self.start_pair()
        append(redis, "d", ["1", "2"])
        for bad in ("x", "gzzzzzzzzzz.1", "1-", "-1", "1-1-1", "1795961157565246123", "99999999999999999999999-1"):
            with self.subTest(id=bad):
                stream = self.resume(gateway, "/channels/d", bad)
                gap = gap_of(stream.next_event())
                self.assertEqual((gap["channel"], gap["missed"]), ("d", None))

    def test_the_id_wins_over_replay_and_replay_over_since(self):
        redis, gateway, _ = self.start_pair()
        ids = append(redis, "d", ["1", "2", "3", "4"])
        stream = self.resume(gateway, "/channels/d?replay=all&since=0", ids[2])
        self.assert_next(stream, ids[3:], "4")
        self.assert_next(self.open(gateway, "/channels/d?replay=2&since=0"), ids[2:], "34")

    def test_a_message_whose_announcement_got_lost_comes_with_the_next_one(self):
        redis, first, second = self.start_pair()
        streams = [self.open(gateway, "/channels/d") for gateway in (first, second)]
        first_id, = append(redis, "d", ["1"])
        silent = redis.client.command("XADD", key_of("d"), first_id.split("-")[0] + "-*", "p", "2", "t", "1").decode()
        ids = [first_id, silent, *append(redis, "d", ["3"])]
        for stream in streams:
            self.assert_next(stream, ids, "123")

    def test_a_message_whose_announcement_got_lost_comes_by_itself(self):
        redis, gateway, _ = self.start_pair()
        stream = self.open(gateway, "/channels/d")
        first_id, = append(redis, "d", ["1"])
        silent = redis.client.command("XADD", key_of("d"), first_id.split("-")[0] + "-*", "p", "2", "t", "1").decode()
        self.assert_next(stream, [first_id, silent], "12")


class Trimmed(DurableTest):
    COUNT = scaled(24, 8)

    def publish(self, redis, channel, first, last):
        return append(redis, channel, [numbered(n) for n in range(first, last + 1)])

    def test_at_every_point_messages_and_gaps_sum_up(self):
        redis, first, second = self.start_pair(*LITTLE_MEMORY, "--history-messages", "0")
        count = self.COUNT
        for left in range(count + 1):
            channel = f"d{left}"
            ids = ["0-0", *self.publish(redis, channel, 1, count)]
            trim(redis, key_of(channel), left)
            tallies = [Tally(position) for position in range(count + 1)]
            gateway = (first, second)[left % 2]
            streams = [self.loop.open(gateway.port, f"/channels/{channel}", {"Last-Event-ID": id}, on_event=tally.add)
                       for id, tally in zip(ids, tallies)]
            for position, (stream, tally) in enumerate(zip(streams, tallies)):
                self.loop.until(lambda s=stream, t=tally: t.has_settled(count) or s.closed,
                                f"{left} left: an account from {position} on")
                missed = max(0, count - left - position)
                self.assertEqual(tally.gaps, [(missed, "history")] if missed else [])
            for stream in streams:
                stream.wait_for_first_block()
            self.publish(redis, channel, count + 1, count + 1)
            for stream, tally in zip(streams, tallies):
                self.loop.until(lambda t=tally: t.last == count + 1, "the message behind")
                stream.cut()

    def test_while_clients_resume_messages_and_gaps_sum_up(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY)
        seed = random.SystemRandom().randrange(1 << 32)
        choice = random.Random(seed)
        print(f"seed {seed}", flush=True)
        total = 2000
        ids = ["0-0", *send_all(redis, [fcall("d", numbered(n, 300), 1_000_000) for n in range(1, total + 1)])]
        left = total
        tallies = []
        while left > 0:
            for _ in range(5):
                tallies.append(Tally(choice.randrange(total + 1)))
                self.loop.open(choice.choice(gateways).port, "/channels/d", {"Last-Event-ID": ids[tallies[-1].last]},
                               on_event=tallies[-1].add, read_bytes=16384)
            self.loop.pump(0.001)
            left = max(0, left - choice.choice([1, 10, 100, 150]))
            trim(redis, key_of("d"), left)
        self.publish(redis, "d", total + 1, total + 1)
        for tally in tallies:
            self.loop.until(lambda t=tally: t.last == total + 1, f"the last message (at {tally.last}, {tally.gaps})")
            self.assertLessEqual({reason for _, reason in tally.gaps}, {"history"})

    def test_trimmed_by_its_publishers_while_gateways_are_cut_off_everything_sums_up(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY, options=("--stream-node-max-entries", "1"))
        seed = int(os.environ.get("WEIR_SEED", random.SystemRandom().randrange(1 << 32)))
        choice = random.Random(seed)
        print(f"seed {seed}", flush=True)
        ids, tallies, streams = ["0-0"], [], []

        def come(gateway, position):
            tallies.append(Tally(position))
            streams.append(self.loop.open(gateway.port, "/channels/d", {"Last-Event-ID": ids[position]},
                                          on_event=tallies[-1].add, read_bytes=8192, receive_buffer=8192))

        for gateway in gateways:
            come(gateway, 0)
        for _ in range(scaled(300, 60)):
            count = choice.choice([1, 3, 20, 100])
            ids += send_all(redis, [fcall("d", numbered(len(ids) + n, choice.choice([0, 500])),
                                          choice.choice([1, 5, 50, 500])) for n in range(count)])
            if choice.random() < 0.2:
                redis.client.command("CLIENT", "KILL", "TYPE", choice.choice(["pubsub", "normal"]), "SKIPME", "yes")
            if len(tallies) < 150:
                come(choice.choice(gateways), max(0, len(ids) - 1 - choice.choice([0, 1, 20, 100, 600])))
            self.loop.pump(0.002)
        for stream, tally in zip(streams, tallies):
            self.loop.until(lambda s=stream, t=tally: t.has_settled(len(ids) - 1) or s.closed,
                            f"the last message (at {tally.last}, {tally.gaps[-3:]})")
            self.assertIsNone(stream.closed)
            self.assertLessEqual({reason for _, reason in tally.gaps}, {"history"})
        self.assertGreater(sum(tally.missed() for tally in tallies), 0)

    def test_clients_of_several_channels_come_back_all_the_time_and_everything_sums_up(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY, options=("--stream-node-max-entries", "1"))
        seed = int(os.environ.get("WEIR_SEED", random.SystemRandom().randrange(1 << 32)))
        choice = random.Random(seed)
        print(f"seed {seed}", flush=True)
        published = {"d1": 0, "d2": 0, "d3": 0}
        clients = [_ReturningClient(self.loop, gateways, choice, list(published)) for _ in range(20)]
        for _ in range(scaled(400, 80)):
            channel = choice.choice(list(published))
            count = choice.choice([1, 2, 20])
            send_all(redis, [fcall(channel, numbered(published[channel] + n), choice.choice([2, 50, 500, 5000]))
                             for n in range(1, count + 1)])
            published[channel] += count
            if choice.random() < 0.05:
                redis.client.command("CLIENT", "KILL", "TYPE", choice.choice(["pubsub", "normal"]), "SKIPME", "yes")
            choice.choice(clients).come_back()
            self.loop.pump(0.002)
        for client in clients:
            self.loop.until(lambda c=client: c.has_settled(published),
                            f"all messages ({client.describe()}, {published})")
        self.assertGreater(sum(tally.missed() for client in clients for tally in client.tallies.values()), 0)

    def test_who_is_connected_and_has_caught_up_notices_nothing(self):
        redis, *gateways = self.start_pair()
        tallies = [Tally() for _ in gateways]
        streams = [self.open(gateway, "/channels/d", on_event=tally.add) for gateway, tally in zip(gateways, tallies)]
        for n in range(1, 30):
            self.publish(redis, "d", n, n)
            self.loop.until(lambda n=n: all(tally.last == n for tally in tallies), "the message")
            trim(redis, key_of("d"), n % 3)
        self.assertEqual([(stream.closed, tally.gaps) for stream, tally in zip(streams, tallies)], [(None, [])] * 2)

    def test_an_announced_message_that_was_trimmed_at_once_arrives_or_is_a_gap(self):
        redis, *gateways = self.start_pair()
        tallies = [Tally() for _ in gateways]
        for gateway, tally in zip(gateways, tallies):
            self.open(gateway, "/channels/d", on_event=tally.add)
        total = scaled(600, 100)
        for start in range(1, total + 1, 20):
            send_all(redis, [command for n in range(start, start + 20)
                             for command in (fcall("d", numbered(n)), ("XTRIM", key_of("d"), "MAXLEN", "=", 0))])
        for tally in tallies:
            self.loop.until(lambda t=tally: t.has_settled(total), f"the last message (at {tally.last}, {tally.gaps})")

    def test_while_a_gateway_was_cut_off_each_position_gets_its_own_number(self):
        redis = self.start_redis()
        install_function(redis)
        switch = Switch(redis)
        self.addCleanup(switch.close)
        gateway = self.start_durable(switch)
        connected = Tally()
        stream = self.open(gateway, "/channels/d", on_event=connected.add)
        ids = ["0-0", *self.publish(redis, "d", 1, 10)]
        self.loop.until(lambda: connected.last == 10, "the messages before")
        switch.cut_off()
        self.loop.until(lambda: stream.bus_states == ["down"], "weir:bus")
        ids += self.publish(redis, "d", 11, 16)
        trim(redis, key_of("d"), 1)
        switch.lead_to(redis)
        self.loop.until(lambda: connected.last == 16, "the message behind the gap")
        self.assertEqual(connected.gaps, [(5, "history")])
        for position in range(10, 17):
            tally = Tally(position)
            self.open(gateway, "/channels/d", {"Last-Event-ID": ids[position]}, on_event=tally.add)
            self.loop.until(lambda t=tally: t.last == 16, f"the last message (from {position})")
            self.assertEqual(tally.gaps, [(15 - position, "history")] if position < 15 else [])

    def test_entries_that_were_deleted_are_gaps_for_who_had_not_got_them(self):
        redis, *gateways = self.start_pair(*LITTLE_MEMORY, options=ON_DISK)
        ids = ["0-0", *self.publish(redis, "d", 1, 5)]
        redis.kill()
        redis.start()
        ids += self.publish(redis, "d", 6, 9)
        deleted = (3, 5, 8)  # 5 is the last one of its birth.
        redis.client.command("XDEL", key_of("d"), *(ids[n] for n in deleted))
        for gateway in gateways:
            gateway.wait_until_redis_is(200)
            for position, id in enumerate(ids):
                tally = Tally(position)
                self.open(gateway, "/channels/d", {"Last-Event-ID": id}, on_event=tally.add)
                self.loop.until(lambda t=tally: t.has_settled(9), f"the last message (from {position}: {tally.gaps})")
                self.assertEqual(tally.missed(), sum(n > position for n in deleted))

    def test_the_smallest_number_that_any_publisher_gives_holds(self):
        redis = self.start_redis("--stream-node-max-entries", "1")  # Trimming is exact then.
        gateway = self.start_durable(redis, "--durable-messages", "10")
        gateway.wait_until(lambda: redis.client.command("FUNCTION", "LIST") != [], "the function")
        append(redis, "d", [numbered(n) for n in range(1, 51)], messages=1000)
        self.assertEqual(redis.client.command("XLEN", key_of("d")), 50)
        gateway.publish("d", numbered(51))
        self.assertEqual(redis.client.command("XLEN", key_of("d")), 10)
        append(redis, "d", [numbered(52)], messages=1000)
        gateway.publish("d", numbered(53))
        self.assertEqual(redis.client.command("XLEN", key_of("d")), 10)
        tally = Tally()
        self.open(gateway, "/channels/d?lastEventId=0-0", on_event=tally.add)
        self.loop.until(lambda: tally.last == 53, "the last message")
        self.assertEqual(tally.gaps, [(43, "history")])


class _ReturningClient:
    """Follows several durable channels from their first messages on, and comes back with its last id to any gateway."""

    def __init__(self, loop, gateways, choice, channels):
        self._loop, self._gateways, self._choice, self._channels = loop, gateways, choice, channels
        self.tallies = {channel: Tally() for channel in channels}
        self._last_event_id = None
        self._stream = None
        self._connect()
        self._stream.wait_for_first_block()

    def _connect(self):
        channels = self._choice.sample(self._channels, len(self._channels))
        headers = {"Last-Event-ID": self._last_event_id} if self._last_event_id else {}
        target = "/events?" + "&".join(f"channel={channel}" for channel in channels)
        self._stream = self._loop.open(self._choice.choice(self._gateways).port, target, headers,
                                       on_event=self._take, on_block=self._take_id)

    def _take_id(self, id):
        if id and id != self._last_event_id:
            self._last_event_id = id
            self._keep()

    def _keep(self):
        self._kept = [(tally, tally.told, len(tally.gaps)) for tally in self.tallies.values()]

    def _take(self, event):
        if event.type == "weir:gap":
            self.tallies[json.loads(event.data)["channel"]].add(event)
        elif not event.type.startswith("weir:"):
            self.tallies[event.type].add(event)
            self._keep()

    def come_back(self):
        if self._last_event_id:
            self._stream.cut(reset=True)
            # A gap whose position did not arrive any more is told again.
            for tally, tally.told, gaps in self._kept:
                del tally.gaps[gaps:]
            self._connect()

    def has_settled(self, published):
        assert self._stream.closed is None, self._stream.closed
        return all(tally.has_settled(published[channel]) for channel, tally in self.tallies.items())

    def describe(self):
        return {channel: (tally.last, tally.told) for channel, tally in self.tallies.items()}


class Reset(DurableTest):
    def test_of_a_deleted_stream_connected_clients_see_no_gap_and_others_a_reset(self):
        redis, *gateways = self.start_pair()
        streams = [self.open(gateway, "/channels/d") for gateway in gateways]
        old = append(redis, "d", ["1", "2", "3"])
        for stream in streams:
            self.assert_next(stream, old, "123")
        redis.client.command("DEL", key_of("d"))
        new = append(redis, "d", ["one", "two"])
        self.assertEqual([number_of(id) for id in new], [1, 2])
        self.assertGreater(order_of(new[0]), order_of(old[-1]))
        third = self.start_durable(redis)
        for stream in streams:
            self.assert_next(stream, new, ["one", "two"])
        for id in (old[0], old[-1]):
            again = self.resume(third, "/channels/d", id)
            self.assert_gap(again, None, "reset")
            self.assert_next(again, new, ["one", "two"])
            again.next_event("weir:live")
        for gateway in gateways:
            for position, id in enumerate(old, 1):
                events = until_live(self.resume(gateway, "/channels/d", id))
                if events[0].type == "weir:gap":
                    self.assertEqual(gap_of(events.pop(0)), {"channel": "d", "missed": None, "reason": "reset"})
                    position = 3  # What followed it is gone; in the gateway's memory it may be still.
                self.assertEqual([event.id for event in events], old[position:] + new)
        self.assert_live(redis, streams[0])

    def test_deleted_and_not_yet_begun_anew_it_is_a_reset_too(self):
        redis, first, second = self.start_pair()
        old = append(redis, "d", ["1", "2", "3"])
        redis.client.command("DEL", key_of("d"))
        stream = self.resume(second, "/channels/d", old[1])
        self.assert_gap(stream, None, "reset")
        self.assert_live(redis, stream)

    def test_a_stream_that_has_ended_by_its_age_begins_anew(self):
        redis, first, second = self.start_pair()
        watcher = self.open(first, "/channels/d")
        old = append(redis, "d", ["1"], seconds=1)
        watcher.next_event()
        first.wait_until(lambda: redis.client.command("EXISTS", key_of("d")) == 0, "the end of the stream")
        new = append(redis, "d", ["2"])
        self.assertEqual(number_of(new[0]), 1)
        self.assert_next(watcher, new, "2")
        again = self.resume(second, "/channels/d", old[0])
        self.assert_gap(again, None, "reset")
        self.assert_next(again, new, "2")

    def test_nothing_of_a_deleted_stream_is_shown_to_who_comes_later(self):
        redis, gateway, _ = self.start_pair("--history-messages", "0")
        watcher = self.open(gateway, "/channels/d")
        append(redis, "d", ["1", "2", "3"])
        watcher.next_events(3)
        until_live(self.resume(gateway, "/channels/d", "0-0"))
        redis.client.command("DEL", key_of("d"))
        new = append(redis, "d", ["one", "two"])
        self.assert_next(watcher, new, ["one", "two"])
        for query in ("lastEventId=0-0", "replay=all", "since=0"):
            events = until_live(self.open(gateway, f"/channels/d?{query}"))
            self.assertEqual([event.id for event in events if event.type == "message"], new, query)

    def test_deleted_while_the_gateway_was_cut_off_it_is_a_reset_for_connected_clients(self):
        redis = self.start_redis()
        install_function(redis)
        switch = Switch(redis)
        self.addCleanup(switch.close)
        gateway = self.start_durable(switch)
        stream = self.open(gateway, "/channels/d")
        old = append(redis, "d", ["1", "2", "3"])
        self.assert_next(stream, old, "123")
        switch.cut_off()
        self.loop.until(lambda: stream.bus_states == ["down"], "weir:bus")
        redis.client.command("DEL", key_of("d"))
        new = append(redis, "d", ["one", "two"])
        switch.lead_to(redis)
        self.assert_gap(stream, None, "reset")
        self.assert_next(stream, new, ["one", "two"])


class Reload(DurableTest):
    def test_an_open_channel_that_becomes_durable_goes_silent_for_nobody(self):
        redis = self.start_redis()
        install_function(redis)
        gateway = self.start_gateway(redis=redis, toml="")
        stream = self.open(gateway, "/channels/x")
        gateway.write_toml('[[channel]]\nmatch = "x"\ndurable = true\n')
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log("SIGHUP: ")
        self.assertEqual(gateway.publish("x", "1").status, 202)
        self.loop.until(lambda: stream.events or stream.closed, "the message, or the end of the stream")
        if not stream.closed:
            self.assertEqual(stream.next_event().data, "1")


class Herd(DurableTest):
    def test_many_channels_come_back_at_once(self):
        redis, gateway, _ = self.start_pair()
        count = scaled(1000, 200)
        ids = send_all(redis, [fcall(f"d{n}", numbered(1)) for n in range(count)])
        send_all(redis, [fcall(f"d{n}", numbered(m)) for n in range(count) for m in (2, 3)])
        tallies = [Tally(1) for _ in range(count)]
        for n, tally in enumerate(tallies):
            self.loop.open(gateway.port, f"/channels/d{n}", {"Last-Event-ID": ids[n]}, on_event=tally.add)
        self.loop.until(lambda: all(tally.last == 3 for tally in tallies), "what all channels missed")
        send_all(redis, [fcall(f"d{n}", numbered(4)) for n in range(count)])
        self.loop.until(lambda: all(tally.last == 4 for tally in tallies), "what all channels got then")
        redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
        redis.client.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        send_all(redis, [fcall(f"d{n}", numbered(5)) for n in range(count)])
        self.loop.until(lambda: all(tally.last == 5 for tally in tallies), "what was published after the cut")
        self.assertEqual([tally.gaps for tally in tallies if tally.gaps], [])


class Events(DurableTest):
    def test_another_gateway_resumes_in_another_order_with_a_channel_added_and_one_left_out(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/events?channel=d1&channel=d2&channel=d3&channel=live")
        positions = [stream.last_event_id]
        order = []
        for n in range(1, 10):
            channel = f"d{(n * n) % 3 + 1}"
            append(redis, channel, [str(n)])
            order.append((channel, str(n)))
            event = stream.next_event()
            self.assertEqual((event.type, event.data), order[-1])
            positions.append(event.id)
        append(redis, "d4", ["before it was added"])
        for gateway in (first, second):
            for position, id in enumerate(positions):
                again = self.resume(gateway, "/events?channel=live&channel=d4&channel=d3&channel=d1", id)
                received, gaps = {"d1": [], "d3": []}, []
                for event in until_live(again):
                    if event.type == "weir:gap":
                        gaps.append((gap_of(event)["channel"], gap_of(event)["missed"]))
                    else:
                        received[event.type].append(event.data)
                # The one that has no place in the id, and the live one where its gateway does not know it.
                self.assertEqual(sorted(gaps), [("d4", None)] + [("live", None)] * (gateway is second))
                for channel, data in received.items():
                    self.assertEqual(data, [data for its, data in order[position:] if its == channel])
                again.cut()

    def test_one_channel_takes_the_id_of_events_and_events_that_of_one_channel(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/events?channel=d1&channel=d2")
        ids = append(redis, "d1", ["1", "2"])
        position = stream.next_event().id
        self.assert_next(self.resume(second, "/channels/d1", position), ids[1:], "2")

    def test_a_channel_is_added_to_one_or_all_but_one_left_out(self):
        redis, first, second = self.start_pair()
        stream = self.open(first, "/events?channel=d1")
        append(redis, "d1", ["1", "2"])
        again = self.resume(second, "/events?channel=d2&channel=d1", stream.next_event().id)
        events = until_live(again)
        self.assertEqual([event.data for event in events if event.type == "d1"], ["2"])
        self.assertEqual([gap_of(event)["channel"] for event in events if event.type == "weir:gap"], ["d2"])
        append(redis, "d2", ["x"])
        position = again.next_event("d2").id
        append(redis, "d1", ["3"])
        events = until_live(self.resume(first, "/events?channel=d1", position))
        self.assertEqual([(event.type, event.data) for event in events], [("d1", "3")])

    def test_ids_never_go_back_while_a_replay_reads_the_history_and_live_channels_go_on(self):
        redis, gateway, _ = self.start_pair("--history-messages", "100000", "--history-bytes", str(1 << 28))
        append(redis, "d1", [str(n) for n in range(2000)], messages=1_000_000)
        watched = Tally()
        watcher = self.open(gateway, "/channels/live", on_event=watched.add)
        stop = threading.Event()

        def publish():
            client, number = redis.connect(), 0
            while not stop.is_set():
                client.publish_all([("live", numbered(number + n)) for n in range(1, 51)])
                number += 50
                time.sleep(0.002)  # Some thousand messages a second: load, but not all at once.
            client.close()

        publisher = threading.Thread(target=publish)
        publisher.start()
        self.addCleanup(publisher.join)
        self.addCleanup(stop.set)
        self.loop.until(lambda: watched.last > 0 or watcher.closed, "the first live message")
        for _ in range(10):
            ids, types = [], []
            stream = self.open(gateway, "/events?channel=d1&channel=live&replay=all", on_block=ids.append,
                               on_event=lambda event, types=types: types.append(event.type))
            self.loop.until(lambda: "weir:live" in types, "weir:live")
            blocks = len(ids)
            self.loop.until(lambda n=blocks: len(ids) > n + 10, "blocks behind it")
            stream.cut()
            live = [int(re.search(r"!g[a-z0-9]+[.](\d+)", id)[1]) for id in ids if id]
            self.assertEqual(live, sorted(live))

    def test_a_trimmed_channel_alone_has_a_gap(self):
        redis, first, second = self.start_pair()
        target = "/events?channel=d1&channel=d2"
        stream = self.open(first, target)
        append(redis, "d1", ["1", "2", "3"])
        append(redis, "d2", ["x", "y"])
        trim(redis, key_of("d1"), 1)
        events = until_live(self.resume(second, target, stream.next_event().id))
        gaps = [gap_of(event) for event in events if event.type == "weir:gap"]
        self.assertEqual(gaps, [{"channel": "d1", "missed": 1, "reason": "history"}])
        self.assertEqual([event.data for event in events if event.type == "d2"], ["x", "y"])
        self.assertEqual([event.data for event in events if event.type == "d1"], ["3"])

    def test_eight_durable_channels_stay_within_128_bytes(self):
        redis, first, second = self.start_pair()
        channels = [f"d:{n}" for n in range(8)]
        for channel in channels:
            append(redis, channel, [str(n) for n in range(1, 1001)])
        target = "/events?" + "&".join(f"channel={channel}" for channel in channels)
        stream = self.open(first, target)
        for channel in channels:
            append(redis, channel, [f"last of {channel}"])
            event = stream.next_event()
            self.assertLessEqual(len(event.id), 128)
            self.assertRegex(event.id, r'^[!#-\'*-9;=A-Z^-z|~]+$')
        print(f"an id of {len(event.id)} bytes", flush=True)
        self.assertEqual(until_live(self.resume(second, target, event.id)), [])

    def test_the_json_form(self):
        redis, first, second = self.start_pair()
        target = "/events?channel=d1&channel=d2&form=json"
        stream = self.open(first, target)
        append(redis, "d1", ['{"data":{"n":1},"type":"note"}'])
        append(redis, "d2", ["text"])
        pages = {name: first.request("GET", f"/channels/{name}/messages").json()["messages"] for name in ("d1", "d2")}
        published = {name: (page[-1]["id"], page[-1]["time"]) for name, page in pages.items()}
        events = stream.next_events(2)
        replayed = until_live(self.open(second, target + "&replay=all"))
        for messages in (events, replayed):
            self.assertEqual({event.type for event in messages}, {"message"})
            shown = sorted((json.loads(event.data) for event in messages), key=lambda message: message["channel"])
            self.assertEqual([(each["channel"], each.get("type"), each["data"]) for each in shown],
                             [("d1", "note", {"n": 1}), ("d2", None, "text")])
            # Each says which message it is and when it came; the event's id is the position of the stream.
            self.assertEqual({each["channel"]: (each["id"], each["time"]) for each in shown}, published)
            self.assertTrue(all(event.id.startswith("c") for event in messages), messages)
        again = until_live(self.resume(second, target, events[0].id))
        self.assertEqual([json.loads(event.data)["channel"] for event in again], ["d2"])


if __name__ == "__main__":
    unittest.main()
