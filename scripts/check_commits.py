"""Checks the messages of the commits since this file came in: python3 scripts/check_commits.py

  subject  "part: what it does now", at most 72 characters; several parts are "tests, docs: ..."
  body     behind a blank line; a commit that changes at most 10 lines needs none

Merges and reverts keep the message that git gives them. A clone without history has nothing to check, and passes.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUBJECT_CHARACTERS = 72
TRIVIAL_LINES = 10
PART = r"[a-z][a-z0-9_./-]*"
SUBJECT = re.compile(rf"{PART}(, {PART})*: \S")


def git(*arguments):
    """What git prints; empty where it fails, as outside of a repository."""
    result = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, errors="replace")
    return result.stdout if result.returncode == 0 else ""


def new_commits():
    """The commits since this file was added, oldest first. In a shallow clone its first commit adds every file."""
    added = git("log", "--diff-filter=A", "--no-renames", "--format=%H", "--", f"scripts/{pathlib.Path(__file__).name}").split()
    return git("rev-list", "--reverse", "--no-merges", f"{added[-1]}..HEAD").split() if added else []


def changed_lines(commit):
    """How many lines a commit adds and removes. A binary file counts as many."""
    total = 0
    for line in git("show", "--numstat", "--format=", commit).splitlines():
        plus, minus, _ = line.split("\t", 2)
        total += TRIVIAL_LINES + 1 if plus == "-" else int(plus) + int(minus)
    return total


def problems(message, lines):
    """What is wrong with the message of a commit that changes so many lines."""
    subject, *rest = message.rstrip("\n").split("\n")
    if subject.startswith('Revert "'):
        return
    if len(subject) > SUBJECT_CHARACTERS:
        yield f"the subject has {len(subject)} characters, {SUBJECT_CHARACTERS} are allowed"
    if not SUBJECT.match(subject):
        yield 'the subject begins with no part, like "hub: "'
    if rest and rest[0]:
        yield "no blank line follows the subject"
    if not any(rest) and lines > TRIVIAL_LINES:
        yield f"{lines} lines are changed, and no body says why"


def main():
    commits = new_commits()
    failed = False
    for commit in commits:
        message = git("log", "-1", "--format=%B", commit)
        for problem in problems(message, changed_lines(commit)):
            failed = True
            print(f"{commit[:12]} {message.split(chr(10))[0]!r}: {problem}")
    print(f"commits: {len(commits)} checked")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
