"""A changed copy of the repository, released to a site under traffic."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

from tidegate_local.errors import ProofError
from tidegate_local.prove.site import Site
from tidegate_local.releases import place as releases
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.place import Place
from tidegate_local.scenarios import demo
from tidegate_local.scenarios.answers import Answer
from tidegate_local.scenarios.clone import Clone
from tidegate_local.scenarios.demo import Change
from tidegate_local.scenarios.play import Play
from tidegate_local.scenarios.release import in_force
from tidegate_local.scenarios.warming import warm

_ENVIRONMENTS = 6
_WITHIN_S = 4200.0
_AFTER_ABORT_S = 300.0


@dataclass(frozen=True)
class Released:
    """How it ended: the release, the API's version in force before and after, and what clients were answered.

    `timed`: who got no answer in time was failed, too.
    """

    item: ReleaseItem
    before: str
    after: str
    answers: tuple[Answer, ...]
    timed: bool

    @property
    def failed(self) -> tuple[Answer, ...]:
        """Answers that no client should get."""
        # Of scenarios.answers.WHO; what was shed on purpose is no failure.
        failed = {"failed", "nobody"} if self.timed else {"failed"}
        return tuple(answer for answer in self.answers if answer.by in failed)


def release(
    site: Site, change: Change, way: Sequence[str], meanwhile: Callable[[ReleaseItem, Place], bool] | None = None
) -> Released:
    """Release it and wait for the end.

    Args:
        site: where.
        change: what is changed.
        way: options of `tidegate release`.
        meanwhile: is shown the release as it goes, until it returns True.

    Raises:
        ProofError: nothing was released, or it doesn't end.
    """
    play, own = Play(site.state), demo.of_project()
    warm(site.state, own.warming, _ENVIRONMENTS)
    with tempfile.TemporaryDirectory() as scratch, site.place() as place, own.clients(site.state) as clients:
        clone = Clone.at(Path(scratch, "copy"), dict(site.environ))
        clone.append(change.file, f"{change.lines}\n# {time.time_ns()}")
        before, last = in_force(place), releases.latest(place)
        with (
            play.traffic(clients.release(site.requests_per_s)),
            clone.start("release", "--stage", site.stage, *way) as cli,
        ):
            try:
                _follow(play, place, last, lambda: cli.poll() is not None, meanwhile)
                printed, _ = cli.communicate(timeout=_WITHIN_S)
            finally:
                if cli.poll() is None:
                    place.releases().demand("abort")
                    _end(cli.wait)
        found = releases.latest(place)
        if found is None or (last is not None and found.token == last.token):
            raise ProofError(f"Nothing was released. `tidegate release` said:\n{printed[-2000:]}")
        return Released(found, before, in_force(place), tuple(play.answers), site.timed)


def _follow(
    play: Play,
    place: Place,
    last: ReleaseItem | None,
    ended: Callable[[], bool],
    meanwhile: Callable[[ReleaseItem, Place], bool] | None,
) -> None:
    done = meanwhile is None

    def over() -> bool:
        nonlocal done
        if not done and meanwhile is not None:
            now = releases.latest(place)
            done = now is not None and (last is None or now.token != last.token) and meanwhile(now, place)
        return ended()

    if not play.until(over, _WITHIN_S):
        raise ProofError(f"The release didn't end within {_WITHIN_S / 60:.0f} min")


def _end(wait: Callable[[float], int]) -> None:
    try:
        wait(_AFTER_ABORT_S)
    except TimeoutExpired as error:
        raise ProofError("The release doesn't end, though it was told to abort") from error


def none_failed(done: Released) -> None:
    """See that no client was failed.

    Raises:
        ProofError: some were; the message counts what they got.
    """
    got = Counter(str(answer.status or "no answer") for answer in done.failed)
    told = ", ".join(f"{count} times {what}" for what, count in got.items())
    require(not done.failed, f"{len(done.failed)} of {len(done.answers)} answers failed clients: {told}")


def require(held: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """See that something holds.

    Raises:
        ProofError: it doesn't.
    """
    if not held:
        raise ProofError(what)
