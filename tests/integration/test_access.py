"""Who gets in: tokens of each kind, forged ones, cookies and pages of other origins, keys that change, and what is not logged."""

import base64
import json
import subprocess
import tempfile
import time
import unittest

from support.case import GatewayTest
from support.gateway import clean_environment, program, run_once
from support.tokens import KeyFile, KeyPair, Secret, base64url, bearer, claims, encode, token

SECRET = Secret(b"a secret of the tests, which is long enough")
LOCAL = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
REALM = 'Bearer realm="weir"'


def cookie(text, name="weir_token"):
    return {"Cookie": f"theme=dark; {name}={text}; lang=en"}


class AccessTest(GatewayTest):
    def start_with_secret(self, *flags, **options):
        return self.start_gateway("--jwt-secret-file", key_file(self, SECRET.secret + b"\n"), *flags, **options)

    def status(self, gateway, target, headers=None, method="GET"):
        return gateway.request(method, target, headers, b"x" if method == "POST" else None).status

    def refusals(self, gateway, reason):
        return gateway.metrics().get(f'weir_http_refused_total{{reason="{reason}"}}', 0)


class Tokens(AccessTest):
    def assert_holder_gets_in(self, gateway, text):
        stream = self.open(gateway, "/channels/user:42", bearer(text))
        self.assertEqual(gateway.publish("user:42", "hello", bearer(text)).status, 202)
        self.assert_data(stream, ["hello"])
        stream.cut()

    def test_hs256(self):
        gateway = self.start_with_secret()
        self.assert_holder_gets_in(gateway, token(SECRET, ["user:42"], ["user:*"]))
        self.assertEqual(self.status(gateway, "/channels/user:42"), 401)
        other = Secret(b"another secret, which is as long as that one")
        self.assertEqual(self.status(gateway, "/channels/user:42", bearer(token(other, ["*"]))), 401)

    def test_public_keys(self):
        for kind in ("rsa", "ec", "ed25519"):
            with self.subTest(kind=kind):
                pair = KeyPair(kind)
                gateway = self.start_gateway("--jwt-public-key-file", key_file(self, pair.public_pem))
                self.assert_holder_gets_in(gateway, token(pair, ["user:42"], ["user:42"]))
                self.assertEqual(self.status(gateway, "/channels/a", bearer(token(KeyPair(kind), ["*"]))), 401)
                # The public key is known to all: taken for a secret it would let everybody in.
                for secret in (pair.public_pem, pair.public_pem.strip()):
                    forged = token(Secret(secret), ["*"])
                    self.assertEqual(self.status(gateway, "/channels/a", bearer(forged)), 401)

    def test_a_set_of_keys(self):
        pairs = {kind: KeyPair(kind) for kind in ("rsa", "ec", "ed25519")}
        keys = {"keys": [pair.jwk(kid=kind) for kind, pair in pairs.items()] + [{"kty": "unknown", "kid": "x"}]}
        gateway = self.start_gateway("--jwks-file", key_file(self, keys))
        for kind, pair in pairs.items():
            self.assert_holder_gets_in(gateway, token(pair, ["user:42"], ["user:42"], header={"kid": kind}))
            self.assert_holder_gets_in(gateway, token(pair, ["user:42"], ["user:42"]))
            other = token(pair, ["*"], header={"kid": "x"})
            self.assertEqual(self.status(gateway, "/channels/user:42", bearer(other)), 401, kind)
        self.assertEqual(gateway.metrics()["weir_keys"], 3)

    def test_from_header_query_or_cookie_in_that_order(self):
        gateway = self.start_with_secret()
        good = token(SECRET, ["a"], ["a"])
        self.assertEqual(self.status(gateway, "/channels/a/info", bearer(good)), 200)
        self.assertEqual(self.status(gateway, f"/channels/a/info?access_token={good}"), 200)
        self.assertEqual(self.status(gateway, "/channels/a/info", cookie(good)), 200)
        self.assertEqual(self.status(gateway, f"/channels/a?access_token={good}", method="POST"), 202)
        self.assertEqual(self.status(gateway, "/channels/a/info", {**bearer("bad"), **cookie(good)}), 401)
        self.assertEqual(self.status(gateway, "/channels/a/info?access_token=bad", cookie(good)), 401)
        self.assertEqual(self.status(gateway, "/channels/a/info", {**bearer(good), **cookie("bad")}), 200)
        stream = self.open(gateway, f"/events?channel=a&access_token={good}")
        gateway.publish("a", "x", bearer(good))
        self.assertEqual(stream.next_event().data, "x")

    def test_the_cookie_may_have_another_name(self):
        gateway = self.start_with_secret("--jwt-cookie", "__Host-weir")
        good = token(SECRET, ["a"])
        self.assertEqual(self.status(gateway, "/channels/a/info", cookie(good, "__Host-weir")), 200)
        self.assertEqual(self.status(gateway, "/channels/a/info", cookie(good)), 401)

    def test_every_channel_must_be_covered(self):
        gateway = self.start_with_secret("--anonymous-subscribe", "news")
        holder = bearer(token(SECRET, ["user:42", "team.*"]))
        for channels, status in ((["user:42"], 200), (["user:42", "team.a", "team.b", "news"], 200),
                                 (["user:42", "user:43"], 403), (["user:420"], 403), (["xteam.a"], 403)):
            with self.subTest(channels=channels):
                target = "/events?" + "&".join(f"channel={channel}" for channel in channels)
                self.assertEqual(gateway.request("HEAD", target, holder).status, status)
        refused = gateway.request("GET", "/channels/user:43", holder)
        self.assertEqual(refused.status, 403)
        self.assertEqual(refused.headers["www-authenticate"], f'{REALM}, error="insufficient_scope"')
        self.assertEqual(self.status(gateway, "/channels/user:42", holder, "POST"), 403)
        self.assertEqual(self.status(gateway, "/channels/user:42/end", holder, "POST"), 403)
        self.assertEqual(self.status(gateway, "/channels/user:43/info", holder), 403)

    def test_without_a_token_the_anonymous_rules_hold_and_with_a_bad_one_nothing(self):
        gateway = self.start_with_secret("--anonymous-subscribe", "news", "--anonymous-publish", "box")
        self.open(gateway, "/channels/news")
        self.assertEqual(self.status(gateway, "/channels/box", method="POST"), 202)
        missing = gateway.request("GET", "/channels/a")
        self.assertEqual((missing.status, missing.headers["www-authenticate"]), (401, REALM))
        self.assertEqual(missing.json()["error"], "Unauthorized")
        for place in ("Authorization: Bearer", "weir_token", "?access_token="):
            self.assertIn(place, missing.json()["detail"])
        bad = gateway.request("GET", "/channels/news", bearer("bad"))
        self.assertEqual(bad.status, 401)
        self.assertRegex(bad.headers["www-authenticate"], f'^{REALM}, error="invalid_token", error_description="[^"]+"$')
        self.assertEqual(self.status(gateway, "/channels/box", bearer("bad"), "POST"), 401)
        self.assertEqual(self.refusals(gateway, "token-missing"), 1)
        self.assertEqual(self.refusals(gateway, "token-bad"), 2)

    def test_the_audience(self):
        gateway = self.start_with_secret("--jwt-audience", "weir")
        for audience, status in (("weir", 200), (["other", "weir"], 200), ("other", 401), ([], 401), (None, 401)):
            more = {} if audience is None else {"aud": audience}
            text = token(SECRET, ["a"], **more)
            self.assertEqual(self.status(gateway, "/channels/a/info", bearer(text)), status, audience)


class Expiry(AccessTest):
    def test_a_stream_ends_with_its_token_and_goes_on_with_the_next_one(self):
        gateway = self.start_with_secret()
        publisher = bearer(token(SECRET, [], ["*"]))
        old = token(SECRET, ["a"], seconds=6)
        stream = self.open(gateway, f"/channels/a?access_token={old}")
        # Less than 30 s are left: it is told at once.
        self.assertEqual(stream.next_event().type, "weir:token-expiring")
        gateway.publish("a", "before", publisher)
        last = stream.next_event()
        self.assertEqual(last.data, "before")
        stream.wait_for_close()
        self.assertGreaterEqual(time.time(), claims_of(old)["exp"])
        # Where an EventSource gives up for good:
        self.assertEqual(self.status(gateway, f"/channels/a?access_token={old}", {"Last-Event-ID": last.id}), 401)
        gateway.publish("a", "between", publisher)
        new = token(SECRET, ["a"])
        stream = self.open(gateway, f"/channels/a?access_token={new}&lastEventId={last.id}")
        self.assertEqual([stream.next_event()[:2] for _ in range(2)], [("message", "between"), ("weir:live", '{"replayed":1}')])
        gateway.publish("a", "after", publisher)
        self.assert_data(stream, ["after"])
        self.assertEqual(gateway.metrics()['weir_streams_closed_total{reason="token-expired"}'], 1)


class Forged(AccessTest):
    def test_nobody_gets_in_with_a_token_that_is_not_good(self):
        pair = KeyPair("rsa")
        keys = {"keys": [pair.jwk(kid="rsa"), KeyPair("ec").jwk(kid="ec")]}
        gateway = self.start_gateway("--jwt-secret-file", key_file(self, SECRET.secret),
                                     "--jwks-file", key_file(self, keys))
        good = claims(["*"], ["*"])
        header = {"alg": "HS256"}
        signed = encode(SECRET, header, good)
        unsigned = ".".join(signed.split(".")[:2])
        forged = {f"alg {name}": base64url(json.dumps({"alg": name}).encode()) + "." + signed.split(".")[1] + "."
                  for name in ("none", "None", "NONE", "nOnE", "")}
        forged.update({
            "no signature": unsigned + ".",
            "two parts": unsigned,
            "a zero signature": unsigned + "." + base64url(bytes(32)),
            "the public key as a secret": encode(Secret(pair.public_pem), {"alg": "HS256", "kid": "rsa"}, good),
            "rsa said to be an hmac": encode(pair, {"alg": "HS256"}, good),
            "an hmac said to be rsa": encode(SECRET, {"alg": "RS256"}, good),
            "no exp": encode(SECRET, header, {"weir": good["weir"]}),
            "a text as exp": encode(SECRET, header, {**good, "exp": str(good["exp"])}),
            "exp of 1e308": encode(SECRET, header, {**good, "exp": 1e308}),
            "exp of 1e400": encode(SECRET, header, b'{"exp":1e400,"weir":{"subscribe":["*"]}}'),
            "negative exp": encode(SECRET, header, {**good, "exp": -1}),
            "expired": encode(SECRET, header, {**good, "exp": int(time.time()) - 1}),
            "not yet": encode(SECRET, header, {**good, "nbf": int(time.time()) + 300}),
            "exp twice": encode(SECRET, header, b'{"exp":1,"exp":%d,"weir":{"subscribe":["*"]}}' % good["exp"]),
            "kid is a path": encode(Secret(b""), {"alg": "HS256", "kid": "../../../../dev/null"}, good),
            "kid is sql": encode(Secret(b"x"), {"alg": "HS256", "kid": "x' UNION SELECT 'x"}, good),
            "kid is an array": encode(SECRET, {"alg": "HS256", "kid": ["rsa"]}, good),
            "kid is an object": encode(SECRET, {"alg": "HS256", "kid": {"rsa": 1}}, good),
            "crit": encode(SECRET, {"alg": "HS256", "crit": ["exp"]}, good),
            "b64": encode(SECRET, {"alg": "HS256", "b64": False, "crit": ["b64"]}, good),
            "an encrypted one": base64url(b'{"alg":"dir","enc":"A256GCM"}') + "..AA.AA.AA",
            "a deep header": encode(SECRET, b'{"alg":"HS256","a":' + b"[" * 2000 + b"]" * 2000 + b"}", good),
            "a deep payload": encode(SECRET, header, b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"),
            "a dot more": signed + ".",
            "padding": signed + "=",
            "7 KB of garbage": "A" * 7000,
            "7 KB of dots": "." * 7000,
            "garbage in parts": ".".join([base64url(bytes(range(256)) * 6)] * 3),
            "bytes": "".join(chr(0x80 + n % 0x80) for n in range(7000)),
        })
        self.assertEqual(self.status(gateway, "/channels/a/info", bearer(signed)), 200)
        for name, text in forged.items():
            with self.subTest(name):
                for target, headers, method in (("/channels/a", bearer(text), "GET"), ("/channels/a", cookie(text), "GET"),
                                                ("/events?channel=a", bearer(text), "GET"),
                                                ("/channels/a", bearer(text), "POST")):
                    self.assertIn(self.status(gateway, target, headers, method), (401, 403))
                if text.isascii():
                    self.assertIn(self.status(gateway, f"/channels/a?access_token={text}"), (401, 403))
        metrics = gateway.metrics()
        self.assertEqual(metrics["weir_streams_opened_total"], 0)
        self.assertEqual(metrics['weir_http_requests_total{code="500"}'], 0)
        self.assertEqual(metrics.get('weir_publishes_total{outcome="delivered"}', 0), 0)


class Browsers(AccessTest):
    def test_a_cookie_does_not_serve_pages_of_other_origins(self):
        gateway = self.start_with_secret("--cors-origin", "https://app.example")
        good = cookie(token(SECRET, ["a"], ["a"]))
        for origin, status in (("https://app.example", 202), (f"http://localhost:{gateway.port}", 202),
                               ("https://evil.example", 403), ("null", 403), ("https://app.example.evil.example", 403)):
            with self.subTest(origin=origin):
                headers = {**good, "Host": f"localhost:{gateway.port}", "Origin": origin}
                self.assertEqual(self.status(gateway, "/channels/a", headers, "POST"), status)
                self.assertEqual(self.status(gateway, "/channels/a/info", headers), 200 if status == 202 else 403)
        for site, status in (("same-origin", 202), ("none", 202), ("same-site", 403), ("cross-site", 403), (None, 202)):
            with self.subTest(site=site):
                self.assertEqual(self.status(gateway, "/channels/a", {**good, "Sec-Fetch-Site": site}, "POST"), status)

    def test_all_origins_are_never_all_cookies(self):
        gateway = self.start_with_secret("--cors-origin", "*")
        good = token(SECRET, ["a"], ["a"])
        foreign = {"Origin": "https://evil.example"}
        self.assertEqual(self.status(gateway, "/channels/a", {**cookie(good), **foreign}, "POST"), 403)
        self.assertEqual(self.status(gateway, "/channels/a/info", {**cookie(good), **foreign}), 403)
        answer = gateway.request("GET", "/channels/a/info", {**bearer(good), **foreign})
        self.assertEqual((answer.status, answer.headers["access-control-allow-origin"]), (200, "*"))
        self.assertNotIn("access-control-allow-credentials", answer.headers)

    def test_a_refusal_is_readable_for_an_allowed_origin(self):
        gateway = self.start_with_secret("--cors-origin", "https://app.example")
        answer = gateway.request("GET", "/channels/a", {"Origin": "https://app.example"})
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.headers["access-control-allow-origin"], "https://app.example")
        self.assertEqual(answer.headers["access-control-allow-credentials"], "true")
        self.assertEqual(answer.headers["vary"], "Origin")


class Publishers(AccessTest):
    def test_a_publisher_sends_the_token_of_its_file(self):
        gateway = self.start_with_secret()
        stream = self.open(gateway, "/channels/stream", bearer(token(SECRET, ["stream"])))
        with tempfile.NamedTemporaryFile("w") as words:
            words.write("one two")
            words.flush()
            command = [program("weir-publish-demo"), "--to", f"http://127.0.0.1:{gateway.port}", "--channel", "stream",
                       "--words", words.name, "--token-file", key_file(self, token(SECRET, [], ["stream"]) + "\n")]
            result = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_data(stream, ['{"msg":"one "}', '{"msg":"two"}'])

    def test_a_token_file_is_for_a_gateway(self):
        result = subprocess.run([program("weir-publish-demo"), "--to", "redis://127.0.0.1:1", "--channel", "a",
                                 "--token-file", "/x"], capture_output=True, text=True, env=clean_environment())
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r'\Aweir-publish-demo: token-file = "/x": is for a gateway [^\n]*\n\Z')


class Keys(AccessTest):
    def test_are_read_again_when_their_file_changes_and_kept_when_it_breaks(self):
        old, new = KeyPair("ec"), KeyPair("ed25519")
        file = KeyFile({"keys": [old.jwk(kid="old")]})
        self.addCleanup(file.remove)
        gateway = self.start_gateway("--jwks-file", file.path)

        def is_let_in(pair):
            return self.status(gateway, "/channels/a/info", bearer(token(pair, ["a"]))) == 200

        stream = self.open(gateway, "/channels/a", bearer(token(old, ["a"])))
        self.assertTrue(is_let_in(old))
        self.assertFalse(is_let_in(new))

        file.replace({"keys": [old.jwk(kid="old"), new.jwk(kid="new")]})
        gateway.wait_until(lambda: is_let_in(new), "the new key")
        self.assertTrue(is_let_in(old), "Both, while tokens of the old one are about.")
        file.replace('{"keys":[{"kty"')
        gateway.wait_for_log(r"the keys stay as they were: jwks-file = \".*\": is not JSON")
        self.assertTrue(is_let_in(old) and is_let_in(new))
        file.replace({"keys": [new.jwk(kid="new")]})
        gateway.wait_until(lambda: not is_let_in(old), "the end of the old key")
        self.assertTrue(is_let_in(new))
        metrics = gateway.metrics()
        self.assertEqual(metrics['weir_key_reloads_total{outcome="ok"}'], 2)
        self.assertEqual(metrics['weir_key_reloads_total{outcome="failed"}'], 1)
        self.assertEqual(len([line for line in gateway.log if "stay as they were" in line]), 1)

        # A stream that was let in stays until its token expires.
        gateway.publish("a", "x", bearer(token(new, [], ["a"])))
        self.assert_data(stream, ["x"])

    def test_that_are_no_good_are_refused_at_start_in_one_line(self):
        for flag, content, why in (("--jwt-secret-file", b"x" * 31 + b"\n", "31 bytes; a secret has at least 32"),
                                   ("--jwt-secret-file", KeyPair("ec").public_pem, "PEM"),
                                   ("--jwt-public-key-file", KeyPair("rsa", 1024).public_pem, "1024 bits"),
                                   ("--jwt-public-key-file", b"nonsense", "PEM"),
                                   ("--jwks-file", {"keys": []}, "no key for"),
                                   ("--jwks-file", {"keys": [KeyPair("rsa", 1024).jwk()]}, "1024 bits")):
            with self.subTest(flag=flag, why=why):
                path = key_file(self, content)
                result = run_once(*LOCAL, flag, path)
                self.assertEqual(result.returncode, 2, result)
                self.assertRegex(result.stderr, rf'\Aweir-broker: {flag[2:]} = "{path}": [^\n]*{why}[^\n]*\n\Z')
        result = run_once(*LOCAL, "--jwks-file", "/nonexistent/keys")
        self.assertEqual(result.returncode, 2)
        self.assertIn('jwks-file = "/nonexistent/keys": can\'t be read: No such file', result.stderr)

    def test_open_the_gateway_off_loopback(self):
        off = ("--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0", "--bus", "memory")
        refused = run_once(*off)
        self.assertEqual(refused.returncode, 2)
        for flag in ("--jwt-secret-file", "--jwt-public-key-file", "--jwks-file", "--anonymous-subscribe"):
            self.assertIn(flag, refused.stderr)
        # Now it gets as far as reading the key.
        self.assertIn("can't be read", run_once(*off, "--jwt-secret-file", "/nonexistent/key").stderr)

    def test_an_audience_without_keys_is_a_mistake(self):
        result = run_once(*LOCAL, "--jwt-audience", "weir")
        self.assertEqual(result.returncode, 2)
        self.assertIn("jwt-audience", result.stderr)


class Secrets(AccessTest):
    def test_no_token_is_ever_logged(self):
        gateway = self.start_with_secret("--log-level", "debug", "--log-format", "json")
        good, scopeless, expired = token(SECRET, ["a"], ["a"]), token(SECRET), token(SECRET, ["a"], seconds=-5)
        bad = encode(Secret(b"x" * 32), {"alg": "HS256"}, claims(["*"]))
        for text in (good, scopeless, expired, bad):
            for name in ("access_token", "access%5Ftoken", "%61ccess_token"):
                self.status(gateway, f"/channels/a/info?x=1&{name}={text}&y=2")
                self.status(gateway, f"/channels/a?{name}={text}&y=%", method="POST")
            self.status(gateway, "/channels/a/info", bearer(text))
            self.status(gateway, "/channels/a/info", cookie(text))
            self.status(gateway, f"/nowhere?access_token={text}")
            # Where it stands by mistake.
            for name in ("token", "acces_token", "jwt", "t%6Fken", "channel", "lastEventId"):
                self.status(gateway, f"/channels/a/info?{name}={text}")
                self.status(gateway, f"/events?channel=a&{name}={text}")
            for target in (f"/channels/a?{text}", f"/channels/a?{text}=1", f"/channels/{text}", f"/{text}",
                           f"/channels/%65yJ{text[3:]}", f"/events?channel={text}"):
                self.status(gateway, target)
                self.status(gateway, target, method="POST")
            self.status(gateway, "/channels/a", {"Host": text})
            self.status(gateway, "/channels/a", {"Origin": f"https://{text}"}, method="POST")
        gateway.wait_for_log(r"401 for GET /channels/a/info\?x=\(redacted\)&access_token=\(redacted\)&y=\(redacted\): "
                             r".*has expired")
        gateway.stop()
        log = "\n".join(gateway.log)
        for text in (good, scopeless, expired, bad):
            for part in text.split("."):
                self.assertNotIn(part, log)
        self.assertNotIn(SECRET.secret.decode(), log)


def claims_of(text):
    payload = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def key_file(test, content):
    """The path of a file with this content, for as long as the test runs."""
    file = KeyFile(content)
    test.addCleanup(file.remove)
    return file.path


if __name__ == "__main__":
    unittest.main()
