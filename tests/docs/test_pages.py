"""The pages that lead a reader step by step do what they say, from an empty folder."""

from pathlib import Path

import pytest

from tests.docs.followed import Reader, matches, steps

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["start.md", "tutorial.md"])
def test_page_does_what_it_says(name, tmp_path):
    with Reader(tmp_path) as reader:
        reader.follow(DOCS / name)
    assert reader.commands >= 4


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("a…c",), "abc\n", True),
        (("…", "b"), "a\na\nb\n", True),
        (("a",), "b\n", False),
        (("a",), "a\nb\n", False),
        ((), "a\n", False),
    ],
)
def test_output_is_compared(shown, printed, same):
    assert matches(shown, printed) is same


def test_page_that_lies_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n```\n")
    with Reader(tmp_path) as reader, pytest.raises(AssertionError):
        reader.follow(page)


def test_files_and_commands_are_read_in_order(tmp_path):
    page = tmp_path / "page.md"
    page.write_text('```python title="a.py"\nx = 1\n```\n\n```console\n$ one\n$ two\nb\n```\n')
    found = list(steps(page))
    assert found[0] == ("a.py", "x = 1\n")
    assert [(command.line, command.shown) for command in found[1:]] == [("one", ()), ("two", ("b",))]
