"""Redis goes away, hangs, comes late, refuses: no stream is closed, and nothing is lost silently."""

import contextlib
import json
import re
import signal
import subprocess
import tempfile
import unittest

from support.account import Account, numbered
from support.certificates import CertificateAuthority
from support.case import GatewayTest
from support.gateway import gap_of, run_once
from support.http import Connection, request_bytes
from support.limits import scaled
from support.redis import RedisServer

# The promise is 15 s; the rest is for a busy machine.
NOTICED_SECONDS = 45


# The gateway is not ready before it has reached Redis, however slow the machine is.
NOT_WITHOUT_REDIS = ("--ready-without-redis-seconds", "3600")


class RedisTest(GatewayTest):
    def assert_gap(self, stream, channel, reason="bus-down"):
        gap = gap_of(stream.next_event())
        self.assertEqual((gap["channel"], gap["reason"]), (channel, reason))
        return gap

    def wait_until_gone(self, gateway):
        gateway.wait_until_redis_is(503, pump=self.loop.pump)

    def wait_until_back(self, gateway):
        gateway.wait_until_redis_is(200, pump=self.loop.pump)


class Away(RedisTest):
    def test_killed_and_restarted_streams_stay_open_and_get_a_gap_then_what_is_new(self):
        redis, gateway = self.start_both()
        streams = self.open_all(gateway, ["/channels/a", "/channels/b", "/channels/a", "/events?channel=a&channel=b"])
        redis.publish_all([("a", "1"), ("b", "1")])
        for stream, count in zip(streams, (1, 1, 1, 2)):
            stream.next_events(count)
        redis.kill()
        self.wait_until_gone(gateway)
        redis.start()
        self.wait_until_back(gateway)
        redis.publish_all([("a", "2"), ("b", "2")])
        for stream, channel in zip(streams, "aba"):
            self.assertIsNone(self.assert_gap(stream, channel)["missed"])
            self.assertEqual(stream.next_event("message").data, "2")
        both = streams[3].next_events(4)
        self.assertEqual(sorted(gap_of(event)["channel"] for event in both if event.type == "weir:gap"), ["a", "b"])
        self.assertEqual([event.type for event in both if event.type != "weir:gap"], ["a", "b"])
        self.assertTrue(all(stream.closed is None for stream in streams))

    def test_one_incident_is_one_gap(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a")
        redis.kill()
        self.wait_until_gone(gateway)
        redis.start()
        self.wait_until_back(gateway)
        redis.publish("a", "last")
        events = stream.until_event(lambda event: event.type == "message")
        self.assertEqual([event.type for event in events], ["weir:gap", "message"])

    def test_who_comes_back_later_is_told_of_the_gap_in_its_place(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/a")
        start = watcher.last_event_id
        redis.publish("a", "before")
        watcher.next_event("message")
        redis.kill()
        self.wait_until_gone(gateway)
        redis.start()
        self.wait_until_back(gateway)
        redis.publish("a", "after")
        watcher.next_events(2)
        stream = self.resume(gateway, "/channels/a", start)
        events = stream.next_events(3)
        self.assertEqual([event.type for event in events], ["message", "weir:gap", "message"])

    def test_publishing_meanwhile_is_answered_503_as_json(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a")
        redis.kill()
        self.wait_until_gone(gateway)
        for _ in range(5):
            response = gateway.publish("a", "x")
            self.assertEqual(response.status, 503)
            self.assertIn("error", response.json())
        self.assertEqual(gateway.admin("/readyz").status, 200)
        self.assertEqual(gateway.admin("/healthz").status, 200)
        redis.start()
        self.wait_until_back(gateway)
        self.assertEqual(gateway.publish("a", "y").status, 202)
        self.assert_gap(stream, "a")
        self.assertEqual(stream.next_event("message").data, "y")

    def test_a_stream_opened_meanwhile_gets_its_head_and_a_gap_when_redis_is_back(self):
        redis, gateway = self.start_both()
        redis.kill()
        self.wait_until_gone(gateway)
        stream = self.open(gateway, "/channels/late")
        redis.start()
        self.wait_until_back(gateway)
        redis.publish("late", "hello")
        self.assert_gap(stream, "late")
        self.assertEqual(stream.next_event("message").data, "hello")

    def test_two_losses_in_quick_succession_lose_no_channel(self):
        redis, gateway = self.start_both()
        channels = [f"c{n}" for n in range(scaled(500, 100))]
        streams = self.open_all(gateway, [f"/channels/{channel}" for channel in channels])
        for _ in range(5):
            redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
        redis.kill()
        redis.start()
        with contextlib.suppress(Exception):
            redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
        self.loop.until(lambda: all(redis.client.numsub(channel) == 1 for channel in channels), "all subscribed again")
        redis.publish_all([(channel, channel) for channel in channels])
        for stream, channel in zip(streams, channels):
            events = stream.until_event(lambda event: event.type == "message")
            self.assertEqual(events[-1].data, channel)
            self.assertIn("weir:gap", {event.type for event in events})
            self.assertEqual(stream.bus_states[-1], "up")

    def test_20_restarts_under_load_and_every_account_adds_up(self):
        redis, gateway = self.start_both()
        accounts = [Account("a") for _ in range(scaled(500, 20))]
        streams = [self.open(gateway, "/channels/a", on_event=account.add) for account in accounts]
        number = 0
        for _ in range(scaled(20, 5)):
            for _ in range(4):
                redis.publish_all([("a", numbered(number + n)) for n in range(1, 11)])
                number += 10
                self.loop.drain()
            redis.kill()
            redis.start()
            self.loop.until(lambda: redis.client.numsub("a") == 1, "the subscription after a restart")
        number += 1
        redis.publish("a", numbered(number))
        for stream, account in zip(streams, accounts):
            self.loop.until(lambda s=stream, a=account: a.last == number or s.closed, "the last message")
            self.assertIsNone(stream.closed)
            account.settle(number)
            self.assertEqual({reason for _, reason in account.gaps}, {"bus-down"})
            self.assertEqual(stream.bus_states, ["down", "up"] * (len(stream.bus_states) // 2))


class Told(RedisTest):
    """`weir:bus`: each stream is told when Redis goes and when it comes."""

    def wait_for_state(self, stream, state, seconds=NOTICED_SECONDS):
        self.loop.until(lambda: stream.closed or (stream.bus_states and stream.bus_states[-1] == state), state, seconds)
        self.assertIsNone(stream.closed)

    def test_a_kill_and_a_restart_are_told_once_a_stream_and_the_gap_comes_behind(self):
        redis, gateway = self.start_both()
        targets = ["/channels/a", "/channels/a?form=json", "/events?channel=a&channel=b", "/events?channel=a&form=json"]
        streams = self.open_all(gateway, targets, keep_bus_events=True)
        streams.append(self.open(gateway, "/channels/a", version="1.0", keep_bus_events=True))
        ids = [stream.last_event_id for stream in streams]
        redis.kill()
        for stream in streams:
            event = stream.next_event("weir:bus", seconds=NOTICED_SECONDS)
            self.assertEqual(event.data, '{"state":"down"}')
        self.assertEqual([stream.last_event_id for stream in streams], ids, "It moves no position.")
        redis.start()
        for stream, target in zip(streams, [*targets, "/channels/a"]):
            event = stream.next_event("weir:bus")
            self.assertEqual(event.data, '{"state":"up"}')
            gaps = [gap_of(stream.next_event("weir:gap"))["channel"] for _ in range(1 + ("=b" in target))]
            self.assertEqual(sorted(gaps), ["a", "b"][:len(gaps)])
        self.wait_until_back(gateway)
        redis.publish("a", "new")
        for stream in streams:
            self.assertIn("new", stream.next_event().data)
        self.assertTrue(all(stream.bus_states == ["down", "up"] for stream in streams))

    def test_a_redis_that_hangs_is_told_when_it_is_noticed(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a", keep_bus_events=True)
        redis.freeze()
        try:
            self.assertEqual(stream.next_event("weir:bus", seconds=NOTICED_SECONDS).data, '{"state":"down"}')
        finally:
            redis.thaw()
        self.assertEqual(stream.next_event("weir:bus", seconds=NOTICED_SECONDS).data, '{"state":"up"}')
        self.assert_gap(stream, "a")

    def test_who_comes_meanwhile_is_told_behind_the_first_block(self):
        redis, gateway = self.start_both()
        watcher = self.open(gateway, "/channels/a")
        redis.publish("a", "1")
        last_event_id = watcher.next_event().id
        redis.kill()
        self.wait_for_state(watcher, "down")
        newcomers = [self.open(gateway, target, {"Last-Event-ID": last_event_id}, keep_bus_events=True)
                     for target in ("/channels/a", "/channels/other", "/events?channel=a&channel=b")]
        for stream in newcomers:
            self.assertEqual(stream.next_event("weir:bus").data, '{"state":"down"}')
        redis.start()
        for stream in newcomers:
            self.wait_for_state(stream, "up")
            self.assertEqual(stream.bus_states, ["down", "up"])
        self.wait_for_state(watcher, "up")
        self.assertEqual(watcher.bus_states, ["down", "up"])

    def test_a_gateway_whose_redis_was_never_there_says_so(self):
        redis = RedisServer()
        redis.reserve()
        self.addCleanup(redis.stop)
        gateway = self.start_gateway(redis=redis, wait=False)
        stream = self.open(gateway, "/channels/a", keep_bus_events=True)
        self.assertEqual(stream.next_event("weir:bus").data, '{"state":"down"}')
        redis.start()
        self.assertEqual(stream.next_event("weir:bus").data, '{"state":"up"}')
        self.assert_gap(stream, "a")

    def test_a_stuck_client_is_told_the_true_state_when_it_reads_again_and_no_more(self):
        redis, gateway = self.start_both("--queue-bytes", str(256 << 20))
        stuck = self.open(gateway, "/channels/a", receive_buffer=4096, keep_bus_events=True)
        watcher = self.open(gateway, "/channels/b")
        stuck.pause()
        large = [f"{n}:" + "x" * 1_000_000 for n in range(100)]
        published = 0
        while gateway.metrics()["weir_slow_clients"] == 0:
            redis.publish("a", large[published])
            published += 1
            gateway.wait_until(lambda: gateway.metrics()["weir_messages_in_total"] == published, "the message")
        redis.publish("a", "behind it")
        for _ in range(3):
            redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
            self.loop.until(lambda: redis.client.numsub("b") == 1, "the subscription after the cut")
        redis.kill()
        self.wait_for_state(watcher, "down")
        stuck.go_on()
        events = stuck.until_event(lambda event: event.data == "behind it")
        received = [event.data for event in events if event.type == "message"]
        self.assertEqual(received, [*large[:published], "behind it"])
        self.assertEqual(stuck.bus_states, ["down"])
        redis.start()
        self.wait_for_state(stuck, "up")

    def test_the_connection_that_publishes_alone_is_no_outage_for_streams(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a")
        redis.client.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis.publish("a", "on")
        self.assertEqual(stream.next_event().data, "on")
        self.assertEqual(stream.bus_states, [])

    def test_without_redis_nothing_is_said(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/a")
        gateway.publish("a", "on")
        self.assertEqual(stream.next_event().data, "on")
        self.assertEqual(stream.bus_states, [])


class Cut(RedisTest):
    def test_client_kill_in_a_loop_and_every_account_adds_up(self):
        redis, gateway = self.start_both()
        accounts = [Account("a") for _ in range(20)]
        streams = [self.open(gateway, "/channels/a", on_event=account.add) for account in accounts]
        number = 0
        for _ in range(scaled(30, 8)):
            redis.publish_all([("a", numbered(number + n)) for n in range(1, 101)])
            number += 100
            redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
            redis.publish_all([("a", numbered(number + n)) for n in range(1, 11)])  # To nobody, most likely.
            number += 10
            self.loop.until(lambda: redis.client.numsub("a") == 1, "the subscription after a kill")
        number += 1
        redis.publish("a", numbered(number))
        for stream, account in zip(streams, accounts):
            self.loop.until(lambda s=stream, a=account: a.last == number or s.closed, "the last message")
            self.assertIsNone(stream.closed)
            account.settle(number)

    def test_a_gateway_that_redis_cut_for_reading_too_slowly_says_so(self):
        redis = self.start_redis("--client-output-buffer-limit", "pubsub 1mb 1mb 1")
        gateway = self.start_gateway(redis=redis)
        account = Account("a")
        stream = self.open(gateway, "/channels/a", on_event=account.add)
        gateway.signal(signal.SIGSTOP)
        number = 0
        try:
            while redis.client.numsub("a") == 1:
                redis.publish_all([("a", numbered(number + n, 10_000)) for n in range(1, 101)])
                number += 100
                self.assertLess(number, 100_000)
        finally:
            gateway.signal(signal.SIGCONT)
        self.loop.until(lambda: redis.client.numsub("a") == 1, "the subscription after the cut")
        number += 1
        redis.publish("a", numbered(number))
        self.loop.until(lambda: account.last == number or stream.closed, "the last message")
        account.settle(number)
        self.assertIn("bus-down", {reason for _, reason in account.gaps})

    def test_publishing_works_on_while_only_the_subscriber_was_cut(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a")
        redis.client.command("CLIENT", "KILL", "TYPE", "pubsub")
        self.loop.until(lambda: redis.client.numsub("a") == 1, "the subscription after the cut")
        self.assertEqual(gateway.publish("a", "on").status, 202)
        self.assert_gap(stream, "a")
        self.assertEqual(stream.next_event().data, "on")


    def test_connections_that_the_kernel_resets_are_made_again(self):
        redis, gateway = self.start_both()
        account = Account("a")
        stream = self.open(gateway, "/channels/a", on_event=account.add)
        number = 0
        for _ in range(5):
            redis.publish_all([("a", numbered(number + n)) for n in range(1, 101)])
            number += 100
            self.reset_connections(gateway, redis.port)
            self.wait_until_back(gateway)
            self.loop.until(lambda: redis.client.numsub("a") == 1, "the subscription after a reset")
        number += 1
        redis.publish("a", numbered(number))
        self.loop.until(lambda: account.last == number or stream.closed, "the last message")
        account.settle(number)
        self.assertLessEqual({reason for _, reason in account.gaps}, {"bus-down"})

    def reset_connections(self, gateway, redis_port):
        """`ss -K` on every connection of the gateway to Redis; needs root and a kernel that can."""
        def open_connections():
            shown = subprocess.run(["ss", "-tnpH", "state", "established", "dport", "=", f":{redis_port}"],
                                   capture_output=True, text=True, check=True).stdout
            return {re.search(r":(\d+) +[0-9.]+:\d+ ", line)[1] for line in shown.splitlines()
                    if f"pid={gateway.pid}," in line}
        before = open_connections()
        self.assertEqual(len(before), 2, "one that subscribes and one that publishes")
        for port in before:
            subprocess.run(["ss", "-K", "sport", "=", f":{port}", "dport", "=", f":{redis_port}"], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if before & open_connections():
            self.skipTest("this kernel does not let ss -K reset a connection")


class Hung(RedisTest):
    def test_a_redis_that_hangs_is_noticed_and_a_gap_follows_when_it_is_back(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a")
        redis.client.publish("a", "before")
        stream.next_event("message")
        redis.freeze()
        try:
            gateway.wait_until_redis_is(503, NOTICED_SECONDS, pump=self.loop.pump)
            self.assertEqual(gateway.publish("a", "x").status, 503)
        finally:
            redis.thaw()
        self.wait_until_back(gateway)
        redis.publish("a", "after")
        events = stream.until_event(lambda event: event.data == "after")
        self.assertIn("bus-down", [gap_of(event)["reason"] for event in events if event.type == "weir:gap"])
        self.assertIsNone(stream.closed)

    def test_a_publish_that_redis_did_not_confirm_is_504_and_says_that_its_outcome_is_unknown(self):
        redis, gateway = self.start_both("--publish-timeout-ms", "1000")
        redis.freeze()
        try:
            response = gateway.publish("a", "x")
        finally:
            redis.thaw()
        self.assertEqual(response.status, 504)
        self.assertIn("unknown", response.body.decode().lower())

    def test_reading_requests_are_answered_while_publishes_wait(self):
        redis, gateway = self.start_both()
        redis.freeze()
        waiting = []
        try:
            for _ in range(50):
                connection = Connection(gateway.port)
                connection.send(request_bytes("POST", "/channels/a", body=b"x"))
                waiting.append(connection)
            self.assertEqual(gateway.request("GET", "/channels/a/info").status, 200)
            self.assertEqual(gateway.admin("/healthz").status, 200)
            stream = self.loop.open(gateway.port, "/channels/b")  # The head comes after 2 s, acknowledged or not.
            self.assertEqual(stream.wait_for_head().status, 200)
        finally:
            redis.thaw()
        for connection in waiting:
            self.assertIn(connection.response().status, (202, 503, 504))
            connection.close()

    def test_a_late_acknowledgement_is_a_gap_after_the_head(self):
        redis, gateway = self.start_both()
        redis.freeze()
        try:
            stream = self.open(gateway, "/channels/late")
        finally:
            redis.thaw()
        self.assert_gap(stream, "late")
        redis.publish("late", "live now")
        self.assertEqual(stream.next_event("message").data, "live now")

    def test_a_redis_that_accepts_and_says_nothing_is_not_ready(self):
        redis = self.start_redis()
        redis.freeze()
        gateway = self.start_gateway(*NOT_WITHOUT_REDIS, redis=redis, wait=False)
        try:
            stream = self.open(gateway, "/channels/a")
            self.assertEqual(gateway.admin("/readyz").status, 503)
            self.assertEqual(gateway.admin("/healthz").status, 200)
            self.assertEqual(gateway.publish("a", "x").status, 503)
        finally:
            redis.thaw()
        gateway.wait_until_ready()
        self.wait_until_back(gateway)
        redis.publish("a", "hello")
        self.assertEqual(stream.until_event(lambda event: event.type == "message")[-1].data, "hello")


class Late(RedisTest):
    def test_a_gateway_that_waited_long_enough_is_ready_without_redis(self):
        redis = RedisServer()
        redis.reserve()
        self.addCleanup(redis.stop)
        gateway = self.start_gateway("--ready-without-redis-seconds", "0", redis=redis, wait=False)
        self.assertEqual(gateway.admin("/readyz").status, 200)
        self.assertEqual(gateway.admin("/readyz").status, 200)
        gateway.wait_for_log("ready without Redis")
        self.assertEqual(sum("ready without Redis" in line for line in gateway.log), 1)
        stream = self.open(gateway, "/channels/a", keep_bus_events=True)
        self.assertEqual(stream.next_event("weir:bus").data, '{"state":"down"}')
        redis.start()
        self.wait_until_back(gateway)
        self.assertEqual(stream.next_event("weir:bus").data, '{"state":"up"}')
        self.assert_gap(stream, "a")
        redis.publish("a", "live now")
        self.assertEqual(stream.next_event("message").data, "live now")

    def test_a_redis_that_is_started_after_the_gateway(self):
        redis = RedisServer()
        redis.reserve()
        self.addCleanup(redis.stop)
        gateway = self.start_gateway(*NOT_WITHOUT_REDIS, redis=redis, wait=False)
        self.assertEqual(gateway.admin("/readyz").status, 503)
        self.assertEqual(gateway.admin("/healthz/redis").status, 503)
        self.assertEqual(gateway.admin("/healthz").status, 200)
        stream = self.open(gateway, "/channels/a")
        redis.start()
        gateway.wait_until_ready()
        self.wait_until_back(gateway)
        redis.publish("a", "hello")
        self.assert_gap(stream, "a")
        self.assertEqual(stream.next_event("message").data, "hello")


class Subscriptions(RedisTest):
    def test_one_subscription_for_50_clients_and_none_after_the_linger(self):
        redis, gateway = self.start_both("--linger-seconds", "1")
        streams = self.open_all(gateway, ["/channels/a"] * 50)
        self.assertEqual(redis.client.numsub("a"), 1)
        self.assertEqual(redis.publish("a", "x"), 1)
        for stream in streams:
            stream.next_event("message")
            stream.cut()
        gateway.wait_until(lambda: redis.client.numsub("a") == 0, "the end of the subscription")
        metrics = gateway.metrics()
        self.assertEqual(metrics["weir_redis_subscriptions_wanted"], 0)

    def test_a_client_that_comes_within_the_linger_keeps_the_subscription(self):
        redis, gateway = self.start_both("--linger-seconds", "60")
        self.open(gateway, "/channels/a").cut()
        gateway.wait_until_subscribers_are("a", 0)
        self.assertEqual(redis.client.numsub("a"), 1)
        self.open(gateway, "/channels/a")
        self.assertEqual(redis.client.numsub("a"), 1)

    def test_channels_that_come_and_go_leave_no_subscription_behind(self):
        redis, gateway = self.start_both("--linger-seconds", "0")
        for round in range(scaled(10, 3)):
            streams = self.open_all(gateway, [f"/channels/c{n}" for n in range(50)])
            for stream in streams:
                stream.cut(reset=True)
        gateway.wait_until(lambda: redis.client.command("PUBSUB", "CHANNELS") == [], "no subscription is left")

    def test_the_prefix_is_put_before_the_name_on_the_redis_side(self):
        redis, gateway = self.start_both("--redis-prefix", "app:")
        stream = self.open(gateway, "/channels/news")
        self.assertEqual(redis.client.numsub("app:news"), 1)
        self.assertEqual(redis.publish("news", "not this"), 0)
        redis.publish("app:news", "this")
        self.assertEqual(stream.next_event().data, "this")
        gateway.publish("news", "and this")
        self.assertEqual(stream.next_event().data, "and this")

    def test_a_prefix_and_a_recorded_pattern_go_together(self):
        redis, gateway = self.start_both("--redis-prefix", "app:", "--record", "n*")
        gateway.wait_until_redis_is(200)
        redis.publish_all([("app:news", "1"), ("news", "x")])
        gateway.wait_until_logged("news", 1)
        self.assert_data(self.open(gateway, "/channels/news?replay=9"), ["1"])

    def test_a_recorded_pattern_is_no_redis_glob(self):
        redis, gateway = self.start_both("--record", "a*c")
        gateway.wait_until_redis_is(200)
        redis.publish_all([("abc", "1"), ("a c", "refused name"), ("abcd", "not matched"), ("ac", "2")])
        gateway.wait_until_logged("ac", 1)  # The last of them.
        self.assert_data(self.open(gateway, "/channels/abc?replay=9"), ["1"])
        self.assertFalse(gateway.info("abcd")["lastId"])


class Access(RedisTest):
    def test_a_channel_that_the_acl_forbids_ends_and_the_others_go_on(self):
        redis = self.start_redis()
        redis.client.command("ACL", "SETUSER", "gw", "on", ">secret", "resetchannels", "&ok.*", "+@all")
        gateway = self.start_gateway("--redis-url", f"redis://gw:secret@127.0.0.1:{redis.port}")
        allowed = self.open(gateway, "/channels/ok.1")
        forbidden = self.loop.open(gateway.port, "/channels/no.1")
        response = forbidden.wait_for_head()
        if response.status == 200:
            forbidden.wait_for_close()
        else:
            self.assertEqual((response.status, response.headers["content-type"]), (403, "application/json"))
        # Of several channels the refused one is named.
        several = self.loop.open(gateway.port, "/events?channel=ok.1&channel=no.2&channel=ok.2", keep_body=True)
        self.assertEqual(several.wait_for_head().status, 403)
        several.wait_for_close()
        self.assertEqual(json.loads(bytes(several.body))["channel"], "no.2")
        redis.publish("ok.1", "hello")
        self.assertEqual(allowed.next_event("message").data, "hello")
        self.assertEqual(gateway.publish("ok.1", "x").status, 202)
        refused = gateway.publish("no.1", "x")
        self.assertGreaterEqual(refused.status, 400)
        self.assertEqual((refused.status, refused.json()["channel"]), (403, "no.1"))
        self.assertEqual([event.data for event in allowed.next_events(1)], ["x"])

    def test_a_password(self):
        redis = self.start_redis("--requirepass", "p@ss/w:rd")
        gateway = self.start_gateway("--redis-url", f"redis://:p%40ss%2Fw%3Ard@127.0.0.1:{redis.port}/3")
        stream = self.open(gateway, "/channels/a")
        gateway.publish("a", "hello")
        self.assertEqual(stream.next_event().data, "hello")
        self.assertNotIn("p@ss", "\n".join(gateway.log))

    def test_a_wrong_password_is_not_ready_and_says_why_without_the_password(self):
        redis = self.start_redis("--requirepass", "right")
        gateway = self.start_gateway(*NOT_WITHOUT_REDIS, "--redis-url", f"redis://:wrongsecret@127.0.0.1:{redis.port}", wait=False)
        gateway.wait_for_log(r"(?i)(WRONGPASS|NOAUTH|invalid password|auth)")
        self.assertEqual(gateway.admin("/readyz").status, 503)
        self.assertNotIn("wrongsecret", "\n".join(gateway.log))

    def test_a_channel_that_the_acl_forbids_later_ends_and_the_others_go_on_behind_a_gap(self):
        redis = self.start_redis()
        redis.client.command("ACL", "SETUSER", "gw", "on", ">secret", "resetchannels", "&a.*", "&b.*", "+@all")
        gateway = self.start_gateway("--redis-url", f"redis://gw:secret@127.0.0.1:{redis.port}")
        allowed = self.open(gateway, "/channels/a.1")
        revoked = self.open(gateway, "/channels/b.1")
        redis.client.command("ACL", "SETUSER", "gw", "resetchannels", "&a.*")  # Redis cuts who follows b.1.
        revoked.wait_for_close()
        gateway.wait_for_log(r"refuses channel b\.1: NOPERM")
        redis.publish("a.1", "on")
        self.assert_gap(allowed, "a.1")
        self.assertEqual(allowed.next_event("message").data, "on")
        self.wait_until_back(gateway)

    def test_a_user_that_is_deleted_is_an_incident_that_health_and_log_tell_of(self):
        redis = self.start_redis()
        user = ("ACL", "SETUSER", "gw", "on", ">sesame-open", "&*", "+@all")
        redis.client.command(*user)
        gateway = self.start_gateway("--redis-url", f"redis://gw:sesame-open@127.0.0.1:{redis.port}")
        stream = self.open(gateway, "/channels/a")
        redis.client.command("ACL", "DELUSER", "gw")
        gateway.wait_until(lambda: b"WRONGPASS" in gateway.admin("/healthz/redis").body, "the reason",
                           pump=self.loop.pump)
        self.assertEqual(gateway.admin("/healthz/redis").status, 503)
        self.assertEqual(gateway.admin("/readyz").status, 200)
        gateway.wait_for_log("redis subscriber: not connected: WRONGPASS")
        redis.client.command(*user)
        self.wait_until_back(gateway)
        self.assert_gap(stream, "a")
        self.assertNotIn("sesame", "\n".join(gateway.log))

    def test_a_password_from_a_file_is_nowhere_to_be_seen(self):
        redis = self.start_redis("--requirepass", "sesame-open")
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("sesame-open\n")
            file.flush()
            gateway = self.start_gateway("--redis-password-file", file.name, redis=redis)
            stream = self.open(gateway, "/channels/a")
            admin = redis.connect_as("sesame-open")
            self.addCleanup(admin.close)
            admin.publish("a", "hello")
            self.assertEqual(stream.next_event().data, "hello")
            shown = [gateway.admin(path).body.decode() for path in ("/metrics", "/channels", "/healthz/redis", "/readyz")]
            shown.append(gateway.request("GET", "/").body.decode())
            with open(f"/proc/{gateway.pid}/cmdline", encoding="ascii") as command:
                shown.append(command.read())
            # The password changes: what is said of the one in use does not repeat it either.
            admin.command("CONFIG", "SET", "requirepass", "other")
            admin.command("CLIENT", "KILL", "TYPE", "pubsub")
            gateway.wait_until(lambda: b"WRONGPASS" in gateway.admin("/healthz/redis").body, "the reason",
                               pump=self.loop.pump)
            shown += [gateway.admin("/healthz/redis").body.decode(), gateway.publish("a", "x").body.decode()]
            self.assertNotIn("sesame", "\n".join(shown + gateway.log))

    def test_everything_open_on_a_redis_without_a_prefix_is_warned_of(self):
        redis = self.start_redis()
        gateway = self.start_gateway("--anonymous-subscribe", "*", "--anonymous-publish", "*", redis=redis)
        for name in ("anonymous-subscribe", "anonymous-publish"):
            gateway.wait_for_log(f'{name} = .*without a redis-prefix')
        quiet = self.start_gateway("--anonymous-subscribe", "*", "--redis-prefix", "app:", redis=redis)
        self.assertNotIn("without a redis-prefix", "\n".join(quiet.log))

    def test_a_unix_socket(self):
        redis = self.start_redis()
        gateway = self.start_gateway("--redis-url", f"unix://{redis.socket_path}")
        stream = self.open(gateway, "/channels/a")
        redis.publish("a", "hello")
        self.assertEqual(stream.next_event().data, "hello")


class Tls(RedisTest):
    def setUp(self):
        super().setUp()
        self.ca = CertificateAuthority()
        self.addCleanup(self.ca.close)

    def start_both_with_tls(self, *flags, **options):
        redis = self.start_redis(tls=self.ca.issue())
        gateway = self.start_gateway("--redis-url", redis.tls_url, "--redis-ca-file", self.ca.file, *flags, **options)
        return redis, gateway

    def test_restarts_under_load_and_every_account_adds_up(self):
        redis, gateway = self.start_both_with_tls()
        accounts = [Account("a") for _ in range(scaled(100, 20))]
        streams = [self.open(gateway, "/channels/a", on_event=account.add) for account in accounts]
        number = 0
        for _ in range(scaled(10, 3)):
            for _ in range(4):
                redis.publish_all([("a", numbered(number + n, 10_000)) for n in range(1, 11)])
                number += 10
                self.loop.drain()
            redis.kill()
            redis.start()
            self.loop.until(lambda: redis.client.numsub("a") == 1, "the subscription after a restart")
        number += 1
        redis.publish("a", numbered(number))
        for stream, account in zip(streams, accounts):
            self.loop.until(lambda s=stream, a=account: a.last == number or s.closed, "the last message")
            self.assertIsNone(stream.closed)
            account.settle(number)
            self.assertLessEqual({reason for _, reason in account.gaps}, {"bus-down"})

    def test_the_largest_messages_in_both_directions(self):
        redis, gateway = self.start_both_with_tls("--queue-bytes", "64M", "--memory-limit", "256M")
        stream = self.open(gateway, "/channels/a")
        texts = [letter * (4 << 20) for letter in "abcd"]
        redis.publish_all([("a", text) for text in texts])
        for text in texts:
            self.assertTrue(stream.next_event("message").data == text)
        for text in texts:
            self.assertEqual(gateway.publish("a", text).status, 202)
            self.assertTrue(stream.next_event("message").data == text)
        self.assertEqual(gateway.metrics()["weir_redis_reconnects_total"], 0)

    def test_a_certificate_that_is_not_accepted_is_one_line_and_health_says_why(self):
        log = tempfile.NamedTemporaryFile("r")
        self.addCleanup(log.close)
        redis = self.start_redis("--logfile", log.name, tls=self.ca.issue("DNS:other.example"))
        gateway = self.start_gateway(*NOT_WITHOUT_REDIS, "--redis-url", redis.tls_url, "--redis-ca-file", self.ca.file,
                                     wait=False)
        self.loop.until(lambda: b"IP address mismatch" in gateway.admin("/healthz/redis").body, "the reason")
        self.assertEqual(gateway.admin("/readyz").status, 503)
        # It goes on trying, and does not go on telling.
        refused = []
        self.loop.until(lambda: refused.extend(line for line in log if "Error accepting" in line) or len(refused) >= 6,
                        "more attempts")
        told = [line for line in gateway.log if "IP address mismatch" in line]
        self.assertEqual(len(told), 2, "one of each connection")

    def test_files_that_cannot_be_used_are_refused_at_the_start(self):
        certificate, key = self.ca.issue()
        _, other_key = self.ca.issue()
        for flags, name in ((["--redis-ca-file", "/nonexistent"], "redis-ca-file"),
                            (["--redis-ca-file", key], "redis-ca-file"),
                            (["--redis-certificate-file", certificate], "redis-key-file"),
                            (["--redis-certificate-file", certificate, "--redis-key-file", other_key], "redis-key-file"),
                            (["--redis-password-file", "/nonexistent"], "redis-password-file")):
            with self.subTest(flags=flags):
                result = run_once("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--redis-url",
                                  "rediss://127.0.0.1:1", *flags)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
                self.assertIn(name, result.stderr)


if __name__ == "__main__":
    unittest.main()
