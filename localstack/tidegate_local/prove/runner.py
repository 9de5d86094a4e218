"""Runs the steps of a proof, and its end in any case: after a failure, an interruption, a cap that is reached."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from tidegate_local import interruption
from tidegate_local.errors import LocalCloudError
from tidegate_local.prove.outcome import NotRunError, Outcome, State
from tidegate_local.prove.plan import Caps, Step, checked, cost, hindrance
from tidegate_local.prove.site import Site

Clock = Callable[[], float]
_Told = TypeVar("_Told", Step, Outcome)
_INTERRUPTED = "interrupted: if anything is left at the end, --only-destroy --env NAME takes it away"


class View(Protocol):
    """What shows a proof while it runs."""

    def begins(self, step: Step) -> None:
        """Take notice of a step that begins."""

    def ended(self, outcome: Outcome) -> None:
        """Take notice of how one ended."""


class _TookTooLongError(Exception):
    """A step went on beyond its longest time."""


def prove(
    site: Site, plan: Sequence[Step], end: Step, caps: Caps, view: View, clock: Clock = time.monotonic
) -> tuple[Outcome, ...]:
    """Run a plan and then its end, which runs whatever happened before.

    Args:
        site: where.
        plan: the steps, in order.
        end: takes everything away again.
        caps: what the plan may cost and take; the end isn't bound by them.
        view: is told of each step.
        clock: monotonic seconds.

    Returns:
        What became of every step, those that didn't run too, the end's last.
    """
    checked((*plan, end))
    outcomes: list[Outcome] = []
    stopped: BaseException | None = None
    try:
        for step in plan:
            why = hindrance(step, outcomes, caps, end)
            outcomes.append(Outcome(step.name, "not run", why) if why else _run(site, step, view, clock))
            _tell(view.ended, outcomes[-1])
            interruption.check()
            if outcomes[-1].seen == _INTERRUPTED:
                break
    except BaseException as error:  # noqa: BLE001 - whatever it is, an environment that costs money stands
        stopped = error
    interruption.forget()  # the one that led here; the next one cuts the end short, and that is said
    missing = plan[len(outcomes) :]
    outcomes.extend(Outcome(step.name, "not run", "the proof was interrupted before it") for step in missing)
    outcomes.append(_run(site, end, view, clock))
    if stopped is not None and not isinstance(stopped, KeyboardInterrupt):
        raise stopped
    with suppress(KeyboardInterrupt):
        for outcome in outcomes[-1 - len(missing) :]:
            _tell(view.ended, outcome)
    return tuple(outcomes)


def _tell(view: Callable[[_Told], None], what: _Told) -> None:
    with suppress(OSError):  # a terminal that was closed
        view(what)


def _run(site: Site, step: Step, view: View, clock: Clock) -> Outcome:
    began = clock()

    def outcome(state: State, seen: str) -> Outcome:
        seconds = clock() - began
        return Outcome(step.name, state, seen, seconds, cost(step, seconds))

    try:
        _tell(view.begins, step)
        with _at_most(step.longest_s):
            seen = step.run(site)
        interruption.check()
    except KeyboardInterrupt:
        return outcome("failed", _INTERRUPTED)
    except NotRunError as reason:
        return Outcome(step.name, "not run", str(reason), clock() - began)
    except _TookTooLongError:
        return outcome("failed", f"it was stopped after {step.longest_s / 60:.0f} min, its longest time")
    except (LocalCloudError, BotoCoreError, ClientError, OSError) as error:
        return outcome("failed", str(error))
    except Exception as error:  # noqa: BLE001 - a fault of the proof's own must not leave an environment behind
        return outcome("failed", f"{type(error).__name__}: {error}")
    seconds = clock() - began
    return Outcome(step.name, "passed", seen.what, seconds, cost(step, seconds), seen.figures)


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Stop the block after so many seconds, where that can be done: signals reach the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TookTooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
