"""Durable channels while Redis is away, hangs or is replaced by its replica, and clients that are slow: nothing is
missed that Redis still has."""

import json
import re
import unittest

from support.account import numbered
from support.durable import DurableTest, ON_DISK
from support.gateway import gap_of
from support.history import Switch, Tally, append, number_of, trim, until_live
from support.limits import scaled
from support.stream import install_function, key_of


class Failover(DurableTest):
    def wait_for_replica(self, redis, replica):
        """Everything that `redis` has is at `replica`."""
        replica.client.command("REPLICAOF", "127.0.0.1", redis.port)

        def has_all():
            redis_offset, replica_info = (server.client.command("INFO", "replication").decode()
                                          for server in (redis, replica))
            offset = re.search(r"master_repl_offset:(\d+)", redis_offset)[1]
            return ("master_link_status:up" in replica_info and
                    f"slave_repl_offset:{offset}\r" in replica_info)

        self.loop.until(has_all, "the replica to have everything")

    def test_after_it_no_id_comes_twice_and_the_surviving_stream_comes_whole(self):
        old, new = self.start_redis("--repl-diskless-sync-delay", "0"), self.start_redis()
        install_function(old)
        switch = Switch(old)
        self.addCleanup(switch.close)
        gateways = [self.start_durable(switch) for _ in range(2)]
        published, ever_lost = append(old, "d", ["1", "2", "3"]), set()
        streams = [self.open(gateway, "/channels/d") for gateway in gateways]
        for promotion in range(2):
            both = append(old, "d", [f"both {promotion}"])
            self.wait_for_replica(old, new)
            new.client.command("REPLICAOF", "NO", "ONE")
            lost = append(old, "d", [f"lost {promotion}.{n}" for n in range(3)])
            for stream in streams:
                self.assertEqual([event.id for event in stream.next_events(4)], both + lost)
            stale = [(id, self.loop.open(gateways[0].port, "/channels/d", {"Last-Event-ID": id})) for id in lost]
            for _, stream in stale:
                stream.wait_for_first_block()
            switch.lead_to(new)
            data = [f"new {promotion}.{n}" for n in range(5)]
            survived = append(new, "d", data)
            self.assertEqual([number_of(id) for id in survived],
                             list(range(number_of(both[0]) + 1, number_of(both[0]) + 6)))
            self.assertEqual(set(survived) & set(lost), set())
            for stream in streams:
                self.assert_next(stream, survived, data)
            for id, stream in stale:
                expected = lost[lost.index(id) + 1:]
                events = stream.until_event(lambda event: event.data == data[-1])
                ids = [event.id for event in events if event.type == "message"]
                self.assertEqual(ids, expected + survived)  # Of the gateway that was there when they came.
                self.assertNotIn("weir:gap", [event.type for event in events])
            published += both
            ever_lost |= set(lost)
            positions = [*published, *lost]
            for gateway in gateways:
                for id, stream in zip(positions, self.resume_at_each(gateway, "/channels/d", positions)):
                    following = published[published.index(id) + 1:] if id in published else []
                    events = until_live(stream)
                    # A gateway may still have lost ones in its memory.
                    self.assertEqual([event.id for event in events if event.id not in ever_lost], following + survived)
                    self.assertEqual({event.type for event in events}, {"message"})
            published += survived
            # The old master becomes a replica of the new one, and is promoted in its turn.
            old, new = new, old

    def test_after_it_events_goes_on_from_each_position(self):
        old, new = self.start_redis("--repl-diskless-sync-delay", "0"), self.start_redis()
        install_function(old)
        switch = Switch(old)
        self.addCleanup(switch.close)
        gateways = [self.start_durable(switch) for _ in range(2)]
        target = "/events?channel=d1&channel=d2"
        stream = self.open(gateways[0], target)
        positions = [stream.last_event_id]

        def publish(server, first, last):
            for n in range(first, last + 1):
                append(server, f"d{n % 2 + 1}", [str(n)])
                event = stream.next_event()
                self.assertEqual(event.data, str(n))
                positions.append(event.id)

        publish(old, 1, 6)
        self.wait_for_replica(old, new)
        new.client.command("REPLICAOF", "NO", "ONE")
        publish(old, 7, 10)
        switch.lead_to(new)
        self.loop.until(lambda: stream.bus_states == ["down", "up"], "weir:bus")
        publish(new, 11, 16)
        surviving = [*range(1, 7), *range(11, 17)]
        for gateway in gateways:
            for last, id in enumerate(positions):
                events = until_live(self.resume(gateway, target, id))
                self.assertNotIn("weir:gap", [event.type for event in events])
                for channel in ("d1", "d2"):
                    received = [int(event.data) for event in events if event.type == channel]
                    self.assertEqual([n for n in received if n in surviving],
                                     [n for n in surviving if n > last and f"d{n % 2 + 1}" == channel], f"from {last}")
                    self.assertEqual(received, sorted(set(received)))

    def test_before_anything_is_published_to_the_new_master_who_is_ahead_waits_for_it(self):
        old, new = self.start_redis("--repl-diskless-sync-delay", "0"), self.start_redis()
        install_function(old)
        switch = Switch(old)
        self.addCleanup(switch.close)
        gateway = self.start_durable(switch)
        append(old, "d", ["1"])
        self.wait_for_replica(old, new)
        new.client.command("REPLICAOF", "NO", "ONE")
        lost = append(old, "d", ["2", "3"])
        stream = self.open(gateway, "/channels/d")
        switch.lead_to(new)
        self.loop.until(lambda: stream.bus_states == ["down", "up"], "weir:bus")
        again = self.resume(gateway, "/channels/d", lost[-1])
        survived = append(new, "d", ["new 2"])
        for each in (stream, again):
            events = each.until_event(lambda event: event.type == "message")
            self.assertEqual(events[-1].id, survived[0])
            self.assertNotIn("weir:gap", [event.type for event in events])


class Away(DurableTest):
    def start_switched(self, *flags):
        redis = self.start_redis(*ON_DISK)
        install_function(redis)
        switch = Switch(redis)
        self.addCleanup(switch.close)
        return redis, switch, self.start_durable(switch, *flags)

    def test_connected_clients_see_weir_bus_and_no_gap(self):
        redis, switch, gateway = self.start_switched()
        tallies = [Tally() for _ in range(10)]
        streams = [self.open(gateway, "/channels/d", on_event=tally.add) for tally in tallies]
        number = 0
        for cut in range(1, scaled(8, 3) + 1):
            append(redis, "d", [numbered(number + n) for n in range(1, 11)])
            switch.cut_off()
            append(redis, "d", [numbered(number + n) for n in range(11, 21)])
            self.loop.until(lambda: all(stream.bus_states[-1:] == ["down"] for stream in streams), "weir:bus")
            append(redis, "d", [numbered(number + n) for n in range(21, 31)])
            switch.lead_to(redis)
            append(redis, "d", [numbered(number + n) for n in range(31, 41)])
            number += 40
            for tally in tallies:
                self.loop.until(lambda t=tally: t.last == number, f"the last message (at {tally.last} of {number})")
            told = ["down", "up"] * cut
            self.loop.until(lambda t=told: all(stream.bus_states == t for stream in streams), "weir:bus")
        self.assertEqual([tally.gaps for tally in tallies], [[]] * 10)
        self.assertEqual(gateway.metrics()['weir_gaps_total{reason="bus-down"}'], 0)

    def test_redis_restarted_with_its_file_is_no_gap(self):
        redis, gateway, _ = self.start_pair(options=ON_DISK)
        tally = Tally()
        stream = self.open(gateway, "/channels/d", on_event=tally.add)
        number = 0
        for _ in range(scaled(5, 2)):
            append(redis, "d", [numbered(number + n) for n in range(1, 51)])
            redis.kill()
            redis.start()
            append(redis, "d", [numbered(number + n) for n in range(51, 101)])
            number += 100
            self.loop.until(lambda: tally.last == number or stream.closed, "the last message")
        self.assertEqual((tally.last, tally.gaps, stream.closed), (number, [], None))

    def test_who_comes_meanwhile_gets_its_own_id_back_and_is_resumed_later(self):
        redis, switch, gateway = self.start_switched()
        ids = append(redis, "d", ["1", "2", "3"])
        switch.cut_off()
        gateway.wait_until_redis_is(503)
        again = self.loop.open(gateway.port, "/channels/d", {"Last-Event-ID": ids[0]}, keep_body=True)
        newcomer = self.loop.open(gateway.port, "/channels/d", keep_body=True)
        for stream in (again, newcomer):
            self.assertEqual(stream.wait_for_head().status, 200)
            self.loop.until(lambda s=stream: s.bus_states == ["down"], "weir:bus")
        first_block, _ = bytes(again.body).split(b"\n\n", 1)
        self.assertIn(f"id: {ids[0]}".encode(), first_block.split(b"\n"))
        self.assertNotIn(b"\nid:", bytes(newcomer.body))
        missed = append(redis, "d", ["4"])
        switch.lead_to(redis)
        self.assert_next(again, ids[1:] + missed, "234")
        gateway.wait_until_redis_is(200, pump=self.loop.pump)
        # It has no position from which it could be resumed, so it is told that something may be missing.
        self.loop.until(lambda: newcomer.last_event_id, "the newcomer's position")
        if newcomer.events:
            self.assert_gap(newcomer, None, "bus-down")
        for stream in (again, newcomer):
            self.assert_live(redis, stream)

    def test_a_newcomer_of_an_outage_misses_nothing_silently(self):
        redis, switch, gateway = self.start_switched()
        append(redis, "d", ["1"])
        switch.cut_off()
        gateway.wait_until_redis_is(503)
        stream = self.loop.open(gateway.port, "/channels/d")
        stream.wait_for_head()
        append(redis, "d", ["behind its head"])
        switch.lead_to(redis)
        self.loop.until(lambda: stream.last_event_id, "its position")
        append(redis, "d", ["later"])
        events = stream.until_event(lambda event: event.data == "later")
        self.assertTrue("behind its head" in [event.data for event in events] or
                        [gap_of(event)["missed"] for event in events if event.type == "weir:gap"] == [None], events)

    def test_cut_again_meanwhile_it_comes_back_with_the_id_that_it_was_given(self):
        redis, switch, gateway = self.start_switched()
        ids = append(redis, "d", ["1", "2", "3"])
        switch.cut_off()
        gateway.wait_until_redis_is(503)
        last_event_id = ids[0]
        for _ in range(2):
            stream = self.resume(gateway, "/channels/d", last_event_id)
            last_event_id = stream.last_event_id
            stream.cut()
        stream = self.resume(gateway, "/channels/d", last_event_id)
        switch.lead_to(redis)
        self.assert_next(stream, ids[1:], "23")

    def test_who_asks_for_a_replay_meanwhile_gets_it_later(self):
        redis, switch, gateway = self.start_switched()
        ids = append(redis, "d", ["1", "2", "3"])
        switch.cut_off()
        gateway.wait_until_redis_is(503)
        targets = ["/channels/d?replay=2", "/channels/d?replay=all", "/channels/d?since=0"]
        streams = [self.loop.open(gateway.port, target) for target in targets]
        for stream in streams:
            stream.wait_for_head()
        switch.lead_to(redis)
        for stream, first in zip(streams, (1, 0, 0)):
            self.assert_next(stream, ids[first:], "123"[first:])

    def test_publishing_answers_503_and_the_history_too(self):
        redis, switch, gateway = self.start_switched()
        switch.cut_off()
        gateway.wait_until_redis_is(503)
        self.assertEqual(gateway.publish("d", "x").status, 503)
        self.assertEqual(gateway.request("GET", "/channels/d/messages").status, 503)
        self.assertEqual(redis.client.command("EXISTS", key_of("d")), 0)

    def test_redis_was_never_there(self):
        redis = self.start_redis()
        install_function(redis)
        ids = append(redis, "d", ["1", "2"])
        switch = Switch(redis)
        self.addCleanup(switch.close)
        switch.cut_off()
        gateway = self.start_durable(switch, "--ready-without-redis-seconds", "0")
        stream = self.loop.open(gateway.port, "/channels/d", {"Last-Event-ID": ids[0]})
        stream.wait_for_first_block()
        self.assertEqual(stream.last_event_id, ids[0])
        switch.lead_to(redis)
        self.assert_next(stream, ids[1:], "2")


class Hung(DurableTest):
    def test_a_redis_that_hangs_and_goes_on_is_no_gap(self):
        redis, gateway, _ = self.start_pair()
        tally = Tally()
        stream = self.open(gateway, "/channels/d", on_event=tally.add)
        append(redis, "d", [numbered(n) for n in range(1, 11)])
        redis.freeze()
        try:
            gateway.wait_until_redis_is(503, pump=self.loop.pump)
        finally:
            redis.thaw()
        append(redis, "d", [numbered(n) for n in range(11, 21)])
        self.loop.until(lambda: tally.last == 20 or stream.closed, f"the last message (at {tally.last})")
        self.assertEqual((tally.gaps, stream.closed), ([], None))


class ListOfEvents:
    """For clients that get what a Tally would not allow."""

    def __init__(self):
        self.events = []

    def add(self, event):
        self.events.append(event)

    def numbers(self):
        return [json.loads(event.data)["n"] for event in self.events if not event.type.startswith("weir:")]

    def gaps(self):
        return [gap_of(event) for event in self.events if event.type == "weir:gap"]

    def has(self, number):
        return bool(self.events) and f'"n":{number},' in self.events[-1].data


class Slow(DurableTest):
    TOTAL = scaled(3000, 2000)

    def start_slow(self, policy=None, account=None, **options):
        rule = f'[[channel]]\nmatch = "d*"\ndurable = true\nslow-client = "{policy}"\n' if policy else None
        redis = self.start_redis()
        install_function(redis)
        gateway = self.start_gateway(*([] if policy else ["--durable", "d*"]), "--queue-messages", "10", redis=redis,
                                     toml=rule)
        tally = account or Tally()
        stream = self.open(gateway, "/channels/d", on_event=tally.add, receive_buffer=4096, **options)
        stream.pause()
        self.publish(redis, gateway, 1, self.TOTAL)
        return redis, gateway, stream, tally

    def publish(self, redis, gateway, first, last):
        """In small pipelines, each awaited by a client that reads."""
        watched = Tally(first - 1)
        watcher = self.open(gateway, "/channels/d", on_event=watched.add)
        for start in range(first, last + 1, 10):
            append(redis, "d", [numbered(n, 4000) for n in range(start, min(start + 9, last) + 1)], messages=1_000_000)
            self.loop.until(lambda e=min(start + 9, last): watched.last == e or watcher.closed, "the reading client")
        self.assertEqual(watched.gaps, [])
        watcher.cut()

    def test_far_past_its_queue_it_gets_everything(self):
        redis, gateway, stream, tally = self.start_slow()
        stream.go_on()
        self.loop.until(lambda: tally.last == self.TOTAL or stream.closed, f"the last message (at {tally.last})")
        self.assertEqual((tally.received, tally.gaps, stream.closed), (self.TOTAL, [], None))
        self.publish(redis, gateway, self.TOTAL + 1, self.TOTAL + 50)
        self.loop.until(lambda: tally.last == self.TOTAL + 50, "what came live then")
        self.assertEqual(tally.gaps, [])

    def test_only_what_redis_has_trimmed_is_a_gap(self):
        redis, gateway, stream, tally = self.start_slow()
        trim(redis, key_of("d"), 100)
        stream.go_on()
        self.loop.until(lambda: tally.last == self.TOTAL or stream.closed, f"the last message (at {tally.last})")
        self.assertEqual([reason for _, reason in tally.gaps], ["history"])
        self.assertEqual(tally.received + tally.missed(), self.TOTAL)
        self.assertGreaterEqual(tally.received, 100)

    def test_with_a_rule_that_says_skip_it_is_told_exactly_what_it_missed(self):
        redis, gateway, stream, tally = self.start_slow("skip")
        stream.go_on()
        self.loop.until(lambda: tally.has_settled(self.TOTAL) or stream.closed, f"the last message (at {tally.last})")
        self.assertEqual({reason for _, reason in tally.gaps}, {"slow-client"})
        self.assertEqual(tally.received + tally.missed(), self.TOTAL)

    def test_with_a_rule_that_says_latest_it_gets_the_newest_of_each_type(self):
        redis, gateway, stream, tally = self.start_slow("latest", account=ListOfEvents())
        stream.go_on()
        self.loop.until(lambda: tally.has(self.TOTAL) or stream.closed, "the last message")
        numbers = tally.numbers()
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertLess(len(numbers), self.TOTAL)
        self.assertEqual((tally.gaps(), stream.closed), ([], None))

    def test_many_far_behind_with_little_memory_get_everything(self):
        redis, gateway, _ = self.start_pair("--memory-limit", str(4 << 20), "--history-messages", "10")
        total = scaled(3000, 1000)
        ids = ["0-0"]
        for start in range(1, total + 1, 100):
            ids += append(redis, "d", [numbered(n, 4000) for n in range(start, start + 100)], messages=1_000_000)
        tallies = [Tally(total * n // 40) for n in range(40)]
        streams = [self.loop.open(gateway.port, "/channels/d", {"Last-Event-ID": ids[tally.last]}, on_event=tally.add,
                                  read_bytes=4096 << n % 5, receive_buffer=8192) for n, tally in enumerate(tallies)]
        for stream, tally in zip(streams, tallies):
            self.loop.until(lambda s=stream, t=tally: t.last == total or s.closed,
                            f"the last message (at {tally.last})")
            self.assertEqual((tally.gaps, stream.closed), ([], None))

    def test_with_a_rule_that_says_disconnect_it_comes_back_and_gets_everything(self):
        ids = []
        redis, gateway, stream, tally = self.start_slow("disconnect", on_block=ids.append)
        stream.go_on()
        stream.wait_for_close()
        self.assertEqual(tally.gaps, [])
        self.assertLess(tally.last, self.TOTAL)
        self.resume(gateway, "/channels/d", ids[-1], on_event=tally.add)
        self.loop.until(lambda: tally.last == self.TOTAL, f"the last message (at {tally.last})")
        self.assertEqual(tally.gaps, [])


if __name__ == "__main__":
    unittest.main()
