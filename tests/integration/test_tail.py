"""weir-publish-log on real files: bursts, rotation in each way, what can't be read, container logs, kills and cuts.

WEIR_KILLS, WEIR_CUTS and WEIR_LINES make the two long tests longer; scripts/soak does.
"""

import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from support.gateway import run_publisher
from support.limits import DEADLINE_SECONDS, scaled
from support.redis import RedisServer
from support.tail import WINDOW_LINES, Subscriber, Tail, Witness, assert_in_order

KILLS = int(os.environ.get("WEIR_KILLS", "5"))
CUTS = int(os.environ.get("WEIR_CUTS", "3"))
LINES = int(os.environ.get("WEIR_LINES", scaled(20_000, 2_000)))


class TailTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="weir-tail-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.log = self.path("app.log")
        self.state = self.path("state")
        # A test's reader may fall behind without being cut.
        self.redis = RedisServer("--client-output-buffer-limit", "pubsub 1gb 1gb 60")
        self.redis.start()
        self.subscriber = Subscriber(self.redis)
        self.addCleanup(self.subscriber.join)
        self.addCleanup(self.redis.stop)

    def path(self, name):
        return os.path.join(self.folder, name)

    def follow(self, *arguments, files=None, url=None, **more):
        """Follows app.log, or `files`, from its start."""
        tail = Tail(url or self.redis.url, "--from-start", *arguments, *(files or [self.log]), **more)
        self.addCleanup(tail.kill)
        return tail

    def read_to_end(self, *arguments, files=None, channel="log", code=0):
        """Runs the program on finished files; its CompletedProcess."""
        ran = run_publisher("weir-publish-log", "--to", self.redis.url, "--channel", channel, "--rate", "0",
                            "--from-start", "--follow=false", "--end", *arguments, *(files or [self.log]))
        self.assertEqual(ran.returncode, code, ran.stderr)
        if code == 0:
            self.subscriber.wait_for_text('"weir:end"')
        return ran

    def append(self, data, path=None):
        with open(path or self.log, "ab") as file:
            file.write(data if isinstance(data, bytes) else data.encode())

    def write(self, data, path=None):
        """Puts a file with `data` at the path in one step."""
        path = path or self.log
        self.append(data, path + ".tmp")
        os.rename(path + ".tmp", path)

    def numbered(self, first, last, padding=0):
        return "".join(f"{number}{' ' + 'x' * padding if padding else ''}\n" for number in range(first, last + 1))

    def numbers(self, notes=None):
        return [int(line.split(" ")[0]) for line in (notes or self.subscriber).lines()]

    def assert_exactly_once(self, count, notes=None, cuts=0):
        """The lines 1 … count came in order, each once; after each of `cuts` at most a window of them came again."""
        assert_in_order(self.numbers(notes), count, cuts)

    def rotate(self, mode, number, log=None):
        """What logrotate does in `mode`; the writer opens the path again for each write."""
        log = log or self.log
        old = f"{log}-2026{number:06d}" if mode == "dateext" else f"{log}.{number}"
        if mode in ("create", "dateext"):
            os.rename(log, old)
            self.append("", log)
        elif mode == "nocreate":
            os.rename(log, old)
        elif mode == "copytruncate":
            shutil.copy2(log, old)
            os.truncate(log, 0)
        elif mode == "copy":
            shutil.copy2(log, old)
        elif mode == "renamecopy":
            os.rename(log, old + ".part")
            self.append("", log)
            shutil.copy2(old + ".part", old)
            os.remove(old + ".part")
        else:
            raise ValueError(mode)


class Speed(TailTest):
    def test_a_burst_of_six_megabytes_arrives_whole(self):
        tail = self.follow("--rate", 0)
        self.append(self.numbered(1, 1))
        self.subscriber.wait_for_count(1)
        self.append(self.numbered(2, 60_000, padding=94))
        self.subscriber.wait_for_count(60_000)
        self.assertEqual(tail.stop(), 0)
        self.assert_exactly_once(60_000)

    def test_a_burst_does_not_wait_for_the_next_poll(self):
        """A wait of a minute after each read would be past the deadline."""
        self.write(self.numbered(1, 20_000, padding=90))
        self.follow("--rate", 0, "--poll-ms", 60_000)
        self.subscriber.wait_for_count(20_000)
        self.assert_exactly_once(20_000)

    def test_a_hundred_rotations_of_500_kb_lose_nothing(self):
        tail = self.follow("--rate", 0)
        each = 5_000
        for rotation in range(100):
            self.append(self.numbered(rotation * each + 1, (rotation + 1) * each, padding=94))
            # Files that were rotated before the program came are none of its own. Later, at most 32 wait, which is half
            # of those that it holds: a busy machine loses none either.
            self.subscriber.wait_for_count(max(1, (rotation - 32) * each))
            self.rotate("create", rotation + 1)
        self.subscriber.wait_for_count(100 * each)
        self.assertEqual(tail.stop(), 0)
        self.assert_exactly_once(100 * each)

    def test_a_line_of_20_mib_comes_in_pieces_that_make_it_up(self):
        length = scaled(20 << 20, 1 << 20)
        self.write("a" * length + "\nnext\n")
        self.read_to_end()
        pieces = self.subscriber.decoded()
        self.assertEqual(pieces[-2:], [{"msg": "next"}, {"type": "weir:end"}])
        self.assertTrue(all(piece.get("more") for piece in pieces[:-3]))
        self.assertNotIn("more", pieces[-3])
        self.assertEqual(sum(len(piece["msg"]) for piece in pieces[:-2]), length)

    def test_a_backlog_does_not_delay_a_stop_and_the_state_goes_on(self):
        self.write(self.numbered(1, 100_000, padding=94))
        tail = self.follow("--rate", 100_000, "--state", self.state, "--end")
        self.subscriber.wait_for_count(1)
        self.assertEqual(tail.stop(), 0)
        self.assertEqual(self.subscriber.ends(), [])
        self.assertLess(len(self.subscriber.messages), 100_000)
        self.follow("--rate", 0, "--state", self.state)
        self.subscriber.wait_for_text('"100000 ')
        self.assert_exactly_once(100_000)


class Unreadable(TailTest):
    """What can't be read is said once, with the reason, and is never taken for an end."""

    def assert_refused(self, path, reason):
        ran = self.read_to_end(files=[path], code=1)
        self.assertRegex(ran.stderr, reason)
        self.assertIn(path, ran.stderr)
        self.redis.publish("log", '{"msg":"after"}')
        self.subscriber.wait_for_text("after")
        self.assertEqual(self.subscriber.ends(), [])

    def test_a_read_error_ends_with_1_and_without_an_end(self):
        self.assert_refused("/proc/self/mem", "Input/output error")

    @unittest.skipUnless(os.path.exists("/sys/class/net/lo/speed"), "needs sysfs")
    def test_an_invalid_read_of_sysfs_does_too(self):
        self.assert_refused("/sys/class/net/lo/speed", "Invalid argument")

    def test_a_missing_file_is_an_error_with_its_errno(self):
        self.assert_refused(self.log, "No such file or directory")

    def test_a_directory_is_refused_by_that_name(self):
        self.assert_refused(self.folder, "directory")

    def test_a_fifo_is_refused_by_that_name(self):
        os.mkfifo(self.log)
        self.assert_refused(self.log, "FIFO")

    def test_a_socket_is_refused_by_that_name(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.log)
            self.assert_refused(self.log, "socket")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_a_file_without_permission_is_refused_with_its_errno(self):
        self.write("secret\n")
        os.chmod(self.log, 0)
        self.assert_refused(self.log, "Permission denied")

    def test_a_followed_directory_is_told_once_and_a_file_in_its_place_is_read(self):
        os.mkdir(self.log)
        tail = self.follow("--poll-ms", 10)
        tail.wait_for_log("directory")
        other = self.path("other.log")
        self.write("beside\n", other)
        os.rmdir(self.log)
        self.write("now a file\n")
        self.subscriber.wait_for_text("now a file")
        self.assertEqual(len(tail.matches("is a directory")), 1, str(tail))

    def test_utf_16_is_refused_once(self):
        self.write("hello\n".encode("utf-16"))
        ran = self.read_to_end(code=1)
        self.assertEqual(ran.stderr.count("UTF-16"), 1, ran.stderr)
        self.assertEqual(self.subscriber.messages, [])


class OddFiles(TailTest):
    def test_a_file_of_procfs_whose_size_is_0_is_read_to_its_end_once(self):
        self.read_to_end(files=["/proc/version"])
        with open("/proc/version", encoding="utf-8") as file:
            self.assertEqual(self.subscriber.lines(), file.read().splitlines())

    def test_a_file_of_procfs_is_not_repeated(self):
        self.follow("--poll-ms", 10, files=["/proc/version", self.log])
        self.append("one\n")
        self.subscriber.wait_for_text("one")
        # Each line is behind many more looks at both files.
        for number in range(20):
            self.append(f"{number}\n")
            self.subscriber.wait_for_text(f'"{number}"')
        self.assertEqual(sum("Linux version" in line for line in self.subscriber.lines()), 1)

    def test_a_hole_at_the_start_is_skipped(self):
        with open(self.log, "wb") as file:
            file.seek(256 << 10)
            file.write(b"behind the hole\n")
        self.read_to_end()
        self.assertEqual(self.subscriber.lines(), ["behind the hole"])

    def test_a_hole_of_30_gib_after_a_truncation_is_skipped_and_a_stop_is_heard(self):
        tail = self.follow()
        with open(self.log, "wb") as file:
            file.write(b"before\n")
            file.flush()
            self.subscriber.wait_for_text("before")
            os.truncate(self.log, 0)
            file.seek(30 << 30)
            file.write(b"after\n")
            file.flush()
            self.subscriber.wait_for_text("after")
        self.assertEqual(tail.stop(), 0)
        self.assertEqual(self.subscriber.lines(), ["before", "after"])

    def test_a_file_that_comes_back_to_the_path_is_gone_on_with(self):
        tail = self.follow("--poll-ms", 10)
        self.append("x1\n")
        self.subscriber.wait_for_text("x1")
        os.rename(self.log, self.log + ".1")
        self.write("y1\n")
        self.subscriber.wait_for_text("y1")
        os.rename(self.log + ".1", self.log)
        self.append("x2\n")
        self.subscriber.wait_for_text("x2")
        self.assertEqual(tail.stop(), 0)
        self.assertEqual(self.subscriber.lines(), ["x1", "y1", "x2"])

    def test_a_symbolic_link_that_goes_to_another_file_and_back_repeats_nothing(self):
        one, two = self.path("one"), self.path("two")
        self.append("x1\n", one)
        self.append("y1\n", two)

        def point_to(target):
            os.symlink(target, self.log + ".new")
            os.rename(self.log + ".new", self.log)

        point_to(one)
        tail = self.follow("--poll-ms", 10)
        self.subscriber.wait_for_text("x1")
        point_to(two)
        self.subscriber.wait_for_text("y1")
        point_to(one)
        self.append("x2\n", one)
        self.subscriber.wait_for_text("x2")
        self.assertEqual(tail.stop(), 0)
        self.assertEqual(self.subscriber.lines(), ["x1", "y1", "x2"])

    def test_invalid_utf_8_nul_and_crlf(self):
        self.write(b"a\r\n\xff\n\0\n\nlast\r")
        self.read_to_end()
        self.assertEqual(self.subscriber.lines(), ["a", "\ufffd", "\0", "", "last\r"])

    def test_a_byte_order_mark_is_taken_off(self):
        self.write(b"\xef\xbb\xbffirst\n\xef\xbb\xbfsecond\n")
        self.read_to_end()
        self.assertEqual(self.subscriber.lines(), ["first", "\ufeffsecond"])

    def test_an_empty_file_has_no_lines_and_an_end(self):
        self.write("")
        self.read_to_end()
        self.assertEqual(self.subscriber.decoded(), [{"type": "weir:end"}])


class Rotation(TailTest):
    """After each rotation the writer waits until its lines were seen, so that each mode has one right answer."""

    def rotate_and_write(self, mode):
        tail = self.follow("--poll-ms", 10)
        for rotation in range(5):
            self.append(self.numbered(rotation * 10 + 1, rotation * 10 + 10))
            self.subscriber.wait_for_count(rotation * 10 + 10)
            self.rotate(mode, rotation + 1)
        self.append(self.numbered(51, 60))
        self.subscriber.wait_for_count(60)
        self.assertEqual(tail.stop(), 0)
        self.assert_exactly_once(60)

    def test_create(self):
        self.rotate_and_write("create")

    def test_nocreate(self):
        self.rotate_and_write("nocreate")

    def test_dateext(self):
        self.rotate_and_write("dateext")

    def test_copy(self):
        self.rotate_and_write("copy")

    def test_copytruncate(self):
        self.rotate_and_write("copytruncate")

    def test_renamecopy(self):
        self.rotate_and_write("renamecopy")

    def test_a_late_writer_into_the_renamed_file(self):
        with open(self.log, "a", encoding="utf-8", buffering=1) as writer:
            tail = self.follow("--poll-ms", 10)
            writer.write("1\n")
            self.subscriber.wait_for_count(1)
            self.rotate("create", 1)
            writer.write("2\n")
            self.subscriber.wait_for_count(2)
        self.append("3\n")
        self.subscriber.wait_for_count(3)
        self.assertEqual(tail.stop(), 0)
        self.assert_exactly_once(3)

    @unittest.skipUnless(shutil.which("logrotate"), "needs logrotate")
    def test_logrotate_itself(self):
        for number, mode in enumerate(("create", "nocreate", "copytruncate", "copy", "create\ncompress", "renamecopy")):
            with self.subTest(mode=mode):
                log = self.path(f"{number}.log")
                tail = self.follow("--poll-ms", 10, files=[log], channel=f"log{number}")
                for rotation in range(3):
                    self.append(f"{number} {rotation}\n", log)
                    self.subscriber.wait_for_text(f'"{number} {rotation}"')
                    config = self.path("logrotate.conf")
                    with open(config, "w", encoding="utf-8") as file:
                        file.write(f"{log} {{\nrotate 9\n{mode}\n}}\n")
                    subprocess.run(["logrotate", "--force", "--state", self.path("status"), config], check=True)
                self.assertEqual(tail.stop(), 0)
                self.assertEqual(self.subscriber.lines(f"log{number}"), [f"{number} {n}" for n in range(3)])


class ManyFiles(TailTest):
    def test_each_message_names_its_file(self):
        other = self.path("other.log")
        self.follow(files=[self.log, other])
        self.append("one\n")
        self.append("two\n", other)
        self.subscriber.wait_for_count(2)
        self.assertCountEqual(self.subscriber.decoded(),
                              [{"msg": "one", "file": self.log}, {"msg": "two", "file": other}])

    def test_a_single_file_is_not_named(self):
        self.follow()
        self.append("one\n")
        self.subscriber.wait_for_count(1)
        self.assertEqual(self.subscriber.decoded(), [{"msg": "one"}])

    def test_a_pattern_finds_files_as_they_appear_and_a_rotated_one_is_no_new_file(self):
        self.follow("--poll-ms", 10, files=[self.path("*.log*")])
        self.append("1\n")
        self.subscriber.wait_for_count(1)
        self.rotate("create", 1)
        self.append("2\n")
        self.subscriber.wait_for_count(2)
        self.append("3\n", self.path("late.log"))
        self.subscriber.wait_for_count(3)
        self.assert_exactly_once(3)
        self.assertEqual(self.subscriber.decoded()[2], {"msg": "3", "file": self.path("late.log")})

    def test_a_channel_for_each_file(self):
        self.follow(files=[self.path("*.log")], channel="log.{name}")
        for name in ("web", "da tabase"):
            self.append(f"of {name}\n", self.path(f"{name}.log"))
        self.subscriber.wait_for_count(2)
        self.assertCountEqual(self.subscriber.messages, [("log.web", b'{"msg":"of web"}'),
                                                         ("log.da_tabase", b'{"msg":"of da tabase"}')])

    def test_channels_of_folder_and_path_are_different_for_files_of_one_name(self):
        for folder in ("a", "b"):
            os.mkdir(self.path(folder))
            self.append(f"{folder}\n", self.path(f"{folder}/x.log"))
        self.read_to_end(files=[self.path("a/x.log"), self.path("b/x.log")], channel="l.{path}")
        self.subscriber.wait_for_count(4)
        names = {name for name, payload in self.subscriber.messages if b'"msg"' in payload}
        self.assertEqual(len(names), 2, names)
        self.assertEqual(set(self.subscriber.ends()), names)

    def test_files_past_the_limit_wait_with_one_warning(self):
        for number in range(4):
            self.append(f"{number}\n", self.path(f"{number}.log"))
        tail = self.follow("--files-max", 3, "--poll-ms", 10, files=[self.path("*.log")])
        self.subscriber.wait_for_count(3)
        tail.wait_for_log("files-max")
        first = json.loads(self.subscriber.messages[0][1])["file"]
        os.remove(first)
        self.subscriber.wait_for_count(4)
        self.assertCountEqual(self.numbers(), range(4))


class Formats(TailTest):
    def test_json_passes_objects_as_they_are_and_nothing_that_ends_the_channel(self):
        self.write('{"a":1}\nplain\n[1]\n{"type":"price","data":2}\n{"type":"weir:end"}\n')
        self.read_to_end("--json")
        payloads = [payload.decode() for _, payload in self.subscriber.messages]
        self.assertEqual(payloads[0], '{"a":1}')
        self.assertEqual(payloads[1:3], ['{"msg":"plain"}', '{"msg":"[1]"}'])
        self.assertEqual(payloads[3], '{"type":"price","data":2}')
        self.assertEqual(self.subscriber.lines()[-1], '{"type":"weir:end"}')
        self.assertEqual(len(self.subscriber.ends()), 1)

    def test_cri_puts_partial_lines_of_each_stream_together(self):
        time = "2026-11-30T10:00:00.123456789Z"
        self.write(f"{time} stdout P out \n{time} stderr P err \n{time} stdout F put\n{time} stderr F or\n"
                   f"{time} stdout F \nnot cri\n")
        self.read_to_end("--cri")
        self.assertEqual(self.subscriber.lines(), ["out put", "err or", "", "not cri"])

    def test_docker_puts_partial_lines_together(self):
        def row(text, stream="stdout"):
            return json.dumps({"log": text, "stream": stream, "time": "2026-11-30T10:00:00Z"}) + "\n"

        self.write(row("ha") + row("er", "stderr") + row("lf\n") + row("ror\n", "stderr") + "not docker\n")
        self.read_to_end("--docker")
        self.assertEqual(self.subscriber.lines(), ["half", "error", "not docker"])

    def test_standard_input_is_read_to_its_end(self):
        tail = self.follow("--end", files=["-"], stdin=subprocess.PIPE)
        tail.stdin.write(b"one\n")
        tail.stdin.flush()
        self.subscriber.wait_for_text("one")
        tail.stdin.write(b"two\nlast")
        tail.stdin.close()
        self.assertEqual(tail.wait(), 0, str(tail))
        self.subscriber.wait_for_text("weir:end")
        self.assertEqual(self.subscriber.decoded(),
                         [{"msg": "one"}, {"msg": "two"}, {"msg": "last"}, {"type": "weir:end"}])


class Writer(threading.Thread):
    """Writes the lines 1 … count and rotates between some of them, in all ways in turn.

    It is the one writer and rotates itself: nothing is written between a copy and its truncation. The copies stay, so
    that lines which were not read before a truncation can be found there. It stays at most a quarter ahead of the
    lines that `notes` has, so that rotations and cuts mix.
    """

    MODES = ("create", "copytruncate", "nocreate", "copy", "dateext", "renamecopy")

    def __init__(self, test, notes, count, rotations):
        super().__init__(daemon=True)
        self._test = test
        self._notes = notes
        self._ahead_max = max(4 * WINDOW_LINES, count // 4)
        self._count = count
        self._each = max(1, count // (rotations + 1))
        self.written = 0

    def run(self):
        modes = itertools.cycle(self.MODES)
        rotation = 0
        while self.written < self._count:
            if self.written and self.written // self._each > rotation:
                rotation += 1
                self._test.rotate(next(modes), rotation)
            self._notes.wait_until(lambda: len(self._notes.messages) >= self.written - self._ahead_max, "lines")
            last = min(self.written + 50, self._count)
            self._test.append(self._test.numbered(self.written + 1, last, padding=60))
            self.written = last
            if last == 50:
                self._notes.wait_for_count(1)  # A file that was rotated before the program came is none of its own.


class State(TailTest):
    def test_a_restart_goes_on_without_a_line_twice(self):
        self.append(self.numbered(1, 10))
        tail = self.follow("--state", self.state)
        self.subscriber.wait_for_count(10)
        self.assertEqual(tail.stop(), 0)
        self.append(self.numbered(11, 20))
        self.follow("--state", self.state)
        self.subscriber.wait_for_count(20)
        self.assert_exactly_once(20)

    def test_stopped_while_redis_hangs_the_next_start_publishes_what_was_not_confirmed(self):
        witness = Witness(self.redis)
        self.addCleanup(witness.close)
        self.append(self.numbered(1, 10))
        tail = self.follow("--state", self.state, url=witness.url)
        witness.wait_for_count(10)
        self.redis.freeze()
        self.append(self.numbered(11, 20))
        witness.wait_until(lambda: witness.sent == 20, "the lines on their way")
        self.assertEqual(tail.stop(), 0)
        self.redis.kill()  # It has not seen them.
        self.redis.start()
        subscriber = Subscriber(self.redis)
        self.follow("--state", self.state)
        subscriber.wait_for_count(10)
        self.assertEqual(self.numbers(subscriber), list(range(11, 21)))

    def rotated_while_down(self, mode):
        self.append(self.numbered(1, 10))
        tail = self.follow("--state", self.state)
        self.subscriber.wait_for_count(10)
        tail.kill()
        self.append(self.numbered(11, 20))
        self.rotate(mode, 1)
        self.append(self.numbered(21, 30))
        self.follow("--state", self.state)
        self.subscriber.wait_for_text('"30"')
        self.assert_exactly_once(30, cuts=1)

    def test_renamed_while_it_was_down(self):
        self.rotated_while_down("create")

    def test_copied_and_truncated_while_it_was_down(self):
        self.rotated_while_down("copytruncate")

    def test_a_pattern_takes_the_rotated_files_too_and_loses_no_backlog_of_theirs(self):
        old, count = self.log + ".1", 60_000
        self.append(self.numbered(1, count, padding=200), old)
        self.append(self.numbered(count + 1, count + 10))
        pattern = self.log + "*"
        tail = self.follow("--state", self.state, "--rate", "64K", files=[pattern])
        self.subscriber.wait_for_text('"1 x')
        tail.kill()
        self.assertLess(len(self.numbers()), count)
        # All names move by one, so that no file is at its place.
        os.rename(old, self.log + ".2")
        os.rename(self.log, old)
        self.append(f"{count + 11}\n")
        self.follow("--state", self.state, "--rate", "0", files=[pattern])
        self.subscriber.wait_until(lambda: len(self.subscriber.messages) >= count + 11, "all lines")
        self.subscriber.wait_until(lambda: len(set(self.numbers())) == count + 11, "all lines")
        # Each file is in order; they are read in turn.
        assert_in_order([number for number in self.numbers() if number <= count], count, 1)

    def test_a_pattern_publishes_no_rotated_file_again(self):
        pattern = self.log + "*"
        count = 0
        for _ in range(3):
            tail = self.follow("--state", self.state, "--poll-ms", 10, files=[pattern])
            for number in range(3):
                if count:
                    for old in range(8, 0, -1):
                        if os.path.exists(f"{self.log}.{old}"):
                            os.rename(f"{self.log}.{old}", f"{self.log}.{old + 1}")
                    os.rename(self.log, self.log + ".1")
                self.append(self.numbered(count + 1, count + 10))
                count += 10
                self.subscriber.wait_for_text(f'"{count}"')
            self.assertEqual(tail.stop(), 0)
        tail = self.follow("--state", self.state, "--poll-ms", 10, files=[pattern])
        self.append(f"{count + 1}\n")
        self.subscriber.wait_for_text(f'"{count + 1}"')
        self.assertEqual(tail.stop(), 0)
        self.assert_exactly_once(count + 1)

    def test_another_file_at_the_path_is_read_from_its_start(self):
        self.append(self.numbered(1, 10))
        tail = self.follow("--state", self.state)
        self.subscriber.wait_for_count(10)
        self.assertEqual(tail.stop(), 0)
        self.write(self.numbered(11, 40))
        self.follow("--state", self.state)
        self.subscriber.wait_for_count(40)
        self.assert_exactly_once(40)

    def test_a_second_program_is_refused_the_same_state(self):
        self.append("1\n")
        self.follow("--state", self.state)
        self.subscriber.wait_for_count(1)
        ran = run_publisher("weir-publish-log", "--to", self.redis.url, "--channel", "log", "--state", self.state,
                            self.log)
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertIn(self.state, ran.stderr)

    def test_a_state_that_is_none_is_refused(self):
        for content in (None, "not a state\n"):
            with self.subTest(content=content):
                path = self.folder if content is None else self.path("broken")
                if content is not None:
                    self.append(content, path)
                ran = run_publisher("weir-publish-log", "--to", self.redis.url, "--channel", "log", "--state", path,
                                    self.log)
                self.assertEqual(ran.returncode, 2, ran.stderr)
                self.assertIn(path, ran.stderr)

    def test_killed_at_any_moment_it_repeats_at_most_a_window(self):
        """The lines are there before: each kill hits a program that works. A rotation falls between two of them."""
        each = max(6_000, 4 * WINDOW_LINES)
        moments = random.Random(15)
        written = 0
        for kill in range(KILLS):
            self.append(self.numbered(written + 1, written + each))
            written += each
            before = len(self.subscriber.messages)
            tail = self.follow("--state", self.state, "--rate", 0)
            self.subscriber.wait_for_count(before + moments.randrange(1, each))
            tail.kill()
            self.rotate(("create", "copytruncate")[kill % 2], kill + 1)
        self.append(self.numbered(written + 1, written + 1))
        self.follow("--state", self.state, "--rate", 0)
        self.subscriber.wait_for_text(f'"{written + 1}"')
        self.assert_exactly_once(written + 1, cuts=KILLS)


class RedisCuts(TailTest):
    def test_no_line_is_missing_though_redis_is_killed_and_files_are_rotated(self):
        witness = Witness(self.redis)
        self.addCleanup(witness.close)
        tail = self.follow("--rate", 0, "--state", self.state, "--poll-ms", 10, url=witness.url)
        writer = Writer(self, witness, LINES, rotations=2 * CUTS)
        moments = random.Random(15)
        goals = sorted(moments.sample(range(1, LINES * 9 // 10), CUTS))
        writer.start()
        for goal in goals:
            witness.wait_for_count(goal)
            self.redis.kill()
            self.redis.start()
        writer.join(4 * DEADLINE_SECONDS)
        self.assertFalse(writer.is_alive())
        witness.wait_for_text(f'"{LINES} ')
        self.assertEqual(tail.stop(), 0, str(tail))
        self.assert_exactly_once(LINES, notes=witness, cuts=CUTS)


if __name__ == "__main__":
    unittest.main()
