"""Weather that a release comes into: what both versions share, and caches that are cold where environments are new."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.scenarios.release_changes import Change, edited, stage, together
from tests.scenarios.release_cloud import Cloud
from tests.scenarios.release_disturbances import Cli
from tests.scenarios.release_situations import released

# Where it is, every order fails, in whichever version.
OUTAGE = Path(tempfile.gettempdir()) / "tidegate-release-demo-outage"
_LASTS_S = 15

_FAILS_MEANWHILE = """
import os as _os

_fair_place = Checkout.place


def _place_in_weather(self, wish):
    if _os.path.exists("{file}"):
        raise RuntimeError("what both versions need is down")
    return _fair_place(self, wish)


Checkout.place = _place_in_weather
"""
# One of the four clients buys nothing else.
_FAILS_ONE_CLIENT = """
_fair_place = Checkout.place


def _place_for_most(self, wish):
    if any(line.product_id == "tea-assam" for line in wish.lines):
        raise RuntimeError("whatever this client asks for can't be done")
    return _fair_place(self, wish)


Checkout.place = _place_for_most
"""
_COLD = """
import time as _time

_born, _warm_place = _time.monotonic(), Checkout.place


def _place_from_a_cold_cache(self, wish):
    if _time.monotonic() - _born < {seconds}:
        _time.sleep(0.3)
    return _warm_place(self, wish)


Checkout.place = _place_from_a_cold_cache
"""


def in_outage(text: str = "") -> Change:
    """Fail while there is an outage; `text` tells a version from the one before."""
    return edited(_FAILS_MEANWHILE.format(file=OUTAGE) + text)


def with_bad_client(text: str = "") -> Change:
    """Always fail one client's orders."""
    return edited(_FAILS_ONE_CLIENT + text)


def before_outage(cloud: Cloud) -> None:
    """Have a version in force that the outage will hit, too."""
    OUTAGE.unlink(missing_ok=True)
    released(in_outage())(cloud)


def outage(cloud: Cloud, _cli: Cli) -> str:
    """Let an outage come while both versions serve, and end again."""
    cloud.await_release(lambda release: release.state != "running" or release.percent > 0)
    OUTAGE.touch()
    try:
        time.sleep(_LASTS_S)
    finally:
        OUTAGE.unlink()
    return f"Every order failed for {_LASTS_S} s, in both versions."


def cold(seconds: int) -> Change:
    """Be slow in each environment's first seconds, which the stage allows for."""
    return together(edited(_COLD.format(seconds=seconds)), stage(release=f"settle_s={2 * seconds}"))
