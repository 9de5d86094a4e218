"""Interruptions that aren't lost: an exception that a signal raises inside a destructor is dropped by Python."""

import signal
import sys
from collections.abc import Callable
from typing import NoReturn

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_seen: list[int] = []


def take() -> None:
    """From now on take SIGINT, SIGTERM and SIGHUP as KeyboardInterrupt."""
    _seen.clear()
    for number in _NUMBERS:
        signal.signal(number, _interrupt)
    sys.unraisablehook = _but_interrupts(sys.unraisablehook)


def check() -> None:
    """Raise KeyboardInterrupt if a signal has come, and its exception may have been dropped."""
    if _seen:
        raise KeyboardInterrupt


def forget() -> None:
    """Take what came so far as dealt with: what has to be done after it isn't interrupted by it once more."""
    _seen.clear()


def _but_interrupts(
    report: Callable[["sys.UnraisableHookArgs"], object],
) -> Callable[["sys.UnraisableHookArgs"], object]:
    """Report no interruption that a destructor dropped: `check` raises it again."""

    def reported(dropped: "sys.UnraisableHookArgs") -> None:
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            report(dropped)

    return reported


def _interrupt(number: int, _: object) -> NoReturn:
    _seen.append(number)
    raise KeyboardInterrupt
