"""Checks which folder includes which, which files include a library, and how large the rooms of the gateway are.

    python3 scripts/check_includes.py           one line for each include that breaks a rule; exit code 1 if there is one
    python3 scripts/check_includes.py --graph   the arrows between the folders as they are, with their number

A place is a folder, or a file without its suffix. The most exact row counts, so a file may have other rules than its
folder. Everything below a place belongs to it.
"""
import argparse
import collections
import fnmatch
import pathlib
import re
import sys

# Who may include whom, besides the own folder and EVERYBODYS. A new folder needs a row.
EVERYBODYS = "proto process"
MAY_INCLUDE = {
    "process": "proto",
    "proto": "",
    "settings": "",
    "redis": "settings",
    "broker/base": "",
    "broker/log": "broker/base",
    "broker/fanout": "broker/log broker/base",
    "broker/bus": "redis broker/base",
    "broker/hub": "broker/fanout broker/log broker/bus/bus broker/bus/streams broker/config broker/base",
    "broker/auth": "broker/base",
    "broker/http": "broker/base",
    "broker/api": "broker/http broker/auth broker/hub broker/bus/bus broker/fanout/stream_request broker/config broker/base",
    "broker/config": "broker/base redis settings",
    "broker/healthcheck": "broker/base broker/config",
    "broker/live_settings": "broker redis settings",
    "broker/selftest": "broker/base broker/bus broker/config redis settings",
    "broker/main": "broker redis settings",
    "publishers/delivery": "redis",
    "publishers/program": "publishers/delivery redis settings",
    "publishers/*": "publishers/delivery publishers/program",
}
# The homes of a library, by how its headers begin. Tests and measurements may include any.
LIBRARIES = {
    "httplib.h": "broker/http/httplib_engine broker/base/http_client publishers",
    "hiredis": "redis broker/bus publishers",
    "nlohmann/": "broker/base/json proto",
    "CLI/": "settings",
    "toml++": "settings",
    "prometheus/": "broker/base/metrics publishers/program/metrics",
    "spdlog/": "broker/base/logging* publishers",
    "openssl/": "broker/auth broker/bus broker/api/admin_token broker/api/digest redis publishers",
}
# A room of the gateway that holds more than this part of its lines is named. It is no error.
LARGE = 1 / 5

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
SOURCES = (".h", ".cpp", ".c", ".in")


def is_in(file, place):
    """True if `file` ("broker/bus/bus.h") is the place, or below it."""
    stem = file.split(".")[0]
    above = [stem] + [str(folder) for folder in pathlib.PurePosixPath(file).parents]
    return any(fnmatch.fnmatchcase(each, place) and each.count("/") == place.count("/") for each in above)


def home_of(file):
    """The row of `file`, or None. The longest name wins, and a name outright wins over one with a star."""
    rows = [row for row in MAY_INCLUDE if is_in(file, row)]
    return max(rows, key=lambda row: (row.count("/"), "*" not in row, len(row)), default=None)


def room_of(file):
    """What `file` is called in the graph: its folder, or itself where a file has a row of its own."""
    row = home_of(file)
    return "/".join(file.split("/")[:row.count("/") + 1]).split(".")[0] if row else str(pathlib.PurePosixPath(file).parent)


def may_include(file, target):
    row = home_of(file)
    if room_of(file) == room_of(target):
        return True
    allowed = MAY_INCLUDE[row].split()
    if row not in EVERYBODYS.split():
        allowed += EVERYBODYS.split()
    return any(is_in(target, place) for place in allowed)


def sources(root):
    """The files that the rules are for, as names below `root`."""
    for top in sorted({row.split("/")[0] for row in MAY_INCLUDE}):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                yield path.relative_to(root).as_posix()


def includes(root, file):
    """(line number, header) of each include; a header of the project by its name below `root`."""
    for number, line in enumerate((root / file).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1)
        beside = (root / file).parent / header
        if not (root / header).is_file() and beside.is_file():
            header = beside.resolve().relative_to(root).as_posix()
        yield number, header


def problem(root, file, header):
    """What is wrong with `header` in `file`, or None."""
    if (root / header).is_file():
        if home_of(header) is None:
            return "is no part of what is shipped"
        return None if may_include(file, header) else f"climbs: {room_of(file)} must not know {room_of(header)}"
    for begins, homes in LIBRARIES.items():
        if header.startswith(begins) and not any(is_in(file, home) for home in homes.split()):
            return f"is for {homes.replace(' ', ', ')} alone"
    return None


def large_rooms(root):
    """(room, lines, lines of all rooms) of each folder of broker/ that holds too much of it."""
    lines = collections.Counter()
    for file in sources(root):
        if file.startswith("broker/"):
            lines[room_of(file)] += (root / file).read_text(encoding="utf-8", errors="replace").count("\n")
    total = sum(lines.values())
    return [(room, count, total) for room, count in sorted(lines.items()) if count > total * LARGE]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    parser.add_argument("--graph", action="store_true")
    options = parser.parse_args()
    root = options.root.resolve()

    arrows, found = collections.Counter(), []
    for file in sources(root):
        if home_of(file) is None:
            found.append(f"{file}: has no row in scripts/check_includes.py")
            continue
        for number, header in includes(root, file):
            if (root / header).is_file() and room_of(header) != room_of(file):
                arrows[room_of(file), room_of(header)] += 1
            wrong = problem(root, file, header)
            if wrong:
                found.append(f"{file}:{number}: {header} {wrong}")
    if options.graph:
        for (above, below), count in sorted(arrows.items()):
            print(f"{above} -> {below} {count}")
        return
    for line in found:
        print(line)
    for room, count, total in large_rooms(root):
        print(f"note: {room} holds {count} of the {total} lines of broker/, more than a fifth")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
