"""What became of a step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Seen:
    """What a step saw that held; `figures` are measured values by name, which ends in the unit."""

    what: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """A step as it ended: `seen` is what held, what didn't, or why it was not run. `usd` is an estimate from above."""

    step: str
    state: State
    seen: str
    seconds: float = 0.0
    usd: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)


class NotRunError(Exception):
    """A step can't be done here; the message says why. It is never taken for a step that passed."""
