"""Whether a stack can be deployed to an account and region, asked before anything is changed there.

A question that this caller may not ask is a warning: who may deploy needn't be allowed to read quotas.
"""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from tidegate_local.doctor import quotas
from tidegate_local.doctor.finding import Finding, failure, ok, warning
from tidegate_local.doctor.taken_names import Account, Client, of_names, taken
from tidegate_local.doctor.template_facts import TemplateFacts

_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
_SERVICES = "/aws/service/global-infrastructure/regions/{}/services"
_ZONES = 2


def findings(facts: TemplateFacts, region: str, client: Client) -> Iterator[Finding]:
    """Ask the account of the clients (boto3's, by service) everything that a deploy of the stack presupposes."""
    try:
        identity = client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        yield failure("account", f"no credentials that AWS takes: {error}", "Set AWS_PROFILE, or log in.")
        return
    account = Account(identity["Arn"].split(":")[1], region, identity["Account"])
    yield ok("account", f"{account.number}, {region}, as {identity['Arn']}")
    owned = _Owned(facts.stack, client)
    questions: dict[str, Callable[[], Finding]] = {
        "bootstrap": lambda: _bootstrap(facts, account, client),
        "services": lambda: _services(facts, region, client),
        "zones": lambda: _zones(client),
        "endpoints": lambda: _endpoints(facts, region, client),
        quotas.CONCURRENCY: lambda: _concurrency(facts, client),
        quotas.VPCS: lambda: _vpcs(facts, owned, client),
        quotas.EDGE_RATE: lambda: _edge_rate(facts, client),
        "names": lambda: _names(facts, owned, account, client),
    }
    for subject, ask in questions.items():
        yield _asked(subject, ask)


def _asked(subject: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except EndpointConnectionError as error:
        return failure(subject, str(error), "This region doesn't have that service, or no network leads there.")
    except (BotoCoreError, ClientError, NotImplementedError) as error:
        return warning(subject, f"can't be asked: {error}", "Let this caller read it, or see to it yourself.")


class _Owned:
    """The physical ids of a stack's resources, asked once; none if there is no stack."""

    def __init__(self, stack: str, client: Client) -> None:
        self._stack, self._client = stack, client
        self._found: dict[str, set[str]] | None = None

    def ids(self) -> set[str]:
        """Return all of them."""
        return {physical for found in self._by_type().values() for physical in found}

    def has(self, kind: str) -> bool:
        """Whether the stack has a resource of a type."""
        return bool(self._by_type().get(kind))

    def _by_type(self) -> dict[str, set[str]]:
        if self._found is None:
            found: dict[str, set[str]] = {}
            pages = self._client("cloudformation").get_paginator("list_stack_resources")
            try:
                for page in pages.paginate(StackName=self._stack):
                    for one in page["StackResourceSummaries"]:
                        if one["ResourceStatus"] != "DELETE_COMPLETE":
                            found.setdefault(one["ResourceType"], set()).add(one.get("PhysicalResourceId", ""))
            except ClientError as error:
                if error.response["Error"]["Code"] != "ValidationError":
                    raise
            self._found = found
        return self._found


def _bootstrap(facts: TemplateFacts, account: Account, client: Client) -> Finding:
    mend = f"`tidegate cdk bootstrap aws://{account.number}/{account.region} -c stage=aws`"
    ssm = client("ssm")
    try:
        version = int(ssm.get_parameter(Name=_BOOTSTRAP)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return failure("bootstrap", "CDK has no bucket and no roles in this account and region", mend)
    if version < facts.bootstrap:
        return failure("bootstrap", f"version {version}, and the stack needs {facts.bootstrap}", mend)
    return ok("bootstrap", f"version {version}")


def _services(facts: TemplateFacts, region: str, client: Client) -> Finding:
    pages = client("ssm").get_paginator("get_parameters_by_path").paginate(Path=_SERVICES.format(region))
    there = {one["Name"].rpartition("/")[2] for page in pages for one in page["Parameters"]}
    wanted = facts.services()
    missing = sorted(wanted - there)
    if missing:
        return failure("services", f"{region} has no {', '.join(missing)}", "Deploy to another region.")
    return ok("services", f"{region} has all {len(wanted)}")


def _zones(client: Client) -> Finding:
    found = client("ec2").describe_availability_zones(
        Filters=[{"Name": "state", "Values": ["available"]}, {"Name": "zone-type", "Values": ["availability-zone"]}]
    )["AvailabilityZones"]
    said = f"{len(found)} are available"
    return ok("zones", said) if len(found) >= _ZONES else failure("zones", said, "Deploy to another region.")


def _endpoints(facts: TemplateFacts, region: str, client: Client) -> Finding:
    wanted = {f"com.amazonaws.{region}.{service}" for service in facts.endpoints()}
    if not wanted:
        return ok("endpoints", "the stack has none")
    try:
        there = client("ec2").describe_vpc_endpoint_services(ServiceNames=sorted(wanted))["ServiceNames"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidServiceName":
            raise
        return failure("endpoints", str(error), "Deploy to another region.")
    missing = sorted(wanted - set(there))
    if missing:
        return failure("endpoints", f"{', '.join(missing)} can't be reached from a VPC", "Deploy to another region.")
    return ok("endpoints", f"a VPC reaches {', '.join(sorted(facts.endpoints()))}")


def _concurrency(facts: TemplateFacts, client: Client) -> Finding:
    functions: Any = client("lambda")
    limit = functions.get_account_settings()["AccountLimit"]
    held = 0
    for name in facts.reserved():
        try:
            held += functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions", 0)
        except functions.exceptions.ResourceNotFoundException:
            continue
    all_of_it, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    return quotas.of_concurrency(facts.reserved(), quotas.Concurrency(all_of_it, unreserved, held))


def _vpcs(facts: TemplateFacts, owned: _Owned, client: Client) -> Finding:
    kind = "AWS::EC2::VPC"
    quota = client("service-quotas").get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]["Value"]
    pages = client("ec2").get_paginator("describe_vpcs").paginate()
    there = sum(len(page["Vpcs"]) for page in pages)
    return quotas.of_vpcs(facts.count(kind), there, quota, made=owned.has(kind))


def _edge_rate(facts: TemplateFacts, client: Client) -> Finding:
    account = client("apigateway").get_account()["throttleSettings"]["rateLimit"]
    return quotas.of_edge_rate(facts.throttle_per_s(), account)


def _names(facts: TemplateFacts, owned: _Owned, account: Account, client: Client) -> Finding:
    names = list(facts.names())
    return of_names(taken(names, owned.ids(), client, account), len(names))
