"""scripts/second_tries.py over what ctest itself writes."""
import pathlib
import subprocess
import tempfile
import unittest

import support

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(tries NONE)
enable_testing()
function(test name command)
  add_test(NAME "${name}" COMMAND sh -c "${command}")
endfunction()
test(passes "true")
test(fails "false")
test("Fails/Once.With words" "[ -e words ] || { touch words; exit 1; }")
test(is_skipped "exit 77")
set_tests_properties(is_skipped PROPERTIES SKIP_RETURN_CODE 77)
test(prints_a_verdict "printf 'Test Failed.\\\\nand more\\\\n'")
"""


class SecondTries(unittest.TestCase):
    def ctest(self, *arguments):
        """Runs the project's tests, and returns what second_tries.py says."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            support.write_files(root, {"CMakeLists.txt": PROJECT})
            subprocess.run(["cmake", "-S", root, "-B", root / "build"], check=True, capture_output=True)
            report = root / "report.xml"
            subprocess.run(["ctest", "--test-dir", root / "build", "--output-junit", report, *arguments],
                           capture_output=True)
            return support.run("second_tries.py", root / "build/Testing/Temporary/LastTest.log", report)

    def test_names_what_passed_in_its_second_try_alone(self):
        result = self.ctest("--repeat", "until-pass:2")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout.splitlines(), ["Fails/Once.With words"])

    def test_names_nothing_without_a_second_try(self):
        result = self.ctest()
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
