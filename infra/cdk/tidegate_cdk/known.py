"""Values that a pattern can look at, and CDK's tokens, which are known at the deployment alone."""

import re

from aws_cdk import Token


def matches(pattern: re.Pattern[str], value: str) -> bool:
    """Whether a value is whole of a pattern, or is a token, such as another construct's ARN."""
    return Token.is_unresolved(value) or pattern.fullmatch(value) is not None
