"""Which of the edge's own answers a request gets, if any, as API Gateway decides it; no I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate_local.edge.facts import EdgeFacts, Plan, Rate

_ALL = "*/*"
_LITERAL, _NAMED, _GREEDY = range(3)
_A_DAY_S = 86_400


@dataclass
class Rules:
    """Counts what passes; `clock` is in seconds and never goes back."""

    facts: EdgeFacts
    clock: Callable[[], float]
    _buckets: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict)
    _days: dict[str, tuple[float, int]] = field(default_factory=dict)

    def refusal(self, verb: str, path: str, key: str | None) -> str | None:
        """Return the type of the response that a request is refused with; None: it is let through."""
        resource = self._resource(path)
        methods = self.facts.methods.get(resource or "", {})
        if resource is None or (verb not in methods and "ANY" not in methods):
            return "MISSING_AUTHENTICATION_TOKEN"
        plan = None
        if methods.get(verb, methods.get("ANY")):
            plan = self.facts.plans.get(key or "")
            if plan is None:
                return "INVALID_API_KEY"
        rates = self.facts.rates
        if not (self._has_room((key or "",), plan.rate if plan else None)):
            return "THROTTLED"
        if not self._has_room((resource, verb), rates.get(f"{resource}/{verb}", rates.get(_ALL))):
            return "THROTTLED"
        return "QUOTA_EXCEEDED" if plan and not self._has_quota(key or "", plan) else None

    def _resource(self, path: str) -> str | None:
        """Return the resource that fits a path best: a literal part before one in braces, that before the rest."""
        asked = _parts(path)
        fitting = [(rank, known) for known in self.facts.methods if (rank := _rank(_parts(known), asked)) is not None]
        return min(fitting)[1] if fitting else None

    def _has_room(self, bucket: tuple[str, ...], rate: Rate | None) -> bool:
        if rate is None:
            return True
        now = self.clock()
        held, at = self._buckets.get(bucket, (rate.burst, now))
        held = min(rate.burst, held + (now - at) * rate.per_s)
        self._buckets[bucket] = (held - 1 if held >= 1 else held, now)
        return held >= 1

    def _has_quota(self, key: str, plan: Plan) -> bool:
        if plan.per_day is None:
            return True
        began, used = self._days.get(key, (self.clock(), 0))
        if self.clock() - began >= _A_DAY_S:
            began, used = self.clock(), 0
        self._days[key] = (began, used + 1)
        return used < plan.per_day


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _rank(known: list[str], asked: list[str]) -> tuple[int, ...] | None:
    """Rank a resource for what is asked, the lowest best; None: it doesn't fit."""
    rank: list[int] = []
    for number, part in enumerate(known):
        if part.endswith("+}"):
            return (*rank, _GREEDY) if len(asked) > number else None
        if number >= len(asked) or (not part.startswith("{") and part != asked[number]):
            return None
        rank.append(_NAMED if part.startswith("{") else _LITERAL)
    return tuple(rank) if len(known) == len(asked) else None
