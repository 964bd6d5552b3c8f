"""HTTP from people who mean no good, or are only slow: refused or waited for without hindering anybody."""

import base64
import hashlib
import os
import random
import socket
import tempfile
import unittest

from support.case import GatewayTest
from support.http import request_bytes
from support.limits import scaled

HOSTILE = {
    "bare lf": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "bare lf in a header": b"GET / HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
    "bare cr in a header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
    "nul in a header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
    "nul in the target": b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "encoded cr lf in the target": b"GET /channels/a%0d%0aX:y HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "encoded lf in the query": b"GET /events?channel=a%0A HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "encoded nul in the target": b"GET /channels/a%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two lengths": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "the same length twice": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                             b"Content-Length: 1\r\n\r\nx",
    "a list of lengths": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1, 1\r\n\r\nx",
    "a length that is not a number": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\nx",
    "a negative length": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nx",
    "a hexadecimal length": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x1\r\n\r\nx",
    "an empty length": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length:\r\n\r\nx",
    "both lengths": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "a chunk size that is not a number": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\n"
                                         b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    "a chunk size that overflows": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n",
    "a chunk without its end": b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
    "over 100 headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(101)) +
                        b"\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nonsense": b"nonsense\r\n\r\n",
    "a tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x01" * 300 + b"\r\n\r\n",
    "a target that is no path": b"GET nonsense HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


class Hostile(GatewayTest):
    def test_what_no_honest_client_sends_is_refused_and_the_connection_closed(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/a")
        for name, request in HOSTILE.items():
            with self.subTest(name=name), gateway.connect() as connection:
                connection.send(request)
                response = connection.response()
                self.assertTrue(400 <= response.status < 500, response)
                self.assertIn("error", response.json())
                self.assertTrue(connection.is_closed_by_peer())
        gateway.publish("a", "nothing of it was published")
        self.assertEqual(stream.next_event().data, "nothing of it was published")

    def test_a_request_behind_a_refused_one_is_not_served(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/a")
        with gateway.connect() as connection:
            connection.send(HOSTILE["both lengths"] + request_bytes("POST", "/channels/a", body=b"smuggled"))
            self.assertEqual(connection.response().status, 400)
            self.assertTrue(connection.is_closed_by_peer())
        gateway.publish("a", "honest")
        self.assertEqual(stream.next_event().data, "honest")

    def test_a_huge_head_is_refused(self):
        gateway = self.start_gateway()
        for head in (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000,
                     b"GET /" + b"x" * 100_000):
            with self.subTest(head=head[:20]), gateway.connect() as connection:
                try:
                    connection.send(head)
                    status = connection.status_or_closed()
                except (BrokenPipeError, ConnectionResetError):
                    status = None
                self.assertIn(status, (400, 413, 414, 431, None))

    def test_random_bytes_end_nothing(self):
        gateway = self.start_gateway("--head-seconds", "1")
        seed = random.SystemRandom().randrange(1 << 32)
        choice = random.Random(seed)
        print(f"seed {seed}", flush=True)
        base = request_bytes("POST", "/channels/a", {"Expect": "100-continue", "Transfer-Encoding": "chunked"})
        base += b"5\r\nhello\r\n0\r\n\r\n"
        for _ in range(scaled(500, 100)):
            request = bytearray(base)
            for _ in range(choice.randrange(1, 6)):
                position = choice.randrange(len(request))
                request[position:position + choice.randrange(3)] = choice.randbytes(choice.randrange(3))
            with gateway.connect() as connection:
                try:
                    connection.send(bytes(request))
                    connection.half_close()
                    while connection.status_or_closed() is not None:
                        pass
                except OSError:
                    pass
        self.assertEqual(gateway.publish("a", "fine").status, 202)


class Honest(GatewayTest):
    def test_range_and_accept_encoding_change_nothing(self):
        gateway = self.start_gateway()
        page = gateway.request("GET", "/")
        again = gateway.request("GET", "/", {"Range": "bytes=0-9", "Accept-Encoding": "gzip, br"})
        self.assertEqual((again.status, again.body), (200, page.body))
        self.assertNotIn("content-encoding", again.headers)
        stream = self.open(gateway, "/channels/a", {"Range": "bytes=0-9", "Accept-Encoding": "gzip, deflate, br"})
        gateway.publish("a", "whole")
        self.assertEqual(stream.next_event().data, "whole")

    def test_a_request_that_arrives_byte_by_byte(self):
        gateway = self.start_gateway()
        with gateway.connect() as connection:
            for byte in request_bytes("POST", "/channels/a", body=b"slow but honest"):
                connection.send(bytes([byte]))
            self.assertEqual(connection.response().status, 202)

    def test_the_absolute_form_and_an_ipv6_host_are_understood_or_refused_in_order(self):
        gateway = self.start_gateway()
        with gateway.connect() as connection:
            connection.send(b"GET http://localhost/channels/a/info HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(connection.response().status, (200, 400))

    def test_a_long_url_of_many_channels(self):
        gateway = self.start_gateway()
        names = [f"{n:03d}" + "x" * 70 for n in range(100)]
        stream = self.open(gateway, "/events?" + "&".join(f"channel={name}" for name in names))
        gateway.publish(names[99], "the last")
        self.assertEqual(stream.next_event().type, names[99])

    def test_all_urls_are_behind_the_base_path(self):
        gateway = self.start_gateway("--base-path", "/push")
        stream = self.open(gateway, "/push/channels/a")
        several = self.open(gateway, "/push/events?channel=a")
        self.assertEqual(gateway.request("POST", "/push/channels/a", body=b"1").status, 202)
        self.assertEqual([stream.next_event().data, several.next_event().data], ["1", "1"])
        self.assertEqual(gateway.request("POST", "/push/channels/a/end").status, 202)
        self.assertEqual(stream.next_event().type, "weir:end")
        self.assertEqual(gateway.request("GET", "/push").headers["location"], "/push/")
        self.assertIn(b"EventSource", gateway.request("GET", "/push/").body)
        self.assertEqual(gateway.request("GET", "/channels/a").status, 404)

    def test_the_console_is_served_on_loopback_and_may_be_switched_off(self):
        response = self.start_gateway().request("GET", "/")
        self.assertEqual(response.status, 200)
        self.assertTrue(response.headers["content-type"].startswith("text/html"))
        self.assertIn(b"EventSource", response.body)
        self.assertEqual(self.start_gateway("--console", "off").request("GET", "/").status, 404)


class Slow(GatewayTest):
    def test_slow_heads_and_bodies_do_not_hinder_newcomers(self):
        gateway = self.start_gateway()
        count = scaled(500, 100)
        slow = [gateway.connect() for _ in range(count)]
        for n, connection in enumerate(slow):
            if n % 2:
                connection.send(b"GET /channels/a HTTP/1.1\r\nHost: loc")
            else:
                connection.send(request_bytes("POST", "/channels/a", {"Content-Length": "1000"}) + b"half")
        streams = self.open_all(gateway, ["/channels/a"] * 50)
        self.assertEqual(gateway.publish("a", "on it goes").status, 202)
        for stream in streams:
            self.assertEqual(stream.next_event().data, "on it goes")
        for connection in slow:
            connection.close()

    def test_a_head_that_does_not_end_is_ended(self):
        gateway = self.start_gateway("--head-seconds", "1")
        with gateway.connect() as connection:
            connection.send(b"GET /channels/a HTTP/1.1\r\nHost: loc")
            self.assertIn(connection.status_or_closed(), (408, None))

    def test_a_body_that_does_not_end_is_ended(self):
        gateway = self.start_gateway("--body-seconds", "1")
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/a", {"Content-Length": "1000"}) + b"half")
            self.assertIn(connection.status_or_closed(), (408, None))

    def test_an_idle_connection_is_closed_in_the_end(self):
        gateway = self.start_gateway("--keep-alive-seconds", "1")
        with gateway.connect() as connection:
            connection.send(request_bytes("GET", "/channels/a/info"))
            self.assertEqual(connection.response().status, 200)
            self.assertTrue(connection.is_closed_by_peer())

    def test_connections_that_say_nothing_cost_no_thread(self):
        gateway = self.start_gateway()
        self.open(gateway, "/channels/a")
        before = gateway.threads()
        idle = [gateway.connect() for _ in range(scaled(1000, 100))]
        self.open(gateway, "/channels/a")
        self.assertEqual(gateway.threads(), before)
        for connection in idle:
            connection.close()


class Clients(GatewayTest):
    """The library for browsers, which a page loads from the gateway."""

    def test_a_page_of_any_origin_loads_it_without_a_token(self):
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write("s" * 40)
            secret.flush()
            gateway = self.start_gateway("--jwt-secret-file", secret.name, "--cors-origin", "https://app.example")
            directory = gateway.request("GET", "/clients/").json()
            immutable = f"/clients/{directory['version']}-{directory['hash']}/"
            for name, facts in directory["files"].items():
                headers = {"Origin": "https://anybody.example", "Authorization": "Bearer bad"}
                answers = [gateway.request("GET", prefix + name, headers) for prefix in ("/clients/", immutable)]
                content = answers[0].body
                digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
                self.assertEqual(facts, {"integrity": f"sha384-{digest}"})
                for answer in answers:
                    self.assertEqual((answer.status, answer.body), (200, content), name)
                    self.assertEqual(answer.headers["access-control-allow-origin"], "*")
                    self.assertNotIn("vary", answer.headers)
                self.assertEqual([answer.headers["cache-control"] for answer in answers],
                                 ["no-cache", "public, max-age=31536000, immutable"])
                same = gateway.request("GET", f"/clients/{name}", {"If-None-Match": answers[0].headers["etag"]})
                self.assertEqual((same.status, same.body), (304, b""))
            self.assertEqual(gateway.request("GET", immutable.replace(directory["hash"], "0" * 12) + "weir.js").status, 404)
            self.assertEqual(gateway.request("GET", "/channels/a/info").status, 401)

    def test_it_can_be_off(self):
        gateway = self.start_gateway("--clients", "off")
        answer = gateway.request("GET", "/clients/weir.js")
        self.assertEqual(answer.status, 404)
        self.assertIn("--clients", answer.json()["detail"])


class Cors(GatewayTest):
    ORIGIN = "https://app.example"

    def test_an_allowed_origin_is_named_and_others_are_not(self):
        gateway = self.start_gateway("--cors-origin", self.ORIGIN, "--cors-origin", "http://localhost:5173")
        for origin in (self.ORIGIN, "http://localhost:5173"):
            stream = self.open(gateway, "/channels/a", {"Origin": origin})
            self.assertEqual(stream.headers["access-control-allow-origin"], origin)
            self.assertIn("origin", stream.headers["vary"].lower())
        for origin in ("https://other.example", "http://app.example", "https://app.example.evil", "null"):
            stream = self.open(gateway, "/channels/a", {"Origin": origin})
            self.assertNotEqual(stream.headers.get("access-control-allow-origin", ""), origin)
            self.assertNotEqual(stream.headers.get("access-control-allow-origin", ""), "*")

    def test_a_preflight_allows_what_an_event_source_sends(self):
        gateway = self.start_gateway("--cors-origin", self.ORIGIN)
        response = gateway.request("OPTIONS", "/channels/a", {
            "Origin": self.ORIGIN, "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "last-event-id,cache-control"})
        self.assertIn(response.status, (200, 204))
        self.assertEqual(response.headers["access-control-allow-origin"], self.ORIGIN)
        allowed = response.headers["access-control-allow-headers"].lower()
        for header in ("last-event-id", "cache-control", "authorization", "content-type"):
            self.assertIn(header, allowed)
        self.assertIn("POST", response.headers["access-control-allow-methods"])
        self.assertEqual(response.headers["access-control-max-age"], "7200")
        refused = gateway.request("OPTIONS", "/channels/a", {"Origin": "https://other.example",
                                                             "Access-Control-Request-Method": "GET"})
        self.assertNotIn("access-control-allow-origin", refused.headers)

    def test_errors_and_the_full_answer_are_readable_for_an_allowed_origin(self):
        gateway = self.start_gateway("--cors-origin", self.ORIGIN, "--max-clients", "1")
        self.open(gateway, "/channels/a")
        full = self.loop.open(gateway.port, "/channels/a", {"Origin": self.ORIGIN})
        full.wait_for_head()
        self.assertEqual(full.headers["access-control-allow-origin"], self.ORIGIN)
        bad = gateway.request("GET", "/channels/__a", {"Origin": self.ORIGIN})
        self.assertEqual(bad.headers.get("access-control-allow-origin"), self.ORIGIN)
        # A page may read when to come back.
        busy = gateway.request("GET", "/channels/a", {"Origin": self.ORIGIN, "Accept": "*/*"})
        self.assertEqual((busy.status, busy.headers["access-control-expose-headers"]), (503, "Retry-After"))
        self.assertIn("retry-after", busy.headers)

    def test_refusals_before_any_route_are_readable_too(self):
        gateway = self.start_gateway("--cors-origin", self.ORIGIN, "--head-bytes", "4096", "--head-seconds", "1")
        end = f" HTTP/1.1\r\nHost: localhost\r\nOrigin: {self.ORIGIN}\r\n"
        for status, request in ((400, f"GET /channels/a%00{end}\r\n"), (431, f"GET /{end}X: {'x' * 5000}"),
                                (501, f"PROPFIND /{end}\r\n"), (408, f"GET /{end}X: y"),
                                (413, f"POST /channels/a{end}Content-Length: 99999999999\r\n\r\n")):
            with gateway.connect() as connection:
                connection.send(request.encode())
                answer = connection.response()
                self.assertEqual((answer.status, answer.headers.get("access-control-allow-origin")), (status, self.ORIGIN))


class Descriptors(GatewayTest):
    def test_connections_that_are_reset_at_once_leave_nothing_behind(self):
        gateway = self.start_gateway()
        self.open(gateway, "/channels/a").cut()
        gateway.wait_until_subscribers_are("a", 0)

        def descriptors():
            return len(os.listdir(f"/proc/{gateway.pid}/fd"))

        before = descriptors()
        for n in range(scaled(1000, 200)):
            sock = socket.create_connection(("127.0.0.1", gateway.port))
            sock.sendall(request_bytes("GET", "/channels/a", {"Accept": "text/event-stream"})[:20 + n % 100])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.close()
        gateway.wait_until(lambda: descriptors() <= before, "all descriptors are closed again")
        self.assertEqual(gateway.publish("a", "x").status, 202)


if __name__ == "__main__":
    unittest.main()
