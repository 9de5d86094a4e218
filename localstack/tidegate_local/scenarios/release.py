"""What happens during a release? A good one and a bad one, of changed copies of the repository, under traffic."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from tidegate_local.errors import ScenarioError
from tidegate_local.layout import StateFolder
from tidegate_local.releases import place as releases
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.place import Place
from tidegate_local.scenarios import copies, decisions, report
from tidegate_local.scenarios.demo import Change, Demo, same
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.release_verdict import Ending, promises
from tidegate_local.scenarios.report import Report
from tidegate_local.scenarios.warming import warm

NAME = "release"
QUESTION = "What happens during a release?"
Sort = Literal["good", "bad"]
FAILING_SHARE = 0.05
# Long steps: the judge is to be sure, not to run out of time.
_WAYS = {"good": (), "bad": ("--strategy", "20,50", "--step-s", "120")}
_WITHIN_S = 600.0
_ENVIRONMENTS = 12
_QUIET_S = 6.0
_REQUESTS_PER_S = 20.0
# How long a release usually lasts: for the bar on the screen alone.
_USUALLY_S = {"good": 40.0, "bad": 70.0}


def play(folder: StateFolder, play: Play, demo: Demo) -> Report:
    """Release well and badly under traffic, and hold what clients saw against what is promised.

    Afterwards the working tree is in force again.

    Raises:
        LocalCloudError: it can't be released, or the scenario was stopped.
    """
    warm(play.state, demo.warming, _ENVIRONMENTS)
    failing = demo.failing(FAILING_SHARE)
    weights = [(time.time(), 0.0)]
    with copies.own_version_afterwards(folder), demo.clients(play.state) as clients:
        with play.traffic(clients.release(_REQUESTS_PER_S)):
            play.lasts("before", "before", _QUIET_S)
            good = _shown(folder, "good", same(demo, "a good release"), play, weights)
            play.lasts("between", "after", _QUIET_S)
            bad = _shown(folder, "bad", failing, play, weights)
            play.lasts("after", "after", _QUIET_S)
        logged = decisions.read(play.state, play.since())
    weights.append((play.phases[-1].ended, weights[-1][1]))
    held = promises(play, good, bad, failing.hurts)
    about = (
        f"The bad version {failing.about}, and nothing else",
        "Clients don't repeat a failed request: a failure is replayed, and would hurt them twice",
    )
    return report.of_play(play, logged, held, name=NAME, question=QUESTION, about=about, weights=weights)


def _shown(folder: StateFolder, sort: Sort, change: Change, play: Play, weights: list[tuple[float, float]]) -> Ending:
    def seen(item: ReleaseItem) -> None:
        percent = _percent(item)
        if percent != weights[-1][1]:
            weights.append((time.time(), percent))
        _tell(play, item)

    play.did(f"A {sort} release begins")
    weights.append((time.time(), 0.0))
    with play.phase(f"{sort} release", "during", _USUALLY_S[sort]):
        ending = released(folder, sort, change, play, seen)
    seen(ending.release)
    play.did(f"The {sort} release is {ending.release.state.replace('-', ' ')}: version {ending.after} is in force")
    return ending


def bad_release(folder: StateFolder, play: Play, demo: Demo) -> Ending:
    """Release a copy that fails 5 % of its writes, under traffic; what was in force before is so afterwards.

    Raises:
        LocalCloudError: it couldn't be released, or the scenario was stopped.
    """
    with demo.clients(play.state) as clients, play.traffic(clients.release(_REQUESTS_PER_S)):
        return released(folder, "bad", demo.failing(FAILING_SHARE), play, lambda item: _tell(play, item))


def _tell(play: Play, item: ReleaseItem) -> None:
    play.view.tell(f"release: {item.phase}, new version at {_percent(item):g} %")


def _percent(item: ReleaseItem) -> float:
    return item.percent if item.state == "running" else 100.0 * item.ended_well


def released(
    folder: StateFolder, sort: Sort, change: Change, play: Play, seen: Callable[[ReleaseItem], None]
) -> Ending:
    """Release a changed copy of the repository to a cloud that is up, and wait for its end.

    `seen` is told of the release a few times a second.

    Raises:
        ScenarioError: nothing was released, or the scenario was stopped.
    """
    with copies.copy(folder) as clone, releases.local_place(play.state) as place:
        clone.append(change.file, f"{change.lines}\n# {time.time_ns()}")
        before, last = in_force(place), releases.latest(place)
        with clone.start("release", *_WAYS[sort]) as cli:
            try:
                found = _follow(place, last, cli, play, seen)
                printed, _ = cli.communicate(timeout=_WITHIN_S)
            finally:
                _end(place, cli)
        if found is None:
            raise ScenarioError(f"Nothing was released. `tidegate release` of the copy said:\n{printed}")
        return Ending(releases.latest(place) or found, before, in_force(place), printed)


def in_force(place: Place) -> str:
    """Return the API's version that its alias names."""
    api, alias = place.outputs["FunctionName"], place.outputs["AliasName"]
    return str(place.client("lambda").get_alias(FunctionName=api, Name=alias)["FunctionVersion"])


def _follow(
    place: Place,
    last: ReleaseItem | None,
    cli: subprocess.Popen[str],
    play: Play,
    seen: Callable[[ReleaseItem], None],
) -> ReleaseItem | None:
    """Show the release until its command has ended; returns what was seen of it at last."""
    found: ReleaseItem | None = None

    def ended() -> bool:
        nonlocal found
        now = releases.latest(place)
        if now and (last is None or now.token != last.token):
            found = now
            seen(now)
        return cli.poll() is not None

    if not play.until(ended, _WITHIN_S):
        raise ScenarioError(f"The release didn't end within {_WITHIN_S:.0f} s. Abort it: `tidegate release --abort`.")
    return found


def _end(place: Place, cli: subprocess.Popen[str]) -> None:
    """Let no release run on after an interruption."""
    if cli.poll() is None:
        place.releases().demand("abort")
        with suppress(subprocess.TimeoutExpired):
            cli.wait(120)
        cli.kill()
