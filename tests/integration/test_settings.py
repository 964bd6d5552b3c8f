"""Settings: flags over environment over file, and one line that names what is wrong, with exit code 2."""

import json
import os
import socket
import tempfile
import unittest

from support.case import GatewayTest
from support.gateway import run_once, run_publisher

LOCAL = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
FLAGS = ["--listen", "--admin-listen", "--redis-url", "--redis-prefix", "--bus", "--record", "--linger-seconds",
         "--history-messages", "--history-bytes", "--history-seconds", "--queue-messages", "--queue-bytes",
         "--slow-client", "--heartbeat-seconds", "--envelope", "--memory-limit", "--max-clients", "--drain-seconds",
         "--max-stream-seconds", "--stuck-seconds", "--socket-unsent-bytes", "--cors-origin", "--console", "--config"]


NOWHERE = ("--to", "unix:///nonexistent/redis.sock", "--channel", "a")
PUBLISHERS = {"weir-publish-demo": ("--words", "/nonexistent/text"), "weir-publish-log": ("/nonexistent/log", "--follow=false"),
              "weir-publish-file": ("/nonexistent/file",)}


class LogLevels(unittest.TestCase):
    """All programs of one environment get one WEIR_LOG_LEVEL."""

    def run_all(self, level):
        env = {"WEIR_LOG_LEVEL": level}
        # Each ends soon: what it is to read is not there.
        yield "weir-broker", run_once(*LOCAL, "--jwt-secret-file", "/nonexistent/key", env=env)
        for name, arguments in PUBLISHERS.items():
            yield name, run_publisher(name, *NOWHERE, *arguments, env=env)

    def test_all_programs_take_the_same_words(self):
        for level in ("debug", "info", "warning", "error", "off", "warn", "trace"):
            for name, result in self.run_all(level):
                with self.subTest(program=name, level=level):
                    self.assertNotIn("log-level", result.stderr)
                    if level == "off" and name != "weir-broker":
                        self.assertEqual(result.stderr, "")
                    else:
                        self.assertIn("/nonexistent", result.stderr)

    def test_all_programs_refuse_the_same_words_in_the_same_words(self):
        for name, result in self.run_all("loud"):
            with self.subTest(program=name):
                self.assertEqual(result.returncode, 2)
                self.assertEqual(result.stderr, f'{name}: log-level = "loud" (the environment variable WEIR_LOG_LEVEL): '
                                                "must be debug, info, warning, error or off\n")


class Refused(unittest.TestCase):
    def assert_refused(self, arguments, *names, env=None):
        result = run_once(*arguments, env=env)
        self.assertEqual(result.returncode, 2, result)
        lines = result.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        for name in names:
            self.assertIn(name, lines[0])

    def test_a_bad_flag_is_one_line_that_names_it_and_its_value(self):
        for flag, value in (("--heartbeat-seconds", "x"), ("--heartbeat-seconds", "-1"), ("--listen", "nonsense"),
                            ("--listen", "127.0.0.1:99999"), ("--slow-client", "maybe"), ("--envelope", "sometimes"),
                            ("--bus", "kafka"), ("--queue-messages", "1e3"), ("--queue-bytes", "1x"),
                            ("--console", "maybe"), ("--log-level", "loud"), ("--log-format", "xml"),
                            ("--drain-seconds", "99999999999999999999")):
            with self.subTest(flag=flag, value=value):
                self.assert_refused([*LOCAL, f"{flag}={value}"], flag.lstrip("-"), value)

    def test_a_bad_url_is_named_but_not_shown_since_it_may_hold_a_password(self):
        for url in ("http://:secret@localhost", "redis://:secret@localhost:port", "redis://:secret@localhost/x"):
            with self.subTest(url=url):
                self.assert_refused([*LOCAL, "--redis-url", url], "redis-url")
                self.assertNotIn("secret", run_once(*LOCAL, "--redis-url", url).stderr)

    def test_a_file_without_an_admin_token(self):
        self.assert_refused([*LOCAL, "--admin-token-file", os.devnull], "admin-token-file", os.devnull)
        with tempfile.NamedTemporaryFile("w", suffix=".token") as file:
            self.assert_refused([*LOCAL, "--admin-token-file", file.name], "admin-token-file", file.name, "16")

    def test_an_unknown_flag(self):
        self.assert_refused([*LOCAL, "--heartbeet-seconds", "1"], "heartbeet-seconds")
        self.assert_refused([*LOCAL, "stray"])

    def test_a_bad_environment_variable(self):
        self.assert_refused(LOCAL, "WEIR_HEARTBEAT_SECONDS", "soon", env={"WEIR_HEARTBEAT_SECONDS": "soon"})

    def test_a_bad_file(self):
        for text, names in (("heartbeat-seconds = 'x'\n", ["heartbeat-seconds"]),
                            ("unknown-key = 1\n", ["unknown-key"]),
                            ("[[channel]]\nmatch = 'a'\nunknown = 1\n", ["unknown"]),
                            ("[[channel]]\nqueue-messages = 1\n", ["match"]),
                            ("[[channel]]\nmatch = 'a'\nslow-client = 'x'\n", ["slow-client", "x"]),
                            ("this is not toml\n", []),
                            ("[section]\nlisten = 'x'\n", ["section"])):
            with self.subTest(text=text), tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
                file.write(text)
                file.flush()
                self.assert_refused([*LOCAL, "--config", file.name], *names)
        self.assert_refused([*LOCAL, "--config", "/nonexistent/weir.toml"], "/nonexistent/weir.toml")

    def test_off_loopback_it_wants_keys_or_an_anonymous_rule_and_names_the_flags(self):
        for listen in ("0.0.0.0:0", "[::]:0", ":0"):
            with self.subTest(listen=listen):
                self.assert_refused(["--listen", listen, "--admin-listen", "127.0.0.1:0", "--bus", "memory"],
                                    "--anonymous-subscribe")

    def test_off_loopback_the_embedded_bus_must_be_asked_for(self):
        self.assert_refused(["--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0", "--anonymous-subscribe", "*"],
                            "memory")

    def test_bus_redis_without_a_url(self):
        self.assert_refused([*LOCAL, "--bus", "redis"], "redis-url")

    def test_a_port_that_is_taken_is_one_line_too(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            result = run_once("--listen", f"127.0.0.1:{port}", "--admin-listen", "127.0.0.1:0")
            self.assertNotEqual(result.returncode, 0)
            self.assertGreater(result.returncode, 0)
            self.assertIn(str(port), result.stderr)


class Texts(unittest.TestCase):
    def test_help_lists_the_settings_with_defaults_and_units(self):
        result = run_once("--help")
        self.assertEqual(result.returncode, 0)
        for flag in FLAGS:
            self.assertIn(flag, result.stdout)
        for default in ("127.0.0.1:8080", "127.0.0.1:8081", "120", "10000", "skip"):
            self.assertIn(default, result.stdout)

    def test_version(self):
        result = run_once("--version")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"\d+\.\d+")


class Sources(GatewayTest):
    """--history-messages is what is asked for: how much a replay holds shows which value is in force."""

    def history_of(self, *flags, **options):
        gateway = self.start_gateway(*flags, **options)
        watcher = self.open(gateway, "/channels/a")
        for n in range(10):
            gateway.publish("a", str(n))
        watcher.next_events(10)
        stream = self.open(gateway, "/channels/a?replay=100")
        events = stream.until_event(lambda event: event.type == "weir:live")
        return sum(event.type == "message" for event in events)

    def test_flags_win_over_the_environment_and_that_over_the_file(self):
        toml = "history-messages = 3\n"
        env = {"WEIR_HISTORY_MESSAGES": "4"}
        self.assertEqual(self.history_of(), 10)
        self.assertEqual(self.history_of(toml=toml), 3)
        self.assertEqual(self.history_of(env=env), 4)
        self.assertEqual(self.history_of(env=env, toml=toml), 4)
        self.assertEqual(self.history_of("--history-messages", "5", env=env, toml=toml), 5)

    def test_the_file_may_be_named_by_the_environment(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write("history-messages = 6\n")
            file.flush()
            self.assertEqual(self.history_of(env={"WEIR_CONFIG": file.name}), 6)

    def test_an_unknown_variable_warns(self):
        gateway = self.start_gateway(env={"WEIR_HEARTBEET_SECONDS": "1"})
        gateway.wait_for_log("WEIR_HEARTBEET_SECONDS")

    def test_lists_are_repeated_flags_or_arrays(self):
        for options in ({"toml": 'record = ["a", "b.*"]\n'}, {"flags": ("--record", "a", "--record", "b.*")}):
            gateway = self.start_gateway(*options.pop("flags", ()), **options)
            gateway.publish("a", "1")
            gateway.publish("b.1", "2")
            for channel, expected in (("a", "1"), ("b.1", "2")):
                self.assert_data(self.open(gateway, f"/channels/{channel}?replay=1"), [expected])

    def test_log_lines_may_be_json(self):
        gateway = self.start_gateway("--log-format", "json")
        for line in gateway.log:
            self.assertIsInstance(json.loads(line), dict)


if __name__ == "__main__":
    unittest.main()
