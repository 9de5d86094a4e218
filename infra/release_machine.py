"""The state machine of a release, in the Amazon States Language; functions/rollout/states.py does the work.

Lock - Expand (until it is done) - Ready - Warm - Past - { Shift - { Watch - Judge } } - Promote | Fence - Answer

After Promote come the contract migrations that are due. Fence - Unshift - Unshifted takes all weight away by the
machine's own calls, so that no cold start stands between a verdict and its effect; then comes RollBack, which does the
same once more if need be, and what was expanded is taken back, if it may be.
"""

from collections.abc import Sequence
from typing import Any

States = dict[str, dict[str, Any]]

# So long a migration that isn't through rests between two calls: another runner may have its lock.
_REST_S = 1

_RETRIES = [
    # A call that was lost: an environment that died, a throttle, a network that hiccups. Every state may be repeated.
    {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 3}
]


def definition(rollout: str, judge: str, alarms: Sequence[str] = ()) -> dict[str, Any]:
    """Return the machine.

    `rollout` and `judge` are the functions' ARNs (the judge sits where the counts are); any of the `alarms`, by their
    names, fails the release when it rings.
    """
    return {
        "Comment": "One release: from the lock to the answer that CloudFormation waits for",
        "StartAt": "Lock",
        "TimeoutSeconds": 3540,
        "States": {
            "Lock": _task(rollout, "lock", "Locked", catch="Answer"),
            "Locked": _choice({"refused": "Answer"}, "Expand"),
            "Expand": _task(rollout, "expand", "Expanded"),
            "Expanded": _choice({"more": "ExpandMore", "roll_back": "Fence"}, "Ready"),
            "ExpandMore": _rest("Expand"),
            "Ready": _task(rollout, "ready", "IsReady"),
            "IsReady": _choice({"roll_back": "Fence"}, "Warm"),
            "Warm": _task(rollout, "warm", "IsWarm"),
            "IsWarm": _choice({"promote": "Promote"}, "Past"),
            "Past": _task(judge, "past", "Shift"),
            "Shift": _task(rollout, "shift", "Watch"),
            "Watch": {"Type": "Wait", "SecondsPath": "$.look_s", "Next": "Alarms" if alarms else "Judge"},
            **({"Alarms": _alarms(alarms)} if alarms else {}),
            "Judge": _task(judge, "judge", "Judged"),
            "Judged": _choice(
                {"roll_back": "Fence", "shift": "Shift", "promote": "Promote", "top_up": "TopUp"}, "Watch"
            ),
            "TopUp": _task(rollout, "top_up", "Watch"),
            "Promote": _task(rollout, "promote", "Promoted"),
            "Promoted": _choice({"roll_back": "Fence"}, "Contract"),
            "Contract": _task(rollout, "contract", "Contracted", catch="Answer"),
            "Contracted": _choice({"more": "ContractMore"}, "Answer", "$.contracting"),
            "ContractMore": _rest("Contract"),
            "Fence": _fence("Unshift"),
            "Unshift": _unshift("Unshifted"),
            "Unshifted": {
                "Type": "Pass",
                "Parameters": {"at.$": "$$.State.EnteredTime"},
                "ResultPath": "$.unshifted",
                "Next": "RollBack",
            },
            "RollBack": _task(rollout, "roll_back", "RolledBack", catch="Answer"),
            "RolledBack": _choice({"more": "UndoMore"}, "Answer", "$.undoing"),
            "UndoMore": _rest("Undo"),
            "Undo": _task(rollout, "undo", "RolledBack", catch="Answer"),
            "Answer": {**_call(rollout, "answer"), "End": True},
        },
    }


def _task(function: str, action: str, following: str, catch: str = "Fence") -> dict[str, Any]:
    return {**_call(function, action), "Catch": [_caught(catch)], "Next": following}


def _caught(following: str, result: str = "$.error") -> dict[str, Any]:
    return {"ErrorEquals": ["States.ALL"], "ResultPath": result, "Next": following}


def _call(function: str, action: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": function,
        "Parameters": {"action": action, "document.$": "$"},
        "TimeoutSeconds": 130,
        "Retry": _RETRIES,
    }


def _rest(following: str) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": _REST_S, "Next": following}


def _fence(following: str) -> dict[str, Any]:
    """Write that it rolls back, if the release is this machine's still; RollBack finds out if it isn't."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
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
        # Not null, which would discard it: CDK leaves nulls out, and the result would take the document's place.
        "ResultPath": "$.fenced",
        "Catch": [_caught("RollBack", "$.fenced")],
        "Next": following,
    }


def _unshift(following: str) -> dict[str, Any]:
    """Give the versions that were in force all of the traffic."""
    update = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:lambda:updateAlias",
        "Parameters": {
            **{f"{name}.$": f"$.{name}" for name in ("FunctionName", "Name", "FunctionVersion")},
            "RoutingConfig": {"AdditionalVersionWeights": {}},
        },
        "Retry": _RETRIES,
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


def _alarms(names: Sequence[str]) -> dict[str, Any]:
    """Ask which alarms ring; a CloudWatch that doesn't answer is no verdict."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:cloudwatch:describeAlarms",
        "Parameters": {"AlarmNames": list(names), "AlarmTypes": ["MetricAlarm"], "StateValue": "ALARM"},
        "ResultSelector": {"ringing.$": "$.MetricAlarms[*].AlarmName"},
        "ResultPath": "$.alarms",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.alarms", "Next": "Judge"}],
        "Next": "Judge",
    }


def _choice(outcomes: dict[str, str], otherwise: str, variable: str = "$.outcome") -> dict[str, Any]:
    choices = [{"Variable": variable, "StringEquals": said, "Next": goes} for said, goes in outcomes.items()]
    return {"Type": "Choice", "Choices": choices, "Default": otherwise}
