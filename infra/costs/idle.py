"""What a template's resources cost in a month in which nobody asks for anything."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.costs.line import Line, millions
from infra.costs.prices import PriceList

HOURS = 730.0  # of a month, as AWS' own calculator has it
_SECONDS = HOURS * 3600
_MB_PER_GB = 1024
# ElastiCache Serverless bills so much data at least, by engine.
_LEAST_GB = {"valkey": 0.1}
_LEAST_GB_OTHERS = 1.0
# Lambda keeps five pollers on a queue that is empty, each of which waits for 20 seconds.
_POLLERS, _POLL_S = 5, 20

Resource = Mapping[str, Any]
Resources = Mapping[str, Resource]
Rule = Callable[[str, Resource, Resources, PriceList], Iterator[Line]]

# Billed by use, by size, or not at all.
FREE = frozenset(
    {
        "AWS::ApiGateway::Account",
        "AWS::ApiGateway::ApiKey",
        "AWS::ApiGateway::Authorizer",
        "AWS::ApiGateway::BasePathMapping",
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Model",
        "AWS::ApiGateway::RequestValidator",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::ApiGateway::UsagePlan",
        "AWS::ApiGateway::UsagePlanKey",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::Backup::BackupPlan",
        "AWS::Backup::BackupSelection",
        "AWS::Backup::BackupVault",
        "AWS::Budgets::Budget",
        "AWS::CDK::Metadata",
        "AWS::CertificateManager::Certificate",
        "AWS::CloudFormation::CustomResource",
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentConfig",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::Cognito::UserPool",
        "AWS::Cognito::UserPoolClient",
        "AWS::Cognito::UserPoolDomain",
        "AWS::Cognito::UserPoolResourceServer",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EC2::FlowLog",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::ElastiCache::User",
        "AWS::ElastiCache::UserGroup",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::LogGroup",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::ResourcePolicy",
        "AWS::Route53::RecordSet",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
        "AWS::StepFunctions::StateMachine",
        "AWS::WAFv2::IPSet",
        "AWS::WAFv2::LoggingConfiguration",
        "AWS::WAFv2::WebACLAssociation",
    }
)


@dataclass(frozen=True)
class Idle:
    """The lines of a month; `unpriced` are types of which nothing is known, so that the sum may be short of them."""

    lines: tuple[Line, ...]
    unpriced: tuple[str, ...]


def idle(template: Mapping[str, Any], prices: PriceList) -> Idle:
    """Price a template of CloudFormation's for a month without requests.

    Args:
        template: the synthesized template.
        prices: list prices.
    """
    resources: Resources = template["Resources"]
    lines: list[Line] = []
    unknown: set[str] = set()
    for name, resource in resources.items():
        kind = str(resource["Type"])
        if kind in _RULES:
            lines.extend(_RULES[kind](name, resource, resources, prices))
        elif kind not in FREE and not kind.startswith("Custom::"):
            unknown.add(kind)
    return Idle(_summed(lines), tuple(sorted(unknown)))


def memory_gb(function: Resource) -> float:
    """Return a function's memory in GB; Lambda's default is 128 MB."""
    return float(_properties(function).get("MemorySize", 128)) / _MB_PER_GB


def _summed(lines: list[Line]) -> tuple[Line, ...]:
    """Join the lines that say the same, in the order of what they cost."""
    joined: dict[tuple[str, str], Line] = {}
    for line in lines:
        key = (line.what, line.price.name)
        before = joined[key].quantity if key in joined else 0.0
        joined[key] = Line(line.what, before + line.quantity, line.price)
    return tuple(sorted(joined.values(), key=lambda line: -line.usd))


def _properties(resource: Resource) -> Mapping[str, Any]:
    found: Mapping[str, Any] = resource.get("Properties", {})
    return found


def _endpoint(_name: str, resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    told = _properties(resource)
    if told.get("VpcEndpointType") == "Interface":
        zones = len(told.get("SubnetIds", ())) or 1
        yield Line("interface endpoints, by zone", zones * HOURS, prices["interface_endpoint"])


def _nat(_name: str, _resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield Line("NAT gateways", HOURS, prices["nat_gateway"])


def _cache(_name: str, resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    told = _properties(resource)
    limits = told.get("CacheUsageLimits", {})
    least = _LEAST_GB.get(str(told.get("Engine")), _LEAST_GB_OTHERS)
    data_gb = max(float(limits.get("DataStorage", {}).get("Minimum", 0)), least)
    yield Line("ElastiCache Serverless, the least data that is billed", data_gb * HOURS, prices["elasticache_storage"])
    if ecpu_per_s := float(limits.get("ECPUPerSecond", {}).get("Minimum", 0)):
        yield millions("ElastiCache Serverless, units kept ready", ecpu_per_s * _SECONDS, prices["elasticache_ecpu"])


def _alarm(_name: str, resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    queries = _properties(resource).get("Metrics")
    metrics = sum("MetricStat" in query for query in queries) if queries else 1
    yield Line("alarms, by the metrics they read", metrics, prices["alarm_metric"])


def _composite(_name: str, _resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield Line("composite alarms", 1, prices["composite_alarm"])


def _dashboard(_name: str, _resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield Line("dashboards", 1, prices["dashboard"])


def _web_acl(_name: str, resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield Line("WAF", 1, prices["web_acl"])
    yield Line("WAF, by rule", len(_properties(resource).get("Rules", ())), prices["web_acl_rule"])


def _polling(_name: str, _resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield millions("Lambda looks into an empty queue", _POLLERS * _SECONDS / _POLL_S, prices["sqs_requests"])


def _provisioned(name: str, resource: Resource, everything: Resources, prices: PriceList) -> Iterator[Line]:
    told = _properties(resource)
    wanted = told.get("ProvisionedConcurrencyConfig")
    if not wanted:
        return
    function = told.get("FunctionName", {})
    found = everything.get(function.get("Ref", "")) if isinstance(function, Mapping) else None
    if found is None:
        raise KeyError(f"{name} has provisioned concurrency, and its function isn't in the template")
    gb_s = int(wanted["ProvisionedConcurrentExecutions"]) * memory_gb(found) * _SECONDS
    yield Line("provisioned concurrency", gb_s, prices["lambda_provisioned_arm64"])


def _key(_name: str, _resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield Line("KMS keys", 1, prices["kms_key"])


def _secret(_name: str, _resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield Line("secrets", 1, prices["secret"])


def _zone(_name: str, _resource: Resource, _all: Resources, prices: PriceList) -> Iterator[Line]:
    yield Line("hosted zones", 1, prices["hosted_zone"])


_RULES: Mapping[str, Rule] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _composite,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::EC2::NatGateway": _nat,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ElastiCache::ServerlessCache": _cache,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Alias": _provisioned,
    "AWS::Lambda::EventSourceMapping": _polling,
    "AWS::Route53::HostedZone": _zone,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::WAFv2::WebACL": _web_acl,
}
