"""The items of the library's table that an application's functions may touch, by how their partition keys begin.

A release's ledger and the migrations' journal lie in the same table, and are the controller's and `migrate`'s alone.
"""

from collections.abc import Iterator, Sequence

from aws_cdk import aws_iam as iam

# The library decides by conditional writes; it reads only what a refused retry was answered before.
ACTIONS = (
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
)
# A caller's, an operation's or a minute's: each begins with its kind.
OWN = ("limit#*", "fallback#*", "shadow#*", "claim#*", "request#*", "queue#*", "outcomes#*")
# One of a namespace each, and the one that tells whether DynamoDB is there.
OF_NAMESPACE = ("ladder#{}", "fleet#{}")
PROBE = "probe"
READ_ONLY = ("overrides#{}", "migrations#{}")


def statements(table_arn: str, namespace: str) -> Iterator[iam.PolicyStatement]:
    """Let a function use the library's items of a namespace, and read what operators and migrations write."""
    used = [*OWN, *[key.format(namespace) for key in OF_NAMESPACE], PROBE]
    yield _of(ACTIONS, table_arn, used)
    yield _of(["dynamodb:GetItem"], table_arn, [key.format(namespace) for key in READ_ONLY])


def _of(actions: Sequence[str], table_arn: str, keys: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=list(actions),
        resources=[table_arn],
        conditions={
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)},
            # For all of no values is true.
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    )
