"""Runs clang-tidy over the programs' own sources, the ones changed last first, within a time budget.

    python3 scripts/clang_tidy.py --build build/release --seconds 300

Files not reached in time are counted, not failed: a later run with the same budget starts with newer changes, and a
run without one covers all. What was clean is remembered by the text that the compiler sees, in the build folder.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

FOLDERS = ("bench", "broker", "process", "proto", "publishers", "redis", "settings")
# gcc's warnings are not clang's: what the build accepts is no finding here. But gcc can't tell who holds which mutex.
WARNINGS = ["--extra-arg=-Wno-everything", "--extra-arg=-Wthread-safety", "--extra-arg=-Werror=thread-safety"]


def sources(build):
    """(file, compile command, folder to run it in) of each source of the programs."""
    root = pathlib.Path.cwd()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.is_relative_to(root) and file.relative_to(root).parts[0] in FOLDERS:
            yield file.relative_to(root), shlex.split(entry["command"]), entry["directory"]


def last_changes():
    """File name -> when git last saw it change. One walk through the history, newest first."""
    log = subprocess.run(["git", "log", "--format=%x00%ct", "--name-only"], capture_output=True, text=True).stdout
    changed = {}
    for commit in log.split("\0")[1:]:
        when, *names = commit.split("\n")
        for name in filter(None, names):
            changed.setdefault(name, int(when))
    return changed


def fingerprint(command, folder, base):
    """A hash of what the compiler sees of a file, and of all that could change the verdict on it."""
    if os.path.basename(command[0]) == "ccache":
        command = command[1:]
    arguments = [a for a in command if a != "-c"]
    output = arguments.index("-o")
    del arguments[output:output + 2]
    text = subprocess.run([*arguments, "-E", "-P", "-CC"], cwd=folder, capture_output=True)
    return None if text.returncode else hashlib.sha256(base + text.stdout).hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds

    if not (options.build / "compile_commands.json").exists():
        sys.exit(f"clang-tidy: {options.build} is not configured: scripts/build {options.build.name} makes it")
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    base = version + pathlib.Path(".clang-tidy").read_bytes() + " ".join(WARNINGS).encode()
    clean_folder = options.build / "clang-tidy"
    clean_folder.mkdir(exist_ok=True)

    def check(source):
        """(file, findings), with None for findings where there was no time; "" where all is well."""
        file, command, folder = source
        if time.monotonic() > deadline:
            return file, None
        key = fingerprint(command, folder, base)
        clean = clean_folder / key if key else None
        if clean and clean.exists():
            return file, ""
        tidy = subprocess.run(["clang-tidy", "--quiet", "-p", str(options.build), *WARNINGS, str(file)],
                              capture_output=True, text=True)
        if tidy.returncode == 0 and clean:
            clean.touch()
        return file, "" if tidy.returncode == 0 else (tidy.stdout or tidy.stderr)

    changed = last_changes()
    wanted = sorted(sources(options.build), key=lambda source: -changed.get(str(source[0]), time.time()))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(check, wanted))

    findings = [(file, text) for file, text in results if text]
    for file, text in findings:
        print(f"{file}:\n{text}")
    late = sum(text is None for _, text in results)
    print(f"clang-tidy: {len(results) - len(findings) - late} files clean, {len(findings)} with findings, {late} not reached in time")
    sys.exit(1 if findings else 0)


main()
