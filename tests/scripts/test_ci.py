"""scripts/ci in repositories of its own, whose .ci/run is made up."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import support

# Passes where a file says so, and leaves behind what it was run with.
RUN = """#!/bin/sh
cd "$(dirname "$0")/.." || exit
echo "CI=$CI" >seen
[ "$(cat verdict)" = good ]
"""


@unittest.skipUnless(shutil.which("git"), "git is not here")
class Ci(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "repository"
        self.clone = self.root / "build/ci"
        support.write_files(self.root, {".ci/run": RUN, ".gitignore": "/build/\n", "verdict": "good"})
        (self.root / ".ci/run").chmod(0o755)
        (self.root / "scripts").mkdir()
        shutil.copy(support.SCRIPTS / "ci", self.root / "scripts")
        self.git("init", "--quiet", "-b", "main")
        self.first = self.commit()

    def git(self, *arguments):
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *identity, "-C", self.root, *arguments], check=True, capture_output=True,
                              text=True).stdout.strip()

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", "ci: whatever")
        return self.git("rev-parse", "HEAD")

    def write(self, name, text):
        support.write_files(self.root, {name: text})

    def ci(self, *arguments):
        return subprocess.run([self.root / "scripts/ci", *arguments], capture_output=True, text=True, cwd=self.root.parent,
                              env=os.environ | {"CI": "elsewhere"})

    def passed(self):
        file = self.root / "build/ci-passed"
        return file.read_text() if file.exists() else None

    def test_writes_down_the_commit_that_passed(self):
        result = self.ci()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(self.passed(), self.first + "\n")
        self.assertEqual((self.clone / "seen").read_text(), "CI=true\n")
        self.assertFalse((self.root / "seen").exists())

    def test_writes_nothing_down_where_it_failed(self):
        self.ci()
        self.write("verdict", "bad")
        self.commit()
        self.assertNotEqual(self.ci().returncode, 0)
        self.assertIsNone(self.passed())

    def test_refuses_what_is_not_committed(self):
        for name in ("verdict", "new"):
            with self.subTest(name):
                self.write(name, "changed")
                result = self.ci()
                self.assertEqual(result.returncode, 2)
                self.assertIn("changes that are not committed", result.stderr)
                self.assertIsNone(self.passed())
                self.git("stash", "--include-untracked", "--quiet")

    def test_tests_the_commit_that_is_named(self):
        self.write("verdict", "bad")
        self.commit()
        self.write("verdict", "worse")
        result = self.ci(self.first)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("ci: changes that are not committed are not tested\n", result.stdout)
        self.assertEqual(self.passed(), self.first + "\n")

    def test_tests_a_commit_that_no_branch_has(self):
        self.git("checkout", "--quiet", "--detach")
        self.write("verdict", "bad")
        lost = self.commit()
        self.git("checkout", "--quiet", "main")
        self.assertEqual(self.ci().returncode, 0)
        self.assertEqual(self.ci(lost).returncode, 1)

    def test_keeps_what_was_built_and_nothing_else(self):
        self.ci()
        support.write_files(self.clone, {"build/object": "", "verdict": "bad", "left-over": ""})
        self.assertEqual(self.ci().returncode, 0)
        self.assertTrue((self.clone / "build/object").exists())
        self.assertFalse((self.clone / "left-over").exists())

    def test_runs_in_a_folder_that_is_named_from_where_it_was_called(self):
        self.assertEqual(self.ci("--folder", "elsewhere").returncode, 0)
        self.assertTrue((self.root.parent / "elsewhere/seen").exists())
        self.assertFalse(self.clone.exists())

    def test_takes_no_folder_that_is_not_its_own(self):
        support.write_files(self.root.parent, {"precious/file": "kept"})
        result = self.ci("--folder", "precious")
        self.assertEqual(result.returncode, 2)
        self.assertIn("no clone of ours", result.stderr)
        self.assertEqual(os.listdir(self.root.parent / "precious"), ["file"])

    def test_names_a_commit_that_is_not_there(self):
        result = self.ci("no-such-branch")
        self.assertEqual((result.returncode, result.stderr), (2, "ci: there is no commit no-such-branch\n"))


if __name__ == "__main__":
    unittest.main()
