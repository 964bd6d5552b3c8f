"""scripts/check_includes.py over made-up trees."""
import tempfile
import unittest

import support

import check_includes  # isort: skip (support makes it importable)

SHARED = "publishers/delivery"
HEADERS = {name: "" for name in (
    "proto/message.h", "process/thread.h", "settings/settings.h", "redis/redis_url.h", "broker/config.h",
    "broker/base/mutex.h", "broker/log/frame.h", "broker/fanout/shard.h", "broker/bus/bus.h", "broker/bus/redis_bus.h",
    "broker/hub/hub.h", "broker/http/front.h", "broker/auth/key.h", "broker/api/server.h", f"{SHARED}/sink.h",
    "publishers/demo/script.h")}


class CheckIncludes(unittest.TestCase):
    def check(self, *arguments, **files):
        """Checks a tree of HEADERS and `files`, whose names have "__" for "/" and end in .cpp."""
        with tempfile.TemporaryDirectory() as root:
            named = {name.replace("__", "/") + ".cpp": text for name, text in files.items()}
            support.write_files(root, HEADERS | named)
            return support.run("check_includes.py", "--root", root, *arguments)

    def assert_good(self, **files):
        result = self.check(**files)
        errors = [line for line in result.stdout.splitlines() if not line.startswith("note: ")]
        self.assertEqual((result.returncode, errors, result.stderr), (0, [], ""))

    def assert_bad(self, line, **files):
        result = self.check(**files)
        self.assertEqual((result.returncode, result.stderr), (1, ""))
        self.assertIn(line, result.stdout.splitlines())

    def test_accepts_includes_along_the_arrows(self):
        self.assert_good(
            broker__main='#include "broker/api/server.h"\n#include "broker/bus/redis_bus.h"\n',
            broker__config='#include "broker/base/mutex.h"\n#include "settings/settings.h"\n',
            broker__api__routes='#include "broker/hub/hub.h"\n#include "broker/config.h"\n#include <vector>\n',
            broker__hub__hub='#include "broker/fanout/shard.h"\n#include "broker/bus/bus.h"\n',
            broker__fanout__shard='#include "broker/fanout/shard.h"\n#include "broker/log/frame.h"\n',
            redis__tls='#include "settings/settings.h"\n#include "proto/message.h"\n',
            publishers__demo__main=f'#include "{SHARED}/sink.h"\n#include "process/thread.h"\n')

    def test_names_an_include_that_climbs_with_its_line(self):
        self.assert_bad("broker/fanout/shard.cpp:2: broker/hub/hub.h climbs: broker/fanout must not know broker/hub",
                        broker__fanout__shard='#include <string>\n#include "broker/hub/hub.h"\n')
        self.assert_bad("redis/tls.cpp:1: broker/base/mutex.h climbs: redis must not know broker/base",
                        redis__tls='#include "broker/base/mutex.h"\n')
        self.assert_bad("proto/sse.cpp:1: process/thread.h climbs: proto must not know process",
                        proto__sse='#include "process/thread.h"\n')

    def test_keeps_http_apart_from_what_is_above_it(self):
        for header in ("broker/hub/hub.h", "broker/bus/bus.h", "broker/auth/key.h", "broker/fanout/shard.h", "broker/config.h"):
            with self.subTest(header):
                self.assertEqual(self.check(broker__http__pool=f'#include "{header}"\n').returncode, 1)

    def test_lets_the_hub_see_the_interface_of_the_bus_alone(self):
        self.assert_bad("broker/hub/hub.cpp:1: broker/bus/redis_bus.h climbs: broker/hub must not know broker/bus",
                        broker__hub__hub='#include "broker/bus/redis_bus.h"\n')

    def test_keeps_the_publishers_apart_from_each_other(self):
        self.assert_bad("publishers/file/main.cpp:1: publishers/demo/script.h climbs: publishers/file must not know publishers/demo",
                        publishers__file__main='#include "publishers/demo/script.h"\n')
        self.assert_bad(f"{SHARED}/sink.cpp:1: publishers/demo/script.h climbs: {SHARED} must not know publishers/demo",
                        **{f"{SHARED}/sink": '#include "publishers/demo/script.h"\n'})

    def test_sees_through_spellings_of_an_include(self):
        for line in ('#  include "broker/hub/hub.h"', ' #include <broker/hub/hub.h>', '#include "../hub/hub.h"'):
            with self.subTest(line):
                self.assertEqual(self.check(broker__log__frame=line + "\n").returncode, 1)

    def test_keeps_a_library_at_home(self):
        self.assert_good(broker__http__httplib_engine="#include <httplib.h>\n", broker__base__json="#include <nlohmann/json.hpp>\n",
                         publishers__demo__http_sink="#include <httplib.h>\n", redis__tls="#include <openssl/ssl.h>\n",
                         broker__base__logging_sinks="#include <spdlog/spdlog.h>\n")
        self.assert_bad("broker/http/pool.cpp:1: httplib.h is for broker/http/httplib_engine, broker/base/http_client, publishers alone",
                        broker__http__pool="#include <httplib.h>\n")
        for header in ("hiredis/hiredis.h", "hiredis.h", "nlohmann/json.hpp", "CLI/CLI.hpp", "toml++/toml.h",
                       "prometheus/text_serializer.h", "spdlog/spdlog.h", "openssl/evp.h"):
            with self.subTest(header):
                self.assertEqual(self.check(broker__hub__hub=f"#include <{header}>\n").returncode, 1)

    def test_a_new_folder_needs_a_row(self):
        self.assert_bad("broker/history/store.cpp: has no row in scripts/check_includes.py", broker__history__store="")

    def test_names_a_room_that_holds_much_of_the_gateway_without_failing(self):
        result = self.check(broker__api__routes="\n" * 30, broker__hub__hub="\n" * 10, broker__log__frame="\n" * 10,
                            broker__bus__tls="\n" * 10, broker__http__head="\n" * 10, broker__auth__key="\n" * 10)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout, "note: broker/api holds 30 of the 80 lines of broker/, more than a fifth\n")

    def test_draws_the_arrows_that_are_there(self):
        result = self.check("--graph", broker__fanout__shard='#include "broker/hub/hub.h"\n#include "broker/log/frame.h"\n')
        self.assertEqual(result.stdout, "broker/fanout -> broker/hub 1\nbroker/fanout -> broker/log 1\n")

    def test_the_table_itself_has_no_circle(self):
        files = [name for name in HEADERS] + ["broker/main.cpp", "broker/live_settings.h", "broker/healthcheck.h"]
        rooms = {check_includes.room_of(file): file for file in files}
        below = {room: {other for other, target in rooms.items() if other != room and check_includes.may_include(file, target)}
                 for room, file in rooms.items()}
        # main knows live_settings and the other way round by the table: both are the top.
        below["broker/live_settings"].discard("broker/main")
        while below:
            lowest = {room for room, others in below.items() if not others & below.keys()}
            self.assertTrue(lowest, f"a circle among {sorted(below)}")
            below = {room: others for room, others in below.items() if room not in lowest}


if __name__ == "__main__":
    unittest.main()
