"""CodeDeploy's hook: before it shifts any traffic, the schema is expanded and the versions are checked.

CodeDeploy calls it for each function's deployment, and each call checks all functions: they are one application, and
repeating the checks does no harm.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from functions.rollout import readiness
from functions.rollout.aliases import Aliases
from functions.rollout.denial import once_granted
from functions.rollout.migration import Migration, MigrationError
from functions.rollout.order import Order
from functions.rollout.parts import client, migrating, questioning
from functions.rollout.patience import Patience
from functions.rollout.smoke import Smoke

# The seconds that are left for the checks after the expansion, and the longest check of one version.
_QUESTIONS_S = 300.0
_ASKING_S = 100.0
_BETWEEN_S = 1.0
# How long a role that is new may take to hold.
_GRANTED_WITHIN_S = 75


def handler(event: dict[str, Any], context: Any) -> None:
    """Handle CodeDeploy's call, with its `DeploymentId` and `LifecycleEventHookExecutionId`."""
    refused = refusal(event["DeploymentId"], lambda: context.get_remaining_time_in_millis() / 1000)
    report(client("codedeploy"), event, refused)


def refusal(deployment: str, left_s: Callable[[], float]) -> str | None:
    """Return the reason against shifting traffic, errors included; None if it may be shifted."""
    try:
        order = Order.of(json.loads(os.environ["TIDEGATE_ORDER"]))
        hands = Hands(client("lambda"), Smoke(questioning(), order.checks), migrating())
        return once_granted(lambda: asked(order, hands, deployment, left_s), _GRANTED_WITHIN_S)
    except Exception as error:  # noqa: BLE001  # without a status CodeDeploy would wait for an hour
        return f"The questions failed. {type(error).__name__}: {error}"


class Hands:
    """What the hook works with: Lambda's clients for the aliases and the migrations (boto3's), and the checks."""

    def __init__(self, functions: Any, smoke: Smoke, migrations: Any) -> None:
        self.functions = functions
        self.smoke = smoke
        self.invoke = migrations.invoke


def asked(order: Order, hands: Hands, deployment: str, left_s: Callable[[], float]) -> str | None:
    """Expand the schema for a deployment, and check the versions; return the reason against it, or None.

    Raises:
        MigrationError: a migration failed, or it takes longer than this function may run.
    """
    aliases = Aliases(hands.functions, order.alias)
    stable = {name: version for name, version in aliases.in_force(order.targets).items() if version.isdigit()}
    if goes_back(order, stable, aliases):
        return None  # a version that has served before isn't checked: the version in force may be the faulty one
    ill = readiness.ailments(order, stable, hands.smoke, Patience.of(_ASKING_S))
    schema = _expanded(Migration(hands.invoke, order.migrate), deployment, left_s) if order.migrate else None
    patience = Patience.of(min(2 * _ASKING_S, left_s() / 2))
    found = readiness.found(order, stable, schema, ill, (hands.smoke, patience))
    for sentence in found.excused:
        logging.getLogger(__name__).warning("%s: %s", deployment, sentence)
    return "Not ready. " + " ".join(found.faults) if found.faults else None


def goes_back(order: Order, stable: Mapping[str, str], aliases: Aliases) -> bool:
    """Whether it is a rollback: a release orders the newest published version, a rollback an older one."""
    moving = order.moving(stable)
    return bool(moving) and all(aliases.newest(target.name) > int(target.version) for target in moving)


def report(codedeploy: Any, event: Mapping[str, str], refused: str | None) -> None:
    """Report the outcome to CodeDeploy (a boto3 client); it accepts no reason, so that is logged."""
    if refused:
        logging.getLogger(__name__).error("%s: %s", event["DeploymentId"], refused)
    once_granted(
        lambda: codedeploy.put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Failed" if refused else "Succeeded",
        ),
        _GRANTED_WITHIN_S,
    )


def _expanded(migration: Migration, deployment: str, left_s: Callable[[], float]) -> int:
    """Run all due expand migrations, and return the schema that is then in force."""
    while left_s() > _QUESTIONS_S:
        progress = migration.run("expand", deployment)
        if progress.status == "done":
            return progress.schema
        time.sleep(_BETWEEN_S)  # the other deployment's hook may have the lock
    raise MigrationError("The expansion takes longer than a hook may. It goes on at the next deployment.")
