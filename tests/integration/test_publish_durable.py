"""Publishers and durable channels: what is sent again is there once, in order, whoever was killed or cut."""

import base64
import http.server
import json
import os
import random
import shutil
import tempfile
import threading
import unittest

from support.gateway import Gateway, run_publisher
from support.limits import scaled
from support.redis import RedisServer
from support.stream import Relay, Stream, cut_publishers, install_function
from support.tail import Tail

KILLS = int(os.environ.get("WEIR_KILLS", "8"))
CUTS = int(os.environ.get("WEIR_CUTS", "8"))
LINES = int(os.environ.get("WEIR_LINES", scaled(20_000, 4_000)))
END = b'{"type":"weir:end"}'


class DurableTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-durable-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.log, self.state = (os.path.join(self.folder, name) for name in ("app.log", "state"))
        self.redis = RedisServer()
        self.redis.start()
        self.stream = Stream(self.redis, "log")
        self.addCleanup(self.stream.join)
        self.addCleanup(self.redis.stop)

    def follow(self, *arguments, files=None, relay=None):
        return self.follow_to((relay or self.redis).url, "--durable", "--durable-messages", 1_000_000, *arguments,
                              *(files or [self.log]))

    def follow_to(self, url, *arguments):
        tail = Tail(url, "--from-start", "--poll-ms", 10, "--rate", 0, *arguments)
        self.addCleanup(tail.kill)
        return tail

    def append(self, first, last, path=None, flush_each=False):
        with open(path or self.log, "a", encoding="ascii") as file:
            for number in range(first, last + 1):
                file.write(f"{number}\n")
                if flush_each:
                    file.flush()

    def numbers(self):
        return [int(line) for line in self.stream.lines()]

    def assert_once(self, last):
        """The stream holds 1 … `last`, each once and in order, and its own numbers have no hole."""
        self.stream.wait_for_text(f'"{last}"')
        self.assertEqual(self.numbers(), list(range(1, last + 1)))
        self.assertEqual([int(id.split("-")[1]) for id in self.stream.ids], list(range(1, last + 1)))


class Log(DurableTest):
    def test_killed_at_any_moment_and_started_again_with_its_state_each_line_is_there_once(self):
        install_function(self.redis)
        moments = random.Random(17)
        writer = threading.Thread(target=self.append, args=(1, LINES), kwargs={"flush_each": True})
        writer.start()
        for goal in sorted(moments.sample(range(1, LINES), KILLS)):
            tail = self.follow("--state", self.state)
            self.stream.wait_for_count(goal)
            tail.kill()
        self.follow("--state", self.state)
        writer.join()
        self.assert_once(LINES)

    def test_rotated_between_kills_each_line_is_there_once(self):
        install_function(self.redis)
        moments = random.Random(18)
        each, written = 3_000, 0
        for kill in range(KILLS):
            self.append(written + 1, written + each)
            written += each
            tail = self.follow("--state", self.state)
            self.stream.wait_for_count(written - each + moments.randrange(1, each))
            tail.kill()
            if kill % 2:
                os.rename(self.log, f"{self.log}.{kill}")
                self.append(1, 0)
            else:
                shutil.copy2(self.log, f"{self.log}.{kill}")
                os.truncate(self.log, 0)
        self.append(written + 1, written + 1)
        self.follow("--state", self.state)
        self.assert_once(written + 1)

    def kill_before_an_answer(self, change):
        """Kills the program when lines are in the stream that came behind `change` of the log, and it does not know."""
        install_function(self.redis)
        relay = Relay(self.redis.port)
        self.addCleanup(relay.close)
        self.append(1, 10)
        tail = self.follow("--state", self.state, relay=relay)
        self.stream.wait_for_count(10)
        change(tail)
        relay.hold_answers()
        self.append(11, 400)
        self.stream.wait_for_count(400)
        tail.kill()
        self.follow("--state", self.state)
        self.append(401, 410)
        self.assert_once(410)

    def test_killed_before_an_answer_no_line_is_there_twice(self):
        self.kill_before_an_answer(lambda tail: None)

    def test_killed_before_an_answer_no_line_of_a_new_file_is_there_twice(self):
        """The state must know the file before its first line is published."""
        self.kill_before_an_answer(lambda tail: os.rename(self.log, self.log + ".1"))

    def test_killed_before_an_answer_no_line_of_a_truncated_file_is_there_twice(self):
        def truncate(tail):
            os.truncate(self.log, 0)
            tail.wait_for_log("was truncated")

        self.kill_before_an_answer(truncate)

    def test_cut_while_messages_are_under_way_it_repeats_them_and_none_is_there_twice(self):
        install_function(self.redis)
        self.append(1, LINES)
        tail = self.follow()
        written = LINES
        # Until as many cuts as asked for have left messages of unknown outcome.
        while len(tail.matches("outcome of .* messages is unknown")) < CUTS:
            cut_publishers(self.redis)
            if self.stream.messages and len(self.stream.messages) >= written - 1_000:
                self.append(written + 1, written + LINES)
                written += LINES
        self.assert_once(written)
        self.assertEqual(tail.stop(), 0, str(tail))

    def test_stopped_while_redis_hangs_the_next_start_goes_on_without_a_line_twice(self):
        install_function(self.redis)
        self.append(1, 10)
        tail = self.follow("--state", self.state)
        self.stream.wait_for_count(10)
        self.redis.freeze()
        self.append(11, 600)
        tail.stop()
        self.redis.thaw()
        self.follow("--state", self.state)
        self.assert_once(600)

    def test_started_before_the_function_is_there_it_says_how_it_gets_there_and_waits(self):
        self.append(1, 3_000)
        tail = self.follow()
        tail.wait_for_log("weir_publish is not installed.*weir-broker --print-function.*trying again")
        self.assertEqual(len(tail.matches("not installed")), 1, str(tail))
        install_function(self.redis)
        self.assert_once(3_000)

    def test_the_same_text_is_published_as_often_as_it_is_written(self):
        """Digest, inode and offset of the line are the same each time."""
        install_function(self.redis)
        tail = self.follow("--state", self.state)
        for round_number in range(1, 11):
            with open(self.log, "a", encoding="ascii") as file:
                file.write("ping\n")
            self.stream.wait_for_count(round_number)
            os.truncate(self.log, 0)
            tail.wait_for_log("was truncated", round_number)
        self.assertEqual(self.stream.lines(), ["ping"] * 10)

    def test_two_logs_of_one_text_are_two(self):
        install_function(self.redis)
        other = os.path.join(self.folder, "other.log")
        self.append(1, 100)
        self.append(1, 100, other)
        for path in (self.log, other):
            self.follow("--follow=false", files=[path]).wait()
        self.stream.wait_for_count(200)
        self.assertEqual(sorted(self.numbers()), sorted([*range(1, 101)] * 2))

    def test_a_full_redis_takes_the_rest_when_there_is_room(self):
        install_function(self.redis)
        self.redis.client.command("CONFIG", "SET", "maxmemory", 1)
        self.append(1, 2_000)
        tail = self.follow()
        tail.wait_for_log("OOM.*trying again")
        self.redis.client.command("CONFIG", "SET", "maxmemory", 0)
        self.assert_once(2_000)


class File(DurableTest):
    PARTS = 700

    def setUp(self):
        super().setUp()
        install_function(self.redis)
        self.file = os.path.join(self.folder, "sent.bin")
        with open(self.file, "wb") as file:
            file.write(os.urandom(self.PARTS * 1_000))
        self.arguments = ["--to", self.redis.url, "--channel", "log", "--durable", "--durable-messages", "1000000",
                          "--form", "parts", "--part-bytes", "1000"]

    def send(self, *more):
        ran = run_publisher("weir-publish-file", *self.arguments, "--rate", "0", *more, self.file)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stderr

    def assert_whole(self, rounds=1):
        """The head, all parts in order and the bytes of the file, in each round; then one end."""
        self.stream.wait_for_text("weir:end")
        payloads = [payload for _, payload in self.stream.messages]
        self.assertEqual(payloads.count(END), 1)
        self.assertEqual(payloads[-1], END)
        messages = [json.loads(payload) for payload in payloads[:-1]]
        self.assertEqual(len(messages), rounds * (self.PARTS + 1))
        with open(self.file, "rb") as file:
            sent = file.read()
        for start in range(0, len(messages), self.PARTS + 1):
            self.assertEqual(messages[start]["type"], "file")
            parts = [message["data"] for message in messages[start + 1:start + self.PARTS + 1]]
            self.assertEqual([part["n"] for part in parts], list(range(self.PARTS)))
            self.assertEqual(b"".join(base64.b64decode(part["base64"]) for part in parts), sent)

    def test_cut_while_parts_are_under_way_each_is_there_once(self):
        done = threading.Event()

        def cut():
            while not done.is_set():
                cut_publishers(self.redis)

        cutter = threading.Thread(target=cut)
        cutter.start()
        try:
            # Without a confirmed message in between, its waits would grow.
            log = self.send("--rounds", "3")
        finally:
            done.set()
            cutter.join()
        self.assertIn("trying again", log)
        self.assert_whole(rounds=3)

    def test_killed_and_begun_again_each_part_is_there_once(self):
        for count in (10, 300, self.PARTS):
            process = Tail(self.redis.url, *self.arguments[4:], "--rate", 500_000, self.file,
                           name="weir-publish-file")
            self.addCleanup(process.kill)
            self.stream.wait_for_count(count)
            process.kill()
        self.assertRegex(self.send(), "of them were there already")
        self.assert_whole()

    def test_rounds_are_sent_again_on_purpose(self):
        self.send("--rounds", "2")
        self.assert_whole(rounds=2)


class ForgetfulGateway:
    """A gateway as far as publishers see it. It takes messages under their keys, and drops every few connections
    instead of answering."""

    def __init__(self, drops_each):
        self.taken = []
        self.requests = 0
        keys = set()
        gateway = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Idempotency-Key"]
                gateway.requests += 1
                is_known = key in keys
                if not is_known:
                    keys.add(key)
                    gateway.taken.append("end" if self.path.endswith("/end") else json.loads(body)["msg"])
                if gateway.requests % drops_each == 0:
                    self.close_connection = True
                    return
                answer = json.dumps({"channel": "log", "id": "1-1", "repeated": is_known}).encode()
                self.send_response(202)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Http(DurableTest):
    def test_a_message_whose_answer_was_lost_is_sent_again_under_its_key(self):
        gateway = ForgetfulGateway(drops_each=7)
        self.addCleanup(gateway.close)
        self.append(1, 40)
        ran = run_publisher("weir-publish-log", "--to", gateway.url, "--channel", "log", "--from-start",
                            "--follow=false", "--end", self.log)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(gateway.taken, [*(str(number) for number in range(1, 41)), "end"])
        self.assertGreater(gateway.requests, 41)
        self.assertRegex(ran.stderr, "of them were there already")

    def start_gateway(self):
        gateway = Gateway("--redis-url", self.redis.url, "--durable", "log")
        self.addCleanup(gateway.stop)
        gateway.wait_until_ready()
        return gateway

    def test_killed_before_the_answer_of_a_gateway_no_line_is_there_twice(self):
        gateway = self.start_gateway()
        relay = Relay(gateway.port, "http")
        self.addCleanup(relay.close)
        self.append(1, 10)
        tail = self.follow_to(relay.url, "--state", self.state, self.log)
        self.stream.wait_for_count(10)
        relay.hold_answers()
        self.append(11, 20)
        self.stream.wait_for_count(11)
        tail.kill()
        self.follow_to(f"http://127.0.0.1:{gateway.port}", "--state", self.state, self.log)
        self.assert_once(20)

    def test_a_gateway_whose_redis_connection_is_cut_takes_no_line_twice(self):
        gateway = self.start_gateway()
        self.append(1, 600)
        tail = self.follow_to(f"http://127.0.0.1:{gateway.port}", self.log)
        for goal in range(100, 600, 100):
            self.stream.wait_for_count(goal)
            cut_publishers(self.redis)
        self.assert_once(600)
        self.assertEqual(tail.stop(), 0, str(tail))


if __name__ == "__main__":
    unittest.main()
