"""The peers' documented examples work with Tidegate after the change that docs/migrating says; the share is printed."""

from collections import Counter
from pathlib import Path

import pytest

from tests.docs.migrating.caches import CACHES
from tests.docs.migrating.claims import CLAIMS
from tests.docs.migrating.documented import SOURCES, Documented
from tests.docs.migrating.limiters import LIMITERS
from tidegate import Settings

DOCS = Path(__file__).parents[3] / "docs/migrating"
ALL = [*LIMITERS, *CACHES, *CLAIMS]
GOAL = 0.9


def label(example: Documented) -> str:
    return f"{example.peer}: {example.shows}"


@pytest.mark.filterwarnings("ignore::UserWarning:aws_lambda_powertools")
@pytest.mark.parametrize("example", [each for each in ALL if each.rewritten is not None], ids=label)
def test_rewritten_example_works(example, request):
    if example.shows == "Redis as the backend":
        settings = Settings(redis_url=request.getfixturevalue("redis_url"), namespace="moved", decision_budget_ms=3000)
    else:
        settings = Settings(memory_only=True)
    example.rewritten(settings)


def test_nine_of_ten_documented_examples_work(capsys):
    there, all_of_them = Counter(each.peer for each in ALL if each.rewritten), Counter(each.peer for each in ALL)
    lines = [f"{peer}: {there[peer]} of {count}" for peer, count in all_of_them.items()]
    lines.append(f"all: {there.total()} of {all_of_them.total()}, {there.total() / all_of_them.total():.0%}")
    with capsys.disabled():
        print("", *lines, sep="\n")  # noqa: T201  the share is what this test is for
    assert there.total() / all_of_them.total() >= GOAL


@pytest.mark.parametrize("peer", sorted(SOURCES))
def test_page_names_its_source_and_what_cant_be_had(peer):
    page = (DOCS / f"{peer}.md").read_text(encoding="utf-8")
    assert SOURCES[peer] in page
    assert [each.instead for each in ALL if each.peer == peer and each.instead and each.instead not in page] == []


def test_each_example_has_a_source():
    assert {each.peer for each in ALL} == set(SOURCES)
    assert all(bool(each.instead) is (each.rewritten is None) for each in ALL)
