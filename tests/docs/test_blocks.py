"""The Python blocks of all pages run: one without a title as it stands, one with a title as a file of its page.

The blocks of a page share their names, in order. What a block needs and a reader doesn't is in an invisible block in
front of it. A block that can't run here says why, in `<!-- skip: next "…" -->`.
"""

import re
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_CODE = [page for page in PAGES if re.search(r"^ *```python$", page.read_text(encoding="utf-8"), re.MULTILINE)]
TITLED = re.compile(r"^ *```python title=", re.MULTILINE)
# The pages that tests/docs/test_pages.py follows.
FOLLOWED = {"start.md", "tutorial.md"}


def label(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.usefixtures("lambda_loop")
@pytest.mark.parametrize("page", WITH_CODE, ids=label)
def test_blocks_of_a_page_run(page, monkeypatch):
    monkeypatch.setenv("TIDEGATE_STORE", "memory")
    document = Sybil([SkipParser(), PythonCodeBlockParser()]).parse(page)
    document.namespace["__name__"] = page.stem
    skipped = []
    for example in document.examples():
        try:
            example.evaluate()
        except SkipTest as reason:
            skipped.append(str(reason))
    assert all(len(reason) > 10 for reason in skipped)


def test_titles_are_on_followed_pages_alone():
    assert {page.name for page in PAGES if TITLED.search(page.read_text(encoding="utf-8"))} == FOLLOWED


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_page_fetches_nothing_from_elsewhere(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"!\[[^\]]*\]\(https?:|<(?:img|script|iframe)\b", text)
    assert "```mermaid" not in text  # the theme would load its script from elsewhere


def test_block_that_fails_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nassert False\n```\n")
    document = Sybil([SkipParser(), PythonCodeBlockParser()]).parse(page)
    with pytest.raises(AssertionError):
        next(iter(document.examples())).evaluate()
