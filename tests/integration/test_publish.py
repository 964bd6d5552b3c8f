"""Publishing over HTTP, in all the ways in which HTTP clients send a body."""

import json
import unittest

from support.case import GatewayTest
from support.http import request_bytes


class Accepted(GatewayTest):
    def test_202_names_the_channel_the_gateways_that_have_it_and_the_streams_of_this_one(self):
        redis, gateway = self.start_both()
        response = gateway.publish("news", "nobody")
        self.assertEqual(response.status, 202)
        self.assertEqual(response.headers["content-type"].split(";")[0], "application/json")
        self.assertEqual(response.json(), {"channel": "news", "receivers": 0, "subscribers": 0})
        self.open(gateway, "/channels/news")
        self.open(gateway, "/events?channel=other&channel=news")
        self.assertEqual(gateway.publish("news", "one").json(), {"channel": "news", "receivers": 1, "subscribers": 2})
        self.assertEqual(gateway.request("POST", "/channels/news/end").json(),
                         {"channel": "news", "receivers": 1, "subscribers": 2})
        other = self.start_gateway(redis=redis)
        self.assertEqual(other.publish("news", "two").json(), {"channel": "news", "receivers": 1, "subscribers": 0})

    def test_the_body_is_the_payload_whatever_its_content_type(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/news")
        bodies = [("application/x-www-form-urlencoded", "a=b&c=%20d+e"), ("text/plain", "x"), (None, "none"),
                  ("application/json", '{"a":1}'), ("application/octet-stream", "bytes"), ("nonsense", "y"),
                  ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1"),
                  ("application/json; charset=utf-8", '{"data":2}')]
        for content_type, body in bodies:
            with self.subTest(content_type=content_type):
                response = gateway.publish("news", body, {"Content-Type": content_type})
                self.assertEqual(response.status, 202)
                expected = "2" if body == '{"data":2}' else body.replace("\r\n", "\n")
                self.assertEqual(stream.next_event().data, expected)

    def test_an_empty_body_is_an_empty_message(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/news")
        self.assertEqual(gateway.publish("news", "").status, 202)
        self.assertEqual(stream.next_event("message").data, "")
        self.assertEqual(gateway.request("POST", "/channels/news").status, 202)  # Without a Content-Length.
        self.assertEqual(stream.next_event("message").data, "")

    def test_a_chunked_body(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/news")
        with gateway.connect() as connection:
            head = request_bytes("POST", "/channels/news", {"Transfer-Encoding": "chunked"})
            for body in (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"b;name=value\r\nhello world\r\n0\r\n\r\n",
                         b"5\r\nhello\r\n006\r\n world\r\n0\r\nTrailer: x\r\n\r\n"):
                connection.send(head + body)
                self.assertEqual(connection.response().status, 202)
                self.assertEqual(stream.next_event().data, "hello world")
            for byte in head + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n":
                connection.send(bytes([byte]))
            self.assertEqual(connection.response().status, 202)
            self.assertEqual(stream.next_event().data, "hello world")

    def test_expect_100_continue_is_answered_before_the_body_is_sent(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/news")
        body = b"x" * 100_000
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/news",
                                          {"Expect": "100-continue", "Content-Length": str(len(body))}))
            self.assertEqual(connection.response().status, 100)
            connection.send(body)
            self.assertEqual(connection.response().status, 202)
        self.assertEqual(stream.next_event().data, body.decode())

    def test_another_expectation_is_417(self):
        gateway = self.start_gateway()
        self.assertEqual(gateway.request("POST", "/channels/news", {"Expect": "the-unexpected"}, b"x").status, 417)

    def test_a_publisher_may_keep_its_connection(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/news")
        with gateway.connect() as connection:
            for n in range(500):
                connection.send(request_bytes("POST", "/channels/news", body=str(n).encode()))
                self.assertEqual(connection.response().status, 202)
        self.assert_data(stream, [str(n) for n in range(500)])

    def test_connection_close_and_http_1_0_close(self):
        gateway = self.start_gateway()
        for version, headers in (("1.1", {"Connection": "close"}), ("1.0", {})):
            with self.subTest(version=version), gateway.connect() as connection:
                connection.send(request_bytes("POST", "/channels/news", headers, b"x", version))
                self.assertEqual(connection.response().status, 202)
                self.assertTrue(connection.is_closed_by_peer())

    def test_pipelined_requests_are_answered_in_order(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/news")
        with gateway.connect() as connection:
            requests = [request_bytes("POST", f"/channels/{'news' if n % 2 else 'other'}", body=str(n).encode())
                        for n in range(100)]
            connection.send(b"".join(requests))
            for n in range(100):
                response = connection.response()
                self.assertEqual((response.status, response.json()["channel"]), (202, "news" if n % 2 else "other"))
        self.assert_data(stream, [str(n) for n in range(1, 100, 2)])

    def test_a_stream_may_follow_in_the_pipeline(self):
        gateway = self.start_gateway()
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/news", body=b"x") +
                            request_bytes("GET", "/channels/news/info") +
                            request_bytes("GET", "/channels/news", {"Accept": "text/event-stream"}))
            self.assertEqual(connection.response().status, 202)
            self.assertEqual(connection.response().status, 200)
            gateway.wait_until_subscribers_are("news", 1)

    def test_publishers_at_once_keep_each_their_order(self):
        redis, gateway = self.start_both()
        streams = self.open_all(gateway, [f"/channels/c{n}" for n in range(20)])
        connections = [gateway.connect() for _ in range(20)]
        for connection, n in zip(connections, range(20)):
            connection.send(b"".join(request_bytes("POST", f"/channels/c{n}", body=str(m).encode())
                                     for m in range(50)))
        for connection in connections:
            for _ in range(50):
                self.assertEqual(connection.response().status, 202)
            connection.close()
        for stream in streams:
            self.assert_data(stream, [str(m) for m in range(50)])


class Refused(GatewayTest):
    def test_a_body_that_is_too_large_is_413_and_closes(self):
        gateway = self.start_gateway("--max-message-bytes", "1000")
        self.assertEqual(gateway.publish("news", "x" * 1000).status, 202)
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/news", {"Content-Length": "1001"}))
            response = connection.response()
            self.assertEqual(response.status, 413)
            self.assertIn("error", response.json())
            self.assertTrue(connection.is_closed_by_peer())
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/news", {"Transfer-Encoding": "chunked"}))
            connection.send(b"3e8\r\n" + b"x" * 1000 + b"\r\n1\r\nx\r\n0\r\n\r\n")
            self.assertEqual(connection.response().status, 413)
            self.assertTrue(connection.is_closed_by_peer())
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/news",
                                          {"Content-Length": "5000", "Expect": "100-continue"}))
            self.assertIn(connection.response().status, (413, 417))

    def test_a_compressed_body_is_415(self):
        gateway = self.start_gateway()
        response = gateway.publish("news", "x", {"Content-Encoding": "gzip"})
        self.assertEqual(response.status, 415)
        self.assertIn("error", response.json())

    def test_nothing_is_published_by_a_request_that_is_cut(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/news")
        with gateway.connect() as connection:
            connection.send(request_bytes("POST", "/channels/news", {"Content-Length": "10"}) + b"half")
            connection.half_close()
            self.assertIn(connection.status_or_closed(), (400, 408, None))
        gateway.publish("news", "whole")
        self.assertEqual(stream.next_event().data, "whole")

    def test_a_foreign_origin_or_host_may_not_publish(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/news")
        own = f"127.0.0.1:{gateway.port}"
        refused = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"},
                   {"Host": own, "Origin": "http://evil.example"}, {"Host": "evil.example:8080"},
                   {"Host": own, "Origin": f"http://{own}.evil.example"}]
        for headers in refused:
            with self.subTest(headers=headers):
                response = gateway.publish("news", "x", headers)
                self.assertEqual(response.status, 403)
                self.assertIn("error", response.json())
                self.assertEqual(gateway.request("POST", "/channels/news/end", headers, b"").status, 403)
        for headers in ({"Host": own}, {"Host": own, "Origin": f"http://{own}"}, {"Host": "localhost:1"}, {},
                        {"Host": f"localhost:{gateway.port}", "Origin": f"http://localhost:{gateway.port}"}):
            with self.subTest(headers=headers):
                self.assertEqual(gateway.publish("news", json.dumps(headers), headers).status, 202)
                self.assertEqual(stream.next_event().data, json.dumps(headers))

    def test_an_allowed_origin_may_publish(self):
        gateway = self.start_gateway("--cors-origin", "https://app.example")
        self.assertEqual(gateway.publish("news", "x", {"Origin": "https://app.example"}).status, 202)
        self.assertEqual(gateway.publish("news", "x", {"Origin": "https://other.example"}).status, 403)


if __name__ == "__main__":
    unittest.main()
