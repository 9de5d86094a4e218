"""Each dotted name of the library that a document gives can be imported."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUOTED = re.compile(r"`(tidegate(?:\.[A-Za-z_]\w*)+)")
IMPORTED = re.compile(r"^from (tidegate[\w.]*) import ([\w, ]+)", re.MULTILINE)


def documented() -> set[str]:
    """The dotted names in all pages, and the names that their examples import."""
    found = set()
    for text in (page.read_text(encoding="utf-8") for page in PAGES):
        found |= set(QUOTED.findall(text))
        found |= {f"{module}.{name.strip()}" for module, names in IMPORTED.findall(text) for name in names.split(",")}
    return found


def imported(name: str) -> object:
    """The module or the member of a module that is called so."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, member = name.rpartition(".")
        return getattr(imported(module), member)


@pytest.mark.parametrize("name", sorted(documented()))
def test_a_documented_name_can_be_imported(name):
    # The library's own environments have no package for deployments.
    pytest.importorskip(name.split(".")[0])
    assert imported(name) is not None


def test_what_the_pages_promise_is_found_at_all():
    assert {"tidegate.protect", "tidegate.client.Client", "tidegate.dependency.Dependency"} <= documented()


def test_the_former_path_of_the_overrides_still_works():
    former = importlib.import_module("tidegate.stores.dynamodb_overrides")
    assert former.write_overrides is importlib.import_module("tidegate.limits.overrides").write_overrides
