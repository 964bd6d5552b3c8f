"""scripts/check_commits.py in repositories of its own."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import support

MANY_LINES = "line\n" * 11


@unittest.skipUnless(shutil.which("git"), "git is not here")
class CheckCommits(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "repository"
        self.root.mkdir()

    def git(self, *arguments, root=None):
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *identity, "-C", root or self.root, *arguments], check=True, capture_output=True,
                              text=True).stdout

    def commit(self, message, text=MANY_LINES, name="file"):
        support.write_files(self.root, {name: text})
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)

    def bring_the_check(self):
        (self.root / "scripts").mkdir()
        shutil.copy(support.SCRIPTS / "check_commits.py", self.root / "scripts")
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", "lint: the check comes in")

    def begin(self):
        self.git("init", "--quiet", "-b", "main")
        self.commit("an old subject that no rule was there for", "old\n")
        self.bring_the_check()

    def check(self, root=None):
        return subprocess.run([sys.executable, "-B", (root or self.root) / "scripts/check_commits.py"],
                              capture_output=True, text=True)

    def assert_good(self, commits, root=None):
        result = self.check(root)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, f"commits: {commits} checked\n", ""))

    def assert_bad(self, problem):
        result = self.check()
        self.assertEqual(result.returncode, 1)
        self.assertIn(problem, result.stdout)

    def test_leaves_what_came_before_it_alone(self):
        self.begin()
        self.assert_good(0)

    def test_accepts_a_subject_with_its_part_and_a_body(self):
        self.begin()
        self.commit("hub: bound a channel's log by bytes\n\nOne channel held too much.")
        self.commit("tests, docs/limits.md: the limit has a row\n\nIt had none.", "other")
        self.assert_good(2)

    def test_a_trivial_commit_needs_no_body(self):
        self.begin()
        self.commit("docs: a comma", "one line\n")
        self.assert_good(1)
        self.commit("docs: a chapter", MANY_LINES)
        self.assert_bad("12 lines are changed, and no body says why")

    def test_refuses_a_long_subject(self):
        self.begin()
        self.commit("hub: " + "x" * 67 + "\n\nWhy.")
        self.assert_good(1)
        self.commit("hub: " + "x" * 68 + "\n\nWhy.", "other")
        self.assert_bad("the subject has 73 characters, 72 are allowed")

    def test_refuses_a_subject_without_a_part(self):
        self.begin()
        for subject in ("Fix the hub", "fixup! hub: bound it", "Hub: bound it", "hub:bound it", "hub and log: bound it"):
            with self.subTest(subject):
                self.commit(subject + "\n\nWhy.")
                self.assert_bad("the subject begins with no part")
                self.git("reset", "--hard", "--quiet", "HEAD~1")

    def test_refuses_a_body_that_begins_in_the_second_line(self):
        self.begin()
        self.commit("hub: bound it\nOne channel held too much.")
        self.assert_bad("no blank line follows the subject")

    def test_leaves_reverts_and_merges_alone(self):
        self.begin()
        self.git("checkout", "--quiet", "-b", "branch")
        self.commit("hub: bound it\n\nWhy.", name="other")
        self.git("checkout", "--quiet", "main")
        self.commit("log: count bytes\n\nWhy.")
        self.git("merge", "--quiet", "--no-ff", "-m", "Merge whatever", "branch")
        self.git("revert", "--no-edit", "HEAD~1")
        self.assert_good(3)

    def test_passes_in_a_shallow_clone_and_without_history(self):
        self.begin()
        self.commit("Bad\n\nWhy.")
        clone = self.root.parent / "clone"
        self.git("clone", "--quiet", "--depth", "1", f"file://{self.root}", clone)
        self.assert_good(0, clone)
        shutil.rmtree(clone / ".git")
        self.assert_good(0, clone)


if __name__ == "__main__":
    unittest.main()
