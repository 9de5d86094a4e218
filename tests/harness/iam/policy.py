"""An evaluator of identity policies: whether a role's statements allow a call. Pure.

Source: "Policy evaluation logic" and "IAM JSON policy elements", IAM User Guide. Resource policies and service control
policies are no part of it: the stage's functions have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.harness.iam.conditions import hold
from tests.harness.iam.patterns import arn_like, like, substituted

Statement = Mapping[str, Any]
_ELEMENTS = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})


class PolicyError(Exception):
    """A statement has what this evaluator doesn't know, or what AWS would refuse."""


class Call(NamedTuple):
    """One use of one permission.

    Attributes:
        action: as policies name it, such as dynamodb:GetItem.
        resource: the resource's ARN; "*" of actions that know none.
        context: the condition keys that the request has, each with its values.
    """

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = MappingProxyType({})


class Decision(NamedTuple):
    """Whether a call is allowed, and the statements that say so, or deny it."""

    allowed: bool
    by: tuple[Statement, ...] = ()

    @property
    def explicit(self) -> bool:
        """Whether it is denied by a statement, rather than allowed by none."""
        return not self.allowed and bool(self.by)


def evaluate(statements: Iterable[Statement], call: Call, boundary: Iterable[Statement] | None = None) -> Decision:
    """Decide a call as IAM does: a Deny wins, else an Allow is needed, and one of the permissions boundary, too.

    Args:
        statements: the statements of all of the role's policies.
        call: the call.
        boundary: the statements of the role's permissions boundary; None if it has none.

    Raises:
        PolicyError: a statement can't be evaluated.
    """
    decision = _decided(statements, call)
    if boundary is None or decision.explicit:
        return decision
    bound = _decided(boundary, call)
    return decision if bound.allowed else Decision(allowed=False, by=bound.by)


def _decided(statements: Iterable[Statement], call: Call) -> Decision:
    matching = [statement for statement in statements if matches(statement, call)]
    denying = tuple([statement for statement in matching if statement["Effect"] == "Deny"])
    return Decision(allowed=False, by=denying) if denying else Decision(bool(matching), tuple(matching))


def matches(statement: Statement, call: Call) -> bool:
    """Tell whether a statement is about a call: its action, its resource and its conditions.

    Raises:
        PolicyError: the statement can't be evaluated.
    """
    _check(statement)
    actions, negated = _element(statement, "Action")
    if any(action_matches(pattern, call.action) for pattern in actions) is negated:
        return False
    resources, negated = _element(statement, "Resource")
    try:
        if any(arn_like(call.resource, substituted(pattern, call.context)) for pattern in resources) is negated:
            return False
        return hold(statement.get("Condition", {}), call.context)
    except ValueError as error:
        raise PolicyError(f"{error}: {statement}") from error


def _check(statement: Statement) -> None:
    unknown = set(statement) - _ELEMENTS
    if unknown or statement.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError(f"unknown elements {sorted(unknown)}, or no Effect: {statement}")
    for name in ("Action", "Resource"):
        if (name in statement) is (f"Not{name}" in statement):
            raise PolicyError(f"needs one of {name} and Not{name}: {statement}")


def _element(statement: Statement, name: str) -> tuple[Sequence[str], bool]:
    """Return an element's patterns, and whether they are those that are meant not to match."""
    negated = f"Not{name}" in statement
    return as_list(statement[f"Not{name}" if negated else name]), negated


def as_list(value: Any) -> Sequence[str]:
    """Return the values of an element that may be one value or a list."""
    return value if isinstance(value, list | tuple) else [value]


def action_matches(pattern: str, action: str) -> bool:
    """Tell whether a pattern names an action; case doesn't matter."""
    return like(action.lower(), pattern.lower())
