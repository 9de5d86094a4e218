"""A release on the screen while something else goes on: the deploy that begins it, or nothing but waiting."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tidegate_local import interruption
from tidegate_local.errors import ReleaseError
from tidegate_local.releases import advice
from tidegate_local.releases.item import ReleaseItem
from tidegate_local.releases.machine_recovery import MachineRecovery
from tidegate_local.releases.place import Place, latest
from tidegate_local.releases.view import ReleaseView

_LOOK_EVERY_S = 0.5


def watch(place: Place, deploy: Callable[[], object], view: ReleaseView) -> ReleaseItem | None:
    """Deploy, and show the release that comes of it; returns it, None if there was nothing to release.

    The deploy is at work on the calling thread, where an interrupt reaches it.

    Raises:
        ReleaseError: it was rolled back.
        LocalCloudError: the deploy failed for another reason.
    """
    before = latest(place)
    failure: Exception | None = None
    with view.opened(), _shown(place, before, view):
        try:
            deploy()
        except Exception as error:  # noqa: BLE001 - raised below, unless the release says it better
            failure = error
    after = latest(place)
    released = after if after and (before is None or after.token != before.token) else None
    if released and released.state == "rolled-back":
        raise ReleaseError(f"Rolled back. {released.reason}") from failure
    if failure:
        raise failure
    return released


def follow(place: Place, view: ReleaseView) -> ReleaseItem | None:
    """Show the release that runs until it has ended; returns it, or the last one; None: there never was any.

    Raises:
        ReleaseError: its machine died.
    """
    pause, machine = threading.Event(), MachineRecovery(place, lambda _: None)
    with view.opened():
        while (now := place.releases().latest()) and now.state == "running":
            view.show(now)
            if machine.dead():
                raise ReleaseError(advice.machine_died(now.token, place.stage))
            interruption.check()
            pause.wait(_LOOK_EVERY_S)
    return now


@contextmanager
def _shown(place: Place, before: ReleaseItem | None, view: ReleaseView) -> Iterator[None]:
    """Show, during the block, the release that begins in it, or that ran already."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_EVERY_S):
            now = latest(place)
            if now and not ended.is_set() and (before is None or now.token != before.token or now.state == "running"):
                view.show(now)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join(_LOOK_EVERY_S)
