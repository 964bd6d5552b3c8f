"""What arrives from people who mean no good, at scale: the gateway stays as it was, and others are not disturbed."""

import json
import os
import random
import re
import selectors
import socket
import time
import unittest

from support.case import GatewayTest
from support.http import request_bytes
from support.limits import DEADLINE_SECONDS, scaled

# What a decoder, a proxy or a careless parser may take for the end of a line.
LINE_ENDS = {"cr": "\r", "lf": "\n", "crlf": "\r\n", "nul": "\0", "vt": "\v", "ff": "\f", "nel": "\u0085",
             "ls": "\u2028", "ps": "\u2029"}
INJECTED = "id: forged"


def percent_encoded(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


class HostileTest(GatewayTest):
    def start_watched(self, *flags, **options):
        """A gateway and a stream that must go on, whatever is done to the gateway."""
        gateway = self.start_gateway(*flags, **options)
        return gateway, self.open(gateway, "/channels/watched")

    def assert_undisturbed(self, gateway, stream):
        self.assertEqual(gateway.publish("watched", "all is well").status, 202)
        self.assertEqual(stream.next_event().data, "all is well")

    def half_sent(self, gateway, count, data):
        """`count` connections that have each sent `data`, which is no whole request."""
        connections = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=DEADLINE_SECONDS)
            self.addCleanup(connection.close)
            connection.sendall(data)
            connections.append(connection)
        return connections

    def answers_until_closed(self, connections):
        """What each got before the gateway closed it."""
        answers = {connection: b"" for connection in connections}
        with selectors.DefaultSelector() as selector:
            for connection in connections:
                selector.register(connection, selectors.EVENT_READ)
            deadline = time.monotonic() + DEADLINE_SECONDS
            while selector.get_map():
                self.assertLess(time.monotonic(), deadline, f"{len(selector.get_map())} are still open")
                for key, _ in selector.select(1):
                    try:
                        data = key.fileobj.recv(65536)
                    except ConnectionResetError:
                        data = b""
                    answers[key.fileobj] += data
                    if not data:
                        selector.unregister(key.fileobj)
        return list(answers.values())


class Slow(HostileTest):
    def test_half_sent_heads_and_bodies_keep_nobody_out_and_are_all_closed(self):
        # Long enough that none of them is closed before all are there; then they are what keeps the test waiting.
        gateway, watched = self.start_watched("--head-seconds", "10", "--body-seconds", "12")
        heads = self.half_sent(gateway, scaled(1000, 200), b"GET /channels/a HTTP/1.1\r\nHost: loc")
        bodies = self.half_sent(gateway, scaled(300, 60),
                                request_bytes("POST", "/channels/a", {"Content-Length": "100000"}) + b"x" * 1000)
        newcomer = self.open(gateway, "/channels/a")
        self.assertEqual(gateway.publish("a", "for the newcomer").status, 202)
        self.assertEqual(newcomer.next_event().data, "for the newcomer")
        for answer in self.answers_until_closed(heads + bodies):
            self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer[:100])
        metrics = gateway.metrics()
        self.assertEqual(metrics['weir_http_refused_total{reason="head-seconds"}'], len(heads))
        self.assertEqual(metrics['weir_http_refused_total{reason="body-seconds"}'], len(bodies))
        gateway.wait_until(lambda: gateway.metrics()["weir_http_connections"] <= 1, "all of them are forgotten")
        self.assertEqual(gateway.metrics()["weir_http_request_bytes"], 0)
        self.assert_undisturbed(gateway, watched)

    def test_who_sends_a_byte_now_and_then_is_closed_as_well(self):
        gateway, watched = self.start_watched("--head-seconds", "1")
        with gateway.connect() as connection:
            connection.send(b"GET /channels/a HTTP/1.1\r\nX: ")
            # Each byte is progress, but the time is that of the whole head.
            while gateway.metrics().get('weir_http_refused_total{reason="head-seconds"}', 0) == 0:
                try:
                    connection.send(b"x")
                except OSError:
                    break
        self.assert_undisturbed(gateway, watched)


class Large(HostileTest):
    def status_of(self, gateway, pieces):
        """The status that the request in `pieces` gets; None if the connection is closed before it is read."""
        with gateway.connect() as connection:
            try:
                for piece in pieces:
                    connection.send(piece)
                return connection.status_or_closed()
            except OSError:
                return None

    def assert_memory_is_flat(self, gateway, attack, rounds):
        """`attack` again and again: after a first time, which may make the program's buffers, nothing is added."""
        attack()
        before = gateway.resident_bytes()
        for _ in range(rounds):
            attack()
        # Less than what one attack sends, each time, would make; ASan keeps what was freed for a while.
        self.assertLess(gateway.resident_bytes() - before, 8 << 20)

    def test_200000_headers(self):
        gateway, watched = self.start_watched()
        line = b"".join(b"X-%d: y\r\n" % n for n in range(1000))

        def attack():
            head = [b"GET / HTTP/1.1\r\nHost: localhost\r\n", *[line] * 200]
            self.assertIn(self.status_of(gateway, head), (431, None))

        self.assert_memory_is_flat(gateway, attack, scaled(20, 5))
        self.assertGreaterEqual(gateway.metrics()['weir_http_refused_total{reason="head-bytes"}'], 5)
        self.assert_undisturbed(gateway, watched)

    def test_many_short_headers_within_the_bytes_of_a_head(self):
        gateway, watched = self.start_watched("--head-bytes", "1M")
        line = b"".join(b"X-%d: y\r\n" % n for n in range(1000))
        head = [b"GET / HTTP/1.1\r\nHost: localhost\r\n", *[line] * 90, b"\r\n"]
        self.assertIn(self.status_of(gateway, head), (431, None))
        self.assert_undisturbed(gateway, watched)

    def test_a_header_of_a_megabyte(self):
        gateway, watched = self.start_watched()

        def attack():
            head = [b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", *[b"x" * 65536] * 16, b"\r\n\r\n"]
            self.assertIn(self.status_of(gateway, head), (431, None))

        self.assert_memory_is_flat(gateway, attack, scaled(50, 10))
        self.assert_undisturbed(gateway, watched)

    def test_1900_ranges(self):
        gateway, watched = self.start_watched()
        page = gateway.request("GET", "/")
        ranges = {"Range": "bytes=" + ",".join(f"{n}-" for n in range(1900))}

        def attack():
            again = gateway.request("GET", "/", ranges)
            self.assertEqual((again.status, again.body), (200, page.body))

        self.assert_memory_is_flat(gateway, attack, scaled(100, 20))
        stream = self.open(gateway, "/channels/a", ranges)
        gateway.publish("a", "whole")
        self.assertEqual(stream.next_event().data, "whole")
        self.assert_undisturbed(gateway, watched)

    def test_versions_that_there_are_not(self):
        gateway, watched = self.start_watched()
        for version, status in (("HTTP/9.9", 505), ("HTTP/2.0", 505), ("HTTP/1.2", 505), ("HTTP/11", 400),
                                ("HTTP/1.10", 400), ("http/1.1", 400), ("HTTP/1.1 ", 400), ("ICY/1.1", 400)):
            with self.subTest(version=version), gateway.connect() as connection:
                connection.send(f"GET /channels/a {version}\r\nHost: localhost\r\n\r\n".encode())
                self.assertEqual(connection.response().status, status)
                self.assertTrue(connection.is_closed_by_peer())
        self.assert_undisturbed(gateway, watched)

    def test_random_bytes(self):
        gateway, watched = self.start_watched("--head-seconds", "2")
        seed = random.SystemRandom().randrange(1 << 32)
        choice = random.Random(seed)
        for _ in range(scaled(300, 60)):
            with self.subTest(seed=seed), gateway.connect() as connection:
                try:
                    connection.send(choice.randbytes(choice.choice((1, 10, 1000, 100_000))))
                    connection.half_close()
                    status = connection.status_or_closed()
                except OSError:
                    status = None
                self.assertTrue(status is None or 400 <= status < 600, status)
        self.assert_undisturbed(gateway, watched)


class Injection(HostileTest):
    """A stream is read as it came, byte by byte: what the parser makes of it is not all that matters."""

    def open_raw(self, gateway, target, headers=None):
        return self.open(gateway, target, headers, keep_body=True)

    def assert_lines_are_ours(self, stream):
        """Nothing but data begins with what was injected, and no line end is left that some parser might take."""
        body = bytes(stream.body).decode()
        for line in re.split(r"[\r\n]", body):
            self.assertRegex(line, r"^(data: .*|id: g[a-z0-9]+\.\d+(~\S+)?|event: \S.*|retry: \d+|:.*|)$")
            if not line.startswith("data: "):
                self.assertNotIn("forged", line)

    def test_payloads(self):
        redis, gateway = self.start_both()
        streams = [self.open_raw(gateway, target) for target in
                   ("/channels/p", "/events?channel=p", "/channels/p?form=json", "/events?channel=p&form=json")]
        count = 0
        for end in LINE_ENDS.values():
            for payload in (f"x{end}{INJECTED}", f"x{end}{end}event: forged{end}data: forged", f"{end}{INJECTED}{end}",
                            json.dumps({"data": f"x{end}{INJECTED}{end}{end}data: forged"}),
                            json.dumps({"data": 1, "type": f"t{end}{INJECTED}"}),
                            json.dumps({"data": 1, "id": f"i{end}{INJECTED}"}),
                            json.dumps({"data": 1, "id": f"i{end}{INJECTED}"}, ensure_ascii=False),
                            json.dumps({"data": 1, "type": f"t{end}{INJECTED}"}, ensure_ascii=False)):
                redis.publish("p", payload)
                count += 1
        for n, stream in enumerate(streams):
            events = stream.next_events(count)
            self.assert_lines_are_ours(stream)
            # As many events as were published, and none that a payload made up.
            self.assertFalse([event for event in events if event.type == "forged"])
            self.assertFalse([event for event in events if not re.match(r"g[a-z0-9]+\.\d+$", event.id)])
            if n % 4 >= 2:
                for event in events:
                    json.loads(event.data)
            self.assertFalse(stream.events)

    def test_channel_names(self):
        gateway, watched = self.start_watched()
        for name, end in LINE_ENDS.items():
            encoded = percent_encoded(f"a{end}{INJECTED}")
            for method, target in (("GET", f"/channels/{encoded}"), ("POST", f"/channels/{encoded}"),
                                   ("POST", f"/channels/{encoded}/end"), ("GET", f"/channels/{encoded}/info"),
                                   ("GET", f"/events?channel={encoded}")):
                with self.subTest(name=name, target=target):
                    response = gateway.request(method, target, body=b"" if method == "POST" else None)
                    self.assertEqual(response.status, 400)
                    # One line of JSON, whatever was in the name.
                    self.assertNotRegex(response.body.decode().rstrip("\n"), "[\r\n\0\v\f]")
                    response.json()
        self.assert_undisturbed(gateway, watched)

    def test_last_event_ids(self):
        gateway, watched = self.start_watched()
        for name, end in LINE_ENDS.items():
            with self.subTest(name=name):
                forged = f"g0{end}{INJECTED}{end}{end}data: forged"
                target = f"/channels/a?lastEventId={percent_encoded(forged)}"
                if end < " ":
                    self.assertEqual(gateway.request("GET", target).status, 400)
                    continue
                stream = self.open_raw(gateway, target)
                self.assertIsNone(json.loads(stream.next_event("weir:gap").data)["missed"])
                self.assert_lines_are_ours(stream)
        # As a header it may hold any UTF-8, but nothing that ends a header.
        for name in ("nel", "ls", "ps"):
            forged = f"g0{LINE_ENDS[name]}{INJECTED}".encode().decode("latin-1")
            with self.subTest(name=name):
                stream = self.open_raw(gateway, "/channels/a", {"Last-Event-ID": forged})
                self.assertIsNone(json.loads(stream.next_event("weir:gap").data)["missed"])
                self.assert_lines_are_ours(stream)
        for end in ("\0", "\v", "\f", "\r"):
            with self.subTest(end=end), gateway.connect() as connection:
                connection.send(request_bytes("GET", "/channels/a", {"Last-Event-ID": f"g0{end}{INJECTED}"}))
                self.assertEqual(connection.response().status, 400)
        self.assert_undisturbed(gateway, watched)

    def test_origins(self):
        for flags in (("--cors-origin", "https://app.example"), ("--cors-origin", "*"), ()):
            gateway, watched = self.start_watched(*flags)
            for name, end in LINE_ENDS.items():
                origin = f"https://app.example{end}X-Forged: 1".encode().decode("latin-1")
                for method in ("GET", "POST", "OPTIONS"):
                    with self.subTest(flags=flags, name=name, method=method), gateway.connect() as connection:
                        connection.send(request_bytes(method, "/channels/a/info" if method == "GET" else "/channels/a",
                                                      {"Origin": origin, "Access-Control-Request-Method": "POST"},
                                                      body=b"x" if method == "POST" else None))
                        # Parsed strictly: an odd line in the head is an error. A CRLF makes it two headers, which a
                        # browser's Origin can't hold and whoever sends it may send anyway.
                        headers = connection.response().headers
                        self.assertNotIn("x-forged", headers)
                        allowed = headers.get("access-control-allow-origin")
                        self.assertIn(allowed, (None, "*", "https://app.example") if end in ("\r\n", "\n") else
                                      (None, "*"))
            self.assert_undisturbed(gateway, watched)

    def test_a_host_is_not_reflected_into_a_head(self):
        gateway, watched = self.start_watched()
        for host in ("localhost\u2028X: y", "localhost\u0085X: y", "local host", "localhost/x", "\u00e9"):
            with self.subTest(host=host), gateway.connect() as connection:
                connection.send(request_bytes("GET", "/", {"Host": host.encode().decode("latin-1")}))
                self.assertIn(connection.response().status, (400, 403))
        self.assert_undisturbed(gateway, watched)


class Descriptors(HostileTest):
    def cpu_ticks(self, gateway):
        with open(f"/proc/{gateway.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def test_running_out_of_them_neither_spins_nor_stops_streams_and_ends_by_itself(self):
        redis = self.start_redis()
        gateway = self.start_gateway("--head-seconds", "3", redis=redis, descriptors=128)
        watched = self.open(gateway, "/channels/watched")
        connections = self.half_sent(gateway, 300, b"GET /channels/a HTTP/1.1\r\nHost: loc")
        gateway.wait_until(lambda: gateway.metrics()["weir_http_accept_pauses_total"] > 0, "accepting has paused")

        # While nobody can be let in: what was open is served, and it costs next to nothing.
        ticks, began = self.cpu_ticks(gateway), time.monotonic()
        while (elapsed := time.monotonic() - began) < 2:
            redis.publish("watched", "still served")
            self.assertEqual(watched.next_event().data, "still served")
            self.loop.pump(0.05)
        used = (self.cpu_ticks(gateway) - ticks) / os.sysconf("SC_CLK_TCK") / elapsed
        self.assertLess(used, 1 / 3, "of a core, while there are no descriptors")
        # Probes and scrapes have descriptors of their own, so that nobody restarts it for this.
        self.assertEqual(gateway.admin("/readyz").status, 200)

        # Their time runs out, and newcomers are let in without anybody's help.
        self.answers_until_closed(connections)
        newcomer = self.open(gateway, "/channels/a")
        self.assertEqual(gateway.publish("a", "for the newcomer").status, 202)
        self.assertEqual(newcomer.next_event().data, "for the newcomer")
        redis.publish("watched", "to the end")
        self.assertEqual(watched.next_event().data, "to the end")

    def test_300_streams_where_there_is_room_for_fewer(self):
        gateway = self.start_gateway(descriptors=128)
        streams = [self.loop.open(gateway.port, "/channels/a") for _ in range(300)]
        for stream in streams:
            stream.wait_for_head()
            self.assertEqual(stream.status, 200)
        limit = int(gateway.metrics()["weir_clients_limit"])
        self.assertTrue(0 < limit < 128, limit)
        self.loop.until(lambda: sum(stream.closed == "end" for stream in streams) == 300 - limit, "the others end")
        self.assertEqual(gateway.publish("a", "for those inside").status, 202)
        inside = [stream for stream in streams if stream.closed is None]
        self.assertEqual(len(inside), limit)
        for stream in inside:
            stream.wait_for_first_block()
            self.assertEqual(stream.next_event().data, "for those inside")


if __name__ == "__main__":
    unittest.main()
