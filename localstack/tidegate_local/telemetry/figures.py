"""Many requests in figures: counts, percentiles, seconds side by side, and who asked for what. No I/O."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tidegate_local.telemetry.lines import RequestLine


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the value that so many percent of them don't exceed (nearest rank); None of none."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)] if ranked else None


@dataclass(frozen=True)
class Percentiles:
    """Milliseconds; None: there was nothing to measure."""

    p50_ms: float | None = None
    p99_ms: float | None = None

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> "Percentiles":
        """Take them by the nearest rank: each is a value that was measured."""
        return cls(percentile(values_ms, 50), percentile(values_ms, 99))


@dataclass(frozen=True)
class Figures:
    """What became of some requests.

    `failed` counts 5xx that weren't shed; `outcomes`, `stores`, `cache`, `causes` and `releases` count by the line's
    words, `statuses` by the status.
    """

    requests: int
    failed: int
    outcomes: Mapping[str, int]
    statuses: Mapping[int, int]
    stores: Mapping[str, int]
    cache: Mapping[str, int]
    causes: Mapping[str, int]
    releases: Mapping[str, int]
    duration: Percentiles
    admission: Percentiles

    @classmethod
    def of(cls, lines: Sequence[RequestLine]) -> "Figures":
        """Count."""
        return cls(
            len(lines),
            sum(line.failed for line in lines),
            _counted(line.outcome for line in lines),
            dict(Counter(line.status for line in lines if line.status is not None)),
            _counted(line.store for line in lines),
            _counted(line.cache for line in lines),
            _counted(line.cause for line in lines),
            _counted(line.release for line in lines),
            Percentiles.of([line.duration_ms for line in lines]),
            Percentiles.of([line.admission_ms for line in lines if line.store and line.admission_ms is not None]),
        )


@dataclass(frozen=True)
class Second:
    """What ended within a second that began at an epoch second."""

    at_s: int
    outcomes: Mapping[str, int]
    stores: Mapping[str, int]
    duration: Percentiles


@dataclass(frozen=True)
class Asked:
    """What one principal asked of one route, by outcome; when it was last refused (epoch seconds), None: never."""

    principal: str
    method: str
    route: str
    outcomes: Mapping[str, int]
    refused_at_s: float | None

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())


def by_second(lines: Iterable[RequestLine], first_s: int, last_s: int) -> tuple[Second, ...]:
    """Count for each second from the first to the last, those with nothing too."""
    ended: dict[int, list[RequestLine]] = defaultdict(list)
    for line in lines:
        ended[math.floor(line.at_s)].append(line)
    return tuple(_second(at_s, ended.get(at_s, [])) for at_s in range(first_s, last_s + 1))


def by_caller(lines: Iterable[RequestLine]) -> tuple[Asked, ...]:
    """Count for each principal and route, those that asked most first."""
    asked: dict[tuple[str, str, str], list[RequestLine]] = defaultdict(list)
    for line in lines:
        asked[line.principal, line.method, line.route].append(line)
    found = (
        Asked(*whose, _counted(line.outcome for line in theirs), _refused_at(theirs)) for whose, theirs in asked.items()
    )
    return tuple(sorted(found, key=lambda one: (-one.requests, one.principal, one.route)))


def _second(at_s: int, lines: Sequence[RequestLine]) -> Second:
    return Second(
        at_s,
        _counted(line.outcome for line in lines),
        _counted(line.store for line in lines),
        Percentiles.of([line.duration_ms for line in lines]),
    )


def _refused_at(lines: Sequence[RequestLine]) -> float | None:
    return max((line.at_s for line in lines if line.outcome in {"limited", "queued"}), default=None)


def _counted(words: Iterable[str | None]) -> dict[str, int]:
    return dict(Counter(word for word in words if word is not None).most_common())
