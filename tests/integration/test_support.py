"""The tests' own judges: a parser or an account that accepts too much would make every other test worthless."""

import socket
import threading
import unittest

from support.account import Account, numbered
from support.eventsource import OPEN, EventSource
from support.http import ChunkDecoder, ProtocolError, parse_head
from support.sse import Event, EventParser, Loop


def parse(*pieces):
    events = []
    parser = EventParser(events.append)
    for piece in pieces:
        parser.feed(piece)
    return parser, [(event.type, event.data) for event in events]


class Parser(unittest.TestCase):
    def test_blocks_become_events(self):
        parser, events = parse(b": hi\nretry: 10\nid: 1\n\nevent: a\ndata: x\ndata:y\n\ndata\n\ndata\ndata\n\n")
        self.assertEqual(events, [("a", "x\ny"), ("message", ""), ("message", "\n")])
        self.assertEqual((parser.comments, parser.retries, parser.last_event_id), (["hi"], [10], "1"))

    def test_any_line_end_and_any_cut_give_the_same(self):
        text = b"\xef\xbb\xbfdata: \xe2\x82\xac\r\ndata:  b\rdata: c\n\r\nid: 2\r\rdata: d\n\n"
        whole = parse(text)[1]
        self.assertEqual(whole, [("message", "\u20ac\n b\nc"), ("message", "d")])
        self.assertEqual(parse(*(bytes([byte]) for byte in text))[1], whole)

    def test_an_event_without_its_blank_line_is_none(self):
        self.assertEqual(parse(b"data: x\n")[1], [])

    def test_an_id_of_an_unfinished_block_does_not_count(self):
        self.assertEqual(parse(b"id: 1\n\nid: 2\n")[0].last_event_id, "1")

    def test_bad_retries_and_ids_with_nul_are_ignored(self):
        parser, _ = parse(b"id: 1\n\nid: a\0b\nretry: 1x\nretry: -1\nretry:\n\n")
        self.assertEqual((parser.retries, parser.last_event_id), ([], "1"))

    def test_invalid_utf_8_is_an_error(self):
        with self.assertRaises(UnicodeDecodeError):
            parse(b"data: \xff\n\n")


class Chunks(unittest.TestCase):
    def test_chunks_are_joined_however_they_are_cut(self):
        text = b"3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n"
        decoder = ChunkDecoder()
        self.assertEqual(b"".join(decoder.feed(bytes([byte])) for byte in text), b"abc0123456789")
        self.assertTrue(decoder.ended)

    def test_what_is_malformed_is_an_error(self):
        for text in (b"3\nabc\r\n0\r\n\r\n", b"x\r\n", b"2\r\nabc\r\n", b"3;a=b\r\nabc\r\n", b"0\r\nTrailer: x\r\n\r\n",
                     b"0\r\n\r\nmore", b"-1\r\n", b"1234567890123"):
            with self.subTest(text=text), self.assertRaises(ProtocolError):
                ChunkDecoder().feed(text)

    def test_a_header_twice_or_a_bare_line_end_in_a_head_is_an_error(self):
        for head in (b"HTTP/1.1 200 OK\r\nA: 1\r\na: 2", b"HTTP/1.1 200 OK\r\nA: 1\nB: 2", b"HTTP/2 200", b"nonsense"):
            with self.subTest(head=head), self.assertRaises(ProtocolError):
                parse_head(head)


class Accounts(unittest.TestCase):
    def gap(self, missed, channel="a"):
        return Event("weir:gap", '{"channel":"%s","missed":%s,"reason":"slow-client"}' % (channel, missed), "")

    def message(self, number):
        return Event("message", numbered(number), "")

    def account(self, *events):
        account = Account("a")
        for event in events:
            account.add(event)
        return account

    def test_what_adds_up_settles(self):
        account = self.account(self.message(1), self.gap(2), self.message(4), self.gap("null"), self.message(9),
                               self.gap(1))
        self.assertTrue(account.has_settled(10))
        account.settle(10)
        self.assertEqual((account.received, account.missed), (3, 7))

    def test_what_does_not_is_an_error(self):
        for events in ([self.message(2)], [self.message(1), self.message(1)], [self.message(1), self.gap(1),
                       self.message(4)], [self.gap(1), self.message(1)], [self.gap(0)], [self.gap(1, "b")]):
            with self.subTest(events=events), self.assertRaises(AssertionError):
                self.account(*events)
        with self.assertRaises(AssertionError):
            self.account(self.message(1)).settle(2)

    def test_what_was_under_way_when_the_client_came_may_be_among_what_it_missed(self):
        for told, number in ((2, 8), (2, 12), (5, 12)):  # Wholly before its start, up to it, across it.
            with self.subTest(told=told, number=number):
                account = Account("a", 10 if told == 5 else 9)
                account.add(self.gap(told))
                account.add(self.message(number))
                account.settle(number)
                self.assertEqual((account.received, account.missed), (1, told))
        account = Account("a", 10)
        account.add(self.gap(1))
        with self.assertRaises(AssertionError):
            account.add(self.message(14))


class ScriptedServer:
    """Gives each connection the next of its answers, and keeps what was asked. The last one stays open."""

    def __init__(self, *answers):
        self.asked = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._answers = answers
        self._connections = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for answer in self._answers:
            connection, _ = self._listener.accept()
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(4096)
            self.asked.append(request.decode())
            connection.sendall(answer)
            if answer is self._answers[-1]:
                self._connections.append(connection)
            else:
                connection.close()

    def close(self):
        self._thread.join(10)
        self._listener.close()
        for connection in self._connections:
            connection.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


class EventSources(unittest.TestCase):
    def follow(self, *answers):
        self.server = ScriptedServer(*answers)
        self.addCleanup(self.server.close)
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        return EventSource(self.loop, self.server.port, "a")

    def test_it_comes_back_with_its_id_after_a_stream_that_ends_or_brings_nothing(self):
        first = HEAD + b'retry: 1\nid: 7\n\ndata: {"n":1}\nid: 8\n\n'
        source = self.follow(first, HEAD + b": away: \nretry: 2\n\n", b"", HEAD + b"id: 9\n\n")
        self.loop.until(lambda: source.last_event_id == "9", "the last stream")
        self.assertIsNone(source.final)
        self.assertEqual(source.state, OPEN)
        self.assertNotIn("Last-Event-ID", self.server.asked[0])
        for request in self.server.asked[1:]:
            self.assertIn("Last-Event-ID: 8\r\n", request)
        self.assertEqual([visit.is_away for visit in source.visits], [False, True, False, False])
        (left, visits), = source.moves
        self.assertIs(left, source.visits[0])
        self.assertEqual(visits, source.visits[1:])

    def test_any_other_answer_ends_it_for_good(self):
        empty = b"\r\nContent-Length: 0\r\n\r\n"
        for answer in (b"HTTP/1.1 503 Away" + empty, b"HTTP/1.1 204 Done" + empty, b"HTTP/1.1 502 Bad" + empty,
                       b"HTTP/1.1 200 OK\r\nContent-Type: text/html" + empty):
            with self.subTest(answer=answer):
                source = self.follow(answer)
                self.loop.until(lambda source=source: source.final, "the end for good")
                self.assertFalse(source.moves)


if __name__ == "__main__":
    unittest.main()
