"""What each status of CloudFormation's means for whoever wants to deploy: pure, a row for every one that there is."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class Standing(Enum):
    """How a stack stands; the value is what a person is told of it."""

    ABSENT = "isn't there"
    WHOLE = "is what its last good deploy made of it"
    AT_WORK = "is being changed"
    HALF_MADE = "was never finished, and nothing of it serves"
    PAUSED = "stopped in the middle of a deploy"
    PAUSED_ON_THE_WAY_BACK = "stopped in the middle of its rollback"
    HALF_DELETED = "was deleted in part"
    UNKNOWN = "is in a state that is unknown here"


_S = Standing
_STANDINGS: Mapping[str, Standing] = MappingProxyType(
    {
        # A change set was made, and never executed: there is nothing behind the name.
        "REVIEW_IN_PROGRESS": _S.ABSENT,
        "DELETE_COMPLETE": _S.ABSENT,
        "CREATE_COMPLETE": _S.WHOLE,
        "UPDATE_COMPLETE": _S.WHOLE,
        "UPDATE_ROLLBACK_COMPLETE": _S.WHOLE,
        "IMPORT_COMPLETE": _S.WHOLE,
        "IMPORT_ROLLBACK_COMPLETE": _S.WHOLE,
        "CREATE_IN_PROGRESS": _S.AT_WORK,
        "UPDATE_IN_PROGRESS": _S.AT_WORK,
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": _S.AT_WORK,
        "UPDATE_ROLLBACK_IN_PROGRESS": _S.AT_WORK,
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": _S.AT_WORK,
        "ROLLBACK_IN_PROGRESS": _S.AT_WORK,
        "DELETE_IN_PROGRESS": _S.AT_WORK,
        "IMPORT_IN_PROGRESS": _S.AT_WORK,
        "IMPORT_ROLLBACK_IN_PROGRESS": _S.AT_WORK,
        "CREATE_FAILED": _S.HALF_MADE,
        "ROLLBACK_COMPLETE": _S.HALF_MADE,
        "ROLLBACK_FAILED": _S.HALF_MADE,
        "UPDATE_FAILED": _S.PAUSED,
        "UPDATE_ROLLBACK_FAILED": _S.PAUSED_ON_THE_WAY_BACK,
        "IMPORT_ROLLBACK_FAILED": _S.PAUSED_ON_THE_WAY_BACK,
        "DELETE_FAILED": _S.HALF_DELETED,
    }
)

# CDK deletes these by itself before it makes the stack anew, unless the stack is protected.
_REPLACED_BY_CDK = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})
_NEEDING_RECOVERY = frozenset({_S.HALF_MADE, _S.PAUSED, _S.PAUSED_ON_THE_WAY_BACK, _S.HALF_DELETED, _S.UNKNOWN})


def standing(status: str | None) -> Standing:
    """Tell how a stack of a status stands; None: there is no stack. A status of tomorrow's is unknown, or at work."""
    if status is None:
        return Standing.ABSENT
    if status in _STANDINGS:
        return _STANDINGS[status]
    return Standing.AT_WORK if status.endswith("_IN_PROGRESS") else Standing.UNKNOWN


def needs_recovery(status: str | None, *, protected: bool) -> bool:
    """Whether no deploy succeeds until somebody does something; `protected` is CloudFormation's own protection."""
    if status in _REPLACED_BY_CDK:
        return protected
    return standing(status) in _NEEDING_RECOVERY


def outcome(status: str | None) -> str:
    """Say how a stack stands, in words."""
    now = standing(status)
    return now.value if status is None or now is Standing.ABSENT else f"{now.value} ({status})"
