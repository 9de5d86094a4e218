"""ARNs of the stack's own, by name: where a reference would wait for what waits for it."""

from aws_cdk import ArnFormat, Stack
from constructs import Construct


def own_function(scope: Construct, name: str, suffix: str | None = None) -> str:
    """Return the ARN of the stack's function of a last name; `suffix` is an alias of it, or "*" for all."""
    stack = Stack.of(scope)
    named = f"{stack.stack_name}-{name}"
    return stack.format_arn(
        service="lambda",
        resource="function",
        resource_name=f"{named}:{suffix}" if suffix else named,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
