"""What a client saw: an answer, who gave it, and the counts and percentiles of many."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import httpx

from tidegate_local.telemetry.figures import percentile

# Who answers a request, from the edge inwards; `failed` is a 5xx that nobody meant, `nobody` is none at all.
WHO = ("edge", "limits", "shedding", "queue", "cache", "replay", "handler", "failed", "nobody")


@dataclass(frozen=True)
class Answer:
    """One request of a client: when it was asked (epoch seconds), how long that took, and what came.

    `status` None: none came. `by` is one of WHO. `about` is what the request has in common with its retries, `said`
    what its flow read of the answer.
    """

    asked_at: float
    took_ms: float
    flow: str
    tier: str
    status: int | None
    by: str
    about: str = ""
    said: str = ""

    @property
    def ended_at(self) -> float:
        """When it was answered; epoch seconds."""
        return self.asked_at + self.took_ms / 1000


def who_answered(response: httpx.Response) -> str:
    """Tell by its status and fields who gave an answer; returns one of WHO."""
    status, fields = response.status_code, response.headers
    if status == 503 and "retry-after" in fields and b"#temporary-reduced-capacity" in response.content:
        return "shedding"
    if status >= 500:
        return "failed"
    if status in {403, 429}:
        # The application tells what is left of its limits; the edge doesn't know them.
        return "limits" if "ratelimit" in fields else "edge"
    if status == 202:
        return "queue"
    if "idempotent-replayed" in fields:
        return "replay"
    return "cache" if _from_a_copy(fields.get("cache-status", "")) else "handler"


def _from_a_copy(cache_status: str) -> bool:
    return cache_status.startswith("tidegate;hit") or "collapsed" in cache_status or "stale" in cache_status


@dataclass(frozen=True)
class Tally:
    """Many answers, counted: by status, by who gave them, and how long they took (None: there were none)."""

    count: int
    by_status: Mapping[str, int]
    by_who: Mapping[str, int]
    p50_ms: float | None
    p99_ms: float | None


def tally(answers: Sequence[Answer]) -> Tally:
    """Count answers."""
    took_ms = [answer.took_ms for answer in answers]
    statuses = Counter(str(answer.status or "none") for answer in answers)
    who = Counter(answer.by for answer in answers)
    return Tally(
        len(answers),
        dict(sorted(statuses.items())),
        {name: who[name] for name in WHO if who[name]},
        percentile(took_ms, 50),
        percentile(took_ms, 99),
    )


def between(answers: Iterable[Answer], began: float, ended: float) -> list[Answer]:
    """Return those that were asked for from one moment to before another; epoch seconds."""
    return [answer for answer in answers if began <= answer.asked_at < ended]


def failed(answers: Iterable[Answer]) -> list[Answer]:
    """Return those that failed their client: a 5xx that nobody meant, or no answer."""
    return [answer for answer in answers if answer.by in {"failed", "nobody"}]


def failures(answers: Sequence[Answer]) -> tuple[bool, str]:
    """Tell whether no request failed, and how many of how many did."""
    bad = failed(answers)
    first = f", the first: {bad[0].status or 'no answer'} of {bad[0].flow}" if bad else ""
    return not bad, f"{len(bad)} of {len(answers):,}{first}"
