"""The promises for a Redis that is down, while a network is cut under traffic."""

from contextlib import AbstractContextManager

from tidegate_local.errors import ProofError
from tidegate_local.prove.outcome import Seen
from tidegate_local.prove.site import Site
from tidegate_local.scenarios import demo
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.redis_down import Extent, play_breaking, until_back
from tidegate_local.scenarios.redis_verdict import TIMED
from tidegate_local.scenarios.report import Report

_QUIET_S, _CUT_S, _BETWEEN_S = 30.0, 90.0, 30.0


def under_cut(site: Site, cut: AbstractContextManager[None]) -> Seen:
    """Cut during traffic, and see that what is promised held.

    Raises:
        ProofError: it didn't; the message says what.
        NotRunError: it can't be cut here.
    """
    play, extent = Play(site.state), Extent(_QUIET_S, _CUT_S, _BETWEEN_S)

    def breaking() -> list[float]:
        play.lasts("before", "before", extent.quiet_s)
        with cut:
            play.did("The network is cut")
            play.lasts("cut", "during", extent.fault_s)
        play.did("The network is whole again")
        return [until_back(play, "after", extent)]

    return promised(play_breaking(play, demo.of_project(), extent, breaking), timed=site.timed)


def promised(report: Report, *, timed: bool) -> Seen:
    """See that all promises of a scenario held.

    Args:
        report: the scenario, played.
        timed: whether to judge how long answers took, too.

    Raises:
        ProofError: one didn't.
    """
    judged = [promise for promise in report.promises if timed or not promise.what.startswith(TIMED)]
    if broken := [f"{promise.what}: {promise.seen}" for promise in judged if not promise.held]:
        raise ProofError("; ".join(broken))
    unjudged = "" if timed else "; how long answers take isn't judged here"
    return Seen(f"{len(judged)} promises held over {len(report.answers)} answers{unjudged}")
