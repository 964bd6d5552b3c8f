"""Slow clients: each is told exactly what it missed, its policy is kept, and nobody else notices."""

import os
import subprocess
import time
import unittest

from support.account import Account, numbered
from support.case import GatewayTest
from support.gateway import gap_of
from support.limits import DEADLINE_SECONDS, scaled

_SMALL_WINDOW = 4096


class SlowTest(GatewayTest):
    def stuck(self, gateway, target, count=1, **options):
        """Clients that read their first block and then nothing more."""
        streams = self.open_all(gateway, [target] * count, receive_buffer=_SMALL_WINDOW, **options)
        for stream in streams:
            stream.pause()
        return streams

    def publish_paced(self, redis, channel, first, last, padding, account=None, type=None):
        """Publishes numbers in small pipelines, each awaited by the reading client of `account`, if there is one."""
        for start in range(first, last + 1, 100):
            end = min(start + 99, last)
            redis.publish_all([(channel, numbered(n, padding, type)) for n in range(start, end + 1)])
            if account:
                self.loop.until(lambda e=end: account.last >= e, f"message {end} at the reading client")

    def finish(self, streams, accounts, published):
        """Lets stuck clients read on until their accounts can be settled."""
        for stream in streams:
            stream.go_on()
        for stream, account in zip(streams, accounts):
            self.loop.until(lambda a=account, s=stream: a.has_settled(published) or s.closed,
                            f"the last message or its gap (at {account.last} of {published})")
            stream.check()
            self.assertIsNone(stream.closed)
            account.settle(published)


class Skip(SlowTest):
    def test_missed_and_received_is_published_and_a_reading_client_is_undisturbed(self):
        redis, gateway = self.start_both("--queue-messages", "200")
        fast_account = Account("busy")
        self.open(gateway, "/channels/busy", on_event=fast_account.add)
        accounts = [Account("busy") for _ in range(20)]
        streams = [self.open(gateway, "/channels/busy", on_event=account.add, receive_buffer=_SMALL_WINDOW)
                   for account in accounts]
        for stream in streams:
            stream.pause()
        total = scaled(5000, 2000)
        self.publish_paced(redis, "busy", 1, total, 4000, fast_account)
        self.finish(streams, accounts, total)
        self.assertEqual((fast_account.received, fast_account.gaps), (total, []))
        for account in accounts:
            self.assertEqual(account.missed + account.received, total)
            self.assertGreater(account.missed, 0)
            self.assertEqual({reason for _, reason in account.gaps}, {"slow-client"})
        self.assertEqual(gateway.metrics()['weir_gaps_total{reason="slow-client"}'],
                         sum(len(account.gaps) for account in accounts))

    def test_bytes_bound_the_queue_too(self):
        redis, gateway = self.start_both("--queue-bytes", "200000")
        fast_account, account = Account("busy"), Account("busy")
        self.open(gateway, "/channels/busy", on_event=fast_account.add)
        (stream,) = self.stuck(gateway, "/channels/busy", on_event=account.add)
        total = scaled(3000, 1500)
        self.publish_paced(redis, "busy", 1, total, 4000, fast_account)
        self.finish([stream], [account], total)
        self.assertGreater(account.missed, 0)
        self.assertEqual({reason for _, reason in account.gaps}, {"slow-client"})

    def test_after_a_gap_it_jumps_to_the_newest_that_fit(self):
        redis, gateway = self.start_both("--queue-messages", "50")
        account, events = Account("busy"), []

        def take(event):
            account.add(event)
            events.append(event)

        (stream,) = self.stuck(gateway, "/channels/busy", on_event=take)
        total = scaled(4000, 2000)
        self.publish_paced(redis, "busy", 1, total, 4000)
        gateway.wait_until(lambda: gateway.metrics()["weir_messages_in_total"] == total, "every message at the gateway")
        self.finish([stream], [account], total)
        last_gap = max(n for n, event in enumerate(events) if event.type == "weir:gap")
        self.assertLessEqual(len(events) - last_gap - 1, 50)
        self.assertGreater(len(events) - last_gap - 1, 0)

    def test_it_is_slow_again_and_told_again(self):
        redis, gateway = self.start_both("--queue-messages", "50")
        account = Account("busy")
        (stream,) = self.stuck(gateway, "/channels/busy", on_event=account.add)
        step = 2000
        for round in range(3):
            self.publish_paced(redis, "busy", round * step + 1, (round + 1) * step, 4000)
            stream.go_on()
            self.loop.until(lambda r=round: account.last >= (r + 1) * step, "the last message of a round")
            stream.pause()
        self.assertGreaterEqual(len(account.gaps), 3)
        account.settle(3 * step)

    def test_a_stuck_client_of_several_channels_is_told_for_each(self):
        redis, gateway = self.start_both("--queue-messages", "50")
        accounts = {channel: Account(channel) for channel in "ab"}

        def take(event):
            if event.type == "weir:gap":
                channel = "a" if '"a"' in event.data else "b"
            else:
                channel = event.type
            accounts[channel].add(event)

        (stream,) = self.stuck(gateway, "/events?channel=a&channel=b", on_event=take)
        total = 1500
        for n in range(1, total + 1, 50):
            redis.publish_all([(channel, numbered(m, 4000)) for m in range(n, n + 50) for channel in "ab"])
        stream.go_on()
        try:
            self.loop.until(lambda: all(account.has_settled(total) for account in accounts.values()), "both accounts")
        except AssertionError as error:
            where = {channel: (account.last, account.gaps) for channel, account in accounts.items()}
            raise AssertionError(f"{error}: {where}") from None
        for account in accounts.values():
            account.settle(total)
            self.assertGreater(account.missed, 0)

    def test_who_skips_a_gap_that_all_share_is_still_told_of_it(self):
        redis, gateway = self.start_both("--queue-messages", "50", "--max-message-bytes", "100000")
        account = Account("busy")
        (stream,) = self.stuck(gateway, "/channels/busy", on_event=account.add)
        self.publish_paced(redis, "busy", 1, 1000, 4000)
        redis.publish("busy", numbered(1001, 200_000))
        self.publish_paced(redis, "busy", 1002, 2000, 4000)
        redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
        gateway.wait_until(lambda: redis.client.numsub("busy") == 1, "the subscription after a kill")
        self.publish_paced(redis, "busy", 2001, 3000, 4000)
        self.finish([stream], [account], 3000)
        self.assertEqual({reason for _, reason in account.gaps}, {"slow-client", "too-large", "bus-down"})
        self.assertEqual([missed for missed, reason in account.gaps if reason == "too-large"], [1])

    def test_a_client_that_reads_slowly_within_its_queue_misses_nothing(self):
        redis, gateway = self.start_both("--queue-messages", "100000", "--queue-bytes", str(64 << 20),
                                         "--memory-limit", str(256 << 20))
        account = Account("busy")
        (stream,) = self.stuck(gateway, "/channels/busy", on_event=account.add)
        total = scaled(4000, 1000)
        self.publish_paced(redis, "busy", 1, total, 4000)
        self.finish([stream], [account], total)
        self.assertEqual(account.gaps, [])
        self.assertEqual(account.received, total)

    def test_a_client_that_was_slow_and_has_caught_up_is_kept_alive_in_silence_again(self):
        redis, gateway = self.start_both("--heartbeat-seconds", "1", "--stuck-seconds", "600")
        account = Account("busy")
        (stream,) = self.stuck(gateway, "/channels/busy", on_event=account.add)
        self.publish_paced(redis, "busy", 1, 500, 4000)
        stream.go_on()
        self.loop.until(lambda: account.last == 500, "the last message")
        count = len(stream.comments)
        self.loop.until(lambda: len(stream.comments) >= count + 2 or stream.closed, "two heartbeats")

    def test_200_stuck_clients_cost_no_memory_to_speak_of(self):
        redis, gateway = self.start_both()
        count, total = scaled(200, 40), scaled(5000, 2000)
        fast_account = Account("busy")
        self.open(gateway, "/channels/busy", on_event=fast_account.add)
        accounts = [Account("busy") for _ in range(count)]
        streams = [self.open(gateway, "/channels/busy", on_event=account.add, receive_buffer=_SMALL_WINDOW)
                   for account in accounts]
        for stream in streams:
            stream.pause()
        before = gateway.resident_bytes()
        self.publish_paced(redis, "busy", 1, total, 4000, fast_account)
        grown = gateway.resident_bytes() - before
        kernel = _unsent_bytes(gateway.port)
        self.assertEqual((fast_account.received, fast_account.gaps), (total, []))
        self.finish(streams, accounts, total)
        for account in accounts:
            self.assertEqual(account.missed + account.received, total)
        print(f"process memory +{grown / 1e6:.1f} MB, kernel {kernel / count / 1e3:.0f} KB per client", flush=True)
        if "san" not in os.environ.get("WEIR_BIN", ""):
            self.assertLess(grown, 20 << 20)
        self.assertLess(kernel / count, 250_000)


def _unsent_bytes(port):
    """What the kernel holds for the gateway's sockets of `port`: their send queues, by skmem's w."""
    output = subprocess.run(["ss", "-tmnH", "state", "established", "sport", "=", f":{port}"], capture_output=True,
                            text=True, check=True).stdout
    return sum(int(line.split(",w")[1].split(",")[0]) for line in output.splitlines() if ",w" in line)


class Disconnect(SlowTest):
    def test_it_is_closed_and_comes_back_with_its_last_event_id(self):
        redis, gateway = self.start_both("--slow-client", "disconnect", "--queue-messages", "100",
                                         "--history-messages", "50")
        fast_account, account = Account("busy"), Account("busy")
        self.open(gateway, "/channels/busy", on_event=fast_account.add)
        (stream,) = self.stuck(gateway, "/channels/busy", on_event=account.add)
        total = scaled(4000, 2000)
        self.publish_paced(redis, "busy", 1, total, 4000, fast_account)
        gateway.wait_until_subscribers_are("busy", 1)
        stream.go_on()
        stream.wait_for_close()
        self.assertEqual((fast_account.received, fast_account.gaps), (total, []))
        again = self.resume(gateway, "/channels/busy", stream.last_event_id, on_event=account.add)
        self.loop.until(lambda: account.has_settled(total) or again.closed, "the account after the return")
        account.settle(total)
        self.assertEqual(account.missed + account.received, total)
        self.assertLessEqual({reason for _, reason in account.gaps}, {"history"})


class Latest(SlowTest):
    def test_past_the_limit_it_gets_the_newest_of_each_type_in_order_and_no_gap(self):
        redis, gateway = self.start_both("--slow-client", "latest", "--queue-messages", "50")
        events = []
        (stream,) = self.stuck(gateway, "/channels/price", on_event=events.append)
        total = scaled(4000, 2000)
        types = [f"t{n}" for n in range(10)]
        for start in range(1, total + 1, 100):
            redis.publish_all([("price", numbered(n, 4000, types[n % 10])) for n in range(start, start + 100)])
        redis.publish("price", numbered(total + 1, 0, "last"))
        stream.go_on()
        self.loop.until(lambda: (events and events[-1].type == "last") or stream.closed, "the newest of each type")
        numbers = [int(event.data.split(":")[1].split(",")[0].rstrip("}")) for event in events]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertNotIn("weir:gap", {event.type for event in events})
        self.assertLess(len(events), total)
        newest = {event.type: number for event, number in zip(events, numbers)}
        self.assertEqual(newest, {**{types[n % 10]: n for n in range(total - 9, total + 1)}, "last": total + 1})

    def test_a_reading_client_gets_everything(self):
        redis, gateway = self.start_both("--slow-client", "latest", "--queue-messages", "500")
        account = Account("price")
        self.open(gateway, "/channels/price", on_event=account.add)
        self.publish_paced(redis, "price", 1, 1000, 100, account, "t")
        self.assertEqual((account.received, account.gaps), (1000, []))


class Rules(SlowTest):
    RULES = """
slow-client = "skip"
queue-messages = 100000

[[channel]]
match = "price.*"
slow-client = "latest"
queue-messages = 20

[[channel]]
match = "log.*"
queue-messages = 30
history-messages = 7

[[channel]]
match = "*.tokens"
slow-client = "disconnect"
queue-messages = 20

[[channel]]
match = "log.x"
slow-client = "disconnect"
"""

    def test_the_first_rule_that_matches_decides(self):
        redis = self.start_redis()
        gateway = self.start_gateway(redis=redis, toml=self.RULES)
        names = ["price.tokens", "log.x", "chat.tokens", "other"]
        events = {name: [] for name in names}
        streams = {name: self.stuck(gateway, f"/channels/{name}", on_event=events[name].append)[0] for name in names}
        total = 1200
        for start in range(1, total + 1, 20):
            redis.publish_all([(name, numbered(n, 3000, "t")) for n in range(start, start + 20) for name in names])
        gateway.wait_until_subscribers_are("chat.tokens", 0)
        for stream in streams.values():
            stream.go_on()
        streams["chat.tokens"].wait_for_close()
        for name in ("price.tokens", "log.x", "other"):
            self.loop.until(lambda n=name: f'"n":{total},' in (events[n][-1].data if events[n] else "")
                            or streams[n].closed, f"the last message of {name}")
        self.assertNotIn("weir:gap", {event.type for event in events["price.tokens"]})
        self.assertLess(len(events["price.tokens"]), total)
        self.assertIn("weir:gap", {event.type for event in events["log.x"]})
        self.assertIsNone(streams["log.x"].closed)
        account = Account("log.x")
        for event in events["log.x"]:
            account.add(event)
        account.settle(total)

    def test_history_follows_the_rules_too(self):
        redis = self.start_redis()
        gateway = self.start_gateway(redis=redis, toml=self.RULES)
        watchers = self.open_all(gateway, ["/channels/log.1", "/channels/other"])
        redis.publish_all([(name, str(n)) for n in range(20) for name in ("log.1", "other")])
        for watcher in watchers:
            watcher.next_events(20)
        for name, expected in (("log.1", 7), ("other", 20)):
            stream = self.open(gateway, f"/channels/{name}?replay=100")
            events = stream.until_event(lambda event: event.type == "weir:live")
            messages = [event for event in events if event.type == "message"]
            self.assertEqual(len(messages), expected, name)
            missed = [gap_of(event) for event in events if event.type == "weir:gap"]
            self.assertEqual(missed, [{"channel": name, "missed": 20 - expected, "reason": "history"}][:20 - expected])


class Memory(SlowTest):
    def test_past_the_memory_limit_the_oldest_goes_and_who_needed_it_is_told(self):
        limit = 4 << 20
        redis, gateway = self.start_both("--memory-limit", str(limit), "--queue-bytes", str(64 << 20),
                                         "--queue-messages", "100000", "--history-bytes", str(64 << 20),
                                         "--history-messages", "100000")
        fast_account, account = Account("busy"), Account("busy")
        self.open(gateway, "/channels/busy", on_event=fast_account.add)
        (stream,) = self.stuck(gateway, "/channels/busy", on_event=account.add)
        total = scaled(5000, 3000)
        for start in range(1, total + 1, 100):
            self.publish_paced(redis, "busy", start, start + 99, 4000, fast_account)
            # The frame that is just being appended counts before the oldest one goes.
            self.assertLessEqual(gateway.metrics()["weir_frame_bytes"], limit + 5000)
        self.finish([stream], [account], total)
        self.assertEqual((fast_account.received, fast_account.gaps), (total, []))
        self.assertEqual({reason for _, reason in account.gaps}, {"memory"})
        self.assertGreater(account.missed, 0)

    def test_it_is_one_limit_for_all_channels(self):
        limit = 2 << 20
        redis, gateway = self.start_both("--memory-limit", str(limit), "--record", "*")
        gateway.wait_until_redis_is(200)
        for n in range(1, 101):
            redis.publish_all([(f"c{n}", "x" * 1000) for _ in range(100)])
            self.assertLessEqual(gateway.metrics()["weir_frame_bytes"], limit + 2000)
        gateway.wait_until(lambda: gateway.metrics()["weir_messages_in_total"] == 10_000, "all is logged")
        watcher = self.open(gateway, "/channels/c100?replay=1")
        watcher.next_event("message")


class Fairness(SlowTest):
    """Clients that stop reading harm nobody but themselves, whatever the size of messages and the memory limit."""

    def check(self, size, stuck_count, *flags, rounds=100):
        redis, gateway = self.start_both(*flags)
        healthy = Account("other")
        self.open(gateway, "/channels/other", on_event=healthy.add)
        stuck = Account("busy")
        streams = self.stuck(gateway, "/channels/busy", stuck_count, on_event=lambda event: None)
        count = scaled(rounds, 40)
        for n in range(1, count + 1):
            # A stuck client is stuck in some message: another one each time.
            redis.publish_all([("busy", numbered(n, size)), ("other", numbered(n, size))])
            self.loop.until(lambda n=n: healthy.last >= n, f"message {n} at the healthy client")
        self.assertEqual((healthy.received, healthy.gaps), (count, []))
        metrics = gateway.metrics()
        limit = metrics["weir_held_bytes_limit"]
        gateway.wait_until(lambda: gateway.metrics()["weir_held_bytes"] <= limit, "what stuck clients hold is bounded")
        return gateway, streams, metrics

    def test_messages_larger_than_a_socket_takes_at_a_small_limit(self):
        gateway, streams, metrics = self.check(130_000, 60, "--memory-limit", "16M")
        self.assertLessEqual(metrics["weir_frame_bytes"], (16 << 20) + 200_000)

    def test_large_messages_at_a_small_limit(self):
        self.check(1_500_000, 20, "--memory-limit", "16M", rounds=40)

    def test_large_messages_at_the_smallest_limit(self):
        self.check(1_500_000, 5, "--memory-limit", "64K", rounds=40)

    def test_small_messages_at_the_smallest_limit(self):
        self.check(2_000, 40, "--memory-limit", "64K", rounds=400)

    def test_many_stuck_clients_at_the_default_limit(self):
        self.check(130_000, scaled(371, 100))

    def test_each_stuck_in_a_message_of_its_own(self):
        """60 clients that stop one after the other, each in a message that no log keeps."""
        redis, gateway = self.start_both("--memory-limit", "16M", "--history-messages", "0")
        healthy = Account("other")
        self.open(gateway, "/channels/other", on_event=healthy.add)
        count, streams, stuck_by = scaled(60, 30), [], [time.monotonic()]
        for n in range(1, count + 1):
            streams += self.stuck(gateway, f"/channels/busy{n}")
            redis.publish_all([(f"busy{n}", "x" * 500_000), ("other", numbered(n, 130_000))])
            self.loop.until(lambda n=n: healthy.last >= n, f"message {n} at the healthy client")
            stuck_by.append(time.monotonic())
        self.assertEqual((healthy.received, healthy.gaps), (count, []))
        limit = gateway.metrics()["weir_held_bytes_limit"]
        gateway.wait_until(lambda: gateway.metrics()["weir_held_bytes"] <= limit, "what stuck clients hold is bounded")
        ended = gateway.metrics()['weir_streams_closed_total{reason="memory"}']
        self.assertGreater(ended, 0)
        self.assertLess(ended, count)
        for stream in streams:
            stream.go_on()
        self.loop.until(lambda: sum(stream.closed is not None for stream in streams) == ended, "the ended ones' closing")
        # The last to be stuck are the last to go. A shard counts in tenths of a second, and two shards begin to count
        # at different times. Stream n was stuck after stuck_by[n] and before stuck_by[n + 1].
        last_ended = max(stuck_by[n] for n, stream in enumerate(streams) if stream.closed)
        first_left = min(stuck_by[n + 1] for n, stream in enumerate(streams) if not stream.closed)
        self.assertLessEqual(last_ended - first_left, 0.2)


class Accounted(SlowTest):
    """What stuck clients make the process hold is what the metrics say, whatever they are stuck in."""

    def grown(self, gateway, redis, open_stuck, publish):
        before, counted_before = gateway.resident_bytes(), self.counted(gateway)
        streams = open_stuck()
        for stream in streams:
            stream.pause()
        publish()
        gateway.wait_until(lambda: gateway.metrics()["weir_slow_clients"] >= len(streams), "all are stuck")
        grown = gateway.resident_bytes() - before
        counted = self.counted(gateway) - counted_before
        print(f"{self.id().split('.')[-1]}: held {grown / 1e6:.1f} MB, counted {counted / 1e6:.1f} MB", flush=True)
        if "san" not in os.environ.get("WEIR_BIN", ""):
            # Sockets' buffers of the process, allocator and threads: some MB. A copy for each client would be 100 MB.
            self.assertLess(grown, counted * 1.3 + (24 << 20))

    @staticmethod
    def counted(gateway):
        metrics = gateway.metrics()
        # Frames that no log has are in both.
        return metrics["weir_frame_bytes"] + metrics["weir_held_bytes"]

    def check(self, target, payloads, count=100, *flags, version="1.1"):
        redis, gateway = self.start_both("--memory-limit", "16M", *flags)
        self.grown(gateway, redis,
                   lambda: self.open_all(gateway, [target] * scaled(count, 50), receive_buffer=_SMALL_WINDOW),
                   lambda: redis.publish_all(payloads))

    def test_in_a_large_message(self):
        self.check("/channels/busy", [("busy", "x" * (2 << 20))])

    def test_in_a_large_message_with_a_retry(self):
        self.check("/channels/busy", [("busy", '{"retry":5000,"data":"%s"}' % ("x" * (2 << 20)))])

    def test_in_a_large_message_in_the_form_of_events(self):
        self.check("/events?channel=busy&channel=other", [("busy", '{"retry":5000,"data":"%s"}' % ("x" * (2 << 20)))])

    def test_in_a_large_message_as_json(self):
        self.check("/channels/busy?form=json", [("busy", "x" * (2 << 20))])

    def test_among_many_messages_of_many_channels(self):
        names = [f"c{n}" for n in range(20)]
        target = "/events?" + "&".join(f"channel={name}" for name in names)
        self.check(target, [(name, "x" * 5000) for _ in range(40) for name in names])

    def test_among_conflated_messages(self):
        self.check("/channels/busy", [("busy", numbered(n, 2000, f"t{n % 100}")) for n in range(2000)], 100,
                   "--slow-client", "latest", "--queue-messages", "20")


class Stuck(SlowTest):
    def test_a_socket_that_accepts_nothing_is_closed_in_the_end(self):
        redis, gateway = self.start_both("--stuck-seconds", "2")
        fast_account = Account("busy")
        fast = self.open(gateway, "/channels/busy", on_event=fast_account.add)
        stuck = self.stuck(gateway, "/channels/busy", 5)
        self.publish_paced(redis, "busy", 1, 2000, 4000, fast_account)
        gateway.wait_until_subscribers_are("busy", 1, pump=self.loop.pump)
        for stream in stuck:
            stream.go_on()
            self.assertIn(stream.wait_for_close(DEADLINE_SECONDS), ("reset", "eof", "end"))
        self.assertIsNone(fast.closed)


if __name__ == "__main__":
    unittest.main()
