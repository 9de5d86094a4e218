"""Whether what is promised for a Redis that is down held, by what clients saw and what their writes have done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate_local.scenarios import decisions, text
from tidegate_local.scenarios.answers import Answer, failures, tally
from tidegate_local.scenarios.bound import Admissions, against_bound
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Promise
from tidegate_local.scenarios.traffic import Flow, RateLimit
from tidegate_local.telemetry.lines import RequestLine

DEFAULT_BUDGET_MS = 60
BACK_WITHIN_S = 30.0
# How the one promise begins that is about time.
TIMED = "p99 with Redis broken"


@dataclass(frozen=True)
class Writes:
    """What became of writes: how many were asked for, what they have done, and which had several answers."""

    asked: int
    done: Mapping[str, int]
    differing: tuple[str, ...]


def promises(
    play: Play, logged: Sequence[RequestLine], writes: Writes, back_s: Sequence[float], budget_ms: int
) -> tuple[Promise, ...]:
    """Hold what was seen against what is promised."""
    return (
        _no_failures(play.answers),
        _quick(play, budget_ms),
        _decided_elsewhere(play, logged),
        *(_bounded(flow, flow.limit, play.answers) for flow in play.flows.values() if flow.limit),
        *([_single(writes)] if writes.done else []),
        Promise(
            f"Redis decides again by itself within {BACK_WITHIN_S:.0f} s of its return",
            max(back_s) < float("inf"),
            "after " + ", ".join(f"{each:.1f}" for each in back_s) + " s",
        ),
    )


def _no_failures(answers: Sequence[Answer]) -> Promise:
    return Promise("No client gets a 5xx, and each gets an answer", *failures(answers))


def _quick(play: Play, budget_ms: int) -> Promise:
    before_ms = tally(play.during("before")).p99_ms or 0.0
    worst_ms = max(tally(play.within(p.name)).p99_ms or 0.0 for p in play.phases if p.when == "during")
    what = f"{TIMED} is at most {budget_ms} ms (the decision budget of this stage) above p99 before"
    at_default = "within" if worst_ms - before_ms <= DEFAULT_BUDGET_MS else "not within"
    seen = f"{before_ms:.0f} ms before, {worst_ms:.0f} ms in the worst phase; {at_default} the default budget of 60 ms"
    return Promise(what, worst_ms - before_ms <= budget_ms, seen)


def _decided_elsewhere(play: Play, logged: Sequence[RequestLine]) -> Promise:
    away = [phase for phase in play.phases if phase.name in {"refused", "hung"}]
    shares = {p.name: decisions.decided(decisions.between(logged, p.began, p.ended)).by_store for p in away}
    seen = "; ".join(f"{name}: {text.shares(by_store) or 'nobody'}" for name, by_store in shares.items())
    others = all(by_store and by_store.get("redis", 0.0) < 50 for by_store in shares.values())
    return Promise("While Redis is away another store decides", others, seen)


def _bounded(flow: Flow, limit: RateLimit, answers: Sequence[Answer]) -> Promise:
    found = admissions(flow.name, limit, answers)
    bound = f"burst + 1 + rate x time ({limit.burst} + 1 + {limit.per_s:g}/s)"
    seen = f"{found.admitted} admitted, {found.refused} refused; at most {found.most:.0%} of the bound in any stretch"
    held = found.most <= 1 and found.refused > 0
    return Promise(f"{flow.name.capitalize()}: never more than {bound}", held, seen)


def admissions(flow: str, limit: RateLimit, answers: Sequence[Answer]) -> Admissions:
    """Hold a flow's requests against the limit's bound; refusals of the edge aren't the limit's."""
    asked = [answer for answer in answers if answer.flow == flow]
    admitted = [(answer.asked_at, answer.ended_at) for answer in asked if answer.by in {"handler", "failed", "nobody"}]
    refused = sum(answer.by == "limits" for answer in asked)
    return against_bound(admitted, refused, rate_per_s=limit.per_s, burst=limit.burst)


def _single(writes: Writes) -> Promise:
    seen = f"{writes.asked} asked for, " + ", ".join(f"{count} {what}" for what, count in writes.done.items())
    if writes.differing:
        seen += f"; of {len(writes.differing)} the answers differ"
    held = set(writes.done.values()) == {writes.asked} and not writes.differing and writes.asked > 0
    return Promise("Each write, asked for two times and more: done once, one answer", held, seen)
