"""Leads a simulated release as the machine does: looks, steps, replays, the bake, and what a hold comes to."""

from __future__ import annotations

from typing import NamedTuple

from functions.rollout.judge import Plan, after, decide, nothing, replays
from functions.rollout.replays import CALL_S
from functions.rollout.watching import MOST_TOP_UPS
from tests.simulation.releases_stream import Stream


class Way(NamedTuple):
    """A stage's own: its plan, how often it looks, and what it does where the plan says to hold.

    Attributes:
        bakes: whether the last step is the bake, by which a release is decided already.
    """

    plan: Plan
    look_s: int
    bakes: bool
    replay_per_s: int = 0


class Judged(NamedTuple):
    """A rule's word on a release.

    Attributes:
        outcome: "pass", "fail", or "held": it waits for a person.
        requests: the canary's, up to then.
        seconds: since the first weight.
        decided_s: when the steps before the bake were passed, or the release failed; None: never.
        replayed: requests that the release sent itself.
    """

    outcome: str
    requests: int
    seconds: int
    decided_s: int | None = None
    replayed: int = 0


def lead(stream: Stream, way: Way) -> Judged:
    """Let the judge lead a release until it ends."""
    plan = way.plan
    known = after(plan, nothing(), stream.past())
    now_s = requests = replayed = 0
    decided_s: int | None = None
    for number, step in enumerate(plan.steps):
        began_s, sending, calls = now_s, 0, 0
        while True:
            length_s = way.look_s + (CALL_S if sending else 0)
            bucket = stream.look(number, step.percent, now_s, length_s)
            if sending:
                bucket = stream.replay(sending, now_s, CALL_S, bucket)
                replayed += 2 * sending
            known = after(plan, known, bucket)
            now_s += length_s
            requests += bucket.canary.warm.requests
            verdict = decide(plan, known, number, now_s - began_s, stream.alarms)
            if verdict is None:
                wanted = replays(plan, known, number, now_s - began_s) if way.replay_per_s else 0
                sending = min(wanted, way.replay_per_s * CALL_S) if calls < MOST_TOP_UPS else 0
                calls += bool(sending)
                continue
            if verdict.outcome == "fail":
                return Judged("fail", requests, now_s, decided_s or now_s, replayed)
            if verdict.outcome == "inconclusive" and verdict.then == "hold":
                return Judged("held", requests, now_s, None, replayed)
            break
        if number == len(plan.steps) - 1 - way.bakes:
            decided_s = now_s
    return Judged("pass", requests, now_s, decided_s, replayed)
