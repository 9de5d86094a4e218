"""The conditions of a policy's statement. Pure.

Source: "IAM JSON policy elements: Condition operators", and "Conditions with multiple context keys or values", IAM User
Guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.harness.iam.patterns import Context, arn_like, equal, like, substituted, values_of

Test = Callable[[str, str], bool]


def hold(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Tell whether all operators of a condition hold.

    Raises:
        ValueError: an operator isn't known here, or takes no list.
    """
    return all(
        _holds(operator, values_of(context, key), [_text(value, context) for value in _listed(values)])
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _holds(operator: str, found: Sequence[str] | None, wanted: Sequence[str]) -> bool:
    qualifier, _, rest = operator.rpartition(":")
    if rest == "Null":
        return (found is None) is (wanted[0].lower() == "true")
    name = rest.removesuffix("IfExists")
    test, negated = _operator(name)
    if not found:
        # Without a value ForAllValues holds, and so does what a value would have to differ from.
        return qualifier == "ForAllValues" or rest != name or (negated and qualifier != "ForAnyValue")
    each = [any(test(value, pattern) for pattern in wanted) is not negated for value in found]
    if qualifier == "ForAllValues":
        return all(each)
    if qualifier == "ForAnyValue":
        return any(each)
    if qualifier or len(found) != 1:
        raise ValueError(f"{operator} on {len(found)} values takes ForAllValues or ForAnyValue")
    return each[0]


def _operator(name: str) -> tuple[Test, bool]:
    """Return an operator's test, and whether it is the opposite of that which is meant."""
    if name in _TESTS:
        return _TESTS[name], False
    positive = name.replace("Not", "", 1)
    if "Not" in name and positive in _TESTS:
        return _TESTS[positive], True
    raise ValueError(f"the operator {name} isn't known")


def _listed(values: Any) -> Sequence[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _text(value: Any, context: Context) -> str:
    return str(value).lower() if isinstance(value, bool) else substituted(str(value), context)


_TESTS: Mapping[str, Test] = {
    "StringEquals": equal,
    "StringEqualsIgnoreCase": lambda value, wanted: equal(value.lower(), wanted.lower()),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
}
