"""Whether what is promised for a storm held, by what clients saw."""

import math
from collections.abc import Sequence

from tidegate_local.engines import gaps
from tidegate_local.scenarios.answers import Answer, failures, tally
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Promise
from tidegate_local.scenarios.traffic import Criticality

_SERVED_WITHIN_MS = 2000.0
_PARTS = ("edge", "limits", "shedding", "cache", "queue")
_STORM = ("burst", "surge")
_LEVELS: tuple[Criticality, ...] = ("sheddable", "normal", "critical")


def promises(play: Play, undone: Sequence[str]) -> tuple[Promise, ...]:
    """Hold what was seen against what is promised."""
    raging = [answer for name in _STORM for answer in play.within(name)]
    return (
        _critical(play, raging),
        _no_failures(play.answers),
        _quick(raging),
        _each_took_part(raging, parts(play)),
        _dearest_last(play, play.within("surge")),
        _queued(play.answers, undone),
    )


def _critical(play: Play, raging: Sequence[Answer]) -> Promise:
    asked = [answer for answer in raging if play.flows[answer.flow].criticality == "critical"]
    served = sum(answer.by in {"handler", "replay"} for answer in asked)
    what = "Of the critical requests at least 99 % are served"
    return Promise(what, bool(asked) and served >= 0.99 * len(asked), f"{served} of {len(asked)}")


def _no_failures(answers: Sequence[Answer]) -> Promise:
    what = "No 5xx but the 503 of shedding, which is problem+json with Retry-After; each request gets an answer"
    return Promise(what, *failures(answers))


def _quick(raging: Sequence[Answer]) -> Promise:
    admitted = tally([answer for answer in raging if answer.by in {"handler", "cache", "replay", "queue"}])
    p99_ms = admitted.p99_ms or math.inf
    what = f"p99 of what is admitted is at most {_SERVED_WITHIN_MS:.0f} ms"
    return Promise(what, p99_ms <= _SERVED_WITHIN_MS, f"{p99_ms:.0f} ms; p50 {admitted.p50_ms or math.inf:.0f} ms")


def parts(play: Play) -> tuple[str, ...]:
    """Return what can take part on the play's engine: not each enforces throttles at the edge."""
    lacking = {gap.name for gap in gaps.of(play.state.engine, play.state.software)}
    return _PARTS[1:] if gaps.EDGE_THROTTLES in lacking else _PARTS


def _each_took_part(raging: Sequence[Answer], expected: Sequence[str]) -> Promise:
    counts = tally(raging).by_who
    seen = ", ".join(f"{part} {counts.get(part, 0):,}" for part in _PARTS)
    what = f"{', '.join(expected[:-1]).capitalize()} and {expected[-1]} each take their part"
    return Promise(what, all(map(counts.get, expected)), seen)


def _dearest_last(play: Play, surging: Sequence[Answer]) -> Promise:
    shares = {level: _shed_share(play, surging, level) for level in _LEVELS}
    held = shares["sheddable"] >= shares["normal"] >= shares["critical"] == 0
    seen = ", ".join(f"{level} {share:.0%}" for level, share in shares.items())
    return Promise("What is least critical is shed first, and nothing critical", held, f"shed in the surge: {seen}")


def _shed_share(play: Play, answers: Sequence[Answer], level: Criticality) -> float:
    asked = [answer for answer in answers if play.flows[answer.flow].criticality == level]
    inside = [answer for answer in asked if answer.by != "edge"]
    return sum(answer.by == "shedding" for answer in inside) / len(inside) if inside else 0.0


def _queued(answers: Sequence[Answer], undone: Sequence[str]) -> Promise:
    queued = sum(answer.by == "queue" for answer in answers)
    return Promise("What was queued is done in the end", not undone, f"{queued - len(undone)} of {queued}")
