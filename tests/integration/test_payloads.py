"""Payloads: what a publisher writes is what a browser gets, byte for byte, and nothing is ever dropped."""

import json
import random
import re
import unittest

from support.case import GatewayTest
from support.gateway import gap_of
from support.limits import scaled


def as_browser_sees(payload):
    """The data of a payload that is no envelope: UTF-8 as the WHATWG decodes it, line ends become LF."""
    return re.sub("\r\n|\r", "\n", payload.decode("utf-8", "replace"))


PLAIN = {
    "json": b'{"msg":"aaa"}',
    "text": b"hello",
    "lf": b"a\nb",
    "crlf": b"a\r\nb",
    "lone cr": b"a\rb",
    "mixed line ends": b"a\r\n\nb\r\r\n\rc\n",
    "only lf": b"\n",
    "only crlf": b"\r\n",
    "only cr": b"\r",
    "lf then cr": b"\n\r",
    "trailing lf": b"a\n",
    "trailing cr": b"a\r",
    "empty": b"",
    "leading space": b" a",
    "two leading spaces": b"  a",
    "space": b" ",
    "tab": b"\ta\t",
    "leading spaces of each line": b" a\n  b\n c",
    "colon": b":not a comment",
    "colons": b"a\n:b\n: c",
    "emoji": "\U0001f44d\U0001f3fd \u4f60\u597d".encode(),
    "byte order mark": "\ufeffx".encode(),
    "byte order mark in a line": "a\n\ufeffb".encode(),
    "unicode line ends": "a\u2028b\u2029c\u0085d".encode(),
    "nul": b"a\0b",
    "control characters": bytes(byte for byte in range(1, 32) if byte not in (10, 13)),
    "delete": b"\x7f",
    "ansi colours": b"\x1b[31mred\x1b[0m",
    "sse fields": b"data: x\nevent: forged\nid: 7\nretry: 1\n\ndata: forged\n\n",
    "sse fields with crlf": b"x\r\n\r\nevent: forged\r\ndata: y\r\n\r\n",
    "chunk framing": b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "invalid utf-8": b"\xff\xfe",
    "stray continuation": b"a\x80b\xbfc",
    "cut sequence": b"a\xe2\x82b",
    "cut at the end": b"a\xf0\x9f\x91",
    "overlong": b"\xc0\xaf\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond unicode": b"\xf4\x90\x80\x80\xf8\x88",
    "invalid utf-8 between line ends": b"\xe2\x82\n\xe2\r\n\x82",
    "number": b"12345678901234567890123.45000",
    "null": b"null",
    "json array": b'[{"data":1}]',
    "json string": b'"data"',
    "broken json": b'{"data":',
    "broken json after data": b'{"data":{"a":1}',
    "deep json": b'{"data":' + b"[" * 5000 + b"]" * 4999 + b"}",
    "other object": b'{"message":"data"}',
    "empty object": b"{}",
}

# Objects that are nearly an envelope are delivered as they are.
NEAR_ENVELOPES = {
    "another key": b'{"data":1,"other":2}',
    "no data": b'{"type":"a","id":"b"}',
    "type only": b'{"type":"a"}',
    "type is a number": b'{"data":1,"type":5}',
    "type is null": b'{"data":1,"type":null}',
    "type is an object": b'{"data":1,"type":{}}',
    "id is a number": b'{"data":1,"id":5}',
    "id is an object": b'{"data":1,"id":{}}',
    "retry is text": b'{"data":1,"retry":"5000"}',
    "retry is a fraction": b'{"data":1,"retry":1.5}',
    "data twice": b'{"data":1,"data":2}',
    "type twice": b'{"data":1,"type":"a","type":"b"}',
    "type with lf": b'{"data":1,"type":"a\\nb"}',
    "type with cr": b'{"data":1,"type":"a\\rb"}',
    "type with nul": b'{"data":1,"type":"a\\u0000b"}',
    "upper case key": b'{"Data":1}',
    "trailing garbage": b'{"data":1}x',
    "two values": b'{"data":1}{"data":2}',
    "trailing comma": b'{"data":1,}',
    "single quotes": b"{'data':1}",
    "comment": b'{"data":1/*x*/}',
    "leading zero": b'{"data":01}',
    "not a number": b'{"data":NaN}',
    "byte order mark": b'\xef\xbb\xbf{"data":1}',
    "control character in a string": b'{"data":"a\x01b"}',
}

# Payload, then type and data as a browser gets them.
ENVELOPES = {
    "object": (b'{"data":{"msg":"aaa"}}', "message", '{"msg":"aaa"}'),
    "digits": (b'{"data":1234567890123456789012345}', "message", "1234567890123456789012345"),
    "digits of an object": (b'{"data":{"n":1234567890123456789012345.6700,"e":1E400,"z":-0.0}}', "message",
                            '{"n":1234567890123456789012345.6700,"e":1E400,"z":-0.0}'),
    "key order and repeated inner keys": (b'{"data":{"b":1,"a":2,"b":3}}', "message", '{"b":1,"a":2,"b":3}'),
    "escapes": (b'{"data":{"t":"\\u00e9\\/\\ud83d\\ude00"}}', "message", '{"t":"\\u00e9\\/\\ud83d\\ude00"}'),
    "white space": (b' \t\r\n{ "data" : { "a" : 1 } } \n', "message", '{ "a" : 1 }'),
    "lines of json": (b'{"data":{\n  "a": 1\r\n}}', "message", '{\n  "a": 1\n}'),
    "string": (b'{"data":"hello"}', "message", "hello"),
    "string with lines": (b'{"data":"a\\nb\\r\\nc\\rd"}', "message", "a\nb\nc\nd"),
    "string with escapes": (b'{"data":"\\u00e9\\/\\ud83d\\ude00\\t\\"\\\\"}', "message", "\u00e9/\U0001f600\t\"\\"),
    "string with nul": (b'{"data":"a\\u0000b"}', "message", "a\0b"),
    "string of utf-8": ('{"data":"\U0001f600"}'.encode(), "message", "\U0001f600"),
    "string with a leading space": (b'{"data":" a"}', "message", " a"),
    "empty string": (b'{"data":""}', "message", ""),
    "string like sse": (b'{"data":"x\\n\\nevent: y\\ndata: z"}', "message", "x\n\nevent: y\ndata: z"),
    "null": (b'{"data":null}', "message", "null"),
    "true": (b'{"data":true}', "message", "true"),
    "array": (b'{"data":[1,2,{"data":3}]}', "message", '[1,2,{"data":3}]'),
    "nested envelope": (b'{"data":{"data":1,"type":"x"}}', "message", '{"data":1,"type":"x"}'),
    "type": (b'{"data":1,"type":"price"}', "price", "1"),
    "type first": (b'{"type":"price","data":1}', "price", "1"),
    "type with other characters": ('{"data":1,"type":"\u00e9 : x/y"}'.encode(), "\u00e9 : x/y", "1"),
    "escaped key": (b'{"d\\u0061ta":1}', "message", "1"),
    "empty type": (b'{"data":1,"type":""}', "message", "1"),
    "type message": (b'{"data":1,"type":"message"}', "message", "1"),
    "type error": (b'{"data":1,"type":"error"}', "message", "1"),
    "type open": (b'{"data":1,"type":"open"}', "message", "1"),
    "type of the gateway": (b'{"data":1,"type":"weir:gap"}', "message", "1"),
    "another type of the gateway": (b'{"data":1,"type":"weir:whatever"}', "message", "1"),
    "invalid utf-8": (b'{"data":"a\xffb"}', "message", "a\ufffdb"),
}


class Payloads(GatewayTest):
    """Published with PUBLISH and read on one stream, each awaited before the next."""

    def check_all(self, gateway, publish, cases):
        stream = self.open(gateway, "/channels/p")
        for name, (payload, type, data) in cases.items():
            with self.subTest(case=name):
                if stream.closed:
                    stream = self.open(gateway, "/channels/p")  # One bad case is not to spoil the others.
                publish("p", payload)
                event = stream.next_event()
                self.assertEqual((event.type, event.data), (type, data))

    def test_plain_payloads_arrive_as_they_are(self):
        redis, gateway = self.start_both()
        self.check_all(gateway, redis.publish, {n: (p, "message", as_browser_sees(p)) for n, p in PLAIN.items()})

    def test_near_envelopes_arrive_as_they_are(self):
        redis, gateway = self.start_both()
        cases = {n: (p, "message", as_browser_sees(p)) for n, p in NEAR_ENVELOPES.items()}
        self.check_all(gateway, redis.publish, cases)

    def test_envelopes_are_opened(self):
        redis, gateway = self.start_both()
        self.check_all(gateway, redis.publish, ENVELOPES)

    def test_envelope_never_delivers_everything_as_it_is(self):
        redis, gateway = self.start_both("--envelope", "never")
        cases = {name: (case[0], "message", as_browser_sees(case[0])) for name, case in ENVELOPES.items()}
        self.check_all(gateway, redis.publish, cases)

    def test_envelope_may_be_set_per_channel(self):
        redis = self.start_redis()
        gateway = self.start_gateway(redis=redis, toml='[[channel]]\nmatch = "raw.*"\nenvelope = "never"\n')
        raw, usual = self.open_all(gateway, ["/channels/raw.1", "/channels/usual"])
        redis.publish_all([("raw.1", '{"data":1}'), ("usual", '{"data":1}')])
        self.assertEqual(raw.next_event().data, '{"data":1}')
        self.assertEqual(usual.next_event().data, "1")

    def test_random_payloads_arrive_as_a_browser_decodes_them(self):
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        pieces = [b"\r", b"\n", b"\r\n", b":", b" ", b"data:", b"id: 9", b"event: x", b"\xff", b"\xe2\x82", b"\xf0\x9f",
                  b"\x80", "\u20ac".encode(), b"\0", b"\xef\xbb\xbf", b"{", b'"', b"}", b"abc", b"\\", b"0"]
        choice = random.Random(seed)
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/p")
        payloads = [b"".join(choice.choices(pieces, k=choice.randrange(12))) for _ in range(scaled(2000, 300))]
        redis.publish_all([("p", payload) for payload in payloads])
        for payload in payloads:
            self.assertEqual(stream.next_event("message").data, as_browser_sees(payload), payload)

    def test_one_megabyte_of_text_lines_and_envelope(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/p")
        text = "".join(chr(0x20 + n * 7 % 0x5f) for n in range(1_000_000))
        lines = "\n".join("x" * (n % 90) for n in range(22_000))
        for data in (text, lines, "\u20ac" * 340_000):
            self.assertEqual(redis.publish("p", data), 1)
            self.assertEqual(stream.next_event("message").data, data)
            redis.publish("p", json.dumps({"data": data, "type": "big"}))
            self.assertEqual(stream.next_event("big").data, data)

    def test_http_publishing_carries_the_same_payloads(self):
        gateway = self.start_gateway()
        unopened = {**PLAIN, **NEAR_ENVELOPES}
        cases = {**{n: (p, "message", as_browser_sees(p)) for n, p in unopened.items()}, **ENVELOPES}
        self.check_all(gateway, gateway.publish, cases)

    def test_the_json_form_is_valid_json_for_every_payload(self):
        redis, gateway = self.start_both()
        plain, in_json = self.open_all(gateway, ["/channels/p", "/channels/p?form=json"])
        for name, payload in {**PLAIN, **NEAR_ENVELOPES, **{n: c[0] for n, c in ENVELOPES.items()}}.items():
            if name == "deep json":
                continue  # Deeper than Python's own parser goes.
            with self.subTest(case=name):
                redis.publish("p", payload)
                event, wrapped = plain.next_event(), in_json.next_event("message")
                parsed = json.loads(wrapped.data)
                self.assertEqual(parsed["channel"], "p")
                self.assertEqual(parsed["id"], event.id)
                self.assertEqual(parsed.get("type") or "message", event.type)
                if isinstance(parsed["data"], str) and not event.data.startswith('"'):
                    self.assertEqual(as_browser_sees(parsed["data"].encode()), event.data)
                else:
                    self.assertEqual(json.dumps(parsed["data"]), json.dumps(json.loads(event.data)))


class Ids(GatewayTest):
    def test_a_publishers_own_id_follows_after_a_tilde(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/p")
        for own in ("42", "a-b_c.d", "x" * 40, "!#$%&'*+,/;=^`|~"):
            with self.subTest(own=own):
                redis.publish("p", json.dumps({"data": 1, "id": own}))
                event = stream.next_event("message")
                self.assertRegex(event.id, r"^g[a-z0-9]+\.\d+~")
                self.assertEqual(event.id.split("~", 1)[1], own)

    def test_an_id_that_a_browser_could_not_send_back_is_left_out(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/p")
        bad = ["a:b", 'a"b', "(", ")", "<", ">", "?", "@", "[", "]", "\\", "{", "}", "\u00e9", "a\nb", "a\rb", "a\0b",
               "\x7f", "x" * 129, "x" * 1000]
        for own in bad:
            with self.subTest(own=own):
                redis.publish("p", json.dumps({"data": "still delivered", "id": own}))
                event = stream.next_event("message")
                self.assertEqual(event.data, "still delivered")
                self.assertRegex(event.id, r"^g[a-z0-9]+\.\d+$")

    def test_no_id_pretends_that_the_channel_ended(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/p")
        for own in ("end", "x~end"):
            redis.publish("p", json.dumps({"data": 1, "id": own}))
            self.assertFalse(stream.next_event("message").id.endswith("~end"), own)

    def test_every_id_is_short_and_safe(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/p")
        for length in range(1, 130, 8):
            redis.publish("p", json.dumps({"data": 1, "id": "i" * length}))
            event_id = stream.next_event("message").id
            self.assertLessEqual(len(event_id), 128)
            self.assertRegex(event_id, r'^[!-~]+$')
            self.assertNotRegex(event_id, r'["():<>?@\[\\\]{}]')


class Retry(GatewayTest):
    def test_a_retry_is_clamped_and_jittered_per_client(self):
        redis, gateway = self.start_both()
        streams = self.open_all(gateway, ["/channels/p"] * 20)
        for asked, least, most in ((5000, 2500, 10_000), (1, 1000, 2000), (10_000_000, 30_000, 99_999)):
            redis.publish("p", json.dumps({"data": 1, "retry": asked}))
            told = set()
            for stream in streams:
                count = len(stream.retries)
                self.assertEqual(stream.next_event("message").data, "1")
                told.add(stream.retries[-1])
                self.assertGreaterEqual(len(stream.retries), 2, count)
            self.assertTrue(all(least <= retry <= most for retry in told), (asked, told))
            self.assertGreater(len(told), 1, asked)


class Large(GatewayTest):
    def test_a_message_that_is_too_large_is_a_gap_of_one_in_its_place(self):
        redis, gateway = self.start_both("--max-message-bytes", "100000")
        streams = self.open_all(gateway, ["/channels/p"] * 3)
        redis.publish_all([("p", "before"), ("p", "x" * 100_001), ("p", "after"), ("p", "y" * 100_000)])
        for stream in streams:
            self.assertEqual(stream.next_event("message").data, "before")
            self.assertEqual(gap_of(stream.next_event()), {"channel": "p", "missed": 1, "reason": "too-large"})
            self.assertEqual(stream.next_event("message").data, "after")
            self.assertEqual(stream.next_event("message").data, "y" * 100_000)

    def test_who_comes_back_past_a_too_large_message_is_told_of_it(self):
        redis, gateway = self.start_both("--max-message-bytes", "100000")
        stream = self.open(gateway, "/channels/p")
        start = stream.last_event_id
        redis.publish_all([("p", "before"), ("p", "x" * 200_000), ("p", "after")])
        stream.next_events(3)
        again = self.resume(gateway, "/channels/p", start)
        self.assertEqual([event.type for event in again.next_events(3)], ["message", "weir:gap", "message"])


if __name__ == "__main__":
    unittest.main()
