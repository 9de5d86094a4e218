"""Which of a stack's physical names are taken already, by something that isn't the stack's."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from tidegate_local.doctor.finding import Finding, failure, ok

Client = Callable[[str], Any]
SUBJECT = "names"
# How services say that there is nothing of a name.
_ABSENT = (
    "ResourceNotFoundException",
    "ResourceNotFound",
    "NotFoundException",
    "StateMachineDoesNotExist",
    "ServerlessCacheNotFoundFault",
    "UserNotFound",
    "UserGroupNotFound",
)


class Account(NamedTuple):
    """Where names are looked up: `partition`, `region` and `number` make up ARNs."""

    partition: str
    region: str
    number: str


def of_names(taken: Iterable[str], looked_at: int) -> Finding:
    """Judge the names that are taken."""
    names = sorted(taken)
    if not names:
        return ok(SUBJECT, f"none of {looked_at} is taken")
    return failure(
        SUBJECT,
        f"taken by what isn't this stack's: {', '.join(names)}",
        "Delete what a former stack has left (docs/deployments.md#a-first-deploy-that-fails), or deploy another "
        "environment: -c env=NAME.",
    )


def taken(names: Iterable[tuple[str, str]], owned: set[str], client: Client, account: Account) -> Iterator[str]:
    """Yield the names (of resource types) that exist and aren't among those that the stack has."""
    for kind, name in names:
        if kind in _LOOKS and name not in owned and not _arn_of(name, owned) and _is_there(kind, name, client, account):
            yield f"{kind.removeprefix('AWS::')} {name}"


def _arn_of(name: str, owned: set[str]) -> bool:
    """Whether a name stands at the end of an ARN that the stack has."""
    return any(one.endswith((f":{name}", f"/{name}")) for one in owned)


def _is_there(kind: str, name: str, client: Client, account: Account) -> bool:
    try:
        return bool(_LOOKS[kind](name, client, account))
    except ClientError as error:
        if error.response["Error"]["Code"].removesuffix("Fault") in {word.removesuffix("Fault") for word in _ABSENT}:
            return False
        raise


def _machine(name: str, client: Client, account: Account) -> Any:
    arn = f"arn:{account.partition}:states:{account.region}:{account.number}:stateMachine:{name}"
    return client("stepfunctions").describe_state_machine(stateMachineArn=arn)


_LOOKS: Mapping[str, Callable[[str, Client, Account], Any]] = {
    "AWS::ApiGateway::DomainName": lambda name, client, _: client("apigateway").get_domain_name(domainName=name),
    "AWS::CloudWatch::Alarm": lambda name, client, _: client("cloudwatch").describe_alarms(AlarmNames=[name])[
        "MetricAlarms"
    ],
    "AWS::CloudWatch::Dashboard": lambda name, client, _: client("cloudwatch").get_dashboard(DashboardName=name),
    "AWS::ElastiCache::ServerlessCache": lambda name, client, _: client("elasticache").describe_serverless_caches(
        ServerlessCacheName=name
    ),
    "AWS::ElastiCache::User": lambda name, client, _: client("elasticache").describe_users(UserId=name),
    "AWS::ElastiCache::UserGroup": lambda name, client, _: client("elasticache").describe_user_groups(UserGroupId=name),
    "AWS::Lambda::Function": lambda name, client, _: client("lambda").get_function(FunctionName=name),
    "AWS::StepFunctions::StateMachine": _machine,
}
