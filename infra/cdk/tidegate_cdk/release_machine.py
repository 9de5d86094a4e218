"""The state machine of a release, in the Amazon States Language; functions/rollout/states.py does the work.

Lock - Before - Expand (until it is done) - Ready - Warm - Past - { Shift - { Watch - Judge } } - Promote | Fence
 - Answer - after a promotion Contract (until it is done) - Prune

What comes after the answer can change nothing of it. Every state but the way back's begins only while there is time
for the way back. Fence - Unshift - Unshifted takes all weight away by the
machine's own calls, so that no cold start stands between a verdict and its effect; then comes RollBack, which does the
same once more if need be, and what was expanded is taken back, if it may be.
"""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws

from tidegate_cdk.release_time import MACHINE_S

States = dict[str, dict[str, Any]]

# So long a migration that isn't through rests between two calls: another runner may have its lock.
_REST_S = 1

# What takes too long would take so again: the version's fault, or the controller's.
_TIMED_OUT = ["States.Timeout", "Sandbox.Timedout"]
# A call that was lost: an environment that died, a throttle, a network that hiccups. Every state may be repeated.
_LOST = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 3}
# What a role that is new may not do yet (functions/rollout/denial.py, and Lambda's words to the machine itself). Their
# grants may take two minutes to hold everywhere.
_DENIED = {
    "ErrorEquals": ["DeniedError", "Lambda.AWSLambdaException", "Lambda.AccessDeniedException"],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxDelaySeconds": 20,
    "MaxAttempts": 8,
}
_RETRIES = [{"ErrorEquals": _TIMED_OUT, "MaxAttempts": 0}, _DENIED, _LOST]
# The way back may hang once: there is no other.
_BACK_RETRIES = [{"ErrorEquals": _TIMED_OUT, "IntervalSeconds": 1, "MaxAttempts": 1}, _LOST]
# CloudFormation waits for nothing else, so the answer is sent again until the machine's own time is over.
_ANSWER_RETRIES = [
    _BACK_RETRIES[0],
    {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "BackoffRate": 2, "MaxDelaySeconds": 60, "MaxAttempts": 70},
]
# Longer than the functions may run, so that it is theirs to say what was too long; and as long as the way back has.
_CALL_S, _BACK_S = 130, 70
# DynamoDB's answer, and Lambda's to a change of an alias.
_STORE_S = 10


def definition(rollout: str, judge: str, alarms: Sequence[str] = ()) -> dict[str, Any]:
    """Return the machine.

    `rollout` and `judge` are the functions' ARNs (the judge sits where the counts are); any of the `alarms`, by their
    names, fails the release when it rings.
    """
    return {
        "Comment": "One release: from the lock to the answer that CloudFormation waits for",
        "StartAt": "Lock",
        "TimeoutSeconds": MACHINE_S,
        "States": {
            "Lock": _task(rollout, "lock", "Locked", catch="Answer"),
            "Locked": _choice({"refused": "Answer"}, "AlarmsBefore" if alarms else "Before"),
            **({"AlarmsBefore": _alarms(alarms, "Before")} if alarms else {}),
            "Before": _task(rollout, "before", "Begun"),
            "Begun": _choice({"roll_back": "Fence"}, "Expand"),
            "Expand": _task(rollout, "expand", "Expanded"),
            "Expanded": _choice({"more": "ExpandMore", "roll_back": "Fence"}, "Ready"),
            "ExpandMore": _rest("Expand"),
            "Ready": _task(rollout, "ready", "IsReady"),
            "IsReady": _choice({"roll_back": "Fence"}, "Warm"),
            "Warm": _task(rollout, "warm", "IsWarm"),
            "IsWarm": _choice({"promote": "Promote", "roll_back": "Fence"}, "Past"),
            "Past": _task(judge, "past", "IsPast"),
            "IsPast": _choice({"roll_back": "Fence"}, "Shift"),
            "Shift": _task(rollout, "shift", "Shifted"),
            "Shifted": _choice({"roll_back": "Fence"}, "Watch"),
            "Watch": {"Type": "Wait", "SecondsPath": "$.look_s", "Next": "Alarms" if alarms else "Judge"},
            **({"Alarms": _alarms(alarms, "Judge")} if alarms else {}),
            "Judge": _task(judge, "judge", "Judged"),
            "Judged": _choice(
                {"roll_back": "Fence", "shift": "Shift", "promote": "Promote", "top_up": "TopUp"}, "Watch"
            ),
            "TopUp": _task(rollout, "top_up", "ToppedUp"),
            "ToppedUp": _choice({"roll_back": "Fence"}, "Watch"),
            "Promote": _task(rollout, "promote", "Promoted"),
            "Promoted": _choice({"roll_back": "Fence"}, "Answer"),
            "Fence": _fence("Unshift"),
            "Unshift": _unshift("Unshifted"),
            "Unshifted": {
                "Type": "Pass",
                "Parameters": {"at.$": "$$.State.EnteredTime"},
                "ResultPath": "$.unshifted",
                "Next": "RollBack",
            },
            "RollBack": _back_task(rollout, "roll_back", "RolledBack"),
            "RolledBack": _choice({"more": "UndoMore"}, "Answer", "$.undoing"),
            "UndoMore": _rest("Undo"),
            "Undo": _back_task(rollout, "undo", "RolledBack"),
            "Answer": {**_call(rollout, "answer", _BACK_S, _ANSWER_RETRIES), "Next": "Answered"},
            "Answered": _choice({"SUCCESS": "Contract"}, "Done"),
            "Contract": _task(rollout, "contract", "Contracted", catch="Prune"),
            "Contracted": _choice({"more": "ContractMore"}, "Prune", "$.contracting"),
            "ContractMore": _rest("Contract"),
            "Prune": _task(rollout, "prune", "Done", catch="Done"),
            "Done": {"Type": "Succeed"},
        },
    }


def _task(function: str, action: str, following: str, catch: str = "Fence") -> dict[str, Any]:
    return {**_call(function, action, _CALL_S, _RETRIES), "Catch": [_caught(catch)], "Next": following}


def _back_task(function: str, action: str, following: str) -> dict[str, Any]:
    return {**_call(function, action, _BACK_S, _BACK_RETRIES), "Catch": [_caught("Answer")], "Next": following}


def _caught(following: str, result: str = "$.error") -> dict[str, Any]:
    return {"ErrorEquals": ["States.ALL"], "ResultPath": result, "Next": following}


def _call(function: str, action: str, timeout_s: int, retries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": function,
        "Parameters": {"action": action, "document.$": "$"},
        "TimeoutSeconds": timeout_s,
        "Retry": list(retries),
    }


def _rest(following: str) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": _REST_S, "Next": following}


def _fence(following: str) -> dict[str, Any]:
    """Write that it rolls back, if the release is this machine's still; RollBack finds out if it isn't."""
    return {
        "Type": "Task",
        "Resource": f"arn:{Aws.PARTITION}:states:::dynamodb:updateItem",
        "Parameters": {
            "TableName.$": "$.fence.table",
            "Key": {"pk": {"S.$": "$.fence.pk"}},
            "UpdateExpression": "SET #phase = :phase, #percent = :percent",
            "ConditionExpression": "#token = :token AND #doing = :running",
            "ExpressionAttributeNames": {name: name[1:] for name in ("#phase", "#percent", "#token", "#doing")},
            "ExpressionAttributeValues": {
                ":phase": {"S": "rolling back"},
                ":percent": {"S": "0"},
                ":token": {"N.$": "$.fence.token"},
                ":running": {"S": "running"},
            },
        },
        "TimeoutSeconds": _STORE_S,
        # Not null, which would discard it: CDK leaves nulls out, and the result would take the document's place.
        "ResultPath": "$.fenced",
        "Catch": [_caught("RollBack", "$.fenced")],
        "Next": following,
    }


def _unshift(following: str) -> dict[str, Any]:
    """Give the versions that were in force all of the traffic."""
    update = {
        "Type": "Task",
        "Resource": f"arn:{Aws.PARTITION}:states:::aws-sdk:lambda:updateAlias",
        "Parameters": {
            **{f"{name}.$": f"$.{name}" for name in ("FunctionName", "Name", "FunctionVersion")},
            "RoutingConfig": {"AdditionalVersionWeights": {}},
        },
        "TimeoutSeconds": _STORE_S,
        "Retry": [_LOST],
        "End": True,
    }
    return {
        "Type": "Map",
        "ItemsPath": "$.back",
        "ItemProcessor": {"StartAt": "UpdateAlias", "States": {"UpdateAlias": update}},
        "ResultPath": "$.updated",
        "Catch": [_caught("RollBack", "$.updated")],
        "Next": following,
    }


def _alarms(names: Sequence[str], following: str) -> dict[str, Any]:
    """Ask which alarms ring; a CloudWatch that doesn't answer is no verdict."""
    return {
        "Type": "Task",
        "Resource": f"arn:{Aws.PARTITION}:states:::aws-sdk:cloudwatch:describeAlarms",
        "Parameters": {
            "AlarmNames": list(names),
            "AlarmTypes": ["CompositeAlarm", "MetricAlarm"],
            "StateValue": "ALARM",
        },
        # Of both lists, of which an empty one may be missing.
        "ResultSelector": {"ringing.$": "$.*[*].AlarmName"},
        "ResultPath": "$.alarms",
        "Catch": [_caught(following, "$.alarms")],
        "Next": following,
    }


def _choice(outcomes: dict[str, str], otherwise: str, variable: str = "$.outcome") -> dict[str, Any]:
    choices = [{"Variable": variable, "StringEquals": said, "Next": goes} for said, goes in outcomes.items()]
    return {"Type": "Choice", "Choices": choices, "Default": otherwise}
