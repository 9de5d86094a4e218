import signal
import sys

import pytest
from rich.console import Console

from tidegate_local import interruption
from tidegate_local.progress import Steps


@pytest.fixture
def taken(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    interruption.take()
    yield
    interruption.take()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("taken")
def test_a_signal_is_a_keyboard_interrupt(number):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGHUP)


def drop():
    dropped = Dropping()
    del dropped


@pytest.mark.usefixtures("taken")
def test_one_that_a_destructor_has_dropped_ends_the_step():
    steps = Steps(Console(quiet=True))
    with pytest.raises(KeyboardInterrupt), steps.step("Redis"):
        drop()
    with pytest.raises(KeyboardInterrupt), steps.step("the next one, too"):
        pytest.fail("the step has begun")
