"""All that is read of one cloud, and the rates that its functions' lines amount to."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import httpx

from tidegate_local import cloud
from tidegate_local.console.gauge import Gauge, Read
from tidegate_local.releases.alias_shares import shares
from tidegate_local.releases.item import ReleaseItem, Releases
from tidegate_local.state import LocalState
from tidegate_local.telemetry import queue_depth, redis_vitals
from tidegate_local.telemetry.backlog import Backlog
from tidegate_local.telemetry.figures import Asked, Figures, Second, by_caller, by_second
from tidegate_local.telemetry.lines import WORKER, RequestLine, StoreChange
from tidegate_local.telemetry.queue_depth import QueueDepth
from tidegate_local.telemetry.reader import LineReader
from tidegate_local.telemetry.redis_vitals import RedisVitals
from tidegate_local.telemetry.remaining import LimitsReader, Remaining
from tidegate_local.telemetry.window import Window

SPAN_S = 60
RECENT_S = 5
_CALLERS, _CHANGES = 10, 5
# What the console itself asks.
_OWN = "/health"


@dataclass(frozen=True)
class Traffic:
    """The requests of the last minute and of its last seconds, those that the worker runs apart from the others.

    `principals` counts those who asked; `callers` are those of them that asked most, by route.
    """

    minute: Figures
    recent: Figures
    worker: Figures
    principals: int
    seconds: tuple[Second, ...]
    callers: tuple["Caller", ...]
    changes: tuple[StoreChange, ...]


@dataclass(frozen=True)
class Caller:
    """What a caller asked of a route, what is left of its limits there, and its tier; None: unknown."""

    asked: Asked
    remaining: int | None
    name: str | None


@dataclass(frozen=True)
class Weights:
    """How the API's alias divides its traffic, in percent by version; and the release that runs or was the last."""

    percent: dict[str, float]
    release: ReleaseItem | None


@dataclass(frozen=True)
class Health:
    """What an environment says of itself (`/health`): its release, who decides, and its dependencies."""

    status: str
    deciding: str
    version: str
    dependencies: tuple[dict[str, Any], ...]


class Instruments:
    """The gauges of a cloud, from its state; close them at the end."""

    def __init__(self, state: LocalState) -> None:
        self.state = state
        self._lock = Lock()
        self._window = Window(SPAN_S + 5)
        self._backlog = Backlog()
        self._changes: list[StoreChange] = []
        self.lines: Gauge[None] = Gauge("lines", 0.5, self._lines)
        self.redis: Gauge[RedisVitals] = Gauge("redis", 0.5, self._redis)
        self.health: Gauge[Health] = Gauge("health", 2.0, self._health)
        self.queue: Gauge[QueueDepth] = Gauge("queue", 1.0, self._queue)
        self.weights: Gauge[Weights] = Gauge("weights", 1.0, self._weights)
        self.limits: Gauge[Remaining] = Gauge("limits", 1.0, self._limits)

    def close(self) -> None:
        """Read no more."""
        for gauge in (self.lines, self.redis, self.health, self.queue, self.weights, self.limits):
            gauge.close()

    def traffic(self, now_s: float) -> Traffic:
        """Sum up the lines that were read."""
        with self._lock:
            lines = self._window.lines(now_s, SPAN_S)
            changes = tuple(self._changes)
        asked = [line for line in lines if line.service != WORKER]
        recent = [line for line in asked if line.at_s > now_s - RECENT_S]
        return Traffic(
            Figures.of(asked),
            Figures.of(recent),
            Figures.of([line for line in lines if line.service == WORKER]),
            len({line.principal for line in asked}),
            by_second(asked, int(now_s) - SPAN_S + 1, int(now_s)),
            tuple(map(self._caller, by_caller(asked)[:_CALLERS])),
            changes[::-1],
        )

    def oldest_s(self, now_s: float) -> float | None:
        """For how long the oldest queued request has waited."""
        depth = self.queue.value
        with self._lock:
            return self._backlog.oldest_s(now_s, depth.depth if depth else 0)

    def _lines(self, held: ExitStack) -> Read[None]:
        reader = held.enter_context(LineReader.opened(self.state, SPAN_S))

        def read() -> None:
            lines = reader.poll()
            requests = [one for one in lines if isinstance(one, RequestLine) and not one.route.startswith(_OWN)]
            changes = [one for one in lines if isinstance(one, StoreChange)]
            with self._lock:
                self._window.add(requests)
                self._backlog.add(requests)
                self._changes = sorted([*self._changes, *changes], key=lambda one: one.at_s)[-_CHANGES:]

        return read

    def _redis(self, _: ExitStack) -> Read[RedisVitals]:
        return lambda: redis_vitals.ask(self.state.redis_url)

    def _health(self, held: ExitStack) -> Read[Health]:
        http = held.enter_context(httpx.Client(timeout=30, trust_env=False))
        return lambda: _said(http.get(f"{self.state.api_url}/health"))

    def _queue(self, held: ExitStack) -> Read[QueueDepth]:
        sqs = held.enter_context(self._client("sqs"))
        outputs = self.state.outputs
        if "QueueUrl" not in outputs:
            return lambda: QueueDepth(0, 0, 0, 0)
        return lambda: queue_depth.ask(sqs, outputs["QueueUrl"], outputs["DeadLetterUrl"])

    def _weights(self, held: ExitStack) -> Read[Weights]:
        functions, dynamodb = (held.enter_context(self._client(service)) for service in ("lambda", "dynamodb"))
        outputs = self.state.outputs
        releases = Releases(dynamodb, outputs["TidegateTable"], "local")
        name = {"FunctionName": outputs["FunctionName"], "Name": outputs["AliasName"]}
        return lambda: Weights(_percent(functions.get_alias(**name)), releases.latest())

    def _limits(self, held: ExitStack) -> Read[Remaining]:
        reader = held.enter_context(LimitsReader.opened(self.state))

        def read() -> Remaining:
            with self._lock:
                lines = self._window.lines(time.time(), SPAN_S)
            return reader.read(by_caller(line for line in lines if line.service != WORKER)[:_CALLERS])

        return read

    def _caller(self, asked: Asked) -> Caller:
        known = self.limits.value
        if known is None:
            return Caller(asked, None, None)
        return Caller(
            asked, known.left.get((asked.principal, asked.method, asked.route)), known.names.get(asked.principal)
        )

    @contextmanager
    def _client(self, service: str) -> Iterator[cloud.Client]:
        with closing(cloud.client(service, self.state.endpoint_url)) as client:
            yield client


def _said(answer: httpx.Response) -> Health:
    said = answer.json()
    return Health(
        said.get("status") if isinstance(said.get("status"), str) else "down",
        said["deciding"],
        said["version"],
        tuple(said["dependencies"]),
    )


def _percent(alias: dict[str, Any]) -> dict[str, float]:
    return {version: round(100 * share, 2) for version, share in shares(alias).items()}
