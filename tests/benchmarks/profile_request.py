"""Where the time of a guarded GET goes: by station, and by function.

    python -m tests.benchmarks.profile_request [LIMITS]

A sample counts for the innermost function of the library on the stack, with all that this function calls
outside the library; what the application and Mangum do counts for them, though the guard stands around it.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import tidegate
from tests.benchmarks import contenders, cores, events, processes, wire
from tests.benchmarks.output import log_lines_away
from tests.benchmarks.own_loop import OwnLoop
from tests.benchmarks.programs import latency
from tests.benchmarks.report import microseconds_row
from tests.benchmarks.sampling import Place, Samples, Stack
from tests.harness.dynamodb import DynamoServer
from tests.harness.lambda_events import LambdaContext
from tests.harness.redis_server import RedisServer

REQUESTS = 16_000
ROUNDS = 60
APPLICATION = "FastAPI + Mangum"
_LIBRARY = str(Path(tidegate.__file__).parent) + "/"
_OTHERS = ("/mangum/", "/fastapi/", "/starlette/", "/asyncio/", "/tests/benchmarks/")
_LOG = ("telemetry.py",)
_TRANSPORT = ("stores/connection", "stores/resp", "stores/dialer", "stores/cluster")


@dataclass(frozen=True)
class Account:
    """One request's time, in microseconds.

    Attributes:
        unit_us: what one EVALSHA by redis-py adds to the bare application.
        wire_us: what the request sends to Redis, on a plain socket.
        request_us: the guarded request.
        silent_us: the same without its log line.
        bare_us: the bare application's.
        stations, functions: (name, share of the request).
    """

    unit_us: float
    wire_us: float
    request_us: float
    silent_us: float
    bare_us: float
    stations: list[tuple[str, float]]
    functions: list[tuple[str, float]]


def account(redis_url: str, limits: int = 1) -> Account:
    """Measure a guarded GET; standard output is away while it runs, for the log lines go there."""
    with log_lines_away(), cores.placed("together", redis_url):
        sent = wire.recorded(redis_url, lambda: _send(OwnLoop(lambda: contenders.tidegate(limits)), 3))
        guarded = OwnLoop(lambda: contenders.tidegate(limits))
        handlers = {
            "bare": OwnLoop(contenders.bare),
            "with the unit": OwnLoop(lambda: contenders.one_evalsha(redis_url)),
            "guarded": guarded,
            "silent": guarded,
        }
        medians = _medians_us(handlers)
        with Samples(_station, _function) as samples:
            _send(guarded, REQUESTS)
        wire_us = wire.exchange_us(redis_url, sent)
    stations, functions = samples.shares()
    return Account(
        unit_us=medians["with the unit"] - medians["bare"],
        wire_us=wire_us,
        request_us=medians["guarded"],
        silent_us=medians["silent"],
        bare_us=medians["bare"],
        stations=stations,
        functions=functions,
    )


def _station(stack: Stack) -> str:
    ours = [place for place in stack if place.file.startswith(_LIBRARY)]
    files = [place.file.removeprefix(_LIBRARY) for place in ours]
    if any(file in _LOG for file in files):
        return "the log line (telemetry.py, Powertools' Logger, write to stdout)"
    innermost = _innermost(stack)
    if innermost is None:
        return APPLICATION
    file = innermost.file.removeprefix(_LIBRARY)
    if any(found.startswith(_TRANSPORT) for found in files):
        return "client, socket and Redis (stores/connection.py and below)"
    return file


def _function(stack: Stack) -> str:
    innermost = _innermost(stack)
    if innermost is None:
        return APPLICATION
    return f"{innermost.file.removeprefix(_LIBRARY)}  {innermost.function}"


def _innermost(stack: Stack) -> Place | None:
    """The library's innermost function, unless it only waits for the application or for Mangum."""
    for place in stack:
        if place.file.startswith(_LIBRARY):
            return place
        if any(part in place.file for part in _OTHERS):
            return None
    return None


def _send(handler: OwnLoop, times: int) -> None:
    handler.enter()
    for _ in range(times):
        latency.invoke(handler, (events.get(), LambdaContext()))


def _medians_us(handlers: dict[str, OwnLoop]) -> dict[str, float]:
    """Each handler's median over rounds in turns."""
    for handler in handlers.values():
        _send(handler, 300)
    took: dict[str, list[float]] = {name: [] for name in handlers}
    for _ in range(ROUNDS):
        for name, handler in handlers.items():
            logging.getLogger("tidegate").setLevel(logging.WARNING if name == "silent" else logging.INFO)
            took[name].append(_median_us(handler))
    logging.getLogger("tidegate").setLevel(logging.INFO)
    return {name: statistics.median(values) for name, values in took.items()}


def _median_us(handler: OwnLoop) -> float:
    handler.enter()
    took = []
    for invocation in [(events.get(), LambdaContext()) for _ in range(30)]:
        began = time.perf_counter_ns()
        latency.invoke(handler, invocation)
        took.append(time.perf_counter_ns() - began)
    return statistics.median(took) / 1000


def tables(told: Account) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """The account as tables: title, columns, rows."""
    added = told.request_us - told.bare_us
    whole = [
        ("FastAPI + Mangum alone", told.bare_us),
        ("Tidegate, the whole request", told.request_us),
        ("Tidegate, added", added),
        ("Tidegate, added, without the log line", told.silent_us - told.bare_us),
        ("its bytes to Redis and back on a plain socket, in a loop", told.wire_us),
        ("the unit: one EVALSHA by redis-py, in a request", told.unit_us),
    ]
    return [
        ("One guarded GET", ("what", "µs", "units"), [microseconds_row(name, us, told.unit_us) for name, us in whole]),
        ("By station (sampled)", ("station", "µs", "units", "share"), _shared(told.stations, told, 14)),
        ("By function (sampled)", ("function", "µs", "units", "share"), _shared(told.functions, told, 26)),
    ]


def _shared(shares: list[tuple[str, float]], told: Account, most: int) -> list[tuple[str, ...]]:
    return [
        (*microseconds_row(name, share * told.request_us, told.unit_us), f"{share:.1%}")
        for name, share in shares[:most]
    ]


def main(limits: str = "1", result: str | None = None) -> None:
    """Start the servers, measure, and print; or write the account to `result`."""
    with RedisServer() as server, DynamoServer() as dynamo:
        os.environ |= processes.AWS | processes.function(server.url, dynamo.endpoint_url, dynamo.create_library_table())
        told = account(server.url, int(limits))
    if result is not None:
        Path(result).write_text(json.dumps(asdict(told)), encoding="utf-8")
        return
    from tests.benchmarks.report import Report, Section, Table

    section = Section("where-the-time-goes", f"A guarded GET with {limits} limits", __doc__ or "")
    section.tables += [Table(*table) for table in tables(told)]
    Report().add(section)


if __name__ == "__main__":
    main(*sys.argv[1:])
