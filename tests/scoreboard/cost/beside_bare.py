"""What the application costs beside the same one without the library: time, memory, start; measured side by side."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import time
from itertools import islice

from tests.scoreboard.asking import Request
from tests.scoreboard.cell import Cell, Situation, Verdict
from tests.scoreboard.contenders.everyone import BARE
from tests.scoreboard.cost.paths import LIMIT, requests
from tests.scoreboard.stage import ROOT, Served, Stage

_WARM, _TIMED = 30, 200
_STARTS = 3


class _Connection:
    """One client's connection, kept open."""

    def __init__(self, served: Served) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)

    def ask(self, request: Request) -> float:
        """Ask, and return the seconds it took; RuntimeError at anything but a 2xx."""
        body = None if request.json is None else json.dumps(request.json)
        began = time.perf_counter()
        self._connection.request(
            request.method, request.path, body, {"content-type": "application/json", **request.fields}
        )
        response = self._connection.getresponse()
        response.read()
        took = time.perf_counter() - began
        if not 200 <= response.status < 300:
            raise RuntimeError(f"answered {response.status}")
        return took


def _time(stage: Stage) -> Cell:
    bare, ours = _both(stage)
    clients = [_Connection(bare), _Connection(ours)]
    asked = requests(stage.family)
    for request in islice(asked, _WARM):
        for client in clients:
            client.ask(request)
    took = [[client.ask(request) for client in clients] for request in islice(asked, _TIMED)]
    base, median = (statistics.median(column) for column in zip(*took, strict=True))
    return Cell(Verdict.MEASURED, f"{median / base:.1f} x ({median * 1000:.1f} ms)")


def _memory(stage: Stage) -> Cell:
    bare, ours = _both(stage)
    for served in (bare, ours):
        client = _Connection(served)
        for request in islice(requests(stage.family), _WARM):
            client.ask(request)
    base, used = bare.resident_kib(), ours.resident_kib()
    return Cell(Verdict.MEASURED, f"{used / base:.1f} x ({used / 1024:.0f} MiB)")


def _start(stage: Stage) -> Cell:
    ratios, took = [], []
    for number in range(_STARTS + 1):  # the first compiles what isn't compiled
        base, own = (_made_ms(stage, bare=bare) for bare in (True, False))
        if number:
            ratios.append(own / base)
            took.append(own)
    return Cell(Verdict.MEASURED, f"{statistics.median(ratios):.1f} x ({statistics.median(took):.0f} ms)")


def _both(stage: Stage) -> tuple[Served, Served]:
    return stage.serve(BARE, stage.contender.group), stage.serve()


def _made_ms(stage: Stage, *, bare: bool) -> float:
    contender = BARE if bare else stage.contender
    command = stage.command(contender, "import", stage.contender.group)
    done = subprocess.run(
        command, cwd=ROOT, env=stage.environment, capture_output=True, text=True, timeout=60, check=True
    )
    return float(done.stdout.splitlines()[-1])


SITUATIONS = (
    Situation(
        "time",
        f"The median time of {_TIMED} warm requests one after the other, over that of the bare application, which is "
        "asked in turns with it.",
        "measured",
        _time,
        LIMIT,
        alone=True,
    ),
    Situation(
        "memory",
        f"Resident memory after {_WARM} requests, over the bare application's.",
        "measured (VmRSS)",
        _memory,
        LIMIT,
        alone=True,
    ),
    Situation(
        "cold start",
        f"From the interpreter's start to a made application, over the bare one's; the median of {_STARTS}.",
        "measured",
        _start,
        LIMIT,
        alone=True,
    ),
)
