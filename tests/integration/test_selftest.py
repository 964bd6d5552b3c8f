"""weir-broker --selftest: a message is published and received through a gateway, or the reason is said."""

import tempfile
import unittest

from support.case import GatewayTest
from support.gateway import run_once
from support.redis import RedisServer
from support.tokens import Secret, token

SECRET = Secret(b"a secret of the tests, which is long enough")


def selftest(gateway, *flags, **options):
    return run_once("--selftest", f"http://127.0.0.1:{gateway.port}", "--log-level", "off", *flags, **options)


class Selftest(GatewayTest):
    def assert_passes(self, result):
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "the message came\n", ""))

    def assert_fails(self, result, why):
        self.assertEqual((result.returncode, result.stdout), (1, "the message did not come\n"), result)
        self.assertRegex(result.stderr, rf"\Aweir-broker: [^\n]*{why}[^\n]*\n\Z")

    def file_with(self, text):
        file = tempfile.NamedTemporaryFile("w")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def test_over_redis(self):
        redis, gateway = self.start_both("--redis-prefix", "app:", "--base-path", "/events")
        result = run_once("--selftest", f"http://localhost:{gateway.port}/events/", "--log-level", "off", "--selftest-channel", "a",
                          "--redis-url", redis.url, "--redis-prefix", "app:")
        self.assert_passes(result)

    def test_over_http(self):
        self.assert_passes(selftest(self.start_gateway()))

    def test_over_a_policy_that_takes_messages_as_they_are(self):
        self.assert_passes(selftest(self.start_gateway("--envelope", "never")))

    def test_a_redis_that_is_dead(self):
        redis, gateway = self.start_both()
        redis.kill()
        self.assert_fails(selftest(gateway, "--redis-url", redis.url), "Redis: ")
        # The gateway says so, too.
        self.assert_fails(selftest(gateway), "POST: 503")

    def test_another_redis_or_another_prefix(self):
        redis, gateway = self.start_both()
        self.assert_fails(selftest(gateway, "--redis-url", self.start_redis().url), "no gateway has subscribed")
        self.assert_fails(selftest(gateway, "--redis-url", redis.url, "--redis-prefix", "b:"), "no gateway has subscribed")

    def test_a_durable_channel_and_a_followed_one(self):
        redis = self.start_redis()
        gateway = self.start_gateway("--durable", "orders", redis=redis,
                                     toml='[[channel]]\nmatch = "logs"\nsource = "stream"\n')
        durable = ("--selftest-channel", "orders")
        self.assert_passes(selftest(gateway, *durable))
        self.assert_passes(selftest(gateway, *durable, "--redis-url", redis.url))
        self.assert_fails(selftest(gateway, "--selftest-channel", "logs", "--redis-url", redis.url), "a followed stream")

    def test_a_token_that_is_missing_refused_or_good(self):
        gateway = self.start_gateway("--jwt-secret-file", self.file_with(SECRET.secret.decode()))
        self.assert_fails(selftest(gateway), "401 .*selftest-token-file")
        other = Secret(b"another secret, which is as long as that one")
        for refused in (token(other, ["selftest"], ["selftest"]), "nonsense"):
            self.assert_fails(selftest(gateway, "--selftest-token-file", self.file_with(refused)), "401 ")
        for refused in (token(SECRET, ["other"], ["selftest"]), token(SECRET, ["selftest"], [])):
            self.assert_fails(selftest(gateway, "--selftest-token-file", self.file_with(refused)), "403 ")
        good = token(SECRET, ["selftest"], ["selftest"])
        self.assert_passes(selftest(gateway, "--selftest-token-file", self.file_with(good + "\n")))
        self.assert_fails(selftest(gateway, "--selftest-token-file", "/nowhere"), "selftest-token-file")

    def test_a_channel_that_may_not_be_read(self):
        gateway = self.start_gateway("--anonymous-subscribe", "demo.*", "--anonymous-publish", "demo.*")
        self.assert_fails(selftest(gateway), "403 .*selftest-channel")
        self.assert_passes(selftest(gateway, "--selftest-channel", "demo.selftest"))

    def test_nobody_there(self):
        redis = RedisServer()
        self.addCleanup(redis.stop)
        redis.reserve()
        result = run_once("--selftest", redis.url.replace("redis", "http"), "--log-level", "off")
        self.assert_fails(result, "nobody answers")

    def test_no_url_of_a_gateway(self):
        for url in ("https://a", "http://", "http://a:0", "http://a:70000", "a"):
            self.assert_fails(run_once("--selftest", url), "must be http://host")


if __name__ == "__main__":
    unittest.main()
