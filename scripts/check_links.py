"""Checks that the relative links of Markdown files lead somewhere: python3 scripts/check_links.py FILE.md...

A link to a file needs the file, one to a #heading needs the heading. Links to the web are left alone.
"""
import functools
import pathlib
import re
import sys
import urllib.parse

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\)")
CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def blank_code(text):
    """The text with its code replaced by blank lines, so that line numbers stay."""
    return CODE.sub(lambda code: "\n" * code.group().count("\n"), text)


@functools.lru_cache(maxsize=None)
def anchors(path):
    """The anchors of a Markdown file's headings, as GitHub makes them."""
    text = re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", text, flags=re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        name, count = slug, 0
        while name in found:
            count += 1
            name = f"{slug}-{count}"
        found.add(name)
    return found


def problem(source, link):
    """What is wrong with `link` in the file `source`, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return None
    name, _, anchor = link.partition("#")
    target = (source.parent / urllib.parse.unquote(name)) if name else source
    if not target.exists():
        return "no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors(target.resolve()):
        return "no such heading"
    return None


def main():
    failed = False
    for source in map(pathlib.Path, sys.argv[1:]):
        text = blank_code(source.read_text(encoding="utf-8"))
        for match in LINK.finditer(text):
            what = problem(source, match.group(1))
            if what:
                failed = True
                print(f"{source}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(1)}: {what}")
    sys.exit(1 if failed else 0)


main()
