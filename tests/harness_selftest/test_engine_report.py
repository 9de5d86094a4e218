"""The table of an engine's tests: what is counted, and where it goes."""

from collections import Counter

import pytest

from tests.harness import engine_report
from tests.harness.engine_report import Results, gaps_table, written_into


def report(nodeid, outcome, when="call", reason=None):
    return pytest.TestReport(
        nodeid,
        ("file", 1, "name"),
        {},
        outcome,
        ("file", 1, f"Skipped: {reason}") if reason else None,
        when,
        user_properties=[(engine_report.PROPERTY, "LocalStack 4.14.0")],
    )


def test_a_test_counts_once_by_what_came_of_it():
    results = Results()
    for when in ("setup", "call", "teardown"):
        results.note(report("tests/e2e/test_a.py::test_good", "passed", when))
    results.note(report("tests/e2e/test_a.py::test_bad", "failed"))
    results.note(report("tests/e2e/test_b.py::test_skipped", "skipped", "setup", "no throttles"))
    results.note(report("tests/e2e/test_b.py::test_no_cloud", "failed", "setup"))
    assert results.files == {
        "tests/e2e/test_a.py": Counter(passed=1, failed=1),
        "tests/e2e/test_b.py": Counter(skipped=1, failed=1),
    }
    section = results.section("2026-11-25")
    assert section.startswith("LocalStack 4.14.0, 2026-11-25:\n")
    assert "| `tests/e2e/test_a.py` | 1 | 0 | 1 |" in section
    assert "| all | 1 | 1 | 2 |" in section
    assert "- Skipped: `test_b.py::test_skipped`. no throttles" in section


def test_a_section_replaces_what_was_between_its_markers():
    document = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb <!-- y: begin -->kept<!-- y: end -->"
    once = written_into(document, "x", "new")
    assert once == "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb <!-- y: begin -->kept<!-- y: end -->"
    assert written_into(once, "x", "new") == once
    with pytest.raises(ValueError, match="lacks the lines"):
        written_into(document, "z", "new")


def test_the_document_has_the_known_gaps_and_a_place_for_every_engine():
    document = engine_report.DOCUMENT.read_text(encoding="utf-8")
    assert gaps_table() in document
    for engine in engine_report.gaps.GAPS:
        assert f"<!-- tests on {engine}: begin -->" in document
