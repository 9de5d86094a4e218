"""The machine's changes of the aliases: each between two checks of the lock, so that no later change is undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.rollout.aliases import Split
from functions.rollout.clock import now_s
from functions.rollout.ledger import SupersededError
from functions.rollout.order import Order, Target
from functions.rollout.parts import Parts

Document = dict[str, Any]


def shifted(document: Mapping[str, Any], order: Order) -> tuple[Target, ...]:
    """List the functions whose traffic is shifted: those whose version changes, and that have a version in force."""
    return tuple([target for target in order.moving(document["stable"]) if target.name in document["stable"]])


def shift(document: Document, order: Order, using: Parts) -> Document:
    """Give the new versions the step's weight."""
    step = document["step"]
    percent, now = order.plan.steps[step].percent, now_s()
    if moved := _moved_by_hand(document, order, using):
        return moved
    using.ledger.write(
        document["token"], phase="shifting", step=step, percent=str(percent), step_began=now, go_on=False
    )
    moving = shifted(document, order)
    for target in moving:
        using.aliases.shift(target.name, document["stable"][target.name], target.version, percent)
    weight = round(percent / 100, 4)
    _check_lock(
        document,
        using,
        {t.name: Split(document["stable"][t.name], {t.version: weight}) for t in moving},
    )
    return {"percent": percent, "step_began": now, "looked": now, "topped_up": 0, "outcome": "watch"}


def settled(document: Document, order: Order, using: Parts) -> Document | None:
    """Give the new versions all of the traffic; return None, or the next action if a person has changed an alias."""
    if moved := _moved_by_hand(document, order, using):
        return moved
    using.ledger.write(document["token"], phase="promoting", percent="100")
    # CloudFormation creates the aliases that don't exist yet.
    moving = shifted(document, order)
    for target in moving:
        using.aliases.settle(target.name, target.version)
    _check_lock(document, using, {target.name: Split(target.version, {}) for target in moving})
    return None


def _moved_by_hand(document: Document, order: Order, using: Parts) -> Document | None:
    """Check whether a person has changed an alias meanwhile: then this release ends, and the change stands."""
    stable = dict(document["stable"])
    for target in shifted(document, order):
        split = using.aliases.read(target.name)
        if split and split.version.isdigit() and split.version not in {stable[target.name], target.version}:
            stable[target.name] = split.version
    moved = {name: version for name, version in stable.items() if version != document["stable"][name]}
    if not moved:
        return None
    places = " and ".join(f"{name} at version {version}" for name, version in moved.items())
    return {
        "outcome": "roll_back",
        "reason": f"Somebody put {places} meanwhile: that stays in force, and this release ends.",
        "by_hand": moved,
        "back": [using.aliases.named(*of) for of in stable.items()],
    }


def _check_lock(document: Document, using: Parts, written: Mapping[str, Split]) -> None:
    """Check that this machine had the lock all the time; if not, undo those of its changes that still stand.

    Raises:
        SupersededError: it hadn't.
    """
    try:
        using.ledger.write(document["token"])
    except SupersededError:
        for name, split in written.items():
            if using.aliases.read(name) == split:
                using.aliases.settle(name, document["stable"][name])
        raise
