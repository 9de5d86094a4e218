"""What changed between two versions, by the changelog that the library's wheel has in it."""

import re
import zipfile
from pathlib import Path

_MEMBER = "tidegate/CHANGELOG.md"
_PARTS = re.compile(
    r"(?P<release>\d+(\.\d+)*)((?P<kind>a|b|rc)(?P<pre>\d+))?(\.post(?P<post>\d+))?(\.dev(?P<dev>\d+))?"
)
_FIRST, _KINDS, _LAST = -1, {"a": 0, "b": 1, "rc": 2}, 3
Order = tuple[tuple[int, ...], tuple[int, ...], int, float]
_HEADING = re.compile(r"^## \[([^\]]+)\]", re.MULTILINE)


def between(wheel: Path, before: str, after: str) -> str:
    """Return the changelog's sections after one version up to another; of a build before its release, the unreleased.

    An empty text: the changelog says nothing of it, or the wheel has none.
    """
    with zipfile.ZipFile(wheel) as packed:
        text = packed.read(_MEMBER).decode() if _MEMBER in packed.namelist() else ""
    found = list(_HEADING.finditer(text))
    ends = [*(one.start() for one in found[1:]), len(text)]
    sections = {one[1]: text[one.start() : end].strip() for one, end in zip(found, ends, strict=True)}
    kept = [section for name, section in sections.items() if _within(name, before, after)]
    if after not in sections and "Unreleased" in sections:
        kept.insert(0, sections["Unreleased"])
    return "\n\n".join(kept)


def _within(name: str, before: str, after: str) -> bool:
    return bool(re.match(r"\d", name)) and order(before) < order(name) <= order(after)


def order(version: str) -> Order:
    """Return what orders versions, as PEP 440 does: 0.2.0.dev1, 0.2.0a1, 0.2.0rc1, 0.2.0, 0.2.0.post1."""
    found = _PARTS.match(version)
    if found is None:
        return (), (), 0, 0.0
    numbers = [int(part) for part in found["release"].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    # A build on the way to a version, or to what comes before it, is the first of all.
    before = _KINDS[found["kind"]] if found["kind"] else (_FIRST if found["dev"] and not found["post"] else _LAST)
    post, dev = int(found["post"] or -1), float(found["dev"] or "inf")
    return tuple(numbers), (before, int(found["pre"] or 0)), post, dev
