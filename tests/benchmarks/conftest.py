"""One report for all benchmarks of a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import processes
from tests.benchmarks.report import Report

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is here prints figures and makes no promise; and a peer's warnings are the peer's."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.benchmark)
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """Where every benchmark puts what it measured; printed as it comes, written at the end."""
    made = Report()
    yield made
    made.finish()


@pytest.fixture
def function_redis(fresh_redis, dynamo, library_table, monkeypatch):
    """A Redis to stop or kill, and the variables of a function that uses it."""
    for name, value in processes.function(fresh_redis.url, dynamo.endpoint_url, library_table).items():
        monkeypatch.setenv(name, value)
    return fresh_redis
