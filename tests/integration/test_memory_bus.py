"""Without Redis: the embedded bus keeps the same promises within one process."""

import unittest

from support.account import Account, numbered
from support.case import GatewayTest
from support.http import request_bytes
from support.limits import scaled


class MemoryBus(GatewayTest):
    def test_what_is_posted_arrives_in_order(self):
        gateway = self.start_gateway()
        accounts = [Account("a") for _ in range(20)]
        for account in accounts:
            self.open(gateway, "/channels/a", on_event=account.add)
        total = scaled(2000, 300)
        with gateway.connect() as connection:
            for start in range(1, total + 1, 50):
                end = min(start + 49, total)
                connection.send(b"".join(request_bytes("POST", "/channels/a", body=numbered(n).encode())
                                         for n in range(start, end + 1)))
                for _ in range(start, end + 1):
                    response = connection.response()
                    self.assertEqual((response.status, response.json()), (202, {"channel": "a", "receivers": 1, "subscribers": 20}))
        for account in accounts:
            self.loop.until(lambda a=account: a.last == total, "the last message")
            self.assertEqual((account.received, account.gaps), (total, []))

    def test_nobody_listens_is_no_receiver(self):
        gateway = self.start_gateway()
        self.assertEqual(gateway.publish("a", "x").json(), {"channel": "a", "receivers": 0, "subscribers": 0})

    def test_a_message_right_after_the_head_is_received(self):
        gateway = self.start_gateway()
        with gateway.connect() as connection:
            for n in range(scaled(300, 50)):
                stream = self.loop.open(gateway.port, f"/channels/c{n}")
                stream.wait_for_head()
                connection.send(request_bytes("POST", f"/channels/c{n}", body=str(n).encode()))
                self.assertEqual(connection.response().json()["receivers"], 1)
                self.assertEqual(stream.next_event().data, str(n))
                stream.cut()

    def test_resume_replay_record_and_end_work(self):
        gateway = self.start_gateway("--record", "rec.*")
        gateway.publish("rec.1", "unwatched")
        stream = self.open(gateway, "/channels/rec.1?replay=5")
        self.assert_data(stream, ["unwatched"])
        stream.next_event("weir:live")
        stream.cut()
        gateway.publish("rec.1", "missed")
        again = self.resume(gateway, "/channels/rec.1", stream.last_event_id)
        self.assert_data(again, ["missed"])
        again.next_event("weir:live")
        gateway.request("POST", "/channels/rec.1/end", body=b"")
        self.assertEqual(again.rest()[-1].type, "weir:end")

    def test_all_is_well_from_the_start(self):
        gateway = self.start_gateway()
        for target in ("/healthz", "/readyz", "/healthz/redis"):
            self.assertEqual(gateway.admin(target).status, 200)

    def test_it_says_that_there_is_no_redis(self):
        gateway = self.start_gateway()
        gateway.wait_for_log("without a Redis .bus memory.*--redis-url")
        self.assertEqual(gateway.admin("/healthz/redis").json(), {"status": "ok", "bus": "memory"})
        self.assertEqual(gateway.info("a")["bus"], "memory")

    def test_it_may_be_asked_for_by_name(self):
        gateway = self.start_gateway("--bus", "memory")
        stream = self.open(gateway, "/channels/a")
        gateway.publish("a", "x")
        self.assertEqual(stream.next_event().data, "x")


if __name__ == "__main__":
    unittest.main()
