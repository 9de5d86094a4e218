"""What changed between two versions, by the changelog that the library's wheel has in it."""

import re
import zipfile
from pathlib import Path

_MEMBER = "tidegate/CHANGELOG.md"
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


def order(version: str) -> tuple[int, ...]:
    """Return what orders versions: their numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
