"""The buttons of a local cloud: its Redis is lost in four ways, a storm comes, a bad version is released."""

import signal
from collections.abc import Callable, Mapping, Sequence

from tidegate_local.console.actions import Action, Progress
from tidegate_local.errors import StateError
from tidegate_local.layout import StateFolder
from tidegate_local.scenarios import release, storm
from tidegate_local.scenarios.answers import Answer, tally
from tidegate_local.scenarios.demo import Demo
from tidegate_local.scenarios.faults import RedisFaults
from tidegate_local.scenarios.play import Deed, Play
from tidegate_local.state import LocalState

_EXTERNAL = "This cloud's engine is not ours, so nothing is broken here. `make up` without ENDPOINT starts one that is."
_DOWN = "The cloud is down. Start it with `make up`."


def refusal(folder: StateFolder) -> str | None:
    """Say why nothing may be broken: only a local engine that we started is there to be broken; None: it may."""
    try:
        state = LocalState.read(folder.state_file)
    except StateError as error:
        return str(error)
    if state is None:
        return _DOWN
    return _EXTERNAL if state.engine == "external" else None


def actions(folder: StateFolder, demo: Demo | None) -> Mapping[str, Action]:
    """Return the buttons for the cloud of a state folder; a project without a demo has none for scenarios."""
    faults = RedisFaults(folder)

    def kill(_: Progress) -> str:
        faults.kill()
        return "Redis is killed: connections are reset, new ones refused."

    def hang(_: Progress) -> str:
        faults.hang()
        return f"Redis hangs ({signal.SIGSTOP.name}): it accepts connections and never answers."

    def resume(_: Progress) -> str:
        faults.resume()
        return "Redis goes on, with all that it knew."

    def restart(_: Progress) -> str:
        faults.restart_empty()
        return "Redis is started again, empty."

    return {
        "kill": Action("Kill Redis", "SIGKILL: connections are reset, new ones refused", "redis", kill),
        "hang": Action("Hang Redis", "SIGSTOP: it accepts connections and never answers", "redis", hang),
        "resume": Action("Resume Redis", "SIGCONT: one that hangs goes on with all it knew", "redis", resume),
        "restart": Action("Restart Redis", "Started again on its port, empty", "redis", restart),
        **(_scenarios(folder, demo) if demo else {}),
    }


def _scenarios(folder: StateFolder, demo: Demo) -> Mapping[str, Action]:
    storming = "Ten times the usual traffic of three tiers, for half a minute"
    failing = f"A version that {demo.failing(release.FAILING_SHARE).about}, released under traffic"
    return {
        "storm": Action("Storm", storming, "scenario", _storm(folder, demo)),
        "bad-release": Action("Bad release", failing, "scenario", _bad(folder, demo)),
    }


class _Told:
    """A scenario's view that tells the page what is done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._said = ""

    def began(self, phase: str, seconds: float) -> None:
        self._progress.tell(f"{phase.capitalize()}, for about {seconds:.0f} s")

    def did(self, deed: Deed) -> None:
        self._progress.tell(deed.what)

    def tell(self, note: str) -> None:
        if note != self._said:
            self._said = note
            self._progress.tell(note)

    def look(self, answers: Sequence[Answer]) -> None:
        """Nothing: the page shows what the application says of itself."""


def _play(folder: StateFolder, progress: Progress) -> Play:
    return Play(LocalState.require(folder.state_file), view=_Told(progress), stop=progress.stop)


def _storm(folder: StateFolder, demo: Demo) -> Callable[[Progress], str]:
    def run(progress: Progress) -> str:
        play = _play(folder, progress)
        storm.rage(play, demo)
        return f"The storm is over. What clients saw: {_summed(play.answers)}."

    return run


def _bad(folder: StateFolder, demo: Demo) -> Callable[[Progress], str]:
    def run(progress: Progress) -> str:
        play = _play(folder, progress)
        progress.tell("A changed copy of the repository is built and deployed as a release; that takes a minute or two")
        ending = release.bad_release(folder, play, demo)
        state = ending.release.state.replace("-", " ")
        failed = sum(answer.by == "failed" for answer in play.answers)
        return (
            f"The bad release was {state}: {ending.release.reason} Version {ending.after} is in force. "
            f"{failed} of {len(play.answers):,} requests failed."
        )

    return run


def _summed(answers: Sequence[Answer]) -> str:
    return ", ".join(f"{who} {count:,}" for who, count in tally(answers).by_who.items())
