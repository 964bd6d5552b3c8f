"""Two hundred EventSources behind the real HAProxy and nginx while gateways are replaced, all go away, and Redis with them.

Nobody ends for good; who is moved is let in at the first request; and nobody misses a message without being told.
"""

import signal
import unittest

from support.case import GatewayTest
from support.eventsource import OPEN, EventSource
from support.gateway import Gateway
from support.http import request_bytes
from support.limits import scaled
from support.proxies import HaProxy, Nginx, free_ports
from support.publisher import Publisher
from support.sse import Timeout

CLIENTS = scaled(200, 40)
CHANNEL = "load"
ORIGIN = "https://page.example"
# Of the closing block: --drain-retry-ms 400, and up to one and a half times as much.
CLOSING_RETRY_MS = range(400, 601)


class Rollout(GatewayTest):
    """What is the same behind every proxy."""

    redis_options = ()
    is_durable = False

    def start_all(self, proxy):
        self.redis = self.start_redis(*self.redis_options)
        ports = free_ports(4)
        self.addresses = [(ports[0], ports[1]), (ports[2], ports[3])]
        self.gateways = [self.start_at(n) for n in range(2)]
        self.away = self.start_gateway("--away", "--cors-origin", ORIGIN)
        self.proxy = proxy(self.addresses, self.away.port)
        self.addCleanup(self.proxy.stop)
        for gateway in self.gateways:
            self.wait_until_chosen(gateway)

    def start_at(self, n):
        """The n-th gateway; as after an update, on the address that the proxy knows."""
        port, admin = self.addresses[n]
        gateway = self.start_gateway(
            "--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin}", "--cors-origin", ORIGIN,
            "--retry-ms", "500", "--drain-seconds", "1", "--drain-retry-ms", "400", "--ready-without-redis-seconds", "1",
            *(("--durable", CHANNEL) if self.is_durable else ()), redis=self.redis, wait=False, addresses_by_flag=False)
        gateway.wait_until(lambda: gateway.admin("/readyz").status == 200, "/readyz", pump=self.loop.pump)
        return gateway

    def wait_until_chosen(self, gateway):
        """Until the proxy sends requests to `gateway`."""
        def requests():
            return sum(value for name, value in gateway.metrics().items() if name.startswith("weir_http_requests_total"))

        before = requests()

        def is_chosen():
            self.ask("GET", f"/channels/{CHANNEL}/info")
            return requests() > before
        gateway.wait_until(is_chosen, "the proxy takes the gateway", pump=self.loop.pump)

    def ask(self, method, target, headers=None, body=None):
        """One request through the proxy."""
        with Gateway.connect(self.proxy) as connection:
            connection.send(request_bytes(method, target, {"Connection": "close", **(headers or {})}, body))
            return connection.response()

    def open_clients(self):
        self.clients = [EventSource(self.loop, self.proxy.port, CHANNEL) for _ in range(CLIENTS)]
        self.wait_until_all_are_open()
        self.publisher = Publisher(self.redis, CHANNEL, is_durable=self.is_durable)
        self.addCleanup(self.publisher.stop)

    def wait_for_all(self, predicate, what):
        """Until it holds for each client, or one has given up, which ends the test at once."""
        try:
            self.loop.until(lambda: any(each.final for each in self.clients) or all(map(predicate, self.clients)), what)
        except Timeout as error:
            missing = [client.visits[-5:] for client in self.clients if not predicate(client)]
            raise Timeout(f"{error}: {len(missing)} clients, such as {missing[:3]}\n{self.proxy.log()}") from None
        self.assertEqual([(each.final, each.visits[-3:]) for each in self.clients if each.final], [])

    def wait_until_all_are_open(self):
        self.wait_for_all(lambda client: client.state == OPEN, "all clients have a stream")

    def wait_until_all_have_the_latest(self):
        """A stream whose end is still on its way looks open: what is published now comes to those that really are."""
        latest = self.publisher.last
        self.wait_for_all(lambda client: client.account.last > latest, "messages of after the move")

    def end(self, *gateways):
        """SIGTERM to all of them, up to their ends; the clients go on meanwhile."""
        for gateway in gateways:
            gateway.signal(signal.SIGTERM)
        for gateway in gateways:
            gateway.wait_until(lambda each=gateway: not each.is_running(), "the end of the drain", pump=self.loop.pump)
            self.assertEqual(gateway.wait_for_exit(), 0)

    def replace(self, n):
        self.end(self.gateways[n])
        self.gateways[n] = self.start_at(n)
        self.wait_until_chosen(self.gateways[n])

    def settle(self, moves_min):
        """What must hold for each client in the end; each was moved `moves_min` times or more."""
        self.wait_until_all_have_the_latest()
        published = self.publisher.stop()
        self.wait_for_all(lambda client: client.account.has_settled(published), "the last message")
        for client in self.clients:
            self.assertIsNone(client.wrong)
            client.account.settle(published)
            self.assertGreaterEqual(len(client.moves), moves_min, client.visits)
            for left, visits in client.moves:
                self.assertEqual((left.closing_reason, left.stream.closed), ("drain", "end"), (left, visits))
                self.assertIn(left.closing_retry_ms, CLOSING_RETRY_MS)
                # The rest of the visits as well, or they would have ended it for good.
                self.assertEqual(visits[0].stream.status, 200, visits)
                for visit in visits:
                    if visit.overloaded:
                        self.assertEqual(visit.overloaded, '{"reason":"draining"}')
                        self.assertIn(visit.closing_retry_ms, CLOSING_RETRY_MS)


class Scenarios:
    """Run behind each of the proxies."""

    def setUp(self):
        super().setUp()
        self.start_all(self.kind)

    def test_a_rolling_update(self):
        self.open_clients()
        for n in range(2):
            self.replace(n)
            self.wait_until_all_are_open()
            self.wait_until_all_have_the_latest()
        self.settle(moves_min=1)
        self.assertFalse([visit for client in self.clients for visit in client.visits if visit.is_away])

    def test_a_drain_to_no_gateway_and_back(self):
        self.open_clients()
        self.end(*self.gateways)
        self.wait_for_all(lambda client: client.visits[-1].is_away, "everybody is told by --away")
        self.gateways = [self.start_at(n) for n in range(2)]
        self.wait_until_all_are_open()
        self.settle(moves_min=1)

    def test_redis_is_away_while_the_gateways_are_replaced(self):
        self.open_clients()
        with self.publisher.between:
            self.redis.kill()
        for n in range(2):
            self.replace(n)
            self.wait_until_all_are_open()
        self.redis.start()
        self.settle(moves_min=1)

    def test_gateways_die_without_a_word(self):
        self.open_clients()
        for gateway in self.gateways:
            gateway.kill()
        # The proxy has not seen it coming.
        newcomer = self.loop.open(self.proxy.port, f"/channels/{CHANNEL}")
        self.assertEqual(newcomer.wait_for_head().status, 200)
        self.wait_for_all(lambda client: client.visits[-1].is_away, "everybody is told by --away")

    def test_without_a_gateway_a_page_of_another_origin_is_told_to_come_back(self):
        self.end(*self.gateways)
        preflight = self.ask("OPTIONS", "/channels/a", {
            "Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "last-event-id"})
        self.assertEqual(preflight.status, 204)
        self.assertEqual(preflight.headers["access-control-allow-origin"], ORIGIN)
        self.assertIn("last-event-id", preflight.headers["access-control-allow-headers"].lower())
        stream = self.loop.open(self.proxy.port, "/channels/a", {"Origin": ORIGIN, "Last-Event-ID": "a:1"})
        stream.wait_for_close()
        self.assertEqual((stream.status, stream.headers["content-type"]), (200, "text/event-stream"))
        self.assertEqual(stream.headers["access-control-allow-origin"], ORIGIN)
        self.assertTrue(2_000 <= stream.retries[-1] <= 5_000)
        publish = self.ask("POST", "/channels/a", body=b"x")
        self.assertEqual(publish.status, 503)
        self.assertIn("retry-after", publish.headers)

    def test_the_error_of_a_gateway_is_passed_on(self):
        self.redis.kill()
        for gateway in self.gateways:
            gateway.wait_until_redis_is(503)
        publish = self.ask("POST", "/channels/a", body=b"x")
        self.assertEqual(publish.status, 503)
        self.assertIn("nothing was published", publish.json()["detail"])


class BehindHaProxy(Scenarios, Rollout):
    kind = HaProxy


class BehindNginx(Scenarios, Rollout):
    kind = Nginx


class DurableBehindHaProxy(Rollout):
    """Nobody misses anything."""

    kind = HaProxy
    redis_options = ("--appendonly", "yes", "--appendfsync", "always")
    is_durable = True

    def setUp(self):
        super().setUp()
        self.start_all(self.kind)

    def settle_without_a_gap(self):
        self.settle(moves_min=1)
        self.assertEqual([client.account.gaps for client in self.clients if client.account.gaps], [])

    def test_a_rolling_update_is_no_gap(self):
        self.open_clients()
        for n in range(2):
            self.replace(n)
            self.wait_until_all_are_open()
            self.wait_until_all_have_the_latest()
        self.settle_without_a_gap()

    def test_redis_away_while_the_gateways_are_replaced_is_no_gap(self):
        self.open_clients()
        self.wait_until_all_have_the_latest()
        with self.publisher.between:
            self.redis.kill()
        for n in range(2):
            self.replace(n)
            self.wait_until_all_are_open()
        self.redis.start()
        self.settle_without_a_gap()


if __name__ == "__main__":
    unittest.main()
