"""Whether what is promised for releases held, by what clients saw and which version is in force."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate_local.releases.item import ReleaseItem
from tidegate_local.scenarios.answers import Answer, failed, failures
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.report import Promise


@dataclass(frozen=True)
class Ending:
    """How a release ended: its last state, the API's versions in force before and after, what it said."""

    release: ReleaseItem
    before: str
    after: str
    printed: str


def promises(play: Play, good: Ending, bad: Ending, hurts: str) -> tuple[Promise, ...]:
    """Hold what was seen against what is promised; `hurts` begins the names of the flows that the bad version fails."""
    during = set(play.within("bad release"))
    hurt, others = failed(during), [answer for answer in play.answers if answer not in during]
    return (
        Promise(
            "The good release is promoted: all traffic goes to its version",
            good.release.ended_well and good.after == _new(good) != good.before,
            f"version {good.before} to {good.after}; {good.release.reason}",
        ),
        Promise(
            "No request fails before it, while it runs, or after it",
            *failures(others),
        ),
        Promise(
            "The bad release is stopped, and the version before is in force",
            bad.release.state == "rolled-back" and bad.after == bad.before,
            f"version {bad.after} is in force, {_new(bad)} was tried; {bad.release.reason}",
        ),
        Promise(
            f"Nobody but clients of the bad version's {hurts} is hurt",
            bool(hurt) and all(answer.flow.startswith(hurts) for answer in hurt),
            f"{len(hurt)} of {len(during):,} requests failed while it ran: {_flows(hurt)}",
        ),
    )


def _flows(answers: Sequence[Answer]) -> str:
    return ", ".join(sorted({answer.flow for answer in answers})) or "none"


def _new(ending: Ending) -> str:
    return next(number for name, number in ending.release.canary.items() if name.endswith("-api"))
