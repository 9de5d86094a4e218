"""The table of docs/runtimes.md has a row for every shape, no empty cell, and a test behind each."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtimes.shapes import SHAPES

ROOT = Path(__file__).parents[2]
_COLLECT = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
COLUMNS = ["identity", "limits", "idempotency", "deadlines", "shutdown", "streaming"]


def rows():
    lines = [line for line in (ROOT / "docs/runtimes.md").read_text("utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_shape_has_a_row_without_an_empty_cell():
    head, _, *shapes = rows()
    assert head == ["shape", *COLUMNS]
    assert [row[0] for row in shapes] == [shape.name for shape in SHAPES]
    for row in shapes:
        assert len(row) == len(head), row
        assert all(row), row


@pytest.mark.slow
def test_every_cell_has_a_test_that_runs():
    listed = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/runtimes/test_shapes.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    collected = {line.partition("::")[2] for line in listed.stdout.splitlines() if "::" in line}
    assert {f"test_{column}[{row[0]}]" for row in rows()[2:] for column in COLUMNS} == collected
    source = (ROOT / "tests/runtimes/test_shapes.py").read_text("utf-8")
    assert "skip" not in source
    assert "xfail" not in source
