"""Off Lambda, lines are Python's `logging`: its levels and handlers are obeyed, and nothing is said twice."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace

import pytest
from fastapi import FastAPI

from tidegate import ConfigurationError, TokenBucket, policy, telemetry
from tidegate.telemetry import VARIABLE, logger

PLENTY = 400


@pytest.fixture(autouse=True)
def standard(monkeypatch):
    monkeypatch.delenv(VARIABLE)
    telemetry.destination.cache_clear()
    yield
    monkeypatch.undo()
    telemetry.destination.cache_clear()


@pytest.fixture
def app():
    made = FastAPI()

    @made.get("/items/{item}")
    @policy(limits=[TokenBucket(f"{PLENTY}/h", burst=PLENTY, name="items")])
    async def items(item: int):
        return item

    @made.get("/once")
    @policy(limits=[TokenBucket("1/h")])
    async def once():
        return "once"

    @made.get("/broken")
    async def broken():
        raise ZeroDivisionError

    return made


def lines(caplog):
    return [record for record in caplog.records if record.name == "tidegate.requests"]


def test_a_request_is_one_record_with_its_members(serve, memory, app, caplog, capfd):
    caplog.set_level(logging.INFO, "tidegate.requests")
    serve(app, memory).get("/items/7", key="alice")
    [record] = lines(caplog)
    assert record.getMessage() == "GET /items/{item} 200 admitted"
    assert (record.levelname, record.route, record.status, record.store) == ("INFO", "/items/{item}", 200, "memory")
    assert record.principal.startswith("key:")
    assert record.duration_ms >= 0
    assert "began_s" not in vars(record)
    assert capfd.readouterr().out == ""


def test_its_level_is_obeyed(serve, memory, app, caplog):
    caplog.set_level(logging.WARNING, "tidegate")
    api = serve(app, memory)
    api.get("/items/7", key="alice")
    assert api.get("/once", key="alice").status_code == 200
    assert api.get("/once", key="alice").status_code == 429
    assert lines(caplog) == []


def test_no_handler_is_added_and_no_level_is_set(serve, memory, app):
    before = [(logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in ("", "tidegate")]
    serve(app, memory).get("/items/7", key="alice")
    assert [(logging.getLogger(name).handlers, logging.getLogger(name).level) for name in ("", "tidegate")] == before


def test_an_exception_of_the_application_is_its_servers_to_log(serve, memory, app, caplog):
    caplog.set_level(logging.INFO)
    assert serve(app, memory).get("/broken", key="alice").status_code == 500
    told = [record for record in caplog.records if record.exc_info]
    assert {record.name for record in told} <= {"uvicorn.error"}
    assert lines(caplog)[-1].outcome == "failed"


def test_other_lines_say_their_members_in_the_text(caplog):
    logger().warning("store %s", "changed", extra={"store": "redis", "args": "100%", "name": "it"})
    [record] = caplog.records
    assert (record.name, record.levelname) == ("tidegate", "WARNING")
    assert record.getMessage() == "store changed: store=redis, args=100%, name=it"
    assert (record.store, record.args_, record.name_) == ("redis", "100%", "it")
    assert record.filename == "test_standard_log.py"


def test_ordinary_lines_are_sampled_and_the_rest_is_written(serve, app, caplog, memory):
    caplog.set_level(logging.INFO, "tidegate.requests")
    api = serve(app, replace(memory, log_sample=0.25))
    for n in range(PLENTY):
        assert api.get(f"/items/{n}", key="alice").status_code == 200
    for _ in range(20):
        assert api.get("/items/1", key="alice").status_code == 429
    found = Counter(record.outcome for record in lines(caplog))
    assert found["limited"] == 20
    assert {record.weight for record in lines(caplog) if record.outcome == "admitted"} == {4}
    # Five deviations of a binomial distribution: one run in a million.
    assert abs(found["admitted"] - PLENTY / 4) < 5 * (PLENTY * 0.25 * 0.75) ** 0.5


def test_a_wrong_destination_stops_the_start(monkeypatch):
    monkeypatch.setenv(VARIABLE, "yaml")
    telemetry.destination.cache_clear()
    with pytest.raises(ConfigurationError, match=r"TIDEGATE_LOG.*write json or logging"):
        logger()


def test_json_without_powertools_says_what_to_install(monkeypatch):
    monkeypatch.setenv(VARIABLE, "json")
    monkeypatch.setattr("tidegate.extras.find_spec", lambda _: None)
    telemetry.destination.cache_clear()
    with pytest.raises(ConfigurationError, match=r"pip install 'tidegate\[lambda\]'"):
        logger()
