"""What a synthesized stack needs of its account, read from its template and its assembly's manifest."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The physical names that a template may give, by resource type; whatever else has a name gets CloudFormation's.
_NAMES: Mapping[str, str] = {
    "AWS::ApiGateway::DomainName": "DomainName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::ElastiCache::ServerlessCache": "ServerlessCacheName",
    "AWS::ElastiCache::User": "UserId",
    "AWS::ElastiCache::UserGroup": "UserGroupId",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
# AWS's own names for the services of a region, by how a resource type begins.
_SERVICES: Mapping[str, str] = {
    "ApiGateway": "apigateway",
    "CloudWatch": "cloudwatch",
    "CodeDeploy": "codedeploy",
    "DynamoDB": "dynamodb",
    "ElastiCache": "elasticache",
    "Events": "events",
    "Lambda": "lambda",
    "SNS": "sns",
    "SQS": "sqs",
    "StepFunctions": "stepfunctions",
}


@dataclass(frozen=True)
class TemplateFacts:
    """What one stack's template asks for; `bootstrap` is the least version of CDK's bootstrap stack."""

    stack: str
    resources: Mapping[str, Mapping[str, Any]]
    bootstrap: int

    @classmethod
    def of_assembly(cls, folder: Path, stack: str) -> "TemplateFacts":
        """Read a cloud assembly, as `cdk synth --output` writes it."""
        manifest = json.loads((folder / "manifest.json").read_text())
        properties = manifest["artifacts"][stack]["properties"]
        template = json.loads((folder / properties["templateFile"]).read_text())
        return cls(stack, template["Resources"], int(properties.get("requiresBootstrapStackVersion", 0)))

    def names(self) -> Iterator[tuple[str, str]]:
        """List every physical name with its resource's type."""
        for resource in self.resources.values():
            name = resource.get("Properties", {}).get(_NAMES.get(resource["Type"], ""))
            if isinstance(name, str):
                yield resource["Type"], name

    def reserved(self) -> dict[str, int]:
        """Return the reserved concurrency of the functions that have one, by their names."""
        functions = [one["Properties"] for one in self.resources.values() if one["Type"] == "AWS::Lambda::Function"]
        told = {str(one["FunctionName"]): one.get("ReservedConcurrentExecutions") for one in functions}
        return {name: int(number) for name, number in told.items() if number is not None}

    def count(self, resource_type: str) -> int:
        """Count the resources of a type."""
        return sum(resource["Type"] == resource_type for resource in self.resources.values())

    def services(self) -> set[str]:
        """Name the services that the region has to have."""
        used = {resource["Type"].split("::")[1] for resource in self.resources.values()}
        return {service for kind, service in _SERVICES.items() if kind in used}

    def endpoints(self) -> set[str]:
        """Name the services that the VPC's endpoints lead to, such as dynamodb."""
        found = [one["Properties"] for one in self.resources.values() if one["Type"] == "AWS::EC2::VPCEndpoint"]
        return {_text(one["ServiceName"]).rpartition(".")[2] for one in found}

    def throttle_per_s(self) -> float:
        """Return the rate of requests that the API's stage lets through."""
        stages = [one["Properties"] for one in self.resources.values() if one["Type"] == "AWS::ApiGateway::Stage"]
        settings = [setting for stage in stages for setting in stage.get("MethodSettings", ())]
        return max((setting.get("ThrottlingRateLimit", 0) for setting in settings), default=0)


def _text(value: Any) -> str:
    """Return the literal parts of a joined text."""
    if isinstance(value, str):
        return value
    return "".join(part for part in value.get("Fn::Join", ["", []])[1] if isinstance(part, str))
