"""SIGHUP: key files, log level and [[channel]] rules are read again, the rest is named, a fault changes nothing, and no
stream ends."""

import os
import signal
import tempfile
import threading
import unittest

from support.case import GatewayTest
from support.limits import scaled
from support.tokens import Secret, bearer, token

RULES = """
[[channel]]
match = "{match}"
history-messages = {history}
"""


def rules(history, match="*"):
    return RULES.format(match=match, history=history)


class Reload(GatewayTest):
    def told(self, gateway, level="info"):
        """The lines of the log about SIGHUP."""
        return [line for line in gateway.log if f" {level} SIGHUP: " in line]

    def hang_up(self, gateway, level="info"):
        """SIGHUP, awaited until the log tells of it; the line."""
        before = len(self.told(gateway, level))
        gateway.signal(signal.SIGHUP)
        gateway.wait_until(lambda: len(self.told(gateway, level)) > before, f"a line ({level}) about SIGHUP",
                           pump=self.loop.pump)
        return self.told(gateway, level)[-1]

    def history_of(self, gateway, channel):
        """How many of ten messages a replay of `channel`, which is opened now, has."""
        watcher = self.open(gateway, f"/channels/{channel}")
        for n in range(10):
            gateway.publish(channel, str(n))
        watcher.next_events(10)
        return self.replayed(gateway, channel)

    def replayed(self, gateway, channel):
        events = self.open(gateway, f"/channels/{channel}?replay=100").until_event(
            lambda event: event.type == "weir:live")
        return len([event for event in events if not event.type.startswith("weir:")])


class WhatIsReadAgain(Reload):
    def test_rules_are_for_channels_opened_from_then_on_and_no_stream_ends(self):
        gateway = self.start_gateway(toml=rules(3))
        stream = self.open(gateway, "/channels/old")
        self.assertEqual(self.history_of(gateway, "first"), 3)
        gateway.write_toml(rules(5))
        self.assertRegex(self.hang_up(gateway), r"rules=1\b")
        self.assertEqual(self.history_of(gateway, "second"), 5)
        self.assertEqual(self.replayed(gateway, "first"), 3)
        for n in range(10):
            gateway.publish("old", str(n))
        self.assert_data(stream, [str(n) for n in range(10)])
        self.assertEqual(self.replayed(gateway, "old"), 3)
        self.assertEqual(self.told(gateway, "warning") + self.told(gateway, "error"), [])
        gateway.write_toml("")
        self.assertRegex(self.hang_up(gateway), r"rules=0\b")
        self.assertEqual(self.history_of(gateway, "third"), 10)

    def test_the_first_rule_for_a_history_takes_a_restart_and_is_named(self):
        durable = '[[channel]]\nmatch = "d*"\ndurable = true\n'
        followed = '[[channel]]\nmatch = "f*"\nsource = "stream"\n'
        redis = self.start_redis()
        for before, after, is_first in (("", durable, True), ("", followed, True), (followed, durable + followed, True),
                                        (durable + followed, followed + durable, False)):
            with self.subTest(before=before, after=after):
                gateway = self.start_gateway(redis=redis, toml=before)
                gateway.write_toml(after)
                self.hang_up(gateway)
                if is_first:
                    gateway.wait_until(lambda g=gateway: self.told(g, "warning"), "the warning")
                    self.assertIn("restart for the first rule", self.told(gateway, "warning")[0])
                gateway.stop()
                self.assertEqual(len(self.told(gateway, "warning")), is_first)

    def test_the_level_of_the_log(self):
        gateway = self.start_gateway(toml="log-level = 'info'\n")
        gateway.write_toml("log-level = 'debug'\n")
        self.assertIn("log_level=debug", self.hang_up(gateway))
        gateway.wait_until(lambda: gateway.admin("/log-level").json() == {"level": "debug"}, "the level debug")
        gateway.write_toml("log-level = 'error'\n")
        self.assertIn("log_level=error", self.hang_up(gateway))  # Told by the level that was.
        gateway.wait_until(lambda: gateway.admin("/log-level").json() == {"level": "error"}, "the level error")
        gateway.write_toml("log-level = 'loud'\n")
        self.assertIn("log-level", self.hang_up(gateway, "error"))
        self.assertEqual(gateway.admin("/log-level").json(), {"level": "error"})

    def test_flags_and_the_environment_still_win_and_what_was_put_at_run_time_ends(self):
        for more in ({"env": {"WEIR_LOG_LEVEL": "info"}}, {}):
            flags = () if more else ("--log-level", "info")
            gateway = self.start_gateway(*flags, toml="log-level = 'warning'\n", **more)
            gateway.admin("/log-level", "PUT", b"debug")
            gateway.write_toml("log-level = 'error'\n")
            self.assertIn("log_level=info", self.hang_up(gateway))
            gateway.wait_until(lambda g=gateway: g.admin("/log-level").json() == {"level": "info"}, "the level info")
            self.assertEqual(self.told(gateway, "warning"), [])

    def test_key_files(self):
        old, new = Secret(b"o" * 32), Secret(b"n" * 32)
        with tempfile.NamedTemporaryFile() as file:
            def write(secret):
                file.seek(0)
                file.truncate()
                file.write(secret)
                file.flush()

            def status(secret):
                return gateway.request("GET", "/channels/a/info", bearer(token(secret, ["a", "new"]))).status

            write(old.secret)
            gateway = self.start_gateway("--jwt-secret-file", file.name, toml="")
            stream = self.open(gateway, "/channels/a", bearer(token(old, ["a"])))
            write(new.secret)
            self.assertRegex(self.hang_up(gateway), r"keys=1\b")
            self.assertEqual((status(old), status(new)), (401, 200))
            write(b"short")
            gateway.write_toml("log-level = 'debug'\n")
            self.assertIn("jwt-secret-file", self.hang_up(gateway, "error"))
            self.assertEqual((status(old), status(new)), (401, 200))
            self.assertEqual(gateway.admin("/log-level").json(), {"level": "info"})
            self.assertFalse(stream.closed)

    def test_while_streams_are_opened_and_messages_are_published(self):
        gateway = self.start_gateway(toml=rules(3))
        rounds = scaled(40, 10)
        is_over = threading.Event()

        def keep_hanging_up():
            while not is_over.wait(0.001):
                gateway.signal(signal.SIGHUP)

        thread = threading.Thread(target=keep_hanging_up)
        thread.start()
        try:
            for n in range(rounds):
                stream = self.open(gateway, f"/channels/c{n}")
                self.assertEqual(gateway.publish(f"c{n}", "x" * (1 << 20) + str(n)).status, 202)
                self.assertEqual(stream.next_event().data, "x" * (1 << 20) + str(n))
        finally:
            is_over.set()
            thread.join()
        self.assertEqual(self.told(gateway, "error"), [])

    def test_a_hangup_during_the_drain_ends_nothing(self):
        gateway = self.start_gateway("--drain-seconds", "6", toml="")
        self.open_all(gateway, ["/channels/a"] * 3)
        gateway.signal(signal.SIGTERM)
        gateway.wait_until(lambda: gateway.admin("/readyz").status == 503, "/readyz fails", pump=self.loop.pump)
        self.hang_up(gateway)
        self.loop.until(lambda: not gateway.is_running(), "the end of the drain")
        self.assertEqual(gateway.wait_for_exit(), 0)


class WhatTakesARestart(Reload):
    def test_is_named_in_one_warning(self):
        listen = "listen = '127.0.0.1:0'\nadmin-listen = '127.0.0.1:0'\n"
        gateway = self.start_gateway(toml=listen, addresses_by_flag=False)
        stream = self.open(gateway, "/channels/a")
        gateway.write_toml("listen = '127.0.0.1:1'\nadmin-listen = '127.0.0.1:0'\nheartbeat-seconds = 7\n"
                           "history-messages = 4\nredis-url = 'redis://:secret@127.0.0.1:1'\n"
                           "trusted-proxy = ['::1']\nanonymous-subscribe = ['b']\n" + rules(3, "ruled"))
        line = self.hang_up(gateway, "warning")
        self.assertTrue(line.endswith(
            ": anonymous-subscribe, heartbeat-seconds, history-messages, listen, redis-url, trusted-proxy"), line)
        self.assertIn("restart", line)
        self.assertEqual(len(self.told(gateway, "warning")), 1)
        self.assertNotIn("secret", "\n".join(gateway.log))
        # The rule holds, the rest is as it was.
        self.assertEqual(self.history_of(gateway, "ruled"), 3)
        self.assertEqual(self.history_of(gateway, "other"), 10)
        gateway.publish("a", "still here")
        self.assertEqual(stream.next_event().data, "still here")
        gateway.write_toml(listen)
        self.hang_up(gateway)
        self.assertEqual(len(self.told(gateway, "warning")), 1)


class WhatCantBeUsed(Reload):
    def test_changes_nothing_and_is_named_in_one_error(self):
        good = "log-level = 'info'\n" + rules(3)
        gateway = self.start_gateway(toml=good)
        stream = self.open(gateway, "/channels/a")
        bad = [("this is not toml\n", "is not TOML"), ("unknown-key = 1\n", "unknown-key"),
               ("[[channel]]\nmatch = 'x'\nqueue-messages = 0\n", "queue-messages"),
               ("[[channel]]\nhistory-messages = 9\n", "match"), ("[[channel]]\nmatch = 'a b'\n", "match"),
               ("jwt-audience = 'x'\n", "jwt-audience"), ("bus = 'redis'\n", "bus")]
        for n, (text, name) in enumerate(bad):
            with self.subTest(text=text):
                gateway.write_toml("log-level = 'debug'\n" + rules(5) + text if "[[" in text else
                                   "log-level = 'debug'\n" + text + rules(5))
                line = self.hang_up(gateway, "error")
                self.assertIn(name, line)
                self.assertEqual(len(self.told(gateway, "error")), n + 1)
                self.assertEqual(gateway.admin("/log-level").json(), {"level": "info"})
                self.assertEqual(self.history_of(gateway, f"c{n}"), 3)
        self.assertEqual(self.told(gateway) + self.told(gateway, "warning"), [])
        gateway.publish("a", "still here")
        self.assertEqual(stream.next_event().data, "still here")
        gateway.write_toml(good)
        self.hang_up(gateway)

    def test_a_file_that_is_gone(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "weir.toml")
            with open(path, "w", encoding="ascii") as file:
                file.write(rules(3))
            gateway = self.start_gateway("--config", path)
            os.remove(path)
            self.assertIn(path, self.hang_up(gateway, "error"))
            os.mkfifo(path)  # Nobody writes to it: whoever reads it waits for ever.
            self.assertIn("no regular file", self.hang_up(gateway, "error"))
            self.assertEqual(self.history_of(gateway, "a"), 3)

    def test_without_a_file_there_is_nothing_to_read_and_nothing_ends(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/a")
        self.hang_up(gateway)
        gateway.publish("a", "still here")
        self.assertEqual(stream.next_event().data, "still here")


if __name__ == "__main__":
    unittest.main()
