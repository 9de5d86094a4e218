"""The beginning: CloudFormation's request, answered at once where nothing is to be released, else a machine started."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from functions.rollout import cloudformation
from functions.rollout.order import Order
from functions.rollout.parts import Parts, client, parts


def begin(event: Mapping[str, Any]) -> str | None:
    """Take a request and return what was answered at once, None if a machine was started.

    Whatever goes wrong here, CloudFormation hears of it; where it doesn't wait, the error is raised.
    """
    to = cloudformation.address(event)
    try:
        said = _taken(event, to)
    except Exception as error:
        if "ResponseURL" not in to:
            raise
        # Without an answer the stack would wait for an hour.
        said = f"The release didn't begin: {type(error).__name__}: {error}"
        cloudformation.answer(to, "FAILED", said)
        return said
    if said:
        cloudformation.answer(to, "SUCCESS", said)
    return said


def _taken(event: Mapping[str, Any], to: Mapping[str, str]) -> str | None:
    """Do what is to be done at once and say so; None: a machine goes on with it."""
    if event["RequestType"] == "Delete":
        return "The aliases go with the stack."
    properties = event["ResourceProperties"]
    order = Order.of(properties)
    using = parts(order)
    in_force = using.aliases.in_force(order.targets)
    first = event["RequestType"] == "Create" and not order.moving(in_force) and not _promoted(using)
    if in_force and goes_back(order, in_force) and not first:
        return _go_back(order, using, in_force, event.get("OldResourceProperties"))
    client("stepfunctions").start_execution(
        stateMachineArn=properties["Machine"],
        name=event["RequestId"],
        input=json.dumps({"answer": to, "order": dict(properties), "id": event["RequestId"], "first": first}),
    )
    return None


def goes_back(order: Order, in_force: Mapping[str, str]) -> bool:
    """Whether no version is newer than that in force.

    CloudFormation rolls back by the same request with the former properties, without saying that it does. Versions
    only grow, so that whoever asks for older ones goes back to what has served before.
    """
    return all(int(target.version) <= int(in_force.get(target.name, "0")) for target in order.targets)


def _promoted(using: Parts) -> bool:
    """Whether any version ever was: without custom resources the aliases are there before the first release."""
    known = using.ledger.read()
    return bool(known and known.attributes.get("promotions"))


def _go_back(order: Order, using: Parts, in_force: Mapping[str, str], given_up: Mapping[str, Any] | None) -> str:
    known = using.ledger.read()
    if known and known.running and given_up and not _is_of(known.attributes["targets"], Order.of(given_up)):
        return "Another release is under way: it goes on."  # a second one was refused, and its stack rolls back
    if known and known.running:  # its machine is dead, or may write nothing any more from now on
        using.ledger.end(known.token, "rolled-back", "Whoever ordered the release gave it up.")
    for target in order.targets:
        using.aliases.settle(target.name, target.version)
    moved = order.moving(in_force)
    return f"Back to {_names(moved)}, at once." if moved else "Nothing to release."


def _is_of(targets: Sequence[Mapping[str, str]], order: Order) -> bool:
    """Whether the release that runs has these targets, as the ledger keeps them, by this order."""
    return {(t["name"], t["version"]) for t in targets} == {(t.name, t.version) for t in order.targets}


def _names(targets: tuple[Any, ...]) -> str:
    return ", ".join(f"{target.name} version {target.version}" for target in targets)
