"""The end of a channel: the last event, a clean close, and 204 for who comes back."""

import json
import unittest

from support.case import GatewayTest


class End(GatewayTest):
    def test_it_is_the_last_event_and_closes_the_streams(self):
        redis, gateway = self.start_both()
        streams = self.open_all(gateway, ["/channels/build"] * 10)
        redis.publish_all([("build", "1"), ("build", '{"type":"weir:end","data":{"exit":0}}'), ("build", "too late")])
        for stream in streams:
            first, end = stream.rest()
            self.assertEqual(first.data, "1")
            self.assertEqual((end.type, end.data), ("weir:end", '{"exit":0}'))
            self.assertRegex(end.id, r"^g[a-z0-9]+\.\d+~end$")
            self.assertEqual(stream.closed, "end")

    def test_its_data_may_be_left_out(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/build")
        redis.publish("build", '{"type":"weir:end"}')
        (end,) = stream.rest()
        self.assertEqual(end.type, "weir:end")
        self.assertEqual(stream.closed, "end")

    def test_who_comes_back_with_its_id_gets_204_from_any_gateway(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/build")
        redis.publish("build", '{"type":"weir:end","id":"job-7"}')
        (end,) = stream.rest()
        self.assertTrue(end.id.endswith("~job-7~end"), end.id)
        for any_gateway in (gateway, self.start_gateway(redis=redis)):
            response = any_gateway.request("GET", "/channels/build", {"Last-Event-ID": end.id})
            self.assertEqual((response.status, response.body), (204, b""))
            self.assertEqual(any_gateway.request("GET", f"/channels/build?lastEventId={end.id}").status, 204)

    def test_who_comes_without_its_id_sees_what_is_published_later(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/build")
        redis.publish("build", '{"type":"weir:end"}')
        stream.rest()
        newcomer = self.open(gateway, "/channels/build")
        redis.publish("build", "a new build")
        self.assert_data(newcomer, ["a new build"])

    def test_a_replay_of_a_channel_that_has_ended_is_its_last_run_and_the_end(self):
        redis, gateway = self.start_both("--record", "build")
        gateway.wait_until_redis_is(200)
        redis.publish_all([("build", "1"), ("build", '{"type":"weir:end"}')])
        gateway.wait_until_logged("build", 2)
        stream = self.open(gateway, "/channels/build?replay=10")
        self.assertEqual([event.type for event in stream.rest()], ["message", "weir:end"])
        self.assertEqual(stream.closed, "end")
        redis.publish_all([("build", "of another round")])
        gateway.wait_until_logged("build", 3)
        again = self.open(gateway, "/channels/build?replay=10")
        self.assertEqual([event.data for event in again.until_event(lambda event: event.type == "weir:live")][:-1],
                         ["of another round"])
        redis.publish("build", "live")
        self.assert_data(again, ["live"])

    def test_a_resume_that_reaches_an_end_ends_there(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/build")
        redis.publish_all([("build", "1"), ("build", "2"), ("build", '{"type":"weir:end"}')])
        events = stream.rest()
        again = self.resume(gateway, "/channels/build", events[0].id)
        self.assertEqual(again.rest(), events[1:])

    def test_post_end_ends_a_channel(self):
        gateway = self.start_gateway()
        stream = self.open(gateway, "/channels/build")
        gateway.publish("build", "1")
        response = gateway.request("POST", "/channels/build/end", body=b"")
        self.assertEqual(response.status, 202)
        self.assertEqual([event.type for event in stream.rest()], ["message", "weir:end"])
        self.assertEqual(gateway.request("POST", "/channels/__x/end", body=b"").status, 400)

    def test_a_payload_of_another_form_ends_nothing(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/build")
        payloads = ['{"type":"weir:end","other":1}', '{"type":"weir:end","type":"weir:end"}', '["weir:end"]',
                    '{"type":"weir:End","data":1}', "event: weir:end\ndata: x\n\n"]
        redis.publish_all([("build", payload) for payload in payloads])
        self.assertEqual({event.type for event in stream.next_events(len(payloads))}, {"message"})
        self.assertIsNone(stream.closed)


class EndOfSeveral(GatewayTest):
    def test_events_names_the_ended_channel_and_closes_after_the_last(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/events?channel=a&channel=b")
        redis.publish_all([("a", '{"type":"weir:end","data":"bye"}'), ("b", "still here"), ("a", "after its end")])
        end = stream.next_event("weir:end")
        self.assertEqual(json.loads(end.data)["channel"], "a")
        self.assertEqual(stream.next_event().type, "b")
        redis.publish("b", '{"type":"weir:end"}')
        events = stream.rest()
        self.assertEqual(json.loads(events[-1].data)["channel"], "b")
        self.assertEqual(events[-1].type, "weir:end")
        self.assertEqual(stream.closed, "end")

    def test_the_json_form_of_one_channel_ends_too(self):
        redis, gateway = self.start_both()
        stream = self.open(gateway, "/channels/a?form=json")
        redis.publish("a", '{"type":"weir:end"}')
        (end,) = stream.rest()
        self.assertEqual(json.loads(end.data)["channel"], "a")
        self.assertTrue(end.id.endswith("~end"))


if __name__ == "__main__":
    unittest.main()
