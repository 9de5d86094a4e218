"""The grants of the stage aws that no test's call needs, each with who needs it all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.harness.iam.patterns import arn_like
from tests.harness.iam.policy import action_matches, as_list
from tests.harness.iam.recording import Used
from tests.harness.iam.stage_roles import StageRoles


class Explained(NamedTuple):
    """Grants that no call in a test needs: patterns of the role, the action and the resource, and who needs them."""

    role: str
    action: str
    resource: str
    why: str


UNNEEDED = (
    Explained("*", "logs:*", "*", "Lambda itself writes the log."),
    Explained("*", "ec2:*", "*", "Lambda itself attaches the function to its network; its own code is denied it."),
    Explained("*", "xray:*", "*", "Lambda itself sends the traces."),
    Explained("*", "elasticache:Connect", "*", "Redis, not AWS's API, is told it: tests/infra/test_roles.py."),
    Explained("worker", "dynamodb:*", "*", "It runs the API's application, whose calls are recorded as the API's."),
    Explained("migrate", "*", "*:table/TablesProducts*", "No migration changes products yet; the next one may."),
    Explained("rollout", "lambda:InvokeFunction", "*", "Doubles answer in the process; tests/e2e really invokes."),
    Explained("hook", "lambda:*", "*", "As above; no engine has CodeDeploy."),
    Explained("rollout", "lambda:*Alias", "*:live", "AWS's documents have named either as what these are on."),
    Explained("worker", "sqs:DeleteMessage", "*", "The event source mapping does it in the worker's name."),
    Explained("worker", "sqs:ReceiveMessage", "*", "As above."),
    Explained("worker", "sqs:GetQueueAttributes", "*", "As above."),
)
# tests/infra/test_roles.py compares it with the machine's definition.
_ELSEWHERE = frozenset({"machine"})


def unexplained(stage: StageRoles, used: Iterable[Used], explained: Iterable[Explained] = UNNEEDED) -> list[str]:
    """Return sentences on grants that no call needed and nothing explains, and on explanations of what is needed."""
    seen, listed = set(used), list(explained)
    granted = list(_granted(stage))
    unused = [grant for grant in granted if not any(_covers(grant, call) for call in seen)]
    sentences = [
        f"{role} may {action} on {resource}, which no test needs: take it away, or explain it in {_WHERE}"
        for role, action, resource in unused
        if not any(_is_of(found, Used(role, action, resource)) for found in listed)
    ]
    sentences += [
        f"tests need all of {found.action} of {found.role} on {found.resource}: take that out of {_WHERE}"
        for found in listed
        if (of := [grant for grant in granted if _is_of(found, grant)]) and not set(of) & set(unused)
    ]
    sentences += [
        f"{_WHERE} explains {found.action} of {found.role} on {found.resource}, which nothing grants"
        for found in listed
        if not any(_is_of(found, grant) for grant in granted)
    ]
    return sentences


_WHERE = "tests/harness/iam/unneeded.py"


def _granted(stage: StageRoles) -> Iterator[Used]:
    for name, role in stage.roles.items():
        for statement in role.statements if name not in _ELSEWHERE else ():
            if statement["Effect"] == "Allow":
                for action in as_list(statement.get("Action", ["every other"])):
                    for resource in as_list(statement.get("Resource", ["every other"])):
                        yield Used(name, action, resource)


def _covers(grant: Used, call: Used) -> bool:
    return (
        grant.role == call.role
        and action_matches(grant.action, call.action)
        and arn_like(call.resource, grant.resource)
    )


def _is_of(found: Explained, grant: Used) -> bool:
    return (
        fnmatchcase(grant.role, found.role)
        and fnmatchcase(grant.action, found.action)
        and fnmatchcase(grant.resource, found.resource)
    )
