"""The state machine of a release, in the Amazon States Language; functions/rollout/states.py does the work.

Lock - Expand (until it is done) - Ready - Warm - Past - { Shift - { Watch - Judge } } - Promote | RollBack - Answer

After Promote come the contract migrations that are due; after RollBack what was expanded is taken back, if it may be.
"""

from collections.abc import Sequence
from typing import Any

States = dict[str, dict[str, Any]]

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
            "Expanded": _choice({"more": "Expand", "roll_back": "RollBack"}, "Ready"),
            "Ready": _task(rollout, "ready", "IsReady"),
            "IsReady": _choice({"roll_back": "RollBack"}, "Warm"),
            "Warm": _task(rollout, "warm", "IsWarm"),
            "IsWarm": _choice({"promote": "Promote"}, "Past"),
            "Past": _task(judge, "past", "Shift"),
            "Shift": _task(rollout, "shift", "Watch"),
            "Watch": {"Type": "Wait", "SecondsPath": "$.look_s", "Next": "Alarms" if alarms else "Judge"},
            **({"Alarms": _alarms(alarms)} if alarms else {}),
            "Judge": _task(judge, "judge", "Judged"),
            "Judged": _choice(
                {"roll_back": "RollBack", "shift": "Shift", "promote": "Promote", "top_up": "TopUp"}, "Watch"
            ),
            "TopUp": _task(rollout, "top_up", "Watch"),
            "Promote": _task(rollout, "promote", "Promoted"),
            "Promoted": _choice({"roll_back": "RollBack"}, "Contract"),
            "Contract": _task(rollout, "contract", "Contracted", catch="Answer"),
            "Contracted": _choice({"more": "Contract"}, "Answer", "$.contracting"),
            "RollBack": _task(rollout, "roll_back", "RolledBack", catch="Answer"),
            "RolledBack": _choice({"more": "Undo"}, "Answer", "$.undoing"),
            "Undo": _task(rollout, "undo", "RolledBack", catch="Answer"),
            "Answer": {**_call(rollout, "answer"), "End": True},
        },
    }


def _task(function: str, action: str, following: str, catch: str = "RollBack") -> dict[str, Any]:
    caught = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": catch}
    return {**_call(function, action), "Catch": [caught], "Next": following}


def _call(function: str, action: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": function,
        "Parameters": {"action": action, "document.$": "$"},
        "TimeoutSeconds": 130,
        "Retry": _RETRIES,
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
