"""The programs are built so that a mistake in them is hard to exploit (cmake/WeirCompiler.cmake): readelf looks.

In builds of every type; the sanitizers' builds leave _FORTIFY_SOURCE out. By hand, of any build:
WEIR_BUILD_TYPE=Release WEIR_BIN=build/bin python3 -m unittest test_hardening
"""
import os
import re
import subprocess
import unittest

from support.gateway import program

PROGRAMS = ("weir-broker", "weir-publish-demo", "weir-publish-log", "weir-publish-file")
# Those that the optimiser works on, without which the C library checks nothing.
OPTIMISED = ("Release", "RelWithDebInfo", "MinSizeRel")


def readelf(option, name):
    return subprocess.run(["readelf", "--wide", option, program(name)], stdin=subprocess.DEVNULL,
                          env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=True).stdout


class Hardening(unittest.TestCase):
    def imports(self, name):
        """The functions that it takes from libraries."""
        names = {match[1] for match in re.finditer(r" UND (\w+)", readelf("--dyn-syms", name))}
        self.assertIn("__libc_start_main", names)
        return names

    def test_the_code_may_be_loaded_anywhere(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.assertRegex(readelf("--file-header", name), r"Type:\s+DYN")
                self.assertRegex(readelf("--dynamic", name), r"\(FLAGS_1\).*\bPIE\b")
                self.assertNotIn("TEXTREL", readelf("--dynamic", name))

    def test_addresses_of_library_functions_are_fixed_at_start_and_then_read_only(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.assertRegex(readelf("--program-headers", name), r"GNU_RELRO")
                self.assertRegex(readelf("--dynamic", name), r"\(FLAGS\).*\bBIND_NOW\b")

    def test_nothing_is_both_written_and_executed(self):
        for name in PROGRAMS:
            with self.subTest(name):
                rows = re.findall(r"^\s+(GNU_STACK|LOAD)\s+(?:0x\w+\s+){5}([R ][W ][E ])",
                                  readelf("--program-headers", name), re.MULTILINE)
                self.assertIn("GNU_STACK", dict(rows))
                for segment, flags in rows:
                    self.assertFalse("W" in flags and "E" in flags, f"{segment} {flags}")

    def test_stacks_carry_canaries(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.assertIn("__stack_chk_fail", self.imports(name))

    def test_our_own_mistakes_end_the_process(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.assertIn("__assert_fail", self.imports(name), "assert() is compiled away")

    @unittest.skipUnless(os.environ.get("WEIR_BUILD_TYPE", "RelWithDebInfo") in OPTIMISED, "not optimised")
    def test_calls_of_the_c_library_are_checked(self):
        # The publishers have no call that clang does not prove safe while it compiles; all are built alike.
        checked = {each for each in self.imports("weir-broker") if each.endswith("_chk")}
        self.assertTrue(checked, "no function of _FORTIFY_SOURCE is called")

    def test_libraries_are_looked_for_in_the_systems_folders_alone(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.assertNotRegex(readelf("--dynamic", name), r"\((RPATH|RUNPATH)\)")


if __name__ == "__main__":
    unittest.main()
