"""weir-broker --away: what clients get from an ingress while no gateway is ready."""

import json
import signal
import unittest

from support.case import GatewayTest


class Away(GatewayTest):
    def test_an_event_source_is_told_when_to_come_back_at_any_path(self):
        gateway = self.start_gateway("--away", "--cors-origin", "https://page.example")
        for path in ("/channels/a", "/events?channel=a", "/", "/app/channels/a", "/channels/no%20name"):
            with self.subTest(path=path):
                stream = self.loop.open(gateway.port, path, {"Accept": "text/event-stream",
                                                             "Origin": "https://page.example"})
                stream.wait_for_head()
                self.assertEqual((stream.status, stream.headers["content-type"]), (200, "text/event-stream"))
                self.assertEqual(stream.headers["access-control-allow-origin"], "https://page.example")
                self.assertEqual(stream.rest(), [])
                self.assertTrue(2_000 <= stream.retries[-1] <= 5_000)

    def test_nothing_is_accepted(self):
        gateway = self.start_gateway("--away")
        for method, headers in (("POST", {}), ("POST", {"Accept": "text/event-stream"}), ("GET", {}),
                                ("GET", {"Accept": "text/html"}), ("DELETE", {})):
            with self.subTest(method=method, headers=headers):
                response = gateway.request(method, "/channels/a", headers, b"x" if method == "POST" else b"")
                self.assertEqual(response.status, 503)
                self.assertIn(response.headers["retry-after"], ("2", "3", "4", "5"))
                self.assertEqual(json.loads(response.body)["detail"], "no gateway is ready")

    def test_it_is_ready_and_needs_nothing_of_what_a_gateway_has(self):
        gateway = self.start_gateway("--away", "--redis-url", "redis://127.0.0.1:1", "--jwt-secret-file", "/nowhere")
        self.assertEqual(gateway.admin("/readyz").status, 200)
        gateway.wait_for_log("answering for gateways that are not ready")
        gateway.signal(signal.SIGTERM)
        self.assertEqual(gateway.wait_for_exit(), 0)


if __name__ == "__main__":
    unittest.main()
