"""The readiness of a release, checked before any client reaches a new version, with each way of shifting traffic.

A fault counts against a release only if the release made it worse. So the versions in force are checked, too, before
the schema is expanded: their own faults don't count, because the release may be their repair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from functions.rollout.order import Order, Target
from functions.rollout.patience import Patience
from functions.rollout.smoke import Fault, Smoke


class Found(NamedTuple):
    """The result of a check, as sentences: `faults` count against the release, `excused` don't."""

    faults: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()


def in_force(order: Order, stable: Mapping[str, str]) -> list[Target]:
    """List the versions in force of the functions that move."""
    return [target._replace(version=stable[target.name]) for target in order.moving(stable) if target.name in stable]


def ailments(order: Order, stable: Mapping[str, str], smoke: Smoke, patience: Patience) -> list[Fault]:
    """Check the versions in force, before anything has changed."""
    return smoke.faults(in_force(order, stable), patience)


def found(
    order: Order, stable: Mapping[str, str], schema: int | None, ill: Sequence[Fault], asking: tuple[Smoke, Patience]
) -> Found:
    """Check the new versions, by their numbers, and those in force (`stable`) on the expanded schema.

    Args:
        order: the release.
        stable: the versions in force.
        schema: the schema in force; None: there is none.
        ill: the faults of `stable` before.
        asking: the checker, and how long it may take.
    """
    smoke, patience = asking
    new = smoke.faults(order.moving(stable), patience)
    known_faults = [fault for fault in new if _matching(fault, ill)]
    new_faults = [str(fault) for fault in new if fault not in known_faults]
    worse = [*_first_of_each(new_faults, new), *_schema_faults(order, schema, new, smoke)]
    if worse:
        return Found(tuple(worse))
    old = smoke.faults(in_force(order, stable), patience)
    fallen = [fault for fault in old if not _matching(fault, ill)]
    if fallen:
        return Found(tuple([f"The version in force isn't well any more: {fault}" for fault in fallen[:2]]))
    return _beside(known_faults, old)


def _beside(new: Sequence[Fault], old: Sequence[Fault]) -> Found:
    """Compare the present faults of both versions: a version in force that has recovered excuses nothing."""
    held, excused = list[str](), list[str]()
    for fault in new:
        same = _matching(fault, old)
        if same is None or fault.is_worse_than(same):
            held.append(str(fault))
        else:
            excused.append(f"Not held against it, for version {same.version} does no better: {fault}")
    return Found(tuple(held), tuple(excused))


def _matching(fault: Fault, others: Sequence[Fault]) -> Fault | None:
    asked = (fault.function, fault.question)
    return next((other for other in others if (other.function, other.question) == asked), None)


def _first_of_each(sentences: Sequence[str], faults: Sequence[Fault]) -> list[str]:
    """Keep each function's first sentence, because the later ones follow from it."""
    kept = dict[str, str]()
    for fault in faults:
        if str(fault) in sentences:
            kept.setdefault(fault.function, str(fault))
    return list(kept.values())


def _schema_faults(order: Order, in_force: int | None, ill: Sequence[Fault], smoke: Smoke) -> list[str]:
    """Compare the schema that the new API needs with the one in force."""
    if in_force is None:
        return []
    unable = {fault.function for fault in ill if fault.kind != "answer"}
    asked = [
        (target, smoke.schema_needed(target))
        for target in order.targets
        if target.serves == "http" and target.name not in unable
    ]
    return [
        f"{target.name} version {target.version} needs schema {needed}, and {in_force} is in force."
        for target, needed in asked
        if needed is not None and needed > in_force
    ]
