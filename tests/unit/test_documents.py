"""The documents name files and classes that are there, and their links lead somewhere."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers/tidegate/python/tidegate"
AT_THE_ROOT = [ROOT / name for name in ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")]
DOORS = [*AT_THE_ROOT, ROOT / "docs/glossary.md", *sorted((ROOT / "docs/decisions").glob("*.md"))]
PAGES = [ROOT / "README.md", *AT_THE_ROOT, *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [PACKAGE, *(ROOT / name for name in ("functions", "infra", "localstack"))]

FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# A folder, or a file by its ending; * stands for any name.
PATH = re.compile(r"(?!\.tidegate/)[\w.*-]+(/[\w.*-]+)*(/|\.(py|lua|md|toml|txt|lock|json|yaml))")
CLASS = re.compile(r"[A-Z][a-z]+([A-Z][a-z]+)+")
# What an instruction leaves for its reader to name.
PLACEHOLDERS = {"limits/NAME.py", "stores/redis/lua/NAME.lua", "functions/migrate/versions/NNNN_name.py"}
PYTHONS = {"NamedTuple"}


def text_of(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def paths_in(text: str) -> set[str]:
    return {quoted for quoted in QUOTED.findall(text) if PATH.fullmatch(quoted)} - PLACEHOLDERS


def is_there(path: str) -> bool:
    """Whether the repository or the library's package has it."""
    return any(next(folder.glob(path.rstrip("/")), None) for folder in (ROOT, PACKAGE))


def anchors_of(page: Path) -> set[str]:
    """The ends of links to its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> Iterator[str]:
    for link in LINK.findall(text):
        file, _, anchor = link.partition("#")
        if file.startswith(("http://", "https://")):
            continue
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            yield link


@cache
def classes() -> set[str]:
    """The classes of the library and of the platform, by their names."""
    files = (file for folder in SOURCES for file in folder.rglob("*.py"))
    return {name for file in files for name in re.findall(r"^class (\w+)", file.read_text("utf-8"), re.MULTILINE)}


def label(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_files_that_a_document_names_exist(page):
    assert sorted(path for path in paths_in(text_of(page)) if not is_there(path)) == []


@pytest.mark.parametrize("page", DOORS, ids=label)
def test_classes_that_a_document_names_exist(page):
    named = {quoted for quoted in QUOTED.findall(text_of(page)) if CLASS.fullmatch(quoted)}
    assert sorted(named - classes() - PYTHONS) == []


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_links_of_a_document_lead_somewhere(page):
    assert list(broken_links(page, text_of(page))) == []


def test_index_of_decisions_has_every_record():
    index = ROOT / "docs/decisions/README.md"
    records = {page.name for page in index.parent.glob("*.md")} - {index.name}
    assert {link for link in LINK.findall(text_of(index)) if "/" not in link} == records


def test_missing_files_and_dead_links_are_found():
    text = "See `limits/gone.py`, `guard.py`, `infra/`, [a page](gone.md) and [a part](README.md#gone)."
    assert {path for path in paths_in(text) if not is_there(path)} == {"limits/gone.py"}
    assert list(broken_links(ROOT / "README.md", text)) == ["gone.md", "README.md#gone"]


def test_readme_has_at_most_900_words():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900
