"""What the deployed API's own lines say: cold starts, what a decision adds to a request, and the p99 of decisions."""

import re
import time
from collections.abc import Sequence
from contextlib import closing

import httpx

from tidegate_local.errors import ProofError
from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.plan import Step
from tidegate_local.prove.site import Site
from tidegate_local.scenarios import decisions, demo
from tidegate_local.scenarios.demo import Demo
from tidegate_local.scenarios.warming import warm
from tidegate_local.state import LocalState
from tidegate_local.telemetry import logs
from tidegate_local.telemetry.figures import Figures, percentile
from tidegate_local.telemetry.lines import RequestLine

_REQUESTS = 150
_PER_S = 20.0
_ENVIRONMENTS = 4
# CloudWatch shows a line some seconds after it was written.
_LINES_WITHIN_S = 60.0
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")


def run(site: Site) -> Seen:
    """Ask so many times at a steady rate, and read what was logged.

    Raises:
        ProofError: no decision was logged.
    """
    state, own = site.state, demo.of_project()
    warm(state, own.warming, _ENVIRONMENTS)
    began = time.time()
    _ask(state, own)
    lines = _lines(state, began)
    found = Figures.of(lines)
    if found.admission.p99_ms is None or found.admission.p50_ms is None:
        raise ProofError("No request's line says how long its decision took")
    figures = {
        "requests": float(found.requests),
        "added_latency_p50_ms": found.admission.p50_ms,
        "admission_p99_ms": found.admission.p99_ms,
    }
    cold = cold_starts(_reports(site))
    if cold:
        figures |= {"cold_starts": float(len(cold)), "cold_start_p50_ms": percentile(cold, 50) or 0.0}
    told = f"cold start p50 {figures['cold_start_p50_ms']:.0f} ms of {len(cold)}" if cold else "cold starts: not logged"
    return Seen(
        f"{told}; a decision takes {found.admission.p50_ms:.1f} ms (p50), {found.admission.p99_ms:.1f} ms (p99) "
        f"over {found.requests} requests",
        figures,
    )


def cold_starts(messages: Sequence[str]) -> list[float]:
    """Take the times of initialisation out of Lambda's own lines, in milliseconds."""
    return [float(found[1]) for message in messages if (found := _INIT.search(message))]


def _ask(state: LocalState, own: Demo) -> None:
    with httpx.Client(timeout=30, trust_env=False, headers={"x-api-key": state.key("internal")}) as http:
        for number in range(_REQUESTS):
            due = time.monotonic() + 1 / _PER_S
            reading = own.reading(number)
            http.request(reading.method, f"{state.api_url}{reading.path}", headers=reading.headers)
            time.sleep(max(0.0, due - time.monotonic()))


def _lines(state: LocalState, began: float) -> list[RequestLine]:
    deadline = time.monotonic() + _LINES_WITHIN_S
    while True:
        lines = decisions.read(state, began)
        if len(lines) >= _REQUESTS or time.monotonic() > deadline:
            return lines
        time.sleep(1)


def _reports(site: Site) -> list[str]:
    with closing(site.client("logs")) as client:
        found = logs.LogFollower(client, logs.groups(site.state), 0).poll()
    return [message for message in found if message.startswith("REPORT RequestId:")]


STEP = Step("figures", "cold start, added latency and admission p99", run, longest_s=600, usd=0.02, needs=("e2e",))
