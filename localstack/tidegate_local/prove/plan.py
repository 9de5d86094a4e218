"""Which steps there are, and whether the next one may begin: pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate_local.prove.outcome import Outcome, Seen
from tidegate_local.prove.site import Site

# What stands while it is proven: docs/aws.md has a month of it, which is 4 to 7 cents an hour.
STANDING_USD_PER_H = 0.10


@dataclass(frozen=True)
class Step:
    """One step of the proof.

    `longest_s` bounds it; `usd` bounds what it costs beside what stands; `needs` are steps that must have passed.
    """

    name: str
    what: str
    run: Callable[[Site], Seen]
    longest_s: float
    usd: float = 0.0
    needs: tuple[str, ...] = ()

    @property
    def most_usd(self) -> float:
        """What it can cost, with what stands meanwhile."""
        return self.usd + STANDING_USD_PER_H * self.longest_s / 3600


@dataclass(frozen=True)
class Caps:
    """What a proof may cost and how long it may take, its end apart, which always runs."""

    usd: float = 5.0
    seconds: float = 3 * 3600.0


def hindrance(step: Step, before: Sequence[Outcome], caps: Caps, end: Step) -> str | None:
    """Return why a step may not begin; None: it may.

    Args:
        step: the step.
        before: what became of those before it.
        caps: what all of it may cost and take.
        end: the last step, for which enough must be left.
    """
    passed = {outcome.step for outcome in before if outcome.state == "passed"}
    if missing := [name for name in step.needs if name not in passed]:
        return f"it needs {' and '.join(missing)}, which didn't pass"
    spent_usd, spent_s = sum(outcome.usd for outcome in before), sum(outcome.seconds for outcome in before)
    if spent_usd + step.most_usd + end.most_usd > caps.usd:
        return (
            f"it may cost {step.most_usd:.2f} USD, and of the cap of {caps.usd:.2f} USD {spent_usd:.2f} are spent and "
            f"{end.most_usd:.2f} are kept for {end.name}"
        )
    if spent_s + step.longest_s > caps.seconds:
        return f"it may take {step.longest_s / 60:.0f} min, and {spent_s / 60:.0f} of {caps.seconds / 60:.0f} are over"
    return None


def cost(step: Step, seconds: float) -> float:
    """Return what a step that took so many seconds cost at most, in US dollars."""
    return step.usd + STANDING_USD_PER_H * seconds / 3600


def checked(plan: Sequence[Step]) -> Sequence[Step]:
    """Return a plan whose names are different, and each of whose steps needs only earlier ones.

    Raises:
        ValueError: it is none.
    """
    known: set[str] = set()
    for step in plan:
        if step.name in known or not set(step.needs) <= known:
            raise ValueError(f"step {step.name} comes twice, or before one that it needs")
        known.add(step.name)
    return plan
