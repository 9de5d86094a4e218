"""The roles of a synthesized template, with every reference resolved to the ARN that AWS would give. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Resource = Mapping[str, Any]
_SUB = re.compile(r"\$\{([^}!]+)\}")
_MADE_UP = {
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "Tidegate",
    "AWS::NoValue": None,
}


class UnresolvedError(Exception):
    """A template has what this module can't resolve: say it in this module."""


class Role(NamedTuple):
    """What a role's policies say, and the ARN that the role's function has, if a function has it."""

    statements: Sequence[Resource]
    function: str | None
    boundary: Sequence[Resource] | None = None


def roles(template: Mapping[str, Any]) -> dict[str, Role]:
    """Return the roles that functions and state machines have, by the last part of their names.

    Raises:
        UnresolvedError: a role has policies that the template doesn't tell.
    """
    resources = template["Resources"]
    resolve = Resolver(resources)
    found: dict[str, Role] = {}
    for logical, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            name = str(resolve(properties["FunctionName"])).rsplit("-", 1)[-1]
            found[name] = _role(resources, properties["Role"], resolve, resolve.arn(logical))
        elif resource["Type"] == "AWS::StepFunctions::StateMachine":
            found["machine"] = _role(resources, properties["RoleArn"], resolve, None)
    return found


def _role(resources: Mapping[str, Resource], of: Any, resolve: Resolver, function: str | None) -> Role:
    logical = of["Fn::GetAtt"][0]
    properties = resources[logical]["Properties"]
    if properties.get("ManagedPolicyArns"):
        raise UnresolvedError(f"{logical} has managed policies, whose statements aren't in the template")
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    documents += [
        policy["Properties"]["PolicyDocument"]
        for policy in resources.values()
        if policy["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
        and {"Ref": logical} in policy["Properties"].get("Roles", ())
    ]
    if properties.get("PermissionsBoundary"):
        raise UnresolvedError(f"{logical} has a permissions boundary: give it to its Role")
    return Role([resolve(statement) for document in documents for statement in document["Statement"]], function)


class Resolver:
    """Resolves the intrinsic functions of a template's values."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources

    def __call__(self, value: Any) -> Any:
        """Return a value without intrinsic functions.

        Raises:
            UnresolvedError: it has one that isn't known here.
        """
        if isinstance(value, list):
            return [self(part) for part in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        return {name: self(part) for name, part in value.items()}

    def arn(self, logical: str) -> str:
        """Return a resource's ARN.

        Raises:
            UnresolvedError: how its type's ARNs look isn't known here.
        """
        kind = self._resources[logical]["Type"]
        form = _ARNS.get(kind)
        if form is None:
            raise UnresolvedError(f"the ARN of {logical}, a {kind}")
        service, prefix, property_ = form
        name = self(self._resources[logical].get("Properties", {}).get(property_)) or logical
        return f"arn:{_MADE_UP['AWS::Partition']}:{service}:{self._place(service)}:{prefix}{name}"

    def _place(self, service: str) -> str:
        return f"{'' if service == 'iam' else _MADE_UP['AWS::Region']}:{_MADE_UP['AWS::AccountId']}"

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return _MADE_UP[argument] if argument in _MADE_UP else self._ref(argument)
        if name == "Fn::GetAtt":
            logical, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
            return self._attribute(logical, attribute)
        if name == "Fn::Join":
            between, parts = argument
            return between.join(map(str, self(parts)))
        if name == "Fn::Sub" and isinstance(argument, str):
            return _SUB.sub(lambda found: str(self._named(found.group(1))), argument)
        raise UnresolvedError(f"{name} {argument}")

    def _named(self, name: str) -> Any:
        return self({"Fn::GetAtt": name}) if "." in name else self({"Ref": name})

    def _ref(self, logical: str) -> str:
        kind = self._resources[logical]["Type"]
        if kind == "AWS::SNS::Topic":
            return self.arn(logical)
        _, _, name = _ARNS.get(kind, ("", "", ""))
        return str(self(self._resources[logical].get("Properties", {}).get(name)) or logical)

    def _attribute(self, logical: str, attribute: str) -> str:
        if attribute.lower() in {"arn", "topicarn"}:
            ending = ":*" if self._resources[logical]["Type"] == "AWS::Logs::LogGroup" else ""
            return self.arn(logical) + ending
        raise UnresolvedError(f"{logical}.{attribute}")


# The service, the beginning of the resource's part, and the property that names it; without one it is the logical id.
_ARNS: Mapping[str, tuple[str, str, str]] = {
    "AWS::CodeDeploy::DeploymentGroup": ("codedeploy", "deploymentgroup:", ""),
    "AWS::DynamoDB::Table": ("dynamodb", "table/", "TableName"),
    "AWS::ElastiCache::ServerlessCache": ("elasticache", "serverlesscache:", "ServerlessCacheName"),
    "AWS::ElastiCache::User": ("elasticache", "user:", "UserId"),
    "AWS::IAM::Role": ("iam", "role/", "RoleName"),
    "AWS::KMS::Key": ("kms", "key/", ""),
    "AWS::Lambda::Function": ("lambda", "function:", "FunctionName"),
    "AWS::Logs::LogGroup": ("logs", "log-group:", "LogGroupName"),
    "AWS::SNS::Topic": ("sns", "", "TopicName"),
    "AWS::SQS::Queue": ("sqs", "", "QueueName"),
    "AWS::StepFunctions::StateMachine": ("states", "stateMachine:", "StateMachineName"),
}
