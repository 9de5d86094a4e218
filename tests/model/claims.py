"""What has to hold of claims, and the models in which that is checked: by route, faults and who asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from tests.model.checker import Invariant
from tests.model.claim_programs import INVOCATION_TICKS, Asker, Route, point
from tests.model.claim_steps import Attempt, ClaimSteps, State, Step
from tests.model.claim_stores import Frozen, attribute, wall_ms
from tidegate.web.stored_response import StoredResponse

# Each environment's clock is within one tick (5 s) of the truth.
SKEW = 1


class ClaimModel(NamedTuple):
    """One model of claims.

    Attributes:
        name, bounds: as the table shows them.
        steps: what may happen.
        who: the attempts, as they may be.
        faults: how many faults may happen in all.
        invariants: what has to hold.
    """

    name: str
    bounds: str
    happens: ClaimSteps
    who: Sequence[tuple[Asker, ...]]
    faults: int
    invariants: Sequence[Invariant[State]]

    def begins(self) -> Iterable[State]:
        for askers in self.who:
            yield State(0, None, None, tuple(map(Attempt, askers)), faults=self.faults)

    def steps(self, state: State) -> Iterable[Step]:
        return self.happens(state)

    def at_rest(self, state: State) -> bool:
        """Whether every request has ended, as it may have from any state."""
        return all(attempt.is_over for attempt in state.attempts) and not state.late


def lives(item: Frozen | None, now: float) -> bool:
    """Whether an item stands by every clock of the fleet."""
    return item is not None and wall_ms(now + SKEW) < int(attribute(item, "expires_at")) * 1000


@lru_cache(maxsize=100_000)
def record(item: Frozen | None) -> StoredResponse | None:
    """Return the answer that an item keeps."""
    kept = attribute(item, "record")
    return None if kept is None else StoredResponse.decode(kept)


def _began(before: State | None, after: State) -> Iterable[Attempt]:
    """Return the attempts whose handlers have just begun."""
    for was, attempt in zip((before or after).attempts, after.attempts, strict=True):
        if was.began is None and attempt.began is not None:
            yield attempt


def answer_stands(before: State | None, after: State) -> bool:
    if before is None or record(before.item) is None or not lives(before.item, after.now):
        return True
    return record(after.item) == record(before.item)


def completed_by_its_holder(before: State | None, after: State) -> bool:
    kept = record(after.item)
    if before is None or kept is None or before.item == after.item:
        return True
    return attribute(before.item, "attempt_id").encode() == dict(kept.headers)[b"by"]


def hold_stands(before: State | None, after: State) -> bool:
    """Nobody takes a claim over before its deadline by the fastest clock, unless it was given up."""
    if before is None or record(before.item) is not None or not lives(before.item, after.now):
        return True
    holder, heir = attribute(before.item, "attempt_id"), attribute(after.item, "attempt_id")
    if heir in {None, holder, "-"} or holder == "-":
        return True
    return int(attribute(before.item, "deadline_ms")) <= wall_ms(after.now + SKEW)


def one_at_a_time(before: State | None, after: State) -> bool:
    """No other handler is at work that may be, by Lambda's timeout."""
    return not any(
        other is not attempt and at_work(other) and after.now < other.came + INVOCATION_TICKS
        for attempt in _began(before, after)
        for other in after.attempts
    )


def at_work(attempt: Attempt) -> bool:
    """Whether its handler has begun and has no answer yet."""
    return attempt.began is not None and attempt.answer is None and not attempt.is_over


def not_after_an_answer(before: State | None, after: State) -> bool:
    if not any(_began(before, after)):
        return True
    return record(after.item) is None or not lives(after.item, after.now)


def runs_once(before: State | None, after: State) -> bool:
    """Handlers that haven't declined have run once, however their attempts ended."""
    return sum(one.began is not None and not (one.answer and one.answer.status == 503) for one in after.attempts) <= 1


def own_answers(before: State | None, after: State) -> bool:
    """An answer was made for what its hearer sent, and under what it showed."""
    for attempt in after.attempts:
        if attempt.heard is not None and attempt.heard.status == 201:
            made_for = f"{attempt.asker.payload} for {attempt.asker.credential},".encode()
            if not attempt.heard.body.startswith(made_for):
                return False
    return True


def one_answer(before: State | None, after: State) -> bool:
    """All who are told that it is done are told the same."""
    return len({one.heard.body for one in after.attempts if one.heard is not None and one.heard.status == 201}) <= 1


def points_stay(before: State | None, after: State) -> bool:
    """Recovery points stay under a claim that lives and isn't completed, whoever holds it."""
    if before is None or not attribute(before.item, "points") or not lives(before.item, after.now):
        return True
    return record(after.item) is not None or attribute(after.item, "points") is not None


def points_are_told(before: State | None, after: State) -> bool:
    """Whoever begins is told of the points that its claim has."""
    for attempt in _began(before, after):
        if attribute(after.item, "attempt_id") == attempt.asker.attempt_id:
            assert attempt.holding is not None
            if attempt.holding.points != (attribute(after.item, "points") or b""):
                return False
    return True


def points_are_kept(before: State | None, after: State) -> bool:
    """A point that a handler was told is kept is kept."""
    for was, attempt in zip((before or after).attempts, after.attempts, strict=True):
        told = attempt.phase == "runs" and attempt.holding is not None and not attempt.holding.lost
        recording = was.calls is not None and was.calls.program.does == "record"
        if told and recording and attribute(after.item, "points") != point(attempt.asker):
            return False
    return True


STANDS = Invariant[State]("An answer that is kept is never replaced while it lives.", answer_stands)
FENCE = Invariant[State]("Only who holds the claim completes it.", completed_by_its_holder)
HOLD = Invariant[State]("Nobody takes a claim over before its time is up by any clock.", hold_stands)
ALONE = Invariant[State]("No handler begins while another one is at work in its time.", one_at_a_time)
ONCE_KEPT = Invariant[State]("No handler runs after an answer is kept, while it lives.", not_after_an_answer)
ONCE = Invariant[State]("A handler runs once, even if it crashed.", runs_once)
OWN = Invariant[State]("Nobody gets what was made for another payload or credential.", own_answers)
SAME = Invariant[State]("All who are told that it is done are told the same.", one_answer)
POINTS = (
    Invariant[State]("Recovery points stay under their claim while it lives.", points_stay),
    Invariant[State]("Who takes a claim over is told of its recovery points.", points_are_told),
    Invariant[State]("A recovery point that is acknowledged is kept.", points_are_kept),
)
GUARDED = (STANDS, FENCE, HOLD, ONCE_KEPT)


def _pairs(*others: Asker, deep: bool) -> list[tuple[Asker, ...]]:
    """Return attempts by environments whose clocks are off by as much as they may be: one slow, one fast."""
    first = Asker(0)
    ways = list(product((-SKEW, SKEW), repeat=2)) if deep else [(-SKEW, SKEW), (SKEW, -SKEW)]
    return [(first._replace(skew=ours), other._replace(skew=theirs)) for other in others for ours, theirs in ways]


def models(*, deep: bool = False) -> list[ClaimModel]:
    """Return all models of claims; `deep`: with wider bounds."""
    again = Asker(1)

    def made(
        name: str, happens: ClaimSteps, invariants: Sequence[Invariant[State]], *others: Asker, faults: int
    ) -> ClaimModel:
        bounds = f"2 attempts, {happens.ticks} ticks of 5 s, clocks ±5 s, {faults} fault{'s' if faults > 1 else ''}"
        return ClaimModel(name, bounds, happens, _pairs(*others, deep=deep), faults, invariants)

    faults = 2 if deep else 1
    ticks = 6 if deep else 4
    other_payload, other_credential = again._replace(payload="milk"), again._replace(credential="ben")
    return [
        made(
            "claims, fenced effect",
            ClaimSteps(Route(lifetime_ms=10_000), ticks, fenced=True),
            (*GUARDED, ALONE, SAME),
            again,
            faults=faults,
        ),
        made(
            "claims, handler may decline",
            ClaimSteps(Route(), ticks - 1, declines=True),
            (*GUARDED, ALONE),
            again,
            faults=faults,
        ),
        made(
            "claims, other payload or credential",
            ClaimSteps(Route(), ticks - 1),
            (*GUARDED, ALONE, OWN),
            other_payload,
            other_credential,
            faults=faults,
        ),
        made(
            "claims, on_unknown=hold",
            ClaimSteps(Route(holds_unknown=True), ticks - 1),
            (*GUARDED, ONCE),
            again,
            faults=faults,
        ),
        made(
            "claims, recovery points",
            ClaimSteps(Route(recovers=True), ticks - 2),
            (*GUARDED, *POINTS),
            again,
            faults=faults,
        ),
        made(
            "claims, renewed on a server",
            ClaimSteps(Route(on_server=True), ticks - 1),
            GUARDED,
            again,
            faults=faults,
        ),
        made(
            "claims, Redis alone holds them",
            ClaimSteps(Route(in_redis=True, guarded=False), ticks, forgets=False),
            (ALONE,),
            again,
            faults=faults,
        ),
    ]
