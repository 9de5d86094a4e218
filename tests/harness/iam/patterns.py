"""The patterns of policies: wildcards, ARNs and variables. Pure.

Source: "IAM policy elements: Variables and tags", and "Resource", IAM User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

Context = Mapping[str, Sequence[str]]
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
# What stands for itself, in the place of a wildcard; no text of AWS's has these letters.
_PLAIN = {"*": "\ue000", "?": "\ue001"}
# arn:partition:service:region:account:resource; the last part may have colons of its own.
_ARN_PARTS = 6


def values_of(context: Context, key: str) -> Sequence[str] | None:
    """Return a key's values, None if the request hasn't any; case doesn't matter in its name."""
    return next((values for name, values in context.items() if name.lower() == key.lower()), None)


def substituted(pattern: str, context: Context) -> str:
    """Put a request's values in the place of policy variables; one without a value matches nothing."""

    def value(found: re.Match[str]) -> str:
        name, _, default = found.group(1).partition(",")
        if name in {"*", "?", "$"}:
            return _PLAIN.get(name, name)
        values = values_of(context, name.strip())
        text = values[0] if values else default.strip(" '") or "\0"
        return "".join(_PLAIN.get(letter, letter) for letter in text)

    return _VARIABLE.sub(value, pattern)


def like(value: str, pattern: str) -> bool:
    """Tell whether a value is of a pattern with wildcards."""
    return bool(_compiled(pattern).fullmatch(value))


def equal(value: str, pattern: str) -> bool:
    """Tell whether a value is a pattern's, in which wildcards are letters."""
    return value == "".join({plain: sign for sign, plain in _PLAIN.items()}.get(letter, letter) for letter in pattern)


def arn_like(value: str, pattern: str) -> bool:
    """Tell whether an ARN is of a pattern; no wildcard reaches over a part of one, save the lone `*`.

    Raises:
        ValueError: one of them is no ARN.
    """
    if "*" in (value, pattern):
        return pattern == "*"
    found, wanted = value.split(":", _ARN_PARTS - 1), pattern.split(":", _ARN_PARTS - 1)
    for parts, text in ((found, value), (wanted, pattern)):
        if len(parts) != _ARN_PARTS or parts[0] != "arn":
            raise ValueError(f"no ARN: {text}")
    return all(map(like, found, wanted))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    kinds = {"*": ".*", "?": "."} | {plain: re.escape(sign) for sign, plain in _PLAIN.items()}
    return re.compile("".join(kinds.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)
