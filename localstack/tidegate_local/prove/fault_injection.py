"""A network cut by AWS FIS during a block: a role, a template and an experiment that go with it.

FIS cuts subnets off by network ACLs, which know no connections: what is open is cut, too.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from tidegate_local.errors import ProofError

# "vpc" is all within the VPC, the cache's endpoints with it; "availability-zone" all that isn't in the subnet's zone.
Scope = Literal["vpc", "availability-zone"]
_ACTION = "aws:network:disrupt-connectivity"
_POLICY = "service-role/AWSFaultInjectionSimulatorNetworkAccess"
_AT_MOST_MIN = 3
_LOOK_EVERY_S = 2.0
_BEGINS_WITHIN_S = 180.0
_ENDS_WITHIN_S = 300.0


@dataclass(frozen=True)
class Where:
    """The subnets to cut off, by their ids, in an account, a region and a partition of AWS'."""

    subnets: tuple[str, ...]
    account: str
    region: str
    partition: str = "aws"


@contextmanager
def cut(
    client: Callable[[str], Any], where: Where, scope: Scope, pause: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Cut during the block; FIS ends it by itself after three minutes, whatever becomes of this process.

    Args:
        client: makes clients by service.
        where: what is cut.
        scope: off from what.
        pause: waits so many seconds.

    Raises:
        ProofError: the experiment doesn't begin, or doesn't end.
    """
    name = f"tidegate-prove-{uuid.uuid4().hex[:12]}"
    fis, iam = client("fis"), client("iam")
    policy = f"arn:{where.partition}:iam::aws:policy/{_POLICY}"
    role = _made_role(iam, name, policy)
    try:
        template = _made_template(fis, name, role, where, scope, pause)
        try:
            experiment = fis.start_experiment(clientToken=name, experimentTemplateId=template)["experiment"]["id"]
            try:
                _await(fis, experiment, {"running"}, _BEGINS_WITHIN_S, pause)
                yield
            finally:
                _stop(fis, experiment)
                _await(fis, experiment, {"completed", "stopped"}, _ENDS_WITHIN_S, pause)
        finally:
            fis.delete_experiment_template(id=template)
    finally:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy)
        iam.delete_role(RoleName=name)


def _made_role(iam: Any, name: str, policy: str) -> str:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "fis.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    }
    role: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return role


def _made_template(fis: Any, name: str, role: str, where: Where, scope: Scope, pause: Callable[[float], None]) -> str:
    arns = [f"arn:{where.partition}:ec2:{where.region}:{where.account}:subnet/{subnet}" for subnet in where.subnets]
    asked = {
        "clientToken": name,
        "description": f"Tidegate: cut off ({scope})",
        "roleArn": role,
        "stopConditions": [{"source": "none"}],
        "targets": {"Subnets": {"resourceType": "aws:ec2:subnet", "resourceArns": arns, "selectionMode": "ALL"}},
        "actions": {
            "cut": {
                "actionId": _ACTION,
                "parameters": {"duration": f"PT{_AT_MOST_MIN}M", "scope": scope},
                "targets": {"Subnets": "Subnets"},
            }
        },
    }
    for left in reversed(range(10)):
        try:
            template: str = fis.create_experiment_template(**asked)["experimentTemplate"]["id"]
        except ClientError:
            if not left:
                raise
            pause(_LOOK_EVERY_S)  # a role that was just made isn't known everywhere
        else:
            return template
    raise AssertionError("the last try raises")


def _stop(fis: Any, experiment: str) -> None:
    try:
        fis.stop_experiment(id=experiment)
    except ClientError as error:
        # It has ended by itself.
        if error.response["Error"]["Code"] != "ValidationException":
            raise


def _await(fis: Any, experiment: str, states: set[str], within_s: float, pause: Callable[[float], None]) -> None:
    waited, state = 0.0, {}
    while waited <= within_s:
        state = fis.get_experiment(id=experiment)["experiment"]["state"]
        if state["status"] in states:
            return
        if state["status"] in {"failed", "cancelled"}:
            break
        pause(_LOOK_EVERY_S)
        waited += _LOOK_EVERY_S
    raise ProofError(
        f"FIS' experiment {experiment} is {state.get('status')}, not {' or '.join(sorted(states))}: "
        f"{state.get('reason', 'no reason told')}"
    )


def subnets_by_zone(ec2: Any, subnets: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Sort subnets by their zones."""
    zones: dict[str, tuple[str, ...]] = {}
    for subnet in ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]:
        zones[subnet["AvailabilityZone"]] = (*zones.get(subnet["AvailabilityZone"], ()), subnet["SubnetId"])
    return zones
