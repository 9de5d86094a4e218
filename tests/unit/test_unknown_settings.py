"""A TIDEGATE_* variable that nobody knows is logged, with the nearest name that is known."""

import io
import json
import re
from pathlib import Path

import pytest

from tidegate import Settings
from tidegate.settings import VARIABLES
from tidegate.telemetry import structured_logger

REDIS = {"TIDEGATE_REDIS_URL": "redis://localhost:6379/0"}


@pytest.fixture
def lines():
    stream = io.StringIO()
    structured_logger().registered_handler.setStream(stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("SHED_MODE", "SHED"),
        ("SHEDDING", "SHED"),
        ("REDIS", "REDIS_URL"),
        ("REDIS_URI", "REDIS_URL"),
        ("DYNAMODB_TABLE", "TABLE"),
        ("BUDGET_MS", "DECISION_BUDGET_MS"),
        ("IDEMPOTENCY_TTL", "IDEMPOTENCY_LIFETIME"),
        ("TRUST_API_KEY", "TRUST_API_KEY_HEADER"),
        ("NAME_SPACE", "NAMESPACE"),
        ("table", "TABLE"),
        ("UNHEARD_OF", None),
    ],
)
def test_an_unknown_variable_is_logged_with_the_nearest_name(misspelt, meant, lines):
    Settings.from_environ(REDIS | {f"TIDEGATE_{misspelt}": "a secret, perhaps"})
    (line,) = lines()
    assert (line["level"], line["variable"]) == ("WARNING", f"TIDEGATE_{misspelt}")
    assert line.get("nearest") == (f"TIDEGATE_{meant}" if meant else None)
    assert f"TIDEGATE_{misspelt}" in line["message"]
    assert set(line["known"]) == VARIABLES
    assert "secret" not in json.dumps({**line, "known": None})


def test_each_unknown_variable_has_a_line_of_its_own(lines):
    said = {"TIDEGATE_SHED_MODE": "off", "TIDEGATE_CAPACTY": "7", "TIDEGATE_CAPACITY": "8"}
    Settings.from_environ(REDIS | said)
    assert [line["variable"] for line in lines()] == ["TIDEGATE_CAPACTY", "TIDEGATE_SHED_MODE"]


def test_beside_the_librarys_table_another_is_the_applications(lines):
    Settings.from_environ({**REDIS, "TIDEGATE_TABLE": "t", "TIDEGATE_BOOKS_TABLE": "books"})
    assert lines() == []


def test_what_tests_and_other_software_read_is_known_or_not_ours(lines):
    Settings.from_environ({**REDIS, "TIDEGATE_TEST_ENGINE": "x", "_TIDEGATE_COMPLETE": "bash", "TIDE_GATE": "1"})
    assert lines() == []


REPOSITORY = Path(__file__).parents[2]


def test_all_that_the_platform_reads_is_known(lines):
    sources = [
        path
        for folder in ("functions", "infra", "localstack")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in {".py", ".yaml"}
    ]
    read_there = {name for path in sources for name in re.findall(r"TIDEGATE_[A-Z_]+[A-Z]", path.read_text("utf-8"))}
    assert len(read_there) > 20
    right = {name: text for name, text in REDIS.items() if name not in read_there}
    Settings.from_environ({**dict.fromkeys(read_there - VARIABLES, "x"), **right, **REDIS, "TIDEGATE_TABLE": "t"})
    assert lines() == []
