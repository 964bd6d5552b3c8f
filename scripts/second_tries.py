"""Names the tests that failed and passed in a second try, one a line: second_tries.py LastTest.log REPORT.xml

`ctest --repeat until-pass:2` counts such a test as passed, and its report does not tell it from others. Its log has each
try. LastTest.log is in Testing/Temporary/ of the build folder, REPORT.xml is what --output-junit wrote in the same run.
"""
import pathlib
import re
import sys
import xml.etree.ElementTree

# The line behind the verdict is ctest's own too, so that what a test prints is not taken for one.
FAILED_TRY = re.compile(r'^Test Failed\.\n"(.+)" end time: ', re.MULTILINE)


def second_tries(log, report):
    """The names in order. A test that was skipped, or failed in each try, is not among them."""
    passed = {case.get("name") for case in xml.etree.ElementTree.fromstring(report) if case.get("status") == "run"}
    return sorted(set(FAILED_TRY.findall(log)) & passed)


def main():
    log, report = map(pathlib.Path, sys.argv[1:])
    for name in second_tries(log.read_text(encoding="utf-8", errors="replace"), report.read_bytes()):
        print(name)


if __name__ == "__main__":
    main()
